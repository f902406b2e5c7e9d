//! Settings, checked: flags before environment before file before defaults, one name for each.
//!
//! Always true of [`Settings`]: every number is within its range, and the daemon is not open to other machines
//! unless its owner said so. An error is one sentence that names the setting, where it came from, what it was
//! and what it may be.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::units::{KIB, MIB};
use crate::ops::cli::Flags;

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
    /// Host names, beyond the address and `localhost`, that requests may carry; lower-case.
    pub hosts: Vec<String>,
    /// Whether everybody who reaches the daemon may use it.
    pub allow_anonymous: bool,
    /// Form of the log.
    pub log_format: LogFormat,
    /// The least level that is logged.
    pub log_level: tracing::Level,
}

/// Every setting, by the name it has in the file; `--config` alone has none there.
pub const NAMES: [&str; 18] = [
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
    "host",
    "allow_anonymous",
    "log_format",
    "log_level",
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

fn variable_name(name: &str) -> String {
    format!("RHINOBOX_{}", name.to_ascii_uppercase())
}

/// An empty variable is an unset one: that is all a unit file or a compose file can say.
fn variable(env: Environment<'_>, name: &str) -> Option<OsString> {
    env(&variable_name(name)).filter(|value| !value.is_empty())
}

/// Settles the settings. `file` is the settings file, if there is one.
///
/// # Errors
/// In one sentence, the first that is wrong.
pub fn resolve(flags: &Flags, env: Environment<'_>, file: Option<File<'_>>) -> Result<Settings, ConfigError> {
    let table = file.as_ref().map(parse).transpose()?;
    let from = Sources { flags, env, file: file.as_ref(), table: table.as_ref() };
    let mib = |n: u64| n.saturating_mul(MIB as u64);
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let seconds =
        |name, default| from.number(name, &SECONDS).map(|n| Duration::from_secs(n.unwrap_or(default)));
    let settings = Settings {
        addr: from
            .text("addr", "an address and port such as 127.0.0.1:8090 or :8090", parse_addr)?
            .unwrap_or(LOCAL),
        data_dir: from.path("data_dir", DATA_DIR)?,
        upload_bytes_max: mib(from.number("max_upload_mb", &(1..=1_048_576))?.unwrap_or(512)),
        cores: from.number("cores", &(1..=256))?.map(size),
        durability: from
            .text("durability", "`commit` or `os`", |text| match text {
                "commit" => Some(Durability::Commit),
                "os" => Some(Durability::Os),
                _ => None,
            })?
            .unwrap_or(Durability::Commit),
        inline_bytes_max: size(from.number("inline_max_kib", &(1..=1_024))?.unwrap_or(256)) * KIB,
        segment_bytes: from.number("segment_mib", &(1..=1_024))?.map(|n| size(mib(n))),
        buffer_bytes: size(mib(from.number("buffer_mib", &(16..=65_536))?.unwrap_or(48))),
        stop_timeout: seconds("stop_timeout_s", 5)?,
        head_timeout: seconds("head_timeout_s", 10)?,
        body_timeout: seconds("body_timeout_s", 10)?,
        body_rate: size(from.number("body_rate_kib", &(0..=1_048_576))?.unwrap_or(4)) * KIB,
        idle_timeout: seconds("idle_timeout_s", 60)?,
        answer_timeout: seconds("answer_timeout_s", 30)?,
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
            .text("log_level", "`error`, `warn`, `info`, `debug` or `trace`", |text| text.parse().ok())?
            .unwrap_or(tracing::Level::INFO),
    };
    settings.check_exposure()?;
    Ok(settings)
}

impl Settings {
    /// A daemon that other machines can reach lets them read, write and delete; that must be meant.
    ///
    /// # Errors
    /// If [`Settings::addr`] is not a loopback address and [`Settings::allow_anonymous`] is not set.
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        if self.addr.ip().to_canonical().is_loopback() || self.allow_anonymous {
            return Ok(());
        }
        Err(ConfigError(format!(
            "listening on {} would let everybody who reaches this machine read, write and delete without a token: \
             listen on 127.0.0.1, or mean it with --allow-anonymous (RHINOBOX_ALLOW_ANONYMOUS=1)",
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

/// A Host name without port: a DNS name or an address, an IPv6 one in brackets.
fn parse_host(text: &str) -> Option<String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let fine = match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    (fine && !text.is_empty() && text.len() <= 253).then(|| text.to_ascii_lowercase())
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn parse<'a>(file: &File<'a>) -> Result<DeTable<'a>, ConfigError> {
    let path = file.place.path.display();
    let table = DeTable::parse(file.text).map_err(|error| {
        let line = error.span().map(|span| line_of(file.text, span.start)).unwrap_or(1);
        let message = error.message().replace('\n', ", ");
        ConfigError(format!("{path}, line {line}, is not TOML: {message}"))
    })?;
    let table = table.into_inner();
    for key in table.keys() {
        let line = line_of(file.text, key.span().start);
        let key = key.get_ref().as_ref();
        if !NAMES.contains(&key) {
            let known = NAMES.join(", ");
            let key = key.escape_debug();
            return Err(ConfigError(format!(
                "{path}, line {line}, has an unknown setting `{key}`; known are {known}"
            )));
        }
        if key == "data_dir" && !file.place.required {
            return Err(ConfigError(format!(
                "data_dir in {path}, line {line}, cannot be set by a file that is itself found in the data folder; \
                 use --data-dir, RHINOBOX_DATA_DIR or --config"
            )));
        }
    }
    Ok(table)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The three places of a setting, best first.
struct Sources<'a> {
    flags: &'a Flags,
    env: Environment<'a>,
    file: Option<&'a File<'a>>,
    table: Option<&'a DeTable<'a>>,
}

/// A setting as one of them has it.
enum Found<'a> {
    Typed { text: OsString, place: String },
    Filed { value: &'a DeValue<'a>, place: String },
}

impl Found<'_> {
    /// The sentence that refuses it.
    fn refuse(&self, name: &str, allowed: impl fmt::Display) -> ConfigError {
        let (shown, place) = match self {
            Found::Typed { text, place } => (text.to_string_lossy().into_owned(), place),
            Found::Filed { value, place } => (show(value), place),
        };
        let shown = shown.escape_debug();
        ConfigError(format!("{name} {place} is `{shown}`; it must be {allowed}"))
    }
}

fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        other => format!("a TOML {}", other.type_str()),
    }
}

