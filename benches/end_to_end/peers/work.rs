//! What is asked of a server: rhinobox by requests of its own, the others by PUT and GET of a path of each file's own.
//!
//! Always true: no two files sent in one life of a server have the same path or the same content.

use std::net::SocketAddr;
use std::ops::Range;

use crate::answer::{Answer, Keep};
use crate::client::Ask;
use crate::download::{Download, Sample};
use crate::load::{Load, Stored, make_unique, push_content};
use crate::support::random::Random;

/// Files of a folder: enough that folders cost little, few enough that they stay small.
const FILES_PER_FOLDER: u64 = 1_000;

/// What one connection does.
pub(crate) enum Work {
    Rhinobox(Load),
    Put(Put),
    Get(Download),
}

/// Uploads of one file each, to a new path each.
pub(crate) struct Put {
    request: Vec<u8>,
    path: Range<usize>,
    content: Range<usize>,
    lane: u64,
    sent: u64,
}

impl Work {
    /// Files of one request.
    pub(crate) fn files(&self) -> u64 {
        match self {
            Self::Rhinobox(load) => load.files,
            Self::Put(_) | Self::Get(_) => 1,
        }
    }

    /// Content of one request.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Rhinobox(load) => load.bytes,
            Self::Put(put) => put.content.len() as u64,
            Self::Get(download) => download.last().stored.bytes,
        }
    }

    /// Some of what the last request sent or asked for: its first file, one in the middle and its last.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        match self {
            Self::Rhinobox(load) => {
                let stored = load.stored();
                let sample = |at: usize| Sample::by_hash(stored[at].clone());
                let mut wanted = vec![0, stored.len() / 2, stored.len() - 1];
                wanted.dedup();
                wanted.into_iter().map(sample).collect()
            }
            Self::Put(put) => vec![put.sample()],
            Self::Get(download) => vec![download.last().clone()],
        }
    }
}

impl Ask for Work {
    fn prepare(&mut self) -> Keep {
        match self {
            Self::Rhinobox(load) => load.prepare(),
            Self::Put(put) => put.prepare(),
            Self::Get(download) => download.prepare(),
        }
    }

    fn request(&self) -> &[u8] {
        match self {
            Self::Rhinobox(load) => load.request(),
            Self::Put(put) => &put.request,
            Self::Get(download) => download.request(),
        }
    }

    fn check(&self, answer: &mut Answer) -> Result<(), String> {
        match self {
            Self::Rhinobox(load) => load.check(answer),
            // A path is always new, so that nothing may have been replaced.
            Self::Put(_) if answer.status == 201 => Ok(()),
            Self::Put(_) => Err(format!("status {} for 201: {}", answer.status, answer.excerpt())),
            Self::Get(download) => download.check(answer),
        }
    }
}

fn path_of(lane: u64, file: u64) -> String {
    format!("/{lane:03}/{:06}/{file:09}.jpg", file / FILES_PER_FOLDER)
}

impl Put {
    /// Uploads of files of so many bytes; each lane has paths and contents of its own.
    pub(crate) fn new(host: SocketAddr, lane: u64, bytes: usize) -> Self {
        let path = path_of(lane, 0);
        let mut request = format!(
            "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: {bytes}\r\n\r\n"
        )
        .into_bytes();
        request.reserve_exact(bytes);
        let content = push_content(&mut request, bytes, &mut Random(0x9e37_79b9_7f4a_7c15 ^ lane));
        let path = "PUT ".len().."PUT ".len() + path.len();
        Self { request, path, content, lane, sent: 0 }
    }

    fn prepare(&mut self) -> Keep {
        self.sent += 1;
        self.request[self.path.clone()].copy_from_slice(path_of(self.lane, self.sent).as_bytes());
        make_unique(&mut self.request[self.content.clone()], self.lane, self.sent);
        Keep::Bytes
    }

    fn sample(&self) -> Sample {
        let stored = Stored::of(&self.request[self.content.clone()]);
        Sample { path: path_of(self.lane, self.sent), stored }
    }
}
