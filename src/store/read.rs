//! Reading what is stored. Nothing is handed out that was not verified.

use bytes::Bytes;

use super::error::ReadError;
use super::format::record::ENTRY_HEAD_BYTES;
use super::format::{Attributes, Body, Record};
use super::index::{Location, Place};
use super::{Store, blob, scan};
use crate::base::crc::Seed;
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::base::time::Wall;
use crate::base::units::{align_down, align_up};
use crate::limits::{BATCH_BYTES_MAX, BLOB_CHUNK_BYTES, BLOCK_BYTES};
use crate::runtime::buffer::{Buffer, Pool};
use crate::runtime::disk::File;

/// A name, as its record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredName {
    /// The record's number.
    pub lsn: Lsn,
    /// When it was made.
    pub time: Wall,
    /// What it means.
    pub digest: Digest,
    /// Its path.
    pub path: String,
    /// What is known of it.
    pub attributes: Attributes,
}

/// A big content, chunk by chunk.
#[derive(Debug)]
pub struct Large {
    /// Bytes of content.
    pub len: u64,
    /// Its file.
    pub blob: BlobId,
    /// A checksum for every [`BLOB_CHUNK_BYTES`].
    pub chunk_crcs: Vec<u32>,
}

/// How much is read to see a name: names are rarely longer, and an aligned read of one block costs what a
/// read of 100 bytes does.
const NAME_GUESS_BYTES: usize = 1024;

impl Store {
    /// The bytes of an inline content, verified.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if they do not check.
    pub async fn read_inline(&self, pool: &Pool, location: Location) -> Result<Bytes, ReadError> {
        let Location::Inline { segment, offset, len, crc } = location else {
            return Err(ReadError::Damaged("a large content was read as an inline one".to_owned()));
        };
        let file = self.segment_file(segment).await?;
        let position = u64::from(offset);
        let bytes = file.read_window(pool, position, len as usize).await?;
        if file.seed.at(position).sum(&bytes) != crc {
            return Err(ReadError::in_segment(segment, position, "checksum mismatch"));
        }
        Ok(bytes)
    }

    /// The name recorded at `place`.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if no name is there, or it does not check.
    pub async fn read_name(&self, pool: &Pool, place: Place) -> Result<StoredName, ReadError> {
        let (bytes, seed) = self.read_entry(pool, place, NAME_GUESS_BYTES).await?;
        let position = u64::from(place.offset);
        let record = Record::decode(&bytes, seed, position)
            .map_err(|error| ReadError::in_segment(place.segment, position, error))?;
        let Body::Name(name) = record.body else {
            return Err(ReadError::in_segment(place.segment, position, "not a name"));
        };
        let path = String::from_utf8(name.path.into_owned())
            .map_err(|_| ReadError::in_segment(place.segment, position, "a path that is not UTF-8"))?;
        let attributes = name.attributes.into_owned();
        Ok(StoredName { lsn: record.lsn, time: record.time, digest: name.digest, path, attributes })
    }

    /// The put-large record at `place`.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if none is there, or it does not check.
    pub async fn read_large(&self, pool: &Pool, place: Place, entry_len: u32) -> Result<Large, ReadError> {
        let (bytes, seed) = self.read_entry(pool, place, entry_len as usize).await?;
        let position = u64::from(place.offset);
        let record = Record::decode(&bytes, seed, position)
            .map_err(|error| ReadError::in_segment(place.segment, position, error))?;
        let Body::PutLarge(put) = record.body else {
            return Err(ReadError::in_segment(place.segment, position, "not a put of a blob"));
        };
        Ok(Large { len: put.len, blob: put.blob, chunk_crcs: put.chunk_crcs.into_owned() })
    }

    /// A blob's file, open for reading.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if it is missing.
    pub async fn open_large(&self, large: &Large) -> Result<File, ReadError> {
        self.blobs.open(&self.disk, large.blob).await.map_err(ReadError::from)
    }

