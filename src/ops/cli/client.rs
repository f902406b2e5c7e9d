//! What is typed for the commands that ask a daemon.

use std::path::PathBuf;

use clap::Args;

use crate::client::{Server, What};
use crate::limits::{CATEGORY_BYTES_MAX, CLIENT_JOBS, CLIENT_JOBS_MAX, CLIENT_PATIENCE_S, COMMENT_BYTES_MAX};

pub(super) const STATUS: &str = "\
Exit status: 0 done, 1 it could not be (the daemon is away, refuses, or is none), 2 bad usage.";
pub(super) const FIND_STATUS: &str = "\
Exit status: 0 done, 1 it could not be (the daemon is away, refuses, or is none), 2 bad usage, 4 nothing is stored there.";
pub(super) const PUT_HELP: &str = "\
Examples:
  rhinobox put ~/photos                        a folder: photos/2024/a.jpg keeps its folder photos/2024
  rhinobox put *.jpg --category holiday        some files
  pg_dump db | rhinobox put - --name db.sql    standard input

Links and devices within folders are passed over and named. What is stored is told by the daemon: a second run of the
same folder sends no content, and gives names again, which writes nothing where they are there.

Exit status: 0 everything is stored, 1 it was stopped (the daemon is away, refuses, or is none), 2 bad usage, 3 some
files failed and were named, the rest is stored.";
pub(super) const GET_HELP: &str = "\
Until it is whole and its hash is right, the file has the suffix .rhinobox-part; a later run goes on from there.

Exit status: 0 it is there and whole, 1 it is not (the daemon is away, refuses, or is none), 2 bad usage, 4 nothing is
stored there.";
pub(super) const COMPLETIONS_HELP: &str = "\
  rhinobox completions bash > ~/.local/share/bash-completion/completions/rhinobox
  rhinobox completions zsh > ~/.zfunc/_rhinobox
  rhinobox completions fish > ~/.config/fish/completions/rhinobox.fish";

/// Which daemon, as whom, and how patiently.
#[derive(Args, Clone, Debug)]
pub struct Asks {
    /// Where the daemon is
    #[arg(long, value_name = "URL", env = "RHINOBOX_SERVER", default_value = "http://127.0.0.1:8090", value_parser = Server::parse)]
    pub server: Server,
    /// A file that holds the token to ask with [default: the one in RHINOBOX_TOKEN, if any]
    #[arg(long, value_name = "FILE", env = "RHINOBOX_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// How long a request is tried again while the daemon is away or busy
    #[arg(long, value_name = "SECONDS", default_value_t = CLIENT_PATIENCE_S, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub patience: u64,
}

/// `rhinobox put`
#[derive(Args, Clone, Debug)]
pub struct Put {
    /// Files, folders with all that is below, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The name of standard input
    #[arg(long)]
    pub name: Option<String>,
    /// A category for all of them
    #[arg(long, default_value = "", hide_default_value = true, value_parser = bounded::<CATEGORY_BYTES_MAX>)]
    pub category: String,
    /// A comment for all of them
    #[arg(long, default_value = "", hide_default_value = true, value_parser = bounded::<COMMENT_BYTES_MAX>)]
    pub comment: String,
    /// Requests at once
    #[arg(short, long, value_name = "N", default_value_t = CLIENT_JOBS, value_parser = jobs)]
    pub jobs: usize,
    /// A line for each file
    #[arg(short, long)]
    pub verbose: bool,
    /// The result as one JSON text: counts, and what became of each file
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub asks: Asks,
}

/// `rhinobox get`
#[derive(Args, Clone, Debug)]
pub struct Get {
    /// A hash, or a stored path
    #[arg(value_name = "HASH|PATH", value_parser = What::parse)]
    pub what: What,
    /// A file or folder to write to, or - for standard output [default: the name it was sent by, made safe, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(short, long)]
    pub force: bool,
    /// Which daemon.
    #[command(flatten)]
    pub asks: Asks,
}

/// `rhinobox ls`
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Only this media type: images, videos, audio, documents, spreadsheets, presentations, archives, code, other
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only this category, or what is below a folder with a slash (images/jpg)
    #[arg(long)]
    pub category: Option<String>,
    /// Only what was uploaded at this time or later (2025-11-15 or 2025-11-15T10:30:00Z)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only what was uploaded before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only what has at least so many bytes
    #[arg(long, value_name = "BYTES")]
    pub min_size: Option<u64>,
    /// Only what has at most so many bytes
    #[arg(long, value_name = "BYTES")]
    pub max_size: Option<u64>,
    /// Another order: oldest, largest, smallest, name, name_desc [default: newest]
    #[arg(long, value_name = "ORDER")]
    pub sort: Option<String>,
    /// No more than so many [default: all]
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub asks: Asks,
}

/// `rhinobox search`
#[derive(Args, Clone, Debug)]
pub struct Search {
    /// All of them have to be there; the last may be the beginning of a word
    #[arg(required = true)]
    pub words: Vec<String>,
    /// Filters.
    #[command(flatten)]
    pub list: List,
}

/// `rhinobox stat`
#[derive(Args, Clone, Debug)]
pub struct Stat {
    /// A hash, or a stored path
    #[arg(value_name = "HASH|PATH", value_parser = What::parse)]
    pub what: What,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub asks: Asks,
}

/// `rhinobox rm`
#[derive(Args, Clone, Debug)]
pub struct Remove {
    /// Stored paths; or hashes, which takes all names of a content
    #[arg(required = true, value_name = "HASH|PATH", value_parser = What::parse)]
    pub what: Vec<What>,
    /// Which daemon.
    #[command(flatten)]
    pub asks: Asks,
}

/// `rhinobox stats`
#[derive(Args, Clone, Debug)]
pub struct Stats {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub asks: Asks,
}

fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=CLIENT_JOBS_MAX).contains(jobs));
    jobs.ok_or_else(|| format!("give a number from 1 to {CLIENT_JOBS_MAX}"))
}

fn bounded<const MOST: usize>(text: &str) -> Result<String, String> {
    if text.len() <= MOST {
        Ok(text.to_owned())
    } else {
        Err(format!("it has {} bytes; the limit is {MOST}", text.len()))
    }
}
