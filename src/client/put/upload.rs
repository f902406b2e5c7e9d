//! Contents on their way: many small ones in one form, a big one in a form of its own.
//!
//! Always: the daemon checks each file against the digest it was hashed to; of what it answers nothing counts that is not
//! about that digest; a form it has no room for is sent in halves.

use std::fs::File as Disk;
use std::io::{self, Read};

use serde::Deserialize;

use super::Run;
use super::lot::{Bytes, File};
use super::progress::Progress;
use crate::client::ClientError;
use crate::client::form::Form;
use crate::client::http::Content;
use crate::client::local;
use crate::client::retry::pause;
use crate::limits::CLIENT_ANSWER_BYTES_MAX;
use crate::runtime::clock;

/// What the daemon says of a file that it stored.
#[derive(Clone, Deserialize, Debug)]
pub(super) struct Record {
    pub(super) path: String,
    pub(super) hash: String,
    pub(super) size: u64,
}

/// What it says of one that it did not.
#[derive(Clone, Deserialize, Debug)]
pub(super) struct Failure {
    index: usize,
    pub(super) error: String,
    #[serde(default)]
    pub(super) status: u16,
}

/// Its answer to files, or names.
#[derive(Deserialize, Debug)]
pub(super) struct Reply {
    stored: Vec<Record>,
    #[serde(default)]
    errors: Vec<Failure>,
}

impl Reply {
    /// What it says of each, in the order sent; `None` if it is not about so many.
    pub(super) fn sort(self, count: usize) -> Option<Vec<Result<Record, Failure>>> {
        if self.stored.len() + self.errors.len() != count {
            return None;
        }
        let mut stored = self.stored.into_iter();
        let mut errors = self.errors.into_iter().peekable();
        let sorted: Option<Vec<_>> = (0..count)
            .map(|at| match errors.next_if(|failure| failure.index == at) {
                Some(failure) => Some(Err(failure)),
                None => stored.next().map(Ok),
            })
            .collect();
        sorted.filter(|_| errors.peek().is_none())
    }
}

/// Sends these, and tells of each.
pub(super) fn all(run: &Run, files: Vec<File>) {
    let (small, big): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| matches!(file.content, Bytes::Here(_)));
    together(run, small);
    for file in big {
        if run.is_stopped() {
            return;
        }
        alone(run, &file);
    }
}

/// Sends small files in one form, and again those for which there was no room then.
fn together(run: &Run, mut files: Vec<File>) {
    let begun_ns = clock::now_ns();
    for tries in 1.. {
        if files.is_empty() || run.is_stopped() {
            return;
        }
        let answers = match run.retry.run(|| post(run, &files)) {
            Ok(answers) => answers,
            Err(error) if files.len() > 1 && is_about_files(&error) => {
                let half = files.split_off(files.len() / 2);
                together(run, files);
                return together(run, half);
            }
            Err(error) => return failed(run, &files, error),
        };
        let mut later = Vec::new();
        let mut busy = None;
        for (file, answer) in files.into_iter().zip(answers) {
            match answer {
                Ok(record) => stored(run, &file, &record),
                Err(failure) if matches!(failure.status, 429 | 503) => {
                    busy =
                        Some(ClientError::Busy { status: failure.status, why: failure.error, after: None });
                    later.push(file);
                }
                Err(failure) => {
                    let Failure { status, error: why, .. } = failure;
                    failed(run, std::slice::from_ref(&file), ClientError::Refused { status, why });
                }
            }
        }
        files = later;
        let Some(busy) = busy else { return };
        let waits = pause(tries, &busy);
        if u128::from(clock::now_ns() - begun_ns) + waits.as_nanos() > run.retry.patience().as_nanos() {
            return failed(run, &files, busy);
        }
        std::thread::sleep(waits);
    }
}

fn post(run: &Run, files: &[File]) -> Result<Vec<Result<Record, Failure>>, ClientError> {
    let mut form = Form::new(&run.category, &run.comment);
    for file in files {
        if let Bytes::Here(bytes) = &file.content {
            form.bytes(&file.found.sent, &file.digest, bytes);
        }
    }
    send(run, form, files.len(), &[])
}

