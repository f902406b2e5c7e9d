//! The command line as typed: nothing here is checked beyond its shape. What it means is
//! [`config`](crate::ops::config)'s to say, together with environment and file.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::top::parse_interval;
use crate::client::Server;

mod client;
mod token;

pub use client::{Asks, Get, List, Put, Remove, Search, Stat, Stats};
pub use token::{NewToken, TokenCommand};

/// The command line.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "rhinobox",
    version,
    about = "A storage daemon for uploaded media: typed, hashed, stored once, durable before it answers.",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do; `serve` with the settings below if absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of `serve`.
    #[command(flatten)]
    pub flags: Flags,
}

const EXAMPLES: &str = "\
Examples:
  rhinobox                                     serve ./data on http://127.0.0.1:8090
  rhinobox --data-dir /srv/media --cores 4     serve another folder with four cores
  rhinobox token create web --scope upload     make a token, and let nobody in without one
  rhinobox --addr :8090                        serve who can reach this machine and has a token
  rhinobox verify /srv/media                   read everything back and check it
  rhinobox export /srv/media /mnt/copy         write everything stored as plain files
  rhinobox put ~/photos --category holiday     send a folder to the daemon on this machine
  rhinobox get storage/images/jpg/9f86d081884c_beach.jpg
                                               fetch a file, whole and verified
  rhinobox top http://127.0.0.1:8090           watch a daemon at work

  curl -F file=@beach.jpg -F category=holiday http://127.0.0.1:8090/ingest/media

Settings come from flags, then the environment (RHINOBOX_MAX_UPLOAD_MB=64), then the file
rhinobox.toml in the data folder or the one given by --config (max_upload_mb = 64).";

const VERIFY_STATUS: &str = "\
Exit status: 0 all is well, 1 it could not be verified, 2 bad usage, 3 damage was found.";
const EXPORT_STATUS: &str = "\
Exit status: 0 everything was written, 1 it could not be, 2 bad usage, 3 damage was found and the rest written.";

