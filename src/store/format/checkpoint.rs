//! A checkpoint: the index as it was, in pages, each of which says what it holds and checks by itself.
//!
//! ```text
//! page    head (64 bytes), entries one behind the other, zeros up to the next block
//! file    Head page, pages of the other sections, End page
//! ```

use super::bytes::{Reader, Writer};
use super::{FormatError, VERSION};
use crate::base::crc::Seed;
use crate::base::ids::{BlobId, Lsn, SegmentId, StoreId};
use crate::base::time::Wall;
use crate::limits::{BLOCK_BYTES, CHECKPOINT_PAGE_BYTES, INDEX_SHARDS};
use crate::store::index::Keys;

const MAGIC: &[u8; 8] = b"RHINOIDX";
/// Bytes of a page before its entries.
pub const PAGE_HEAD_BYTES: usize = 64;
const SUM_AT: usize = PAGE_HEAD_BYTES - 4;

/// What a page holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Section {
    /// What holds for all of it; see [`Head`].
    Head,
    /// For each segment, how far the index had taken it in.
    Segments,
    /// Segments that are gone although others name them.
    Retired,
    /// Contents of a shard.
    Contents,
    /// Names of contents beyond the first.
    MoreNames,
    /// The files of big contents.
    Blobs,
    /// Deletes of contents that a name in the log may not have seen.
    ContentsDeleted,
    /// Names of a shard.
    Names,
    /// As `ContentsDeleted`, for paths.
    PathsDeleted,
    /// Names that were removed while the index was copied.
    Removed,
    /// The number of pages before this one.
    End,
}

impl Section {
    const ALL: [Section; 11] = [
        Section::Head,
        Section::Segments,
        Section::Retired,
        Section::Contents,
        Section::MoreNames,
        Section::Blobs,
        Section::ContentsDeleted,
        Section::Names,
        Section::PathsDeleted,
        Section::Removed,
        Section::End,
    ];

    fn code(self) -> u16 {
        match self {
            Section::Head => 1,
            Section::Segments => 2,
            Section::Retired => 3,
            Section::Contents => 4,
            Section::MoreNames => 5,
            Section::Blobs => 6,
            Section::ContentsDeleted => 7,
            Section::Names => 8,
            Section::PathsDeleted => 9,
            Section::Removed => 10,
            Section::End => 11,
        }
    }

    /// Bytes of one entry.
    #[must_use]
    pub fn entry_bytes(self) -> usize {
        match self {
            Section::Head => HEAD_BYTES,
            Section::Segments => 24,
            Section::Retired => 4,
            Section::Contents => 64,
            Section::MoreNames | Section::Blobs | Section::ContentsDeleted | Section::Names => 40,
            Section::PathsDeleted => 24,
            Section::Removed => 56,
            Section::End => 8,
        }
    }

    /// Entries that a page holds at most.
    #[must_use]
    pub fn page_entries(self) -> usize {
        (CHECKPOINT_PAGE_BYTES - PAGE_HEAD_BYTES) / self.entry_bytes()
    }
}

/// What seeds the checksums of one checkpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CheckpointSeed {
    nonce: [u8; 16],
    seed: Seed,
}

impl CheckpointSeed {
    /// For a checkpoint of this store.
    #[must_use]
    pub fn new(nonce: [u8; 16], store: StoreId) -> CheckpointSeed {
        CheckpointSeed { nonce, seed: Seed::new(&[nonce, store.0].concat()) }
    }
}

/// The head of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// What it holds.
    pub section: Section,
    /// Of which shard; 0 for what is not sharded.
    pub shard: u16,
    /// How many entries.
    pub entries: u32,
    /// How many of this section and shard there are in all pages.
    pub of: u64,
}

