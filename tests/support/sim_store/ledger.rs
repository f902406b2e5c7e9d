//! What a client knows, and what it holds a recovered store to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rhinobox::base::digest::Digest;
use rhinobox::ingest::upload::Outcome;

use super::request::Request;
use super::view::View;

/// A ledger that client tasks write to.
pub(crate) type Shared = Arc<Mutex<Ledger>>;

pub(crate) fn lock(ledger: &Shared) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tag that names get, with a number.
pub(super) const TAG: &str = "number";

/// A content as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(super) bytes: Bytes,
    /// The original names and comments that it was ever sent with.
    names: Vec<(String, String)>,
}

/// Every content ever sent.
pub(crate) type AllSent = BTreeMap<Digest, Sent>;

/// What a client knows. Copies share what has not changed since.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ledger {
    pub(super) sent: Arc<AllSent>,
    /// Every path answered with success, and what it means.
    pub(crate) answered: Arc<BTreeMap<String, Digest>>,
    /// Deletes that were sent, and whether they were answered.
    pub(crate) deletes: BTreeMap<Digest, bool>,
    /// For each path the number that its tag was last told to be, and the last one that was answered.
    tags: BTreeMap<String, (u64, u64)>,
}

impl Sent {
    fn has_name(&self, name: &str, comment: &str) -> bool {
        self.names.iter().any(|(sent, with)| sent == name && with == comment)
    }
}

impl Ledger {
    pub(crate) fn shared() -> Shared {
        Shared::default()
    }

    /// A copy that goes on by itself: another way things could have gone.
    pub(crate) fn fork(ledger: &Shared) -> Shared {
        Arc::new(Mutex::new(lock(ledger).clone()))
    }

    pub(crate) fn send(&mut self, request: &Request) {
        let all = Arc::make_mut(&mut self.sent);
        for file in &request.files {
            let fresh = || Sent { bytes: file.content.clone(), names: Vec::new() };
            let sent = all.entry(file.digest).or_insert_with(fresh);
            if !sent.has_name(&file.name, &request.comment) {
                sent.names.push((file.name.clone(), request.comment.clone()));
            }
        }
    }

    pub(crate) fn answer(&mut self, outcome: &Outcome) {
        if let Ok(named) = outcome {
            assert_eq!(self.sent.get(&named.digest).map(|sent| sent.bytes.len() as u64), Some(named.len));
            Arc::make_mut(&mut self.answered).insert(named.path.to_string(), named.digest);
        }
    }

    /// The next number of a path's tag, which is on its way from now on.
    pub(super) fn send_tag(&mut self, path: &str) -> u64 {
        let (sent, _) = self.tags.entry(path.to_owned()).or_default();
        *sent += 1;
        *sent
    }

    pub(super) fn answer_tag(&mut self, path: &str, number: u64) {
        self.tags.entry(path.to_owned()).or_default().1 = number;
    }

    /// Holds what is served against what was sent and answered. What became of deletes that had no answer is
    /// settled by it.
    pub(crate) fn check(&mut self, view: &View) -> Result<(), String> {
        if let Some(problem) = view.problems.first() {
            return Err(format!("{problem} (and {} more)", view.problems.len() - 1));
        }
        for (path, file) in &view.files {
            let sent = self.sent.get(&file.digest);
            if sent.is_none_or(|sent| !sent.has_name(&file.name, &file.comment)) {
                return Err(format!("{path} is served as {file:?}, which nobody sent"));
            }
            if sent.is_some_and(|sent| sent.bytes.len() != file.len) {
                return Err(format!("{path} has {} bytes, which nobody sent", file.len));
            }
            if self.deletes.get(&file.digest) == Some(&true) {
                return Err(format!("{path} was deleted and is served"));
            }
        }
        for (path, digest) in &*self.answered {
            match (view.files.get(path), self.deletes.get(digest)) {
                (Some(file), _) if file.digest != *digest => {
                    return Err(format!("{path} has become {}", file.digest));
                }
                (Some(_), _) | (None, Some(_)) => {}
                (None, None) => return Err(format!("{path} was answered and is gone")),
            }
        }
        for (path, (sent, answered)) in &mut self.tags {
            let Some(file) = view.files.get(path) else { continue };
            // With its content it may have gone, and have come back without.
            let may_be_anew = self.deletes.contains_key(&file.digest);
            if !may_be_anew && !(*answered..=*sent).contains(&file.tag) {
                return Err(format!("{path} has the tag {}; {answered} was answered, {sent} sent", file.tag));
            }
            // What is served once stays.
            *answered = file.tag;
        }
        self.tags.retain(|path, _| view.files.contains_key(path));
        for (digest, _) in std::mem::take(&mut self.deletes) {
            let mut paths = self.answered.iter().filter(|(_, meant)| **meant == digest).map(|(path, _)| path);
            let gone = paths.clone().filter(|path| !view.files.contains_key(*path)).count();
            if gone > 0 && paths.any(|path| view.files.contains_key(path)) {
                return Err(format!("{digest} was deleted in part"));
            }
            if gone > 0 {
                Arc::make_mut(&mut self.answered).retain(|_, meant| *meant != digest);
            }
        }
        Ok(())
    }
}
