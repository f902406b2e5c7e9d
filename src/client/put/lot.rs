//! A lot: some files that one question, one form and one list of names are about.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Run;
use super::upload::{self, Reply};
use crate::base::digest::Digest;
use crate::client::ClientError;
use crate::client::http::Content;
use crate::client::local::{self, Local, Stamp};
use crate::client::walk::Found;
use crate::limits::{CLIENT_ANSWER_BYTES_MAX, CLIENT_LOT_BYTES, CLIENT_LOT_FILES};
use crate::runtime::sha256::digests_of_two;

/// A file that was read.
pub(super) struct File {
    pub(super) found: Found,
    pub(super) digest: Digest,
    pub(super) len: u64,
    pub(super) content: Bytes,
}

/// Where its bytes are.
pub(super) enum Bytes {
    Here(Vec<u8>),
    /// In the file, if it still has this stamp.
    There(Stamp),
}

/// See the module.
#[derive(Default)]
pub(super) struct Lot {
    /// Not hashed yet.
    small: Vec<(Found, Vec<u8>)>,
    small_bytes: usize,
    big: Vec<File>,
}

impl Lot {
    /// Takes a file in; or tells why not.
    pub(super) fn read(&mut self, run: &Run, found: Found) {
        match local::read(&found) {
            Ok(Local::Small(bytes)) => self.push(found, bytes),
            Ok(Local::Big { digest, len, stamp }) => {
                self.big.push(File { found, digest, len, content: Bytes::There(stamp) });
            }
            Err(why) => run.report.failed(&found.path, &why),
        }
    }

    /// Takes in what is in memory.
    pub(super) fn push(&mut self, found: Found, bytes: Vec<u8>) {
        self.small_bytes += bytes.len();
        self.small.push((found, bytes));
    }

    pub(super) fn is_full(&self) -> bool {
        let files = self.small.len() + self.big.len();
        files >= CLIENT_LOT_FILES || self.small_bytes >= CLIENT_LOT_BYTES || !self.big.is_empty()
    }

    /// Sends what is missing of it, and names the rest.
    pub(super) fn send(self, run: &Run) {
        let mut files = hashed(self.small);
        files.extend(self.big);
        if files.is_empty() {
            return;
        }
        let mut missing = match ask(run, &files) {
            Ok(missing) => missing,
            Err(error) => return run.stop(error),
        };
        // Of equal files the first brings the content.
        let (to_send, to_name): (Vec<File>, Vec<File>) =
            files.into_iter().partition(|file| missing.remove(&file.digest));
        upload::all(run, to_send);
        if !to_name.is_empty() && !run.is_stopped() {
            name(run, to_name);
        }
    }
}

/// Two at a time: one message's rounds wait for each other.
fn hashed(small: Vec<(Found, Vec<u8>)>) -> Vec<File> {
    let mut files = Vec::with_capacity(small.len());
    let mut rest = small.into_iter();
    while let Some((found, bytes)) = rest.next() {
        let next = rest.next();
        let other = next.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let [one, two] = digests_of_two([&bytes, other]);
        let file = |found, digest, bytes: Vec<u8>| File {
            found,
            digest,
            len: bytes.len() as u64,
            content: Bytes::Here(bytes),
        };
        files.push(file(found, one, bytes));
        files.extend(next.map(|(found, bytes)| file(found, two, bytes)));
    }
    files
}

/// Which contents the daemon does not have.
fn ask(run: &Run, files: &[File]) -> Result<HashSet<Digest>, ClientError> {
    #[derive(Serialize)]
    struct Question {
        hashes: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        missing: Vec<String>,
        present: u64,
    }
    let mut asked = HashSet::with_capacity(files.len());
    let hashes = files.iter().filter(|file| asked.insert(file.digest)).map(|file| file.digest.to_string());
    let text = to_json(&Question { hashes: hashes.collect() })?;
    let answer: Answer = run.retry.run(|| {
        let content = Content::Text("application/json", &text);
        run.client.json("POST", "/dedup", &[], content, (&[], CLIENT_ANSWER_BYTES_MAX))
    })?;
    let missing: Option<HashSet<Digest>> = answer.missing.iter().map(|hash| Digest::from_hex(hash)).collect();
    // What it leaves out would not be sent, and never be stored.
    missing
        .filter(|missing| {
            missing.is_subset(&asked) && missing.len() as u64 + answer.present == asked.len() as u64
        })
        .ok_or_else(|| run.client.stranger("its answer to POST /dedup is not about what was asked"))
}

/// Names contents that are stored. Should one be gone by now, it is sent.
fn name(run: &Run, files: Vec<File>) {
    #[derive(Serialize)]
    struct Names<'a> {
        category: &'a str,
        comment: &'a str,
        names: Vec<Name<'a>>,
    }
    #[derive(Serialize)]
    struct Name<'a> {
        hash: String,
        name: &'a str,
        folder: &'a str,
    }
    let names = files.iter().map(|file| {
        let (folder, name) = file.found.sent.rsplit_once('/').unwrap_or(("", &file.found.sent));
        Name { hash: file.digest.to_string(), name, folder }
    });
    let text = to_json(&Names { category: &run.category, comment: &run.comment, names: names.collect() });
    let reply = text.and_then(|text| {
        run.retry.run(|| {
            let content = Content::Text("application/json", &text);
            let lenient = [("Prefer", "handling=lenient")];
            run.client.json::<Reply>("POST", "/names", &lenient, content, (&[], CLIENT_ANSWER_BYTES_MAX))
        })
    });
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return run.stop(error),
    };
    let Some(answers) = reply.sort(files.len()) else {
        return run.stop(run.client.stranger("its answer to POST /names is not about what was sent"));
    };
    let mut gone = Vec::new();
    for (file, answer) in files.into_iter().zip(answers) {
        match answer {
            Ok(record) if record.hash == file.digest.hex().as_str() => run.report.known(&file, &record),
            Ok(_) => run.stop(run.client.stranger("it named another content than it was told")),
            // 404: deleted, or found damaged. 500, 503: sending it heals it, or waits until there is room.
            Err(failure) if matches!(failure.status, 404 | 500 | 503) => gone.push(file),
            Err(failure) => run.report.failed(&file.found.path, &failure.error),
        }
    }
    upload::all(run, gone);
}

/// A request's text.
pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(value).map_err(|error| ClientError::Here(error.to_string()))
}
