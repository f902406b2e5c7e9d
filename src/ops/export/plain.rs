//! One plain file: created, filled with verified bytes, dated.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::base::digest::{Digest, Hasher};
use crate::base::time::Wall;
use crate::ops::offline::{Failed, damage_only};
use crate::runtime::buffer::Pool;
use crate::store::Store;
use crate::store::index::{Content, Location};

/// Creates the file and the folders it is in. Never follows or replaces what is there.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let new = || OpenOptions::new().write(true).create_new(true).open(path);
    match (new(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            new()
        }
        (result, _) => result,
    }
}

/// Copies a content into a new file. Gives its bytes, or why they cannot be had; part of them may be in the file then.
pub(super) async fn copy(
    store: &Store,
    pool: &Pool,
    digest: &Digest,
    content: Content,
    file: &mut File,
    cannot: &impl Fn(io::Error) -> Failed,
) -> Result<Result<u64, String>, Failed> {
    if content.lsn.0 == 0 {
        return Ok(Err(format!("its content {digest} is nowhere in the log")));
    }
    let mismatch = || Err(format!("its content does not hash to {digest}"));
    let (record, entry_len) = match content.location {
        Location::Large { record, entry_len, .. } => (record, entry_len),
        location @ Location::Inline { .. } => {
            let bytes = match damage_only(store.read_inline(pool, location).await)? {
                Ok(bytes) => bytes,
                Err(why) => return Ok(Err(why)),
            };
            if Digest::of(&bytes) != *digest {
                return Ok(mismatch());
            }
            file.write_all(&bytes).map_err(cannot)?;
            return Ok(Ok(bytes.len() as u64));
        }
    };
    let large = match damage_only(store.read_large(pool, record, entry_len).await)? {
        Ok(large) => large,
        Err(why) => return Ok(Err(why)),
    };
    let blob = match damage_only(store.open_large(&large).await)? {
        Ok(blob) => blob,
        Err(why) => return Ok(Err(format!("blob {}: {why}", large.blob))),
    };
    let mut hasher = Hasher::new();
    for index in 0..large.chunk_crcs.len() {
        let bytes = match damage_only(store.read_chunk(pool, &blob, &large, index).await)? {
            Ok(bytes) => bytes,
            Err(why) => return Ok(Err(why)),
        };
        hasher.update(&bytes);
        file.write_all(&bytes).map_err(cannot)?;
    }
    if hasher.finish() != *digest {
        return Ok(mismatch());
    }
    Ok(Ok(large.len))
}

/// Dates the file as its name is dated.
pub(super) fn set_time(file: &File, time: Wall) -> io::Result<()> {
    let span = Duration::from_nanos(time.0.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if time.0 < 0 { epoch.checked_sub(span) } else { epoch.checked_add(span) };
    // 292 years either way fit every clock there is.
    time.map_or(Ok(()), |time| file.set_modified(time))
}
