//! What a connection asks that reads: one of the files that are there, another each time, and its answer checked.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::answer::{Answer, Keep};
use crate::client::shown;
use crate::load::Stored;
use crate::support::random::Random;

/// One download in so many is hashed; the first is.
const DIGEST_EVERY: u64 = 1_024;

/// A content and the path it is read from. All paths of a set are equally long.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) path: String,
    pub(crate) stored: Stored,
}

impl Sample {
    /// A content as rhinobox gives it.
    pub(crate) fn by_hash(stored: Stored) -> Self {
        Self { path: format!("/files/{}", stored.hash), stored }
    }
}

/// Downloads of one file each.
pub(crate) struct Download {
    request: Vec<u8>,
    path: Range<usize>,
    samples: Arc<[Sample]>,
    at: usize,
    random: Random,
    asked: u64,
    digest: bool,
}

impl Download {
    /// Downloads of files that are there; not of none.
    pub(crate) fn new(host: SocketAddr, lane: u64, samples: Arc<[Sample]>) -> Self {
        let path = &samples[0].path;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{}\r\n", shown()).into_bytes();
        let path = "GET ".len().."GET ".len() + path.len();
        let random = Random(0xd1b5_4a32_d192_ed03 ^ lane);
        Self { request, path, samples, at: 0, random, asked: 0, digest: false }
    }

    /// Makes the next request; what of its answer is to be kept.
    pub(crate) fn prepare(&mut self) -> Keep {
        self.at = self.random.below(self.samples.len());
        self.request[self.path.clone()].copy_from_slice(self.samples[self.at].path.as_bytes());
        self.digest = self.asked.is_multiple_of(DIGEST_EVERY);
        self.asked += 1;
        if self.digest { Keep::Digest } else { Keep::Length }
    }

    /// The request as it goes out.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// What was asked for last.
    pub(crate) fn last(&self) -> &Sample {
        &self.samples[self.at]
    }

    /// Whether the answer is what it must be.
    ///
    /// # Errors
    /// In words, what is not.
    pub(crate) fn check(&self, answer: &mut Answer) -> Result<(), String> {
        let Sample { path, stored } = self.last();
        if (answer.status, answer.length) != (200, stored.bytes) {
            let (status, length) = (answer.status, answer.length);
            return Err(format!("{path}: status {status}, {length} bytes for 200, {}", stored.bytes));
        }
        if self.digest && !stored.is_whole(answer) {
            return Err(format!("{path}: other bytes than were sent"));
        }
        Ok(())
    }
}
