//! What a connection asks, again and again: requests built once and patched in place, answers checked.
//!
//! Always true: no two files of unique uploads are alike, as each carries its lane's number and a counter, in its
//! first block and again in its middle; and an answer counts only if its status, its number of files and its
//! duplicates, or its length, are what they must be.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;
use sha2::{Digest as _, Sha256};

use crate::answer::{Answer, Keep};
use crate::client::{Ask, shown};
use crate::download::{Download, Sample};
use crate::support::form::{BOUNDARY, JPEG};
use crate::support::random::Random;

/// Where the first stamp stands in a file; the second stands in its middle.
const STAMP_AT: usize = 32;
const STAMP_BYTES: usize = 16;

/// The files of one kind of upload request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) files: usize,
    /// Of each file.
    pub(crate) bytes: usize,
}

/// Content in the store.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) hash: String,
    digest: [u8; 32],
    pub(crate) bytes: u64,
}

/// A request that changes in place, and what its answer must be.
pub(crate) struct Load {
    /// Of an upload; a download has its own.
    request: Vec<u8>,
    kind: Kind,
    /// Files of one request.
    pub(crate) files: u64,
    /// Content of one request.
    pub(crate) bytes: u64,
}

enum Kind {
    Upload {
        contents: Vec<Range<usize>>,
        /// Lane and counter, if contents are to be unique.
        stamp: Option<(u64, u64)>,
        status: u16,
        duplicates: usize,
        finders: Box<[Finder<'static>; 2]>,
    },
    /// A question about many hashes, and its whole answer.
    Question {
        answer: Vec<u8>,
    },
    Download(Download),
}

impl Load {
    /// A multipart upload of unique files.
    pub(crate) fn post(host: SocketAddr, lane: u64, batch: Batch) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ lane);
        let head_of = |file: usize| {
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"IMG_{file:04}.jpg\"\r\n\
                 Content-Type: image/jpeg\r\n\r\n"
            )
        };
        let end = format!("--{BOUNDARY}--\r\n");
        let heads: usize = (0..batch.files).map(|file| head_of(file).len()).sum();
        let length = heads + batch.files * (batch.bytes + 2) + end.len();
        let shown = shown();
        let mut request = format!(
            "POST /ingest/media HTTP/1.1\r\nHost: {host}\r\n{shown}Content-Type: multipart/form-data; \
             boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.reserve_exact(length);
        let mut contents = Vec::with_capacity(batch.files);
        for file in 0..batch.files {
            request.extend_from_slice(head_of(file).as_bytes());
            contents.push(push_content(&mut request, batch.bytes, &mut random));
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(end.as_bytes());
        Self::upload(request, contents, lane, 200)
    }

    /// An upload of one unique file as the request's body.
    pub(crate) fn put(host: SocketAddr, lane: u64, bytes: usize) -> Self {
        let shown = shown();
        let mut request = format!(
            "PUT /files/IMG_0000.jpg HTTP/1.1\r\nHost: {host}\r\n{shown}Content-Type: image/jpeg\r\n\
                     Content-Length: {bytes}\r\n\r\n"
        )
        .into_bytes();
        request.reserve_exact(bytes);
        let content = push_content(&mut request, bytes, &mut Random(0x9e37_79b9_7f4a_7c15 ^ lane));
        Self::upload(request, vec![content], lane, 201)
    }

    fn upload(request: Vec<u8>, contents: Vec<Range<usize>>, lane: u64, status: u16) -> Self {
        let finders = Box::new([Finder::new(br#""hash":"#), Finder::new(br#""duplicate":"#)]);
        let (files, bytes) = (contents.len() as u64, contents.iter().map(|range| range.len() as u64).sum());
        let kind = Kind::Upload { contents, stamp: Some((lane, 0)), status, duplicates: 0, finders };
        Self { request, kind, files, bytes }
    }

    /// A download of one file, another each time.
    pub(crate) fn get(host: SocketAddr, lane: u64, samples: Arc<[Sample]>) -> Self {
        let bytes = samples.first().map_or(0, |sample| sample.stored.bytes);
        let download = Download::new(host, lane, samples);
        Self { request: Vec::new(), kind: Kind::Download(download), files: 1, bytes }
    }

    /// Asks which of these contents are missing: those that are not `known`.
    pub(crate) fn dedup(host: SocketAddr, hashes: &[String], known: impl Fn(&str) -> bool) -> Self {
        let list = |hashes: &mut dyn Iterator<Item = &String>| {
            hashes.map(|hash| format!("\"{hash}\"")).collect::<Vec<_>>().join(",")
        };
        let body = format!("{{\"hashes\":[{}]}}", list(&mut hashes.iter()));
        let missing = hashes.iter().filter(|hash| !known(hash)).count();
        let listed = list(&mut hashes.iter().filter(|hash| !known(hash)));
        let answer = format!("{{\"missing\":[{listed}],\"present\":{}}}", hashes.len() - missing);
        let shown = shown();
        let request = format!(
            "POST /dedup HTTP/1.1\r\nHost: {host}\r\n{shown}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let kind = Kind::Question { answer: answer.into_bytes() };
        Self { request: request.into_bytes(), kind, files: hashes.len() as u64, bytes: body.len() as u64 }
    }

    /// From now on sends what it sent last, and expects to be told that it is known.
    pub(crate) fn repeat(&mut self) {
        if let Kind::Upload { contents, stamp, status, duplicates, .. } = &mut self.kind {
            (*stamp, *status, *duplicates) = (None, 200, contents.len());
        }
    }

    /// Makes the next request; what of its answer is to be kept.
    pub(crate) fn prepare(&mut self) -> Keep {
        match &mut self.kind {
            Kind::Upload { stamp: None, .. } | Kind::Question { .. } => Keep::Bytes,
            Kind::Upload { contents, stamp: Some((lane, counter)), .. } => {
                for content in contents {
                    *counter += 1;
                    make_unique(&mut self.request[content.clone()], *lane, *counter);
                }
                Keep::Bytes
            }
            Kind::Download(download) => download.prepare(),
        }
    }

    /// The request as it goes out.
    pub(crate) fn request(&self) -> &[u8] {
        match &self.kind {
            Kind::Upload { .. } | Kind::Question { .. } => &self.request,
            Kind::Download(download) => download.request(),
        }
    }

    /// Whether the answer is what it must be.
    ///
    /// # Errors
    /// In words, what is not.
    pub(crate) fn check(&self, answer: &mut Answer) -> Result<(), String> {
        match &self.kind {
            Kind::Upload { contents, status, duplicates, finders, .. } => {
                if answer.status != *status {
                    return Err(format!("status {} for {status}: {}", answer.status, answer.excerpt()));
                }
                let [files, known] = finders.each_ref().map(|finder| finder.find_iter(&answer.body).count());
                if (files, known) != (contents.len(), *duplicates) {
                    return Err(format!(
                        "{files} files, {known} of them duplicates, for {} and {duplicates}: {}",
                        contents.len(),
                        answer.excerpt()
                    ));
                }
            }
            Kind::Question { answer: expected } => {
                if (answer.status, &answer.body) != (200, expected) {
                    return Err(format!("status {} or another list: {}", answer.status, answer.excerpt()));
                }
            }
            Kind::Download(download) => return download.check(answer),
        }
        Ok(())
    }

    /// The contents of the last request.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        match &self.kind {
            Kind::Upload { contents, .. } => {
                contents.iter().map(|content| Stored::of(&self.request[content.clone()])).collect()
            }
            Kind::Question { .. } => Vec::new(),
            Kind::Download(download) => vec![download.last().stored.clone()],
        }
    }

    /// Whether the store grows by its requests.
    pub(crate) fn stores(&self) -> bool {
        matches!(self.kind, Kind::Upload { stamp: Some(_), .. })
    }
}

impl Ask for Load {
    fn prepare(&mut self) -> Keep {
        Self::prepare(self)
    }

    fn request(&self) -> &[u8] {
        Self::request(self)
    }

    fn check(&self, answer: &mut Answer) -> Result<(), String> {
        Self::check(self, answer)
    }
}

impl Stored {
    /// Whether an answer, hashed as it came, is this content.
    pub(crate) fn is_whole(&self, answer: &mut Answer) -> bool {
        answer.length == self.bytes && answer.digest() == self.digest
    }

    /// What is stored of a content.
    pub(crate) fn of(content: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(content).into();
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { hash, digest, bytes: content.len() as u64 }
    }
}

/// Makes a content unlike that of any other lane and counter.
pub(crate) fn make_unique(content: &mut [u8], lane: u64, counter: u64) {
    let mut stamp = [0; STAMP_BYTES];
    stamp[..8].copy_from_slice(&counter.to_le_bytes());
    stamp[8..].copy_from_slice(&lane.to_le_bytes());
    for at in [STAMP_AT, content.len() / 2] {
        content[at..at + STAMP_BYTES].copy_from_slice(&stamp);
    }
}

/// Appends the content of one file to a request; where it stands.
pub(crate) fn push_content(request: &mut Vec<u8>, bytes: usize, random: &mut Random) -> Range<usize> {
    let start = request.len();
    request.extend_from_slice(&JPEG[..JPEG.len().min(bytes)]);
    while request.len() < start + bytes {
        let left = start + bytes - request.len();
        request.extend_from_slice(&random.next().to_le_bytes()[..left.min(8)]);
    }
    start..start + bytes
}
