//! What became of each file, and of all.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

use super::lock;
use super::lot::{Bytes, File};
use super::progress::Progress;
use super::upload::Record;
use crate::client::{ClientError, Outcome, show};
use crate::runtime::clock;

/// See the module. Threads share it.
pub(super) struct Report {
    pub(super) progress: Progress,
    json: bool,
    verbose: bool,
    begun_ns: u64,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    counts: Counts,
    /// Only for JSON.
    files: Vec<OneFile>,
}

/// Of a run.
#[derive(Clone, Copy, Default, Serialize)]
struct Counts {
    /// Files whose content was sent, and their bytes.
    sent: u64,
    sent_bytes: u64,
    /// Files whose content was there: they were named.
    known: u64,
    known_bytes: u64,
    failed: u64,
    passed_over: u64,
}

#[derive(Serialize)]
struct OneFile {
    file: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Result<'a> {
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
    stopped: Option<String>,
    files: &'a [OneFile],
}

impl Report {
    pub(super) fn new(json: bool, verbose: bool, progress: Progress) -> Report {
        Report { progress, json, verbose, begun_ns: clock::now_ns(), told: Mutex::default() }
    }

    /// Its content was sent.
    pub(super) fn sent(&self, file: &File, record: &Record) {
        let counted = matches!(file.content, Bytes::There(_));
        self.progress.done(if counted { 0 } else { file.len });
        let count = |counts: &mut Counts| {
            counts.sent += 1;
            counts.sent_bytes += record.size;
        };
        self.done("sent", file, record, count);
    }

    /// Its content was there; it has its name.
    pub(super) fn known(&self, file: &File, record: &Record) {
        self.progress.done(file.len);
        let count = |counts: &mut Counts| {
            counts.known += 1;
            counts.known_bytes += record.size;
        };
        self.done("known", file, record, count);
    }

    fn done(&self, status: &'static str, file: &File, record: &Record, count: impl FnOnce(&mut Counts)) {
        let mut told = lock(&self.told);
        count(&mut told.counts);
        if self.json {
            told.files.push(OneFile {
                file: file.found.path.to_string_lossy().into_owned(),
                status,
                hash: Some(record.hash.clone()),
                size: Some(record.size),
                path: Some(record.path.clone()),
                error: None,
            });
        }
        drop(told);
        if self.verbose && !self.json {
            let line = format!("{}  {status}  {}", show::text(&record.path), show::path(&file.found.path));
            // Nobody reads it: the status says what was done.
            let _closed = self.progress.aside(|| show::line(&line));
        }
    }

    /// It could not be read, or the daemon did not take it.
    pub(super) fn failed(&self, path: &Path, why: &str) {
        self.progress.done(0);
        self.told_of(path, "failed", why, |counts| counts.failed += 1);
    }

    /// It is nothing to be sent.
    pub(super) fn passed(&self, path: &Path, why: &str) {
        self.told_of(path, "passed over", why, |counts| counts.passed_over += 1);
    }

    fn told_of(&self, path: &Path, status: &'static str, why: &str, count: impl FnOnce(&mut Counts)) {
        let mut told = lock(&self.told);
        count(&mut told.counts);
        if self.json {
            let file = path.to_string_lossy().into_owned();
            let error = Some(why.to_owned());
            told.files.push(OneFile { file, status, hash: None, size: None, path: None, error });
        }
        drop(told);
        self.progress.aside(|| show::note(&format!("{}: {}: {}", show::path(path), status, show::text(why))));
    }

    /// Says what came of it.
    ///
    /// # Errors
    /// Nobody reads it.
    pub(super) fn finish(self, stopped: Option<&ClientError>) -> std::result::Result<Outcome, ClientError> {
        self.progress.finish();
        let Told { counts, mut files } =
            self.told.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let spent = Duration::from_nanos(clock::now_ns() - self.begun_ns);
        if self.json {
            files.sort_by(|one, other| one.file.cmp(&other.file));
            let stopped = stopped.map(ToString::to_string);
            let result = Result { counts, seconds: spent.as_secs_f64(), stopped, files: &files };
            show::line(&show::json(&result)?)?;
        } else {
            show::line(&summary(&counts, spent))?;
        }
        Ok(if counts.failed > 0 { Outcome::Partly } else { Outcome::Done })
    }
}

fn summary(counts: &Counts, spent: Duration) -> String {
    let Counts { sent, sent_bytes, known, known_bytes, failed, passed_over } = *counts;
    let seconds = spent.as_secs_f64();
    let mut text = format!("sent {} ({})", files(sent), show::size(sent_bytes));
    if known > 0 {
        text += &format!("; {} ({}) only named: stored already", files(known), show::size(known_bytes));
    }
    if failed > 0 {
        text += &format!("; {failed} failed");
    }
    if passed_over > 0 {
        text += &format!("; {passed_over} passed over");
    }
    text += &format!("; in {seconds:.1} s");
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = (sent + known) as f64 / seconds.max(0.001);
    if sent + known > 1 { text + &format!(", {rate:.0} files a second") } else { text }
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
