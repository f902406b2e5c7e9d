//! Settings, checked: flags before environment before file before defaults, one name for each.
//!
//! Always true of [`Settings`]: every number is within its range. Whether the daemon would be open to other machines
//! without its owner having said so is told by [`Settings::check_exposure`]. An error is one sentence that names the setting, where it came from, what it was
//! and what it may be.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::units::{KIB, MIB};
use crate::limits::{COMPACTION_BYTES_PER_S, CORES_MAX};
use crate::ops::cli::Flags;

mod source;

use source::{Sources, variable};

/// When an upload is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Flushed to stable storage: survives a power cut.
    Commit,
    /// Handed to the kernel: survives the end of the process.
    Os,
}

/// Form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Lines for a person.
    Human,
    /// A JSON object a line.
    Json,
}

/// What `serve` runs with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where to listen. `:8090` is `[::]:8090`, which takes IPv4 too.
    pub addr: SocketAddr,
    /// The folder that holds everything.
    pub data_dir: PathBuf,
    /// The largest request body, bytes.
    pub upload_bytes_max: u64,
    /// Cores to run on; none: all this process may use.
    pub cores: Option<usize>,
    /// When an upload is answered.
    pub durability: Durability,
    /// The largest content that is stored within a segment, bytes.
    pub inline_bytes_max: usize,
    /// The size of a segment, bytes; none: scaled to the volume.
    pub segment_bytes: Option<usize>,
    /// Memory for receiving, committing and sending, bytes, all cores together.
    pub buffer_bytes: usize,
    /// What requests in work get when the daemon is told to stop.
    pub stop_timeout: Duration,
    /// What a client has for a request's head.
    pub head_timeout: Duration,
    /// The grace before a body must keep [`Settings::body_rate`].
    pub body_timeout: Duration,
    /// The minimum rate of a body, bytes a second; 0: none.
    pub body_rate: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub answer_timeout: Duration,
    /// How often everything stored is read again; `None`: never.
    pub scrub_cycle: Option<Duration>,
    /// How fast that is done at most, bytes a second.
    pub scrub_rate: u64,
    /// How much compaction reads and writes at most, bytes a second; 0: there is none.
    pub compaction_rate: u64,
    /// Whether there is a catalogue.
    pub catalogue: bool,
    /// Host names, beyond the address and `localhost`, that requests may carry; lower-case.
    pub hosts: Vec<String>,
    /// Whether everybody who reaches the daemon may use it.
    pub allow_anonymous: bool,
    /// Form of the log.
    pub log_format: LogFormat,
    /// The least level that is logged.
    pub log_level: tracing::Level,
    /// Whether every request is logged.
    pub access_log: bool,
}

/// Every setting, by the name it has in the file; `--config` alone has none there.
pub const NAMES: [&str; 23] = [
    "addr",
    "data_dir",
    "max_upload_mb",
    "cores",
    "durability",
    "inline_max_kib",
    "segment_mib",
    "buffer_mib",
    "stop_timeout_s",
    "head_timeout_s",
    "body_timeout_s",
    "body_rate_kib",
    "idle_timeout_s",
    "answer_timeout_s",
    "scrub_days",
    "scrub_mib_s",
    "compaction_mib_s",
    "catalogue",
    "host",
    "allow_anonymous",
    "log_format",
    "log_level",
    "access_log",
];

/// Seconds that a timeout may have: an hour is past any use, and 0 would refuse everybody.
const SECONDS: RangeInclusive<u64> = 1..=3_600;

/// What is wrong with the settings, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// The settings file could not be read.
    #[must_use]
    pub fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
        ConfigError(format!("the settings file {} cannot be read: {error}", path.display()))
    }
}

/// Looks up an environment variable, as [`std::env::var_os`] does.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where the settings file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilePlace {
    /// Its path.
    pub path: PathBuf,
    /// It was asked for, so it must be there; else it may be.
    pub required: bool,
}

/// A settings file that was read.
#[derive(Clone, Debug)]
pub struct File<'a> {
    /// Where it is.
    pub place: &'a FilePlace,
    /// What it says.
    pub text: &'a str,
}

/// Where to look for the settings file: where `--config` or `RHINOBOX_CONFIG` says, else in the data folder.
#[must_use]
pub fn file_place(flags: &Flags, env: Environment<'_>) -> FilePlace {
    let typed = |name: &str| flags.get(name).map(OsStr::to_owned).or_else(|| variable(env, name));
    if let Some(path) = typed("config") {
        return FilePlace { path: path.into(), required: true };
    }
    let data_dir = typed("data_dir").map_or_else(|| PathBuf::from(DATA_DIR), PathBuf::from);
    FilePlace { path: data_dir.join("rhinobox.toml"), required: false }
}

const DATA_DIR: &str = "./data";

