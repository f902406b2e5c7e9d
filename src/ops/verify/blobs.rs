//! What `verify` checks of contents in files of their own: each chunk, the length, the hash.

use super::Findings;
use crate::base::digest::{Digest, Hasher};
use crate::ops::offline::{Failed, damage_only};
use crate::runtime::buffer::Pool;
use crate::store::index::{Content, Location, Place};
use crate::store::{Store, blob};

/// Where a live content is.
pub(super) enum Where {
    /// A name means it, and no put of it was found.
    Nowhere,
    /// In a segment: its bytes.
    Segment(u64),
    /// In a file that the record at this place describes, and the bytes of that record's entry.
    File(Place, u32),
}

impl Where {
    pub(super) fn of(content: Content) -> Where {
        match content.location {
            _ if content.lsn.0 == 0 => Where::Nowhere,
            Location::Inline { len, .. } => Where::Segment(u64::from(len)),
            Location::Large { record, entry_len, .. } => Where::File(record, entry_len),
        }
    }
}

/// Reads a blob's file. Gives the content's bytes and whether all of them are sound.
pub(super) async fn check(
    store: &Store,
    pool: &Pool,
    digest: &Digest,
    record: Place,
    entry_len: u32,
    damage: &mut Findings,
) -> Result<(u64, bool), Failed> {
    let large = match damage_only(store.read_large(pool, record, entry_len).await)? {
        Ok(large) => large,
        Err(why) => {
            damage.add(format_args!("{why} (content {digest})"));
            return Ok((0, false));
        }
    };
    let path = blob::path(large.blob);
    let mut fail = |what: std::fmt::Arguments<'_>| {
        damage.add(format_args!("{path}: {what} (content {digest})"));
        Ok((large.len, false))
    };
    let Ok(file) = damage_only(store.open_large(&large).await)? else {
        return fail(format_args!("the file is missing"));
    };
    let file_len = file.len().await?;
    if file_len != large.len {
        return fail(format_args!("the file has {file_len} bytes and should have {}", large.len));
    }
    let mut hasher = Hasher::new();
    let mut first_bad = None;
    let mut bad_chunks = 0;
    for index in 0..large.chunk_crcs.len() {
        match damage_only(store.read_chunk(pool, &file, &large, index).await)? {
            Ok(bytes) => hasher.update(&bytes),
            Err(why) => {
                bad_chunks += 1;
                first_bad.get_or_insert(why);
            }
        }
    }
    match first_bad {
        Some(why) => fail(format_args!("{bad_chunks} of {} chunks are bad, {why}", large.chunk_crcs.len())),
        None if hasher.finish() != *digest => fail(format_args!("it does not hash to its digest")),
        None => Ok((large.len, true)),
    }
}