/// Sends a form of so many files; what is said of each.
pub(super) fn send(
    run: &Run,
    form: Form<'_>,
    count: usize,
    fields: &[(&str, &str)],
) -> Result<Vec<Result<Record, Failure>>, ClientError> {
    let kind = form.content_type();
    let (mut sending, length) = form.finish();
    let content = Content::Stream(&kind, length, &mut sending);
    let mut all = vec![("Prefer", "handling=lenient")];
    all.extend_from_slice(fields);
    let limit = (&[][..], CLIENT_ANSWER_BYTES_MAX);
    let reply: Reply = run.client.json("POST", "/ingest/media", &all, content, limit)?;
    let sorted = reply.sort(count);
    sorted.ok_or_else(|| run.client.stranger("its answer to POST /ingest/media is not about what was sent"))
}

/// Sends a big file, read again while it is sent.
fn alone(run: &Run, file: &File) {
    let Bytes::There(stamp) = file.content else { return };
    let changed = |disk: &Disk| {
        let now = disk.metadata().map(|metadata| local::stamp(&metadata));
        if now.is_ok_and(|now| now == stamp) {
            Ok(())
        } else {
            Err(ClientError::Here(local::CHANGED.to_owned()))
        }
    };
    let sent = run.retry.run(|| {
        let (disk, _) = local::open(&file.found).map_err(ClientError::Here)?;
        changed(&disk)?;
        let mut reading = Reading { disk, failed: None, progress: &run.report.progress, counted: 0 };
        let mut form = Form::new(&run.category, &run.comment);
        form.stream(&file.found.sent, Some(&file.digest), &mut reading, Some(file.len));
        let sent = send(run, form, 1, &[("Expect", "100-continue")]);
        let Reading { disk, failed, counted, .. } = reading;
        if let Err(error) = &sent {
            run.report.progress.take_back(counted);
            if let Some(failed) = failed {
                return Err(ClientError::Here(failed.to_string()));
            }
            if error.is_passing() {
                changed(&disk)?;
            }
        }
        match sent?.pop() {
            Some(Ok(record)) => Ok(record),
            Some(Err(failure)) => {
                run.report.progress.take_back(counted);
                if failure.status == 400 {
                    changed(&disk)?;
                }
                let Failure { status, error: why, .. } = failure;
                Err(match status {
                    429 | 503 => ClientError::Busy { status, why, after: None },
                    _ => ClientError::Refused { status, why },
                })
            }
            None => Err(run.client.stranger("its answer is about no file")),
        }
    });
    match sent {
        Ok(record) => stored(run, file, &record),
        Err(error) => failed(run, std::slice::from_ref(file), error),
    }
}

/// A file as it is read, with what went wrong.
struct Reading<'a> {
    disk: Disk,
    failed: Option<io::Error>,
    progress: &'a Progress,
    counted: u64,
}

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.disk.read(into) {
            Ok(count) => {
                self.counted += count as u64;
                self.progress.moved(count as u64);
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}

fn stored(run: &Run, file: &File, record: &Record) {
    if record.hash == file.digest.hex().as_str() {
        run.report.sent(file, record);
    } else {
        run.stop(run.client.stranger("it stored another content than it was sent"));
    }
}

/// These were not stored. If that is not for what they are, nothing else will be either.
fn failed(run: &Run, files: &[File], error: ClientError) {
    if is_about_files(&error) || matches!(error, ClientError::Here(_)) {
        for file in files {
            run.report.failed(&file.found.path, &error.to_string());
        }
    } else {
        run.stop(error);
    }
}

/// Whether a refusal is for what was sent, so that other files may be taken.
fn is_about_files(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status: 400 | 408 | 413 | 414 | 415 | 431 | 500, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(stored: usize, errors: &[usize]) -> Reply {
        let record = |at: usize| Record { path: at.to_string(), hash: String::new(), size: 0 };
        let failure = |at: &usize| Failure { index: *at, error: String::new(), status: 400 };
        Reply { stored: (0..stored).map(record).collect(), errors: errors.iter().map(failure).collect() }
    }

    #[test]
    fn answers_find_their_files() {
        let sorted = reply(2, &[0, 2]).sort(4).unwrap();
        let paths: Vec<_> =
            sorted.iter().map(|answer| answer.as_ref().ok().map(|record| &*record.path)).collect();
        assert_eq!(paths, [None, Some("0"), None, Some("1")]);
        for (stored, errors, count) in
            [(1, &[][..], 2), (2, &[][..], 1), (1, &[5][..], 2), (0, &[1, 0][..], 2), (1, &[0, 0][..], 3)]
        {
            assert!(reply(stored, errors).sort(count).is_none(), "{stored} {errors:?} {count}");
        }
    }
}
