//! Standard input as a file: like any other where it is small, else streamed once and checked by what the daemon says it
//! hashes to.

use std::io::{self, Read};
use std::path::PathBuf;

use super::Run;
use super::lot::{Bytes, File, Lot};
use super::upload;
use crate::base::digest::Hasher;
use crate::client::ClientError;
use crate::client::form::Form;
use crate::client::walk::Found;
use crate::limits::CLIENT_SMALL_BYTES_MAX;

/// Sends what is read until the end, by this name.
pub(super) fn send(run: &Run, name: String) {
    let found = Found { path: PathBuf::from("-"), sent: name, named: true };
    let mut input = io::stdin().lock();
    let mut first = Vec::new();
    if let Err(error) = input.by_ref().take(CLIENT_SMALL_BYTES_MAX as u64 + 1).read_to_end(&mut first) {
        return run.report.failed(&found.path, &error.to_string());
    }
    if first.len() <= CLIENT_SMALL_BYTES_MAX {
        let mut lot = Lot::default();
        lot.push(found, first);
        return lot.send(run);
    }
    let mut hashing =
        Hashing { input: io::Cursor::new(first).chain(input), hasher: Hasher::new(), len: 0, failed: None };
    let mut form = Form::new(&run.category, &run.comment);
    form.stream(&found.sent, None, &mut hashing, None);
    // What was read is gone: it cannot be tried again.
    let sent = upload::send(run, form, 1, &[("Expect", "100-continue")]);
    let Hashing { hasher, len, failed, .. } = hashing;
    let file = File { found, digest: hasher.finish(), len, content: Bytes::Here(Vec::new()) };
    let why = match (failed, sent.map(|mut answers| answers.pop())) {
        (Some(failed), _) => failed.to_string(),
        (None, Ok(Some(Ok(record)))) if record.hash == file.digest.hex().as_str() => {
            return run.report.sent(&file, &record);
        }
        (None, Ok(Some(Err(failure)))) => failure.error,
        (None, Ok(_)) => return run.stop(run.client.stranger("it stored another content than it was sent")),
        (None, Err(error @ ClientError::Refused { status: 400..=499, .. })) => error.to_string(),
        (None, Err(error)) => return run.stop(error),
    };
    run.report.failed(&file.found.path, &why);
}

struct Hashing<R> {
    input: R,
    hasher: Hasher,
    len: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.input.read(into) {
            Ok(count) => {
                self.hasher.update(&into[..count]);
                self.len += count as u64;
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
