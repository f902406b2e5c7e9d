//! The table of contents as it stands in a checkpoint.

use super::entry::{Entry, FLAG_DYING};
use super::{Contents, Shard};
use crate::base::digest::Digest;
use crate::base::ids::BlobId;
use crate::store::format::FormatError;
use crate::store::format::bytes::{Reader, Writer};
use crate::store::format::checkpoint::Section;
use crate::store::index::image::encode_all;
use crate::store::index::table::{self, Keyed};
use crate::store::index::{Place, poisoned};

impl Entry {
    fn encode(&self, to: &mut Writer<'_>) {
        to.bytes(&self.digest.0).u64(self.lsn).u32(self.segment).u32(self.offset);
        // What is dying has no name, and is dropped when it is read.
        to.u32(self.len_and_flags & !FLAG_DYING).u32(self.crc);
        to.u32(self.first_name_segment).u32(self.first_name_offset);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Entry, FormatError> {
        Ok(Entry {
            digest: Digest(from.array()?),
            lsn: from.u64()?,
            segment: from.u32()?,
            offset: from.u32()?,
            len_and_flags: from.u32()?,
            crc: from.u32()?,
            first_name_segment: from.u32()?,
            first_name_offset: from.u32()?,
        })
    }
}

impl Contents {
    /// What a shard holds, section by section.
    pub(in crate::store::index) fn image(&self, shard: usize) -> [(Section, Vec<u8>); 4] {
        let shard = self.shards[shard].lock().unwrap_or_else(poisoned);
        let Shard { entries, blobs, more_names, deleted, .. } = &*shard;
        let names =
            || more_names.iter().flat_map(|(digest, names)| names.iter().map(move |name| (digest, name)));
        [
            (Section::Contents, encode_all(Section::Contents, entries.len(), entries.iter(), Entry::encode)),
            (
                Section::MoreNames,
                encode_all(Section::MoreNames, names().count(), names(), |(digest, name), to| {
                    to.bytes(&digest.0);
                    name.encode(to);
                }),
            ),
            (
                Section::Blobs,
                encode_all(Section::Blobs, blobs.len(), blobs.iter(), |(digest, blob), to| {
                    to.bytes(&digest.0).u64(blob.0);
                }),
            ),
            (
                Section::ContentsDeleted,
                encode_all(Section::ContentsDeleted, deleted.len(), deleted.iter(), |(digest, lsn), to| {
                    to.bytes(&digest.0).u64(lsn.0);
                }),
            ),
        ]
    }

    /// Enters a part of a section of a shard, which has `of` entries in all.
    ///
    /// # Errors
    /// `Inconsistent` if they do not belong there.
    pub(in crate::store::index) fn load(
        &self,
        section: Section,
        shard: usize,
        of: usize,
        mut from: Reader<'_>,
    ) -> Result<(), FormatError> {
        let mut held = self.shards[shard].lock().unwrap_or_else(poisoned);
        let Shard { entries, blobs, more_names, inline_bytes, .. } = &mut *held;
        match section {
            Section::Contents => entries.reserve(of),
            Section::Blobs => blobs.reserve(of.saturating_sub(blobs.len())),
            _ => {}
        }
        while !from.is_empty() {
            match section {
                Section::Contents => {
                    let entry = Entry::decode(&mut from)?;
                    let hash = entry.hash(self.secret);
                    if table::shard_of(hash) != shard {
                        return Err(FormatError::Inconsistent);
                    }
                    *inline_bytes += entry.inline_len();
                    entries.insert(hash, entry);
                }
                Section::MoreNames => {
                    more_names.entry(Digest(from.array()?)).or_default().add(Place::decode(&mut from)?);
                }
                Section::Blobs => {
                    blobs.insert(Digest(from.array()?), BlobId(from.u64()?));
                }
                _ => return Err(FormatError::Inconsistent),
            }
        }
        Ok(())
    }
}
