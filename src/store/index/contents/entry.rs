//! What the table of contents keeps of each content, in 64 bytes, and how it is told to others.

use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::store::format::PutBody;
use crate::store::index::Place;
use crate::store::index::table::{Keyed, mix};

/// Where a content is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Location {
    /// In the payload area of a batch.
    Inline {
        /// The segment.
        segment: SegmentId,
        /// Bytes from the start of its file.
        offset: u32,
        /// Bytes of content.
        len: u32,
        /// Its checksum, seeded with nonce and place.
        crc: u32,
    },
    /// In a file of its own, which this put-large record describes.
    Large {
        /// The record.
        record: Place,
        /// Bytes of its entry.
        entry_len: u32,
        /// The file.
        blob: BlobId,
    },
}

impl Location {
    /// Where the payload of a put is that stands in the batch at `batch_offset` of a segment.
    #[must_use]
    pub fn of_put(segment: SegmentId, batch_offset: u64, put: &PutBody) -> Location {
        let offset = u32::try_from(batch_offset + u64::from(put.offset)).expect("a segment is at most 1 GiB");
        Location::Inline { segment, offset, len: put.len, crc: put.crc }
    }
}

/// What the index knows of a stored content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    /// The put's number.
    pub lsn: Lsn,
    /// Where it is.
    pub location: Location,
    /// The copy is known not to check.
    pub damaged: bool,
    /// Its first name; `None` while it has none, and then nobody may see it.
    pub first_name: Option<Place>,
}

/// 64 bytes, of which there is one for each content.
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) lsn: u64,
    /// Of the payload, or of the put-large record's entry.
    pub(super) segment: u32,
    pub(super) offset: u32,
    /// Bytes of the payload or the entry; the three top bits are flags.
    pub(super) len_and_flags: u32,
    pub(super) crc: u32,
    /// `first_name_segment` 0 is "none": segments count from 1.
    pub(super) first_name_segment: u32,
    pub(super) first_name_offset: u32,
}

const _: () = assert!(size_of::<Entry>() == 64);
pub(super) const FLAG_LARGE: u32 = 1 << 31;
pub(super) const FLAG_DAMAGED: u32 = 1 << 30;
/// Its last name is gone: it may be dropped, and who sends it again stores it anew.
pub(super) const FLAG_DYING: u32 = 1 << 29;
pub(super) const LEN_MASK: u32 = FLAG_DYING - 1;

impl Keyed for Entry {
    fn hash(&self, secret: u64) -> u64 {
        mix(first_word(&self.digest.0), secret)
    }
}

impl Entry {
    pub(super) fn new(digest: Digest) -> Entry {
        Entry {
            digest,
            lsn: 0,
            segment: 0,
            offset: 0,
            len_and_flags: 0,
            crc: 0,
            first_name_segment: 0,
            first_name_offset: 0,
        }
    }

    /// A name was replayed before its put.
    pub(super) fn is_placeholder(&self) -> bool {
        self.lsn == 0
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.len_and_flags & FLAG_DAMAGED != 0 || self.is_placeholder()
    }

    pub(super) fn is_dying(&self) -> bool {
        self.len_and_flags & FLAG_DYING != 0
    }

    /// Enters a newer copy, which is neither damaged nor dying.
    pub(super) fn set(&mut self, lsn: Lsn, location: Location) {
        self.lsn = lsn.0;
        match location {
            Location::Inline { segment, offset, len, crc } => {
                assert!(len <= LEN_MASK, "inline contents are far below 512 MiB");
                (self.segment, self.offset, self.len_and_flags, self.crc) = (segment.0, offset, len, crc);
            }
            Location::Large { record, entry_len, .. } => {
                assert!(entry_len <= LEN_MASK, "a record fits a batch");
                (self.segment, self.offset) = (record.segment.0, record.offset);
                (self.len_and_flags, self.crc) = (entry_len | FLAG_LARGE, 0);
            }
        }
    }

    pub(super) fn is_large(&self) -> bool {
        self.len_and_flags & FLAG_LARGE != 0
    }

    /// Bytes of the payload if it stands in a segment, else 0.
    pub(super) fn inline_len(&self) -> u64 {
        if self.is_large() { 0 } else { u64::from(self.len_and_flags & LEN_MASK) }
    }

    pub(super) fn first_name(&self) -> Option<Place> {
        (self.first_name_segment != 0)
            .then_some(Place { segment: SegmentId(self.first_name_segment), offset: self.first_name_offset })
    }

    /// Whether what it shows is there. Of a big content the record tells.
    pub(super) fn is_at(&self, location: Location) -> bool {
        let (segment, offset, large) = match location {
            Location::Inline { segment, offset, .. } => (segment, offset, false),
            Location::Large { record, .. } => (record.segment, record.offset, true),
        };
        !self.is_placeholder()
            && (SegmentId(self.segment), self.offset, self.is_large()) == (segment, offset, large)
    }

    pub(super) fn set_first_name(&mut self, place: Option<Place>) {
        let place = place.unwrap_or(Place { segment: SegmentId(0), offset: 0 });
        (self.first_name_segment, self.first_name_offset) = (place.segment.0, place.offset);
    }
}

pub(super) fn first_word(digest: &[u8; 32]) -> u64 {
    u64::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}