impl<'a> Sources<'a> {
    fn find(&self, name: &str) -> Option<Found<'a>> {
        if let Some(text) = self.flags.get(name) {
            let place = format!("given by --{}", name.replace('_', "-"));
            return Some(Found::Typed { text: text.to_owned(), place });
        }
        if let Some(text) = variable(self.env, name) {
            return Some(Found::Typed { text, place: format!("from {}", variable_name(name)) });
        }
        self.filed(name).map(|(value, place)| Found::Filed { value, place })
    }

    fn filed(&self, name: &str) -> Option<(&'a DeValue<'a>, String)> {
        let (file, value): (_, &Spanned<DeValue<'_>>) = (self.file?, self.table?.get(name)?);
        let line = line_of(file.text, value.span().start);
        Some((value.get_ref(), format!("in {}, line {line},", file.place.path.display())))
    }

    fn number(&self, name: &str, range: &RangeInclusive<u64>) -> Result<Option<u64>, ConfigError> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let number = match &found {
            Found::Typed { text, .. } => text.to_str().and_then(|text| text.parse().ok()),
            Found::Filed { value: DeValue::Integer(n), .. } => {
                u64::from_str_radix(n.as_str(), n.radix()).ok()
            }
            Found::Filed { .. } => None,
        };
        let allowed = format_args!("a whole number from {} to {}", range.start(), range.end());
        number.filter(|n| range.contains(n)).map(Some).ok_or_else(|| found.refuse(name, allowed))
    }

    fn text<T>(
        &self,
        name: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let text = match &found {
            Found::Typed { text, .. } => text.to_str(),
            Found::Filed { value, .. } => value.as_str(),
        };
        text.and_then(read).map(Some).ok_or_else(|| found.refuse(name, allowed))
    }

    /// A path may be any bytes that the file system takes.
    fn path(&self, name: &str, default: &str) -> Result<PathBuf, ConfigError> {
        let path = match self.find(name) {
            None => return Ok(PathBuf::from(default)),
            Some(Found::Typed { ref text, .. }) if !text.is_empty() => PathBuf::from(text),
            Some(Found::Filed { value: DeValue::String(text), .. }) if !text.is_empty() => {
                Path::new(&**text).into()
            }
            Some(found) => return Err(found.refuse(name, "the path of a folder")),
        };
        Ok(path)
    }

    fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        let Some(found) = self.find(name) else { return Ok(false) };
        let value = match &found {
            Found::Typed { text, .. } => text.to_str().and_then(parse_bool),
            Found::Filed { value, .. } => value.as_bool(),
        };
        value.ok_or_else(|| found.refuse(name, "`true` or `false`"))
    }

    /// Repeated on the command line, separated by commas in the environment, an array or a string in the file.
    fn hosts(&self) -> Result<Vec<String>, ConfigError> {
        const NAME: &str = "host";
        const ALLOWED: &str = "host names without port, such as media.example.org";
        let read = |found: Found<'_>, text: Option<&str>| {
            text.and_then(parse_host).ok_or_else(|| found.refuse(NAME, ALLOWED))
        };
        let typed =
            |text: &OsStr, place: &str| Found::Typed { text: text.to_owned(), place: place.to_owned() };
        if !self.flags.host.is_empty() {
            let hosts = self.flags.host.iter();
            return hosts.map(|host| read(typed(host, "given by --host"), host.to_str())).collect();
        }
        if let Some(list) = variable(self.env, NAME) {
            let found = || typed(&list, "from RHINOBOX_HOST");
            let text = list.to_str().ok_or_else(|| found().refuse(NAME, ALLOWED))?;
            return text.split(',').map(|host| read(found(), Some(host.trim()))).collect();
        }
        let Some((value, place)) = self.filed(NAME) else { return Ok(Vec::new()) };
        let filed = |value| Found::Filed { value, place: place.clone() };
        match value {
            DeValue::Array(items) => {
                items.iter().map(Spanned::get_ref).map(|item| read(filed(item), item.as_str())).collect()
            }
            value => Ok(vec![read(filed(value), value.as_str())?]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cli::{Cli, Command};
    use clap::Parser as _;

    fn flags(line: &str) -> Flags {
        match Cli::try_parse_from(["rhinobox", "serve"].into_iter().chain(line.split_whitespace()))
            .unwrap()
            .command
        {
            Some(Command::Serve(flags)) => *flags,
            other => panic!("{other:?}"),
        }
    }

    /// Flags, `NAME=value` words of the environment without their prefix, and the text of a `--config` file.
    fn settle(line: &str, env: &str, text: &str) -> Result<Settings, String> {
        let env = |name: &str| {
            let pairs = env.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| name.strip_prefix("RHINOBOX_") == Some(key)).map(|(_, v)| v.into()).next()
        };
        let place = FilePlace { path: "/etc/rhinobox.toml".into(), required: true };
        resolve(&flags(line), &env, Some(File { place: &place, text })).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = settle("", "", "").unwrap();
        assert_eq!(
            settings,
            Settings {
                addr: "127.0.0.1:8090".parse().unwrap(),
                data_dir: "./data".into(),
                upload_bytes_max: 512 * 1024 * 1024,
                cores: None,
                durability: Durability::Commit,
                inline_bytes_max: 256 * 1024,
                segment_bytes: None,
                buffer_bytes: 48 * 1024 * 1024,
                stop_timeout: Duration::from_secs(5),
                head_timeout: Duration::from_secs(10),
                body_timeout: Duration::from_secs(10),
                body_rate: 4 * 1024,
                idle_timeout: Duration::from_secs(60),
                answer_timeout: Duration::from_secs(30),
                hosts: vec![],
                allow_anonymous: false,
                log_format: LogFormat::Human,
                log_level: tracing::Level::INFO,
            }
        );
        assert_eq!(resolve(&Flags::default(), &|_| None, None).unwrap(), settings);
    }

    /// A value of each setting, as a word and as TOML; not its default.
    const OTHERS: [(&str, &str, &str); 18] = [
        ("addr", "127.0.0.2:1", "'127.0.0.2:1'"),
        ("data_dir", "/d", "'/d'"),
        ("max_upload_mb", "7", "7"),
        ("cores", "7", "0x7"),
        ("durability", "os", "'os'"),
        ("inline_max_kib", "7", "7"),
        ("segment_mib", "7", "7"),
        ("buffer_mib", "70", "70"),
        ("stop_timeout_s", "7", "7"),
        ("head_timeout_s", "7", "7"),
        ("body_timeout_s", "7", "7"),
        ("body_rate_kib", "0", "0"),
        ("idle_timeout_s", "7", "7"),
        ("answer_timeout_s", "7", "7"),
        ("host", "b.example", "['b.example']"),
        ("allow_anonymous", "true", "true"),
        ("log_format", "json", "'json'"),
        ("log_level", "trace", "'trace'"),
    ];

    #[test]
    fn every_setting_has_one_name_in_all_three_places() {
        let default = settle("", "", "").unwrap();
        assert_eq!(OTHERS.map(|(name, ..)| name), NAMES);
        for (name, word, toml) in OTHERS {
            let by_flag = settle(&format!("--{}={word}", name.replace('_', "-")), "", "").unwrap();
            let by_env = settle("", &format!("{}={word}", name.to_uppercase()), "").unwrap();
            let by_file = settle("", "", &format!("{name} = {toml}")).unwrap();
            assert_ne!(by_flag, default, "{name}");
            assert_eq!((&by_flag, &by_flag), (&by_env, &by_file), "{name}");
        }
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let cores = |line, env, text| settle(line, env, text).unwrap().cores;
        assert_eq!(cores("--cores 1", "CORES=2", "cores = 3"), Some(1));
        assert_eq!(cores("", "CORES=2", "cores = 3"), Some(2));
        assert_eq!(cores("", "", "cores = 3"), Some(3));
        assert_eq!(cores("", "CORES=", "cores = 3"), Some(3), "an empty variable is an unset one");
        let hosts = |line, env, text| settle(line, env, text).unwrap().hosts;
        assert_eq!(hosts("--host A --host b", "HOST=c,D", "host = 'e'"), ["a", "b"]);
        assert_eq!(hosts("", "HOST=c,D", "host = 'e'"), ["c", "d"]);
        assert_eq!(hosts("", "", "host = ['e', '[::1]']"), ["e", "[::1]"]);
        assert_eq!(hosts("", "", "host = 'e'"), ["e"]);
    }

    #[test]
    fn addresses_are_read_without_a_name_service() {
        for (text, addr) in [
            (":8090", "[::]:8090"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:8090", "[::1]:8090"),
        ] {
            let settings = settle(&format!("--addr {text} --allow-anonymous"), "", "").unwrap();
            assert_eq!(settings.addr.to_string(), addr);
        }
        for text in ["8090", "localhost", "example.org:80", ":+80", ":65536", ":", "127.0.0.1", "::1:80:"] {
            let error = settle(&format!("--addr={text}"), "", "").unwrap_err();
            assert!(
                error.contains(&format!("addr given by --addr is `{text}`; it must be an address")),
                "{error}"
            );
        }
    }

    #[test]
    fn listening_beyond_this_machine_must_be_meant() {
        for addr in [":8090", "0.0.0.0:8090", "192.0.2.1:8090", "[::ffff:192.0.2.1]:1"] {
            let error = settle(&format!("--addr {addr}"), "", "").unwrap_err();
            assert!(
                error.starts_with("listening on ") && error.contains("RHINOBOX_ALLOW_ANONYMOUS=1"),
                "{error}"
            );
            assert!(settle(&format!("--addr {addr}"), "ALLOW_ANONYMOUS=1", "").is_ok());
            assert!(settle(&format!("--addr {addr}"), "ALLOW_ANONYMOUS=0", "").is_err());
        }
        for addr in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"] {
            assert!(settle(&format!("--addr {addr}"), "", "").is_ok(), "{addr}");
        }
    }

    #[test]
    fn an_error_names_setting_source_value_and_range() {
        for (line, env, text, expected) in [
            ("--cores 0", "", "", "cores given by --cores is `0`; it must be a whole number from 1 to 256"),
            (
                "--cores=257",
                "",
                "",
                "cores given by --cores is `257`; it must be a whole number from 1 to 256",
            ),
            (
                "",
                "MAX_UPLOAD_MB=lots",
                "",
                "max_upload_mb from RHINOBOX_MAX_UPLOAD_MB is `lots`; it must be a whole number from 1 to 1048576",
            ),
            (
                "",
                "",
                "# first\nsegment_mib = 2000",
                "segment_mib in /etc/rhinobox.toml, line 2, is `2000`; it must be a whole number from 1 to 1024",
            ),
            (
                "",
                "",
                "cores = '4'",
                "cores in /etc/rhinobox.toml, line 1, is `4`; it must be a whole number from 1 to 256",
            ),
            (
                "",
                "",
                "cores = 4.5",
                "cores in /etc/rhinobox.toml, line 1, is `4.5`; it must be a whole number from 1 to 256",
            ),
            (
                "",
                "",
                "cores = -4",
                "cores in /etc/rhinobox.toml, line 1, is `-4`; it must be a whole number from 1 to 256",
            ),
            (
                "",
                "",
                "[cores]",
                "cores in /etc/rhinobox.toml, line 1, is `a TOML table`; it must be a whole number from 1 to 256",
            ),
            (
                "--durability maybe",
                "",
                "",
                "durability given by --durability is `maybe`; it must be `commit` or `os`",
            ),
            (
                "",
                "LOG_FORMAT=xml",
                "",
                "log_format from RHINOBOX_LOG_FORMAT is `xml`; it must be `human` or `json`",
            ),
            (
                "",
                "",
                "allow_anonymous = 1",
                "allow_anonymous in /etc/rhinobox.toml, line 1, is `1`; it must be `true` or `false`",
            ),
            (
                "--host a:80",
                "",
                "",
                "host given by --host is `a:80`; it must be host names without port, such as media.example.org",
            ),
            (
                "",
                "",
                "host = ['a', 3]",
                "host in /etc/rhinobox.toml, line 1, is `3`; it must be host names without port, such as media.example.org",
            ),
            (
                "",
                "",
                "data_dir = ''",
                "data_dir in /etc/rhinobox.toml, line 1, is ``; it must be the path of a folder",
            ),
        ] {
            assert_eq!(settle(line, env, text), Err(expected.to_owned()));
        }
        let error = settle("--durability \x1b[2J", "", "").unwrap_err();
        assert!(error.contains(r"`\u{1b}[2J`"), "{error}");
    }

    #[test]
    fn unknown_and_malformed_files_are_refused_by_line() {
        let error = settle("", "", "\ncore = 3").unwrap_err();
        assert!(
            error.starts_with("/etc/rhinobox.toml, line 2, has an unknown setting `core`; known are addr, "),
            "{error}"
        );
        let error = settle("", "", "cores = 3\n\ncores = ").unwrap_err();
        assert!(error.starts_with("/etc/rhinobox.toml, line 3, is not TOML: "), "{error}");
        let error = settle("", "", "cores = 3\ncores = 4").unwrap_err();
        assert!(error.starts_with("/etc/rhinobox.toml, line 2, is not TOML: duplicate key"), "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn the_file_is_found_in_the_data_folder_unless_given() {
        let place = |line, name: &'static str, value: &'static str| {
            file_place(&flags(line), &|asked| (asked == name).then(|| value.into()))
        };
        let optional = |path: &str| FilePlace { path: path.into(), required: false };
        assert_eq!(place("", "", ""), optional("./data/rhinobox.toml"));
        assert_eq!(place("--data-dir /x", "RHINOBOX_DATA_DIR", "/y"), optional("/x/rhinobox.toml"));
        assert_eq!(place("", "RHINOBOX_DATA_DIR", "/y"), optional("/y/rhinobox.toml"));
        assert_eq!(place("--config c", "", ""), FilePlace { path: "c".into(), required: true });
        assert_eq!(place("", "RHINOBOX_CONFIG", "c"), FilePlace { path: "c".into(), required: true });

        let place = optional("/d/rhinobox.toml");
        let file = File { place: &place, text: "data_dir = '/elsewhere'" };
        let error = resolve(&Flags::default(), &|_| None, Some(file)).unwrap_err().to_string();
        assert!(
            error.starts_with("data_dir in /d/rhinobox.toml, line 1, cannot be set by a file"),
            "{error}"
        );
    }
}
