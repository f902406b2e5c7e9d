//! The program as it is run, and what came of it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Daemon, Folder};

pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Ran {
        assert_eq!(self.status, Some(status), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A command that asks this daemon, in a folder of its own choice.
pub(crate) fn command(server: &str, arguments: &[&dyn AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rhinobox"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RHINOBOX_")) {
        command.env_remove(name);
    }
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    command.env("RHINOBOX_SERVER", server).stdin(Stdio::null());
    command
}

pub(crate) fn finish(mut command: Command) -> Ran {
    let ran = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    Ran { status: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) }
}

pub(crate) fn url(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address())
}

pub(crate) fn run(daemon: &Daemon, arguments: &[&dyn AsRef<OsStr>]) -> Ran {
    finish(command(&url(daemon), arguments))
}

/// Writes files into a folder that is made for it.
pub(crate) fn folder_of(files: &[(&str, Vec<u8>)]) -> Folder {
    let folder = Folder::new();
    for (name, content) in files {
        write(&folder.join(name), content);
    }
    folder
}

pub(crate) fn write(path: &Path, content: &[u8]) {
    let parent = path.parent().expect("it is in a folder");
    std::fs::create_dir_all(parent).expect("a folder is made");
    std::fs::write(path, content).expect("a file is written");
}

/// Nothing that a terminal obeys, but for line ends.
#[track_caller]
pub(crate) fn is_plain(text: &str) {
    let turns = |char| ('\u{2028}'..='\u{202e}').contains(&char) || ('\u{2066}'..='\u{2069}').contains(&char);
    assert!(text.chars().all(|char| char == '\n' || !(char.is_control() || turns(char))), "{text:?}");
}
