//! What was sent and what was answered: the oracle of every test that ends a daemon in mid-work.
//!
//! Answered means present, byte-exact and listed once. Sent and unanswered means absent or whole; once it was served
//! it stays.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client::Client;
use super::content::{random_bytes, sha256};

/// A content is told by its seed and size; the ledger keeps no bytes.
#[derive(Clone, Debug)]
struct Sent {
    seed: u64,
    size: usize,
    /// The paths that were answered.
    paths: Vec<String>,
    /// A check has seen it, answered or not.
    served: bool,
}

/// The ledger. Shared by the connections of a test.
#[derive(Default)]
pub(crate) struct Ledger {
    by_hash: Mutex<HashMap<String, Sent>>,
    refused: AtomicUsize,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Sent>> {
        self.by_hash.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a content is sent. Its bytes are those of [`random_bytes`].
    pub(crate) fn sending(&self, hash: &str, seed: u64, size: usize) {
        self.lock().entry(hash.to_owned()).or_insert(Sent { seed, size, paths: Vec::new(), served: false });
    }

    /// After its answer was read.
    pub(crate) fn answered(&self, hash: &str, path: &str) {
        let mut sent = self.lock();
        let sent = sent.get_mut(hash).expect("what is answered was sent");
        if !sent.paths.iter().any(|known| known == path) {
            sent.paths.push(path.to_owned());
        }
    }

    /// A content was refused, for the time being, in an answer.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refusals(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn answers(&self) -> usize {
        self.lock().values().filter(|sent| !sent.paths.is_empty()).count()
    }

    pub(crate) fn sent(&self) -> usize {
        self.lock().len()
    }

    /// Holds the daemon to it. Uploads may go on meanwhile.
    pub(crate) fn check(&self, client: &mut Client) {
        let known = self.lock().clone();
        for (hash, sent) in &known {
            let by_hash = client.get(&format!("/files/{hash}"));
            if sent.paths.is_empty() && !sent.served && by_hash.status == 404 {
                continue;
            }
            assert_eq!(by_hash.status, 200, "{hash} was answered as {:?}: {}", sent.paths, by_hash.text());
            assert!(by_hash.is_whole && by_hash.body.len() == sent.size, "{hash} is not whole");
            assert_eq!(sha256(&by_hash.body), *hash, "other bytes are served");
            assert_eq!(by_hash.body, random_bytes(sent.seed, sent.size));
            let meta = client.get(&format!("/files/{hash}/meta")).expect(200).json();
            let names = meta["names"].as_array().expect("a list of names");
            for path in &sent.paths {
                let listed = names.iter().filter(|name| name["path"] == path.as_str()).count();
                assert_eq!(listed, 1, "{path} is listed {listed} times in {meta}");
                let head = client.ask("HEAD", &format!("/{path}"), &[], b"").expect(200);
                assert_eq!(head.field("ETag"), Some(format!("\"{hash}\"").as_str()), "{path}");
            }
            self.lock().get_mut(hash).expect("what was sent stays known").served = true;
        }
    }
}