    /// Chunk number `index` of a blob, verified.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if it does not check or is not there.
    pub async fn read_chunk(
        &self,
        pool: &Pool,
        file: &File,
        large: &Large,
        index: usize,
    ) -> Result<Bytes, ReadError> {
        let offset = index as u64 * BLOB_CHUNK_BYTES as u64;
        let crc = *large
            .chunk_crcs
            .get(index)
            .ok_or_else(|| ReadError::in_blob(large.blob, offset, "no such chunk"))?;
        let len = (large.len - offset).min(BLOB_CHUNK_BYTES as u64);
        let len = usize::try_from(len).expect("a chunk is 256 KiB");
        let (result, buffer) = file.read_exact_at(pool.take(len), len, offset).await;
        result.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                ReadError::in_blob(large.blob, offset, "the file is too short")
            }
            _ => ReadError::Io(error),
        })?;
        if blob::chunk_seed(large.blob, offset).sum(buffer.as_slice()) != crc {
            return Err(ReadError::in_blob(large.blob, offset, "checksum mismatch"));
        }
        Ok(buffer.freeze())
    }

    async fn segment_file(&self, id: SegmentId) -> Result<SegmentFile, ReadError> {
        let segment =
            self.segments.get(id).ok_or_else(|| ReadError::in_segment(id, 0, "the segment is missing"))?;
        let file = self.segments.file(&segment).await?;
        Ok(SegmentFile { seed: segment.seed, file, end: segment.bytes() })
    }

    /// The entry at `place`, undecoded; `guess` is how long it will probably be.
    async fn read_entry(&self, pool: &Pool, place: Place, guess: usize) -> Result<(Bytes, Seed), ReadError> {
        let file = self.segment_file(place.segment).await?;
        let position = u64::from(place.offset);
        let bytes = file.read_window(pool, position, guess.max(ENTRY_HEAD_BYTES)).await?;
        let claimed = Record::claimed_len(&bytes)
            .map_err(|error| ReadError::in_segment(place.segment, position, error))?;
        if claimed > BATCH_BYTES_MAX {
            return Err(ReadError::in_segment(place.segment, position, "an impossible length"));
        }
        if claimed <= bytes.len() {
            return Ok((bytes, file.seed));
        }
        Ok((file.read_window(pool, position, claimed).await?, file.seed))
    }
}

/// A segment as it is read.
struct SegmentFile {
    seed: Seed,
    file: File,
    /// How far it was written.
    end: u64,
}

impl SegmentFile {
    /// Reads the blocks that cover `len` bytes at `offset`, and gives those bytes; fewer where less was written.
    async fn read_window(&self, pool: &Pool, offset: u64, len: usize) -> Result<Bytes, ReadError> {
        if len == 0 {
            // An empty content behind a table that fills its last block may stand at the very end of the file.
            return Ok(Bytes::new());
        }
        let block = BLOCK_BYTES as u64;
        let start = align_down(offset, block);
        let end = align_up((offset + len as u64).min(self.end), block);
        let span = usize::try_from(end.saturating_sub(start)).expect("windows are far below 4 GiB");
        let buffer: Buffer = pool.take(span);
        let (result, buffer) = scan::read_up_to(&self.file, buffer, span, start).await;
        result.map_err(ReadError::from)?;
        let have = buffer.len();
        let skip = usize::try_from(offset - start).expect("less than a block");
        let bytes = buffer.freeze();
        if have <= skip {
            return Err(ReadError::Damaged("the segment is too short".to_owned()));
        }
        Ok(bytes.slice(skip..have.min(skip + len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::disk::{Disk, Open};
    use crate::runtime::sim::{Sim, SimDisk};
    use crate::store::format::Nonce;

    #[test]
    fn what_stands_at_the_end_of_the_file_is_read_and_what_stands_behind_it_is_not() {
        let work = async {
            let (disk, pool) = (Disk::sim(SimDisk::new()), Pool::new(0));
            let how = Open { write: true, create_new: true, ..Open::default() };
            let file = disk.open("file", how).await.unwrap();
            let mut block = pool.take(BLOCK_BYTES);
            block.set_len(BLOCK_BYTES);
            block.as_mut_slice().fill(7);
            file.write_all_at(block, 0..BLOCK_BYTES, 0).await.0.unwrap();
            let end = BLOCK_BYTES as u64;
            let seed = Nonce([0; 16]).seed(SegmentId(1));
            let file = SegmentFile { seed, file, end };
            assert_eq!(file.read_window(&pool, end - 3, 3).await.unwrap()[..], [7; 3]);
            assert!(file.read_window(&pool, end, 0).await.unwrap().is_empty(), "an empty content");
            assert!(file.read_window(&pool, end, 1).await.is_err());
        };
        Sim::new(1, 1).run(|| work).done();
    }
}
