//! Reading a file that is to be sent: what was hashed is what is sent, or it is said that it changed meanwhile.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use super::walk::Found;
use crate::base::digest::{Digest, Hasher};
use crate::limits::{CLIENT_READ_BYTES, CLIENT_SMALL_BYTES_MAX};

/// What is said of a file that others write to.
pub(super) const CHANGED: &str = "it changed while it was read: send it again when it is at rest";

/// A file as it was read.
pub(super) enum Local {
    /// All its bytes.
    Small(Vec<u8>),
    /// To be read again when it is sent.
    Big { digest: Digest, len: u64, stamp: Stamp },
}

/// Reads a small file, or hashes a big one.
///
/// # Errors
/// In words.
pub(super) fn read(found: &Found) -> Result<Local, String> {
    let mut last = String::new();
    // Once more for what was written to just then.
    for _ in 0..2 {
        let (mut file, before) = open(found)?;
        let local = if before.len() > CLIENT_SMALL_BYTES_MAX as u64 {
            hash(&mut file, &before)
        } else {
            read_small(&mut file, before.len()).map(Local::Small)
        };
        match local {
            Err(error) => return Err(error.to_string()),
            Ok(local) if is_as_it_was(&file, &before, &local) => return Ok(local),
            Ok(_) => CHANGED.clone_into(&mut last),
        }
    }
    Err(last)
}

/// Opens a regular file; never waits for a pipe, never follows a link that has taken its place.
///
/// # Errors
/// In words.
pub(super) fn open(found: &Found) -> Result<(File, Metadata), String> {
    let mut options = OpenOptions::new();
    let follow = if found.named { 0 } else { libc::O_NOFOLLOW };
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC | follow);
    let file = options.open(&found.path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err("it is no longer a file".to_owned()) }
}

fn read_small(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(CLIENT_SMALL_BYTES_MAX) + 1);
    file.take(CLIENT_SMALL_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hash(file: &mut File, metadata: &Metadata) -> io::Result<Local> {
    let mut hasher = Hasher::new();
    let mut piece = vec![0; CLIENT_READ_BYTES];
    let mut total = 0;
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 || total > metadata.len() {
            return Ok(Local::Big { digest: hasher.finish(), len: total, stamp: stamp(metadata) });
        }
        hasher.update(&piece[..count]);
        total += count as u64;
    }
}

fn is_as_it_was(file: &File, before: &Metadata, local: &Local) -> bool {
    let len = match local {
        Local::Small(bytes) => bytes.len() as u64,
        Local::Big { len, .. } => *len,
    };
    len == before.len() && file.metadata().is_ok_and(|after| stamp(&after) == stamp(before))
}

/// What changes when a file is written to: its size, and when that was.
pub(super) type Stamp = (u64, i64, i64);

/// A file's stamp.
pub(super) fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
