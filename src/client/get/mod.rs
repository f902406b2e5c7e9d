//! `rhinobox get`: a content to a file or to standard output, whole and verified.
//!
//! Always: a file appears under its name only once its bytes hash to what was asked for; what was received of one that is
//! not whole lies beside it, and the next run goes on from there; nothing else is written, whatever the server calls it.

mod target;

use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use super::http::Content;
use super::retry::Retry;
use super::show;
use super::what::{Head, What};
use super::{Client, ClientError, Outcome};
use crate::base::digest::Hasher;
use crate::limits::{CLIENT_READ_BYTES, CLIENT_RESUMES_MAX};
use target::Target;

/// What to fetch, and where to.
#[derive(Clone, Debug)]
pub struct Options {
    /// What.
    pub what: What,
    /// Where.
    pub to: To,
    /// Over a file that is there.
    pub force: bool,
    /// How long it is tried without a byte.
    pub patience: Duration,
}

/// Where bytes go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum To {
    /// Standard output.
    Stdout,
    /// A file of this path, or in this folder.
    Path(PathBuf),
    /// A file in the folder the command runs in, by the name it was sent by.
    Here,
}

/// Where the bytes of this run go, and what they hash to so far.
struct Sink {
    target: Option<Target>,
    hasher: Hasher,
    at: u64,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        match &mut self.target {
            Some(target) => target.write(bytes)?,
            None => io::stdout().lock().write_all(bytes).map_err(ClientError::Output)?,
        }
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what there is; `false` where that cannot be.
    fn restart(&mut self) -> Result<bool, ClientError> {
        let Some(target) = &mut self.target else { return Ok(self.at == 0) };
        target.clear()?;
        (self.hasher, self.at) = (Hasher::new(), 0);
        Ok(true)
    }
}

/// Fetches it.
///
/// # Errors
/// Why it is not there whole.
pub fn run(client: &Client, options: &Options) -> Result<Outcome, ClientError> {
    let retry = Retry::new(options.patience);
    let head = match options.what.head(client, &retry) {
        Err(ClientError::Refused { status: 404, .. }) => {
            show::note("rhinobox: nothing is stored there, or no whole copy of it");
            return Ok(Outcome::NotFound);
        }
        head => head?,
    };
    let target = match &options.to {
        To::Stdout => None,
        to => match Target::open(to, &head, options.force)? {
            Some(target) => Some(target),
            None => return Ok(Outcome::Done),
        },
    };
    let mut sink = Sink { target, hasher: Hasher::new(), at: 0 };
    if let Some(target) = &mut sink.target {
        (sink.hasher, sink.at) = target.had(head.size)?;
    }
    let resumed = sink.at > 0;
    fetch(client, &retry, options, &head, &mut sink)?;
    if sink.hasher.clone().finish() != head.digest && resumed && sink.restart()? {
        // What lay there was something else.
        fetch(client, &retry, options, &head, &mut sink)?;
    }
    if sink.hasher.finish() != head.digest {
        if let Some(target) = sink.target {
            target.remove();
        }
        return Err(
            client.stranger(&format!("what arrived does not hash to {}: it was thrown away", head.digest))
        );
    }
    match sink.target {
        Some(target) => target.finish(options.force)?,
        None => io::stdout().lock().flush().map_err(ClientError::Output)?,
    }
    Ok(Outcome::Done)
}

/// Receives what is missing, from where it broke off if it does.
fn fetch(
    client: &Client,
    retry: &Retry,
    options: &Options,
    head: &Head,
    sink: &mut Sink,
) -> Result<(), ClientError> {
    let target = options.what.target();
    let tag = format!("\"{}\"", head.digest);
    let mut resumes = 0;
    while sink.at < head.size {
        let before = sink.at;
        let range = format!("bytes={}-", sink.at);
        let fields = [("If-Match", tag.as_str()), ("Range", range.as_str())];
        let fields = if sink.at > 0 { &fields[..] } else { &fields[..1] };
        let answer = retry.run(|| client.ask("GET", &target, fields, Content::Nothing, &[]))?;
        let begins = format!("bytes {}-", sink.at);
        let goes_on = answer.status() == 206
            && answer.field("content-range").is_some_and(|range| range.starts_with(&begins));
        if sink.at > 0 && !goes_on && !sink.restart()? {
            return Err(client.stranger("it does not go on from where it broke off"));
        }
        let broke = receive(answer.reader(), head.size, sink)?;
        if sink.at == head.size {
            return Ok(());
        }
        resumes = if sink.at > before { 0 } else { resumes + 1 };
        if resumes > CLIENT_RESUMES_MAX {
            return Err(match broke {
                Some(error) => client.broken(&error),
                None => ClientError::Away(format!(
                    "{} sends no more of it, though there is more",
                    client.server()
                )),
            });
        }
    }
    Ok(())
}

/// Takes what comes; gives why it ended early.
fn receive(mut from: impl Read, size: u64, sink: &mut Sink) -> Result<Option<io::Error>, ClientError> {
    let mut piece = vec![0; CLIENT_READ_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                let left = usize::try_from(size - sink.at).unwrap_or(usize::MAX);
                sink.take(&piece[..count.min(left)])?;
                if count >= left {
                    return Ok(None);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Some(error)),
        }
    }
}