/// Settles the settings. `file` is the settings file, if there is one.
///
/// # Errors
/// In one sentence, the first that is wrong.
pub fn resolve(flags: &Flags, env: Environment<'_>, file: Option<File<'_>>) -> Result<Settings, ConfigError> {
    let table = file.as_ref().map(source::parse).transpose()?;
    let from = Sources { flags, env, file: file.as_ref(), table: table.as_ref() };
    let mib = |n: u64| n.saturating_mul(MIB as u64);
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let seconds =
        |name, default| from.number(name, &SECONDS).map(|n| Duration::from_secs(n.unwrap_or(default)));
    Ok(Settings {
        addr: from
            .text("addr", "an address and port such as 127.0.0.1:8090 or :8090", parse_addr)?
            .unwrap_or(LOCAL),
        data_dir: from.path("data_dir", DATA_DIR)?,
        upload_bytes_max: mib(from.number("max_upload_mb", &(1..=1_048_576))?.unwrap_or(512)),
        cores: from.number("cores", &(1..=CORES_MAX as u64))?.map(size),
        durability: from
            .text("durability", "`commit` or `os`", |text| match text {
                "commit" => Some(Durability::Commit),
                "os" => Some(Durability::Os),
                _ => None,
            })?
            .unwrap_or(Durability::Commit),
        inline_bytes_max: size(from.number("inline_max_kib", &(1..=1_024))?.unwrap_or(1_024)) * KIB,
        segment_bytes: from.number("segment_mib", &(4..=1_024))?.map(|n| size(mib(n))),
        buffer_bytes: size(mib(from.number("buffer_mib", &(16..=65_536))?.unwrap_or(256))),
        stop_timeout: seconds("stop_timeout_s", 5)?,
        head_timeout: seconds("head_timeout_s", 10)?,
        body_timeout: seconds("body_timeout_s", 10)?,
        body_rate: size(from.number("body_rate_kib", &(0..=1_048_576))?.unwrap_or(4)) * KIB,
        idle_timeout: seconds("idle_timeout_s", 60)?,
        answer_timeout: seconds("answer_timeout_s", 30)?,
        scrub_cycle: match from.number("scrub_days", &(0..=3_650))?.unwrap_or(14) {
            0 => None,
            days => Some(Duration::from_secs(days * 24 * 60 * 60)),
        },
        scrub_rate: mib(from.number("scrub_mib_s", &(1..=65_536))?.unwrap_or(20)),
        compaction_rate: from.number("compaction_mib_s", &(0..=65_536))?.map_or(COMPACTION_BYTES_PER_S, mib),
        catalogue: from.text("catalogue", "`on` or `off`", on_or_off)?.unwrap_or(true),
        hosts: from.hosts()?,
        allow_anonymous: from.flag("allow_anonymous")?,
        log_format: from
            .text("log_format", "`human` or `json`", |text| match text {
                "human" => Some(LogFormat::Human),
                "json" => Some(LogFormat::Json),
                _ => None,
            })?
            .unwrap_or(LogFormat::Human),
        log_level: from
            .text("log_level", "`error`, `warn`, `info`, `debug` or `trace`", |text| match text {
                "error" => Some(tracing::Level::ERROR),
                "warn" => Some(tracing::Level::WARN),
                "info" => Some(tracing::Level::INFO),
                "debug" => Some(tracing::Level::DEBUG),
                "trace" => Some(tracing::Level::TRACE),
                _ => None,
            })?
            .unwrap_or(tracing::Level::INFO),
        access_log: from.text("access_log", "`on` or `off`", on_or_off)?.unwrap_or(false),
    })
}

fn on_or_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

impl Settings {
    /// A daemon that other machines can reach lets in who has a token, or everybody: the second must be meant.
    ///
    /// # Errors
    /// If no token is needed, [`Settings::addr`] is not a loopback address and [`Settings::allow_anonymous`] is not set.
    pub fn check_exposure(&self, needs_token: bool) -> Result<(), ConfigError> {
        if needs_token || self.addr.ip().to_canonical().is_loopback() || self.allow_anonymous {
            return Ok(());
        }
        Err(ConfigError(format!(
            "listening on {} would let everybody who reaches this machine read, write and delete without a token: \
             make one with `rhinobox token create`, or listen on 127.0.0.1, or mean it with --allow-anonymous \
             (RHINOBOX_ALLOW_ANONYMOUS=1)",
            self.addr
        )))
    }
}

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// No name is looked up: an answer of the name service must not decide who can reach the daemon.
fn parse_addr(text: &str) -> Option<SocketAddr> {
    if let Ok(addr) = text.parse() {
        return Some(addr);
    }
    let (host, port) = text.rsplit_once(':')?;
    // `parse` would take a sign.
    let port = port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok())??;
    match host {
        "" => Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
        "localhost" => Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
