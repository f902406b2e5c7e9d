//! The program around the store: command line, settings, log, and what each command does.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

mod asks;
pub mod cli;
pub mod config;
pub mod export;
mod import;
pub mod inspect;
pub mod log;
mod offline;
pub mod serve;
pub mod token;
pub mod top;
pub mod verify;

use cli::{Cli, Command, Flags};
use config::{ConfigError, File, FilePlace, Settings};

/// Why a command failed, in one sentence.
pub type Failure = Box<dyn std::error::Error>;

/// Exit status of a command that did its work and found damage.
const DAMAGED: u8 = 3;
/// Exit status of a command that did a part of its work, and said what it did not do.
const PARTLY: u8 = 3;
/// Exit status of a command whose object is not there.
const NOT_FOUND: u8 = 4;

/// Does what the command line says. A failure is one sentence on standard error and exit status 1; a command
/// line that is none has status 2 and does not come here.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        None => serve(&cli.flags).map(|()| ExitCode::SUCCESS),
        Some(Command::Serve(flags)) => serve(&flags).map(|()| ExitCode::SUCCESS),
        Some(Command::Verify { dir }) => verify::run(&dir),
        Some(Command::Inspect { dir, segment, limit }) => inspect::run(&dir, segment.as_deref(), limit),
        Some(Command::Export { dir, to }) => export::run(&dir, &to),
        Some(Command::Import { from, data_dir, config }) => import(&from, data_dir, config),
        Some(Command::Top { url, token_file, once, interval }) => {
            asks::brief(url, token_file.as_deref()).and_then(|client| top::run(&client, once, interval))
        }
        Some(Command::Put(put)) => asks::put(*put),
        Some(Command::Get(get)) => asks::get(get),
        Some(Command::Ls(list)) => asks::list(list, String::new()),
        Some(Command::Search(search)) => asks::list(search.list, search.words.join(" ")),
        Some(Command::Stat(stat)) => asks::stat(&stat),
        Some(Command::Rm(remove)) => asks::remove(&remove),
        Some(Command::Stats(stats)) => asks::stats(&stats),
        Some(Command::Completions { shell }) => Ok(asks::completions(shell)),
        Some(Command::Token(command)) => token::run(command),
    };
    match done {
        Ok(status) => status,
        Err(failure) => {
            // Nothing is left to do if standard error is closed.
            let _ = writeln!(io::stderr(), "rhinobox: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &Flags) -> Result<(), Failure> {
    let settings = settings(flags)?;
    log::init(&settings);
    serve::run(settings)
}

/// Imports with the settings that a daemon of this data folder has.
fn import(from: &Path, data_dir: Option<OsString>, config: Option<OsString>) -> Result<ExitCode, Failure> {
    let settings = settings(&Flags { data_dir, config, ..Flags::default() })?;
    log::init(&settings);
    import::run(from, &settings)
}

/// Settles the settings from flags, this process's environment and the settings file.
fn settings(flags: &Flags) -> Result<Settings, Failure> {
    let env = |name: &str| std::env::var_os(name);
    let place = config::file_place(flags, &env);
    let text = read(&place)?;
    let file = text.as_deref().map(|text| File { place: &place, text });
    Ok(config::resolve(flags, &env, file)?)
}

fn read(place: &FilePlace) -> Result<Option<String>, ConfigError> {
    let path: &Path = &place.path;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // What is wrong with the data folder itself is said where it is opened.
        Err(error)
            if !place.required
                && matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(ConfigError::unreadable(path, &error)),
    }
}