impl Page {
    /// Bytes of its entries.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.entries as usize * self.section.entry_bytes()
    }

    /// Bytes from one page to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        (PAGE_HEAD_BYTES + self.payload_bytes()).next_multiple_of(BLOCK_BYTES)
    }

    /// Writes the page to `to`, which has [`Page::stride`] bytes and goes to `offset` of the file.
    pub fn encode(&self, payload: &[u8], seed: CheckpointSeed, offset: u64, to: &mut [u8]) {
        assert_eq!((payload.len(), to.len()), (self.payload_bytes(), self.stride()));
        let mut writer = Writer::new(to);
        writer.bytes(MAGIC).bytes(&seed.nonce).u16(self.section.code()).u16(self.shard);
        writer.u32(self.entries).u64(self.of).zeros(SUM_AT - 40);
        let mut sum = seed.seed.at(offset).begin();
        sum.update(&to[..SUM_AT]);
        sum.update(payload);
        to[SUM_AT..PAGE_HEAD_BYTES].copy_from_slice(&sum.value().to_le_bytes());
        let end = PAGE_HEAD_BYTES + payload.len();
        to[PAGE_HEAD_BYTES..end].copy_from_slice(payload);
        to[end..].fill(0);
    }

    /// Reads the head of a page, which says how long the page is. Nothing of it can be relied on before
    /// [`Page::check`].
    ///
    /// # Errors
    /// If it is none.
    pub fn decode(bytes: &[u8]) -> Result<(Page, [u8; 16]), FormatError> {
        let mut from = Reader(bytes.get(..SUM_AT).ok_or(FormatError::Short)?);
        if &from.array::<8>()? != MAGIC {
            return Err(FormatError::Magic);
        }
        let nonce = from.array()?;
        let code = from.u16()?;
        let section = Section::ALL.into_iter().find(|section| section.code() == code);
        let section = section.ok_or(FormatError::Unsupported)?;
        let page = Page { section, shard: from.u16()?, entries: from.u32()?, of: from.u64()? };
        from.zeros(SUM_AT - 40)?;
        if page.entries as usize > section.page_entries() || usize::from(page.shard) >= INDEX_SHARDS {
            return Err(FormatError::Inconsistent);
        }
        Ok((page, nonce))
    }

    /// The entries of the page that begins with `bytes`, at `offset` of the file.
    ///
    /// # Errors
    /// If they do not check.
    pub fn check<'a>(
        &self,
        bytes: &'a [u8],
        seed: CheckpointSeed,
        offset: u64,
    ) -> Result<&'a [u8], FormatError> {
        let end = PAGE_HEAD_BYTES + self.payload_bytes();
        let payload = bytes.get(PAGE_HEAD_BYTES..end).ok_or(FormatError::Short)?;
        let mut sum = seed.seed.at(offset).begin();
        sum.update(&bytes[..SUM_AT]);
        sum.update(payload);
        if sum.value().to_le_bytes() != bytes[SUM_AT..PAGE_HEAD_BYTES] {
            return Err(FormatError::Checksum);
        }
        Ok(payload)
    }
}

/// What holds for a whole checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The store it is of.
    pub store: StoreId,
    /// When it was made.
    pub created: Wall,
    /// No number up to this one is drawn again.
    pub next_lsn: Lsn,
    /// As `next_lsn`, for segments.
    pub next_segment: SegmentId,
    /// As `next_lsn`, for blobs.
    pub next_blob: BlobId,
    /// What decides which shard an entry is in.
    pub keys: Keys,
}

const HEAD_BYTES: usize = 88;

impl Head {
    /// As an entry of [`Section::Head`].
    #[must_use]
    pub fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let mut to = Writer::new(&mut bytes);
        to.bytes(&self.store.0).u16(VERSION).u16(0).u32(u32::try_from(INDEX_SHARDS).expect("a small number"));
        to.i64(self.created.0).u64(self.next_lsn.0).u32(self.next_segment.0).u32(0).u64(self.next_blob.0);
        self.keys.encode(&mut to);
        bytes
    }

    /// Reads it.
    ///
    /// # Errors
    /// `Unsupported` for one that another build made.
    pub fn decode(bytes: &[u8]) -> Result<Head, FormatError> {
        let mut from = Reader(bytes);
        let store = StoreId(from.array()?);
        let (version, _, shards) = (from.u16()?, from.u16()?, from.u32()?);
        if version != VERSION || usize::try_from(shards) != Ok(INDEX_SHARDS) {
            return Err(FormatError::Unsupported);
        }
        let (created, next_lsn, next_segment) = (Wall(from.i64()?), Lsn(from.u64()?), SegmentId(from.u32()?));
        from.u32()?;
        Ok(Head {
            store,
            created,
            next_lsn,
            next_segment,
            next_blob: BlobId(from.u64()?),
            keys: Keys::decode(&mut from)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_comes_back_and_every_flipped_bit_is_noticed() {
        let store = StoreId([7; 16]);
        let seed = CheckpointSeed::new([9; 16], store);
        let page = Page { section: Section::Retired, shard: 3, entries: 5, of: 12 };
        let payload: Vec<u8> = (0..20).collect();
        let mut bytes = vec![1; page.stride()];
        page.encode(&payload, seed, 8192, &mut bytes);
        assert_eq!(Page::decode(&bytes), Ok((page, [9; 16])));
        assert_eq!(page.check(&bytes, seed, 8192), Ok(payload.as_slice()));
        assert_eq!(page.check(&bytes, seed, 4096), Err(FormatError::Checksum), "at another place");
        let of_another = CheckpointSeed::new([9; 16], StoreId([8; 16]));
        assert_eq!(page.check(&bytes, of_another, 8192), Err(FormatError::Checksum), "of another store");
        for bit in 0..(PAGE_HEAD_BYTES + payload.len()) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = Page::decode(&flipped).and_then(|(page, nonce)| {
                let seed = CheckpointSeed::new(nonce, store);
                page.check(&flipped, seed, 8192).map(<[u8]>::to_vec)
            });
            assert!(found.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn codes_of_sections_are_their_own() {
        for section in Section::ALL {
            assert_eq!(Section::ALL.iter().filter(|other| other.code() == section.code()).count(), 1);
            assert!(section.page_entries() > 0);
        }
    }
}
