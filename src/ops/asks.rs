//! The commands that ask a daemon: from what was typed to a client and its work, and to an exit status.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;

use crate::client::{Client, ClientError, Outcome, Server, Token, get, list, put, remove, stat};
use crate::limits::TOP_ANSWER_MS;
use crate::ops::cli::{self, Cli};
use crate::ops::{Failure, NOT_FOUND, PARTLY};

const TOKEN: &str = "RHINOBOX_TOKEN";
/// What stands for standard input and output.
const STREAM: &str = "-";

/// A client for answers that are short or not worth waiting for.
///
/// # Errors
/// There is no such token.
pub(super) fn brief(server: Server, token_file: Option<&Path>) -> Result<Client, Failure> {
    Ok(Client::brief(server, token(token_file)?, Duration::from_millis(TOP_ANSWER_MS)))
}

pub(super) fn put(typed: cli::Put) -> Result<ExitCode, Failure> {
    let (client, patience) = client(&typed.asks)?;
    let (streams, paths): (Vec<_>, Vec<_>) =
        typed.paths.into_iter().partition(|path| path == Path::new(STREAM));
    let stdin = match (streams.len(), typed.name) {
        (0, None) => None,
        (0, Some(_)) => return usage("--name is for standard input: give - as a path"),
        (1, Some(name)) if !name.is_empty() => Some(name),
        (1, _) => return usage("standard input needs a name: give --name"),
        _ => return usage("standard input can be sent once"),
    };
    let (category, comment) = (typed.category, typed.comment);
    let (jobs, json, verbose) = (typed.jobs, typed.json, typed.verbose);
    let options = put::Options { paths, stdin, category, comment, jobs, patience, json, verbose };
    status(put::run(client, options))
}

pub(super) fn get(typed: cli::Get) -> Result<ExitCode, Failure> {
    let (client, patience) = client(&typed.asks)?;
    let to = match typed.output {
        None => get::To::Here,
        Some(path) if path == Path::new(STREAM) => get::To::Stdout,
        Some(path) => get::To::Path(path),
    };
    status(get::run(&client, &get::Options { what: typed.what, to, force: typed.force, patience }))
}

pub(super) fn list(typed: cli::List, words: String) -> Result<ExitCode, Failure> {
    let (client, patience) = client(&typed.asks)?;
    let filters = [
        ("q", Some(words).filter(|words| !words.is_empty())),
        ("type", typed.kind),
        ("category", typed.category),
        ("since", typed.since),
        ("until", typed.until),
        ("min_size", typed.min_size.map(|bytes| bytes.to_string())),
        ("max_size", typed.max_size.map(|bytes| bytes.to_string())),
        ("sort", typed.sort),
    ];
    let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let options = list::Options { filters, limit: typed.limit, json: typed.json, patience };
    status(list::run(&client, &options))
}

pub(super) fn stat(typed: &cli::Stat) -> Result<ExitCode, Failure> {
    let (client, patience) = client(&typed.asks)?;
    status(stat::one(&client, &typed.what, typed.json, patience))
}

pub(super) fn stats(typed: &cli::Stats) -> Result<ExitCode, Failure> {
    let (client, patience) = client(&typed.asks)?;
    status(stat::all(&client, typed.json, patience))
}

pub(super) fn remove(typed: &cli::Remove) -> Result<ExitCode, Failure> {
    let (client, patience) = client(&typed.asks)?;
    status(remove::run(&client, &typed.what, patience))
}

/// Prints what a shell has to know.
pub(super) fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rhinobox", &mut script);
    // Who stops reading has had enough.
    let _closed = io::Write::write_all(&mut io::stdout().lock(), &script);
    ExitCode::SUCCESS
}

fn client(asks: &cli::Asks) -> Result<(Client, Duration), Failure> {
    let token = token(asks.token_file.as_deref())?;
    Ok((Client::new(asks.server.clone(), token), Duration::from_secs(asks.patience)))
}

/// The token in the file that was named, else the one in the environment.
fn token(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    match (file, std::env::var_os(TOKEN)) {
        (Some(file), _) => Ok(Some(Token::read(file)?)),
        (None, Some(token)) if !token.is_empty() => Ok(Some(Token::parse(&token.to_string_lossy())?)),
        (None, _) => Ok(None),
    }
}

/// As clap says it: on standard error, with status 2.
fn usage(why: &str) -> Result<ExitCode, Failure> {
    let mut command = Cli::command();
    let error = command.error(clap::error::ErrorKind::ValueValidation, why);
    let _closed = error.print();
    Ok(ExitCode::from(2))
}

fn status(done: Result<Outcome, ClientError>) -> Result<ExitCode, Failure> {
    match done {
        Ok(Outcome::Done) => Ok(ExitCode::SUCCESS),
        Ok(Outcome::Partly) => Ok(ExitCode::from(PARTLY)),
        Ok(Outcome::NotFound) => Ok(ExitCode::from(NOT_FOUND)),
        // Whoever reads our output has had enough.
        Err(ClientError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}
