//! Big contents in files of their own.
//!
//! Always: a blob's number is unique within the store, its directory exists and is durable since the store
//! was made, its file is never renamed and never written again after its put-large record. A file that no
//! record names is swept at the next start.

mod writer;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Mutex, PoisonError};

pub use writer::{BlobWriter, FinishedBlob};

use crate::base::crc::Seed;
use crate::base::ids::BlobId;
use crate::runtime::disk::{Disk, File, Open};

/// The directory of blobs; below it one for each last byte of the number.
pub const DIRECTORY: &str = "blobs";

/// The directory that a blob's file is in.
#[must_use]
pub fn directory(blob: BlobId) -> String {
    format!("{DIRECTORY}/{:02x}", blob.0 & 0xff)
}

/// The file of a blob.
#[must_use]
pub fn path(blob: BlobId) -> String {
    format!("{}/{blob}", directory(blob))
}

/// The blob whose file has this name.
#[must_use]
pub fn parse_name(name: &str) -> Option<BlobId> {
    (name.len() == 16 && super::segment::is_hex(name))
        .then(|| u64::from_str_radix(name, 16).ok())
        .flatten()
        .map(BlobId)
}

/// What the checksum of the chunk at `offset` starts from.
#[must_use]
pub fn chunk_seed(blob: BlobId, offset: u64) -> Seed {
    Seed::new(&blob.0.to_le_bytes()).at(offset)
}

/// Open files of blobs that are read.
pub struct Blobs {
    open_max: usize,
    open: Mutex<(HashMap<BlobId, File>, VecDeque<BlobId>)>,
}

impl Blobs {
    /// None are open. At most so many are held open for readers.
    #[must_use]
    pub fn new(open_max: usize) -> Blobs {
        Blobs { open_max, open: Mutex::default() }
    }

    /// The blob is deleted: its file is not kept open.
    pub(super) fn forget(&self, blob: BlobId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.0.remove(&blob);
        open.1.retain(|other| *other != blob);
    }

    /// The file of a blob, open for reading through the page cache.
    ///
    /// # Errors
    /// What opening it gave.
    pub async fn open(&self, disk: &Disk, blob: BlobId) -> io::Result<File> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = lock().0.get(&blob) {
            return Ok(file.clone());
        }
        let file = disk.open(&path(blob), Open::default()).await?;
        let mut open = lock();
        if open.0.insert(blob, file.clone()).is_none() {
            open.1.push_back(blob);
        }
        if open.1.len() > self.open_max
            && let Some(oldest) = open.1.pop_front()
        {
            open.0.remove(&oldest);
        }
        Ok(file)
    }
}