const IMPORT_STATUS: &str = "\
Exit status: 0 everything is there, 1 it could not be imported, 2 bad usage, 3 some files are missing or were altered, and
were named; the rest is there.";
const TOP_STATUS: &str = "\
Exit status: 0 it was shown, 1 there is no daemon, or something else, 2 bad usage.";

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Serve uploads and downloads over HTTP (the default)
    Serve(Box<Flags>),
    /// Read a data folder back, check every checksum and hash, and report
    ///
    /// Changes nothing, and works on a read-only copy. Refuses while a daemon serves the folder.
    #[command(after_help = VERIFY_STATUS)]
    Verify {
        /// The data folder
        dir: PathBuf,
    },
    /// Show what a data folder holds: segments, batches, contents, names
    ///
    /// Changes nothing. Refuses while a daemon serves the folder.
    Inspect {
        /// The data folder
        dir: PathBuf,
        /// Only the segment with this number, as in its file's name
        #[arg(long, value_name = "ID")]
        segment: Option<String>,
        /// At most this many records
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Write everything a data folder holds as plain files, under their stored paths
    ///
    /// Every byte is verified on its way; a damaged file is named and left out. Changes nothing in the data folder.
    /// Refuses while a daemon serves it.
    #[command(after_help = EXPORT_STATUS)]
    Export {
        /// The data folder
        dir: PathBuf,
        /// The folder to write to; it must not exist, or be empty
        to: PathBuf,
    },
    /// Bring in what the Go predecessor of rhinobox stored, with names, categories, comments and times
    ///
    /// Reads its index (metadata/files.json) and the files that it names, checks each against its hash, and writes to a data
    /// folder whose daemon is stopped. Changes nothing in the predecessor's folder. A second run imports nothing.
    #[command(after_help = IMPORT_STATUS)]
    Import {
        /// The predecessor's data folder (its RHINOBOX_DATA_DIR)
        #[arg(value_name = "GO_DATA_DIR")]
        from: PathBuf,
        /// The data folder to write to; it is made if need be [default: ./data]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<OsString>,
        /// Settings file [default: rhinobox.toml in the data folder, if there]
        #[arg(long, value_name = "FILE")]
        config: Option<OsString>,
    },
    /// Make, list and revoke the tokens without which nobody is let in
    ///
    /// A daemon that serves the folder need not be stopped: it sees a change within a second.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show live what a daemon is doing: rates, where its time goes, load of each core
    ///
    /// Asks for its /metrics once an interval, and shows what happened since the last time. Ctrl-C ends it.
    #[command(after_help = TOP_STATUS)]
    Top {
        /// Where the daemon is
        #[arg(default_value = "http://127.0.0.1:8090", value_parser = Server::parse)]
        url: Server,
        /// A file that holds the token to ask with [default: the one in RHINOBOX_TOKEN, if any]
        #[arg(long, value_name = "FILE", env = "RHINOBOX_TOKEN_FILE")]
        token_file: Option<PathBuf>,
        /// Print one view, plain, after one interval, and end: also where standard output is no terminal
        #[arg(long)]
        once: bool,
        /// Time from one look to the next, 0.1 to 3600
        #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_interval)]
        interval: Duration,
    },
    /// Send files and folders to a daemon, each content once
    ///
    /// Asks first which contents are stored already: those are only named. A run that was cut short is simply run again.
    #[command(after_help = client::PUT_HELP)]
    Put(Box<Put>),
    /// Fetch a content, whole and verified, to a file or standard output
    #[command(after_help = client::GET_HELP)]
    Get(Get),
    /// List what is stored, newest first
    #[command(after_help = client::STATUS)]
    Ls(List),
    /// List what has these words in its name, category or comment
    #[command(after_help = client::STATUS)]
    Search(Search),
    /// Show a content and all its names
    #[command(after_help = client::FIND_STATUS)]
    Stat(Stat),
    /// Delete names by path, or contents with all their names by hash
    #[command(after_help = client::FIND_STATUS)]
    Rm(Remove),
    /// Show the totals of a daemon
    #[command(after_help = client::STATUS)]
    Stats(Stats),
    /// Print a script for the shell that completes commands and flags
    #[command(after_help = client::COMPLETIONS_HELP)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Settings as typed. Each has a namesake in the environment and the file.
#[derive(Args, Clone, Default, Debug)]
pub struct Flags {
    /// Settings file [default: rhinobox.toml in the data folder, if there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<OsString>,
    /// Address to listen on; ":8090" is all interfaces [default: 127.0.0.1:8090]
    #[arg(long, value_name = "HOST:PORT")]
    pub addr: Option<OsString>,
    /// Folder that holds everything [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<OsString>,
    /// Largest request body, in MiB [default: 512]
    #[arg(long, value_name = "N")]
    pub max_upload_mb: Option<OsString>,
    /// Cores to run on, 1 to 256 [default: all this process may use]
    #[arg(long, value_name = "N")]
    pub cores: Option<OsString>,
    /// What an answer promises: "commit", on disk; "os", with the kernel [default: commit]
    #[arg(long, value_name = "WHEN")]
    pub durability: Option<OsString>,
    /// Contents up to this many KiB share a file with others [default: 256]
    #[arg(long, value_name = "N")]
    pub inline_max_kib: Option<OsString>,
    /// Size of a segment of the log, in MiB, 1 to 1024 [default: scaled to the volume]
    #[arg(long, value_name = "N")]
    pub segment_mib: Option<OsString>,
    /// Memory for receiving, committing and sending, in MiB [default: 256]
    #[arg(long, value_name = "N")]
    pub buffer_mib: Option<OsString>,
    /// Seconds that requests in work get when the daemon is told to stop [default: 5]
    #[arg(long, value_name = "SECONDS")]
    pub stop_timeout_s: Option<OsString>,
    /// Seconds a client has for a request's head [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub head_timeout_s: Option<OsString>,
    /// Seconds before a body must keep the minimum rate [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub body_timeout_s: Option<OsString>,
    /// Minimum rate of a body, in KiB/s; 0 is none [default: 4]
    #[arg(long, value_name = "N")]
    pub body_rate_kib: Option<OsString>,
    /// Seconds an idle connection is kept [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub idle_timeout_s: Option<OsString>,
    /// Seconds a client may leave an answer unread [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub answer_timeout_s: Option<OsString>,
    /// Days within which everything stored is read again and checked; 0 is never [default: 14]
    #[arg(long, value_name = "DAYS")]
    pub scrub_days: Option<OsString>,
    /// MiB a second that this reads at most [default: 20]
    #[arg(long, value_name = "N")]
    pub scrub_mib_s: Option<OsString>,
    /// MiB a second that compaction reads and writes at most; 0 is no compaction [default: 192]
    #[arg(long, value_name = "N")]
    pub compaction_mib_s: Option<OsString>,
    /// Whether files are listed and searched, "on" or "off" [default: on]
    #[arg(long, value_name = "WHETHER")]
    pub catalogue: Option<OsString>,
    /// Another Host name this daemon is reached by (repeatable)
    #[arg(long, value_name = "NAME")]
    pub host: Vec<OsString>,
    /// Serve beyond this machine although there are no tokens
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_anonymous: Option<OsString>,
    /// Form of the log on standard error: "human" or "json" [default: human]
    #[arg(long, value_name = "FORM")]
    pub log_format: Option<OsString>,
    /// Least level that is logged: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<OsString>,
    /// Whether every request has a line in the log, "on" or "off" [default: off]
    #[arg(long, value_name = "WHETHER")]
    pub access_log: Option<OsString>,
}

impl Flags {
    /// What was typed for the setting of this name (as in the file, with underscores); [`Flags::host`] is a list
    /// and not among them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let value = match name {
            "config" => &self.config,
            "addr" => &self.addr,
            "data_dir" => &self.data_dir,
            "max_upload_mb" => &self.max_upload_mb,
            "cores" => &self.cores,
            "durability" => &self.durability,
            "inline_max_kib" => &self.inline_max_kib,
            "segment_mib" => &self.segment_mib,
            "buffer_mib" => &self.buffer_mib,
            "stop_timeout_s" => &self.stop_timeout_s,
            "head_timeout_s" => &self.head_timeout_s,
            "body_timeout_s" => &self.body_timeout_s,
            "body_rate_kib" => &self.body_rate_kib,
            "idle_timeout_s" => &self.idle_timeout_s,
            "answer_timeout_s" => &self.answer_timeout_s,
            "scrub_days" => &self.scrub_days,
            "scrub_mib_s" => &self.scrub_mib_s,
            "compaction_mib_s" => &self.compaction_mib_s,
            "catalogue" => &self.catalogue,
            "allow_anonymous" => &self.allow_anonymous,
            "log_format" => &self.log_format,
            "log_level" => &self.log_level,
            "access_log" => &self.access_log,
            _ => &None,
        };
        value.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_and_takes_the_same_flags() {
        let bare = parse("rhinobox --addr :1 --host a --host b --allow-anonymous").unwrap();
        assert!(bare.command.is_none());
        let Some(Command::Serve(named)) =
            parse("rhinobox serve --addr :1 --host a --host b --allow-anonymous").unwrap().command
        else {
            panic!("serve was asked for");
        };
        for flags in [&bare.flags, &*named] {
            assert_eq!(flags.get("addr"), Some(OsStr::new(":1")));
            assert_eq!(flags.get("allow_anonymous"), Some(OsStr::new("true")));
            assert_eq!(flags.host, ["a", "b"]);
        }
    }

    #[test]
    fn offline_commands_take_folders() {
        assert!(matches!(parse("rhinobox verify d").unwrap().command, Some(Command::Verify { .. })));
        assert!(matches!(parse("rhinobox inspect d").unwrap().command, Some(Command::Inspect { .. })));
        assert!(matches!(parse("rhinobox export d t").unwrap().command, Some(Command::Export { .. })));
        for line in [
            "rhinobox verify",
            "rhinobox export d",
            "rhinobox sevre",
            "rhinobox --port 1",
            "rhinobox --addr :1 verify d",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn top_takes_a_place_and_a_pace() {
        let Some(Command::Top { url, once, interval, .. }) = parse("rhinobox top").unwrap().command else {
            panic!("top was asked for");
        };
        assert_eq!((url.to_string().as_str(), once), ("http://127.0.0.1:8090", false));
        assert_eq!(interval, Duration::from_secs(1));
        let typed = parse("rhinobox top --once --interval 0.25 http://[::1]:81/").unwrap().command;
        let Some(Command::Top { url, once, interval, .. }) = typed else { panic!("top was asked for") };
        assert_eq!((url.to_string().as_str(), once), ("http://[::1]:81", true));
        assert_eq!(interval, Duration::from_millis(250));
        for line in ["--interval 0", "--interval 1e9", "--interval x", "--interval nan", "https://a", "a b"] {
            assert!(parse(&format!("rhinobox top {line}")).is_err(), "{line}");
        }
    }

    #[test]
    fn help_shows_every_setting_and_examples() {
        let help = Cli::command().render_long_help().to_string();
        for name in crate::ops::config::NAMES {
            let flag = format!("--{}", name.replace('_', "-"));
            assert!(help.contains(&flag), "{flag}");
        }
        assert!(help.contains("curl -F file=@"));
    }
}
