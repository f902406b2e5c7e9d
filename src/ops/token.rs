//! `rhinobox token`: makes, lists and revokes the tokens of a data folder, beside a daemon that serves it or without one.
//!
//! Always: a secret is printed once, alone on standard output, and kept nowhere; words about it go to standard error.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use super::cli::{Flags, NewToken, TokenCommand};
use super::settings;
use crate::base::time::Wall;
use crate::limits::TOKENS_MAX;
use crate::runtime::clock;
use crate::store::dir;
use crate::tokens::file::{self, Record};
use crate::tokens::{Scopes, secret};

/// Does what was typed.
///
/// # Errors
/// Why it was not done, in a sentence.
pub fn run(command: TokenCommand) -> Result<ExitCode, Failure> {
    let place = command.place().clone();
    let flags = Flags { data_dir: place.data_dir, config: place.config, ..Flags::default() };
    let data_dir = settings(&flags)?.data_dir;
    match command {
        TokenCommand::Create(new) => create(&data_dir, &new)?,
        TokenCommand::List { .. } => list(&data_dir)?,
        TokenCommand::Revoke { name, .. } => revoke(&data_dir, &name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(data_dir: &Path, new: &NewToken) -> Result<(), Failure> {
    refuse_strangers(data_dir)?;
    let now_s = clock::wall().seconds();
    let expires_unix_s =
        new.expires_in.map(|after| now_s.saturating_add(i64::try_from(after.as_secs()).unwrap_or(i64::MAX)));
    let secret = secret::create();
    let record = Record {
        name: new.name.clone(),
        sha256: secret::hash(secret.as_bytes()),
        scopes: Scopes::of(&new.scope).iter().collect(),
        created_unix_s: now_s,
        expires_unix_s,
        requests_per_s: new.rate,
    };
    let shown = describe(&record);
    file::change(data_dir, |records| {
        if records.iter().any(|other| other.name == record.name) {
            return Err(format!(
                "there is a token `{}` already: revoke it first, or choose another name",
                record.name
            ));
        }
        if records.len() == TOKENS_MAX {
            return Err(format!(
                "there are {TOKENS_MAX} tokens already, and there may be no more: revoke some"
            ));
        }
        records.push(record);
        Ok(())
    })?;
    // What cannot be shown is of no use to anybody: it is taken back.
    if let Err(error) = print(&secret) {
        file::change(data_dir, |records| {
            records.retain(|record| record.name != new.name);
            Ok(())
        })?;
        return Err(format!("the token could not be printed, so it was not made: {error}").into());
    }
    say(&format!(
        "the token `{}` was made: {shown}; it is shown this once, and its hash kept in {}",
        new.name,
        file::path(data_dir).display()
    ));
    Ok(())
}

fn print(secret: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{secret}")?;
    out.flush()
}

/// A folder that is not ours gets no file of ours.
fn refuse_strangers(data_dir: &Path) -> Result<(), Failure> {
    let Ok(mut entries) = std::fs::read_dir(data_dir) else { return Ok(()) };
    let is_ours = data_dir.join(dir::FORMAT_FILE).exists() || file::path(data_dir).exists();
    let is_harmless = |name: &std::ffi::OsStr| name.to_str().is_some_and(dir::may_be_there_before);
    match entries.find_map(|entry| entry.ok().filter(|entry| !is_harmless(&entry.file_name()))) {
        Some(foreign) if !is_ours => Err(format!(
            "{} is no data folder of rhinobox: it holds {:?} and no FORMAT file; name the folder with --data-dir",
            data_dir.display(),
            foreign.file_name()
        )
        .into()),
        _ => Ok(()),
    }
}

fn list(data_dir: &Path) -> Result<(), Failure> {
    let path = file::path(data_dir);
    let unreadable = |why| format!("the tokens in {} cannot be read: {why}", path.display());
    if file::stamp(&path).map_err(unreadable)?.is_none() {
        say(&format!("there never were tokens in {}: who can connect is let in", data_dir.display()));
        return Ok(());
    }
    let records = file::read(&path).map_err(unreadable)?;
    if records.is_empty() {
        say(&last_words(&path));
    }
    let width = records.iter().map(|record| record.name.len()).max().unwrap_or(0);
    let mut out = io::stdout().lock();
    for record in &records {
        writeln!(out, "{:width$}  {}", record.name, describe(record))?;
    }
    Ok(out.flush()?)
}

fn revoke(data_dir: &Path, name: &str) -> Result<(), Failure> {
    let path = file::path(data_dir);
    let unknown = || format!("there is no token `{}` in {}", name.escape_debug(), path.display());
    if !path.exists() {
        return Err(unknown().into());
    }
    let left = file::change(data_dir, |records| {
        let before = records.len();
        records.retain(|record| record.name != name);
        if records.len() == before { Err(unknown()) } else { Ok(records.len()) }
    })?;
    say(&format!("the token `{name}` was revoked; a daemon that runs refuses it within a second"));
    if left == 0 {
        say(&last_words(&path));
    }
    Ok(())
}

fn last_words(path: &Path) -> String {
    format!(
        "no token is left, so nobody is let in until one is made; to go without tokens again, stop the daemon and delete {}",
        path.display()
    )
}

/// `read, upload; made 2026-01-02T03:04:05Z; expires never`
fn describe(record: &Record) -> String {
    let time = |seconds: i64| Wall(seconds.saturating_mul(1_000_000_000)).rfc3339().to_string();
    let expires = match record.expires_unix_s {
        None => "never expires".to_owned(),
        Some(at) if at <= clock::wall().seconds() => format!("EXPIRED {}", time(at)),
        Some(at) => format!("expires {}", time(at)),
    };
    let rate =
        record.requests_per_s.map(|rate| format!("; at most {rate} requests a second")).unwrap_or_default();
    format!("{}; made {}; {expires}{rate}", Scopes::of(&record.scopes), time(record.created_unix_s))
}

/// A line for the person. Standard error may be closed.
fn say(line: &str) {
    let _closed = writeln!(io::stderr(), "{line}");
}
