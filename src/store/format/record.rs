//! Records: one mutation each, the entries of a batch's table.
//!
//! Every entry begins with the same 32 bytes: checksum, own length, kind, version, flags, LSN, time. An
//! unknown kind is skipped or refused by its flag. The checksum is seeded with the place of the entry in
//! its segment, so a record can be read and checked alone.

use std::borrow::Cow;

use super::FormatError;
use super::attributes::Attributes;
use super::bytes::{Reader, Writer};
use crate::base::crc::Seed;
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::base::time::Wall;
use crate::limits::{BLOB_CHUNK_BYTES, PATH_BYTES_MAX};

/// Bytes at the start of every entry.
pub const ENTRY_HEAD_BYTES: usize = 32;
/// Entries start at multiples of this.
pub const ENTRY_ALIGN: usize = 8;
/// Bytes of a put entry.
pub const PUT_BYTES: usize = ENTRY_HEAD_BYTES + 72;
/// Bytes of a put-large entry without its chunk checksums.
pub const PUT_LARGE_FIXED_BYTES: usize = ENTRY_HEAD_BYTES + 80;
/// Bytes of a name entry without its path and attributes.
pub const NAME_FIXED_BYTES: usize = ENTRY_HEAD_BYTES + 48;

const KIND_PUT: u8 = 1;
const KIND_PUT_LARGE: u8 = 2;
const KIND_NAME: u8 = 3;
const KIND_DELETE_CONTENT: u8 = 4;
const KIND_DELETE_NAME: u8 = 5;
const KIND_ATTRIBUTES: u8 = 6;
const KIND_RETIRE_SEGMENT: u8 = 7;
const KIND_RETIRE_BLOB: u8 = 8;
/// Flag: a build that does not know this kind may pass over it. Without it, it must refuse the store.
const FLAG_SKIPPABLE: u16 = 1;
/// The only hash so far.
const HASH_SHA256: u8 = 1;
/// The only codec so far: as it came.
const CODEC_NONE: u8 = 0;

/// One mutation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its number.
    pub lsn: Lsn,
    /// When it was made; shown, never ordered by.
    pub time: Wall,
    /// What it does.
    pub body: Body<'a>,
}

/// What a record does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// These bytes exist, in this batch.
    Put(PutBody),
    /// These bytes exist, in a file of their own.
    PutLarge(PutLargeBody<'a>),
    /// This path means that content.
    Name(NameBody<'a>),
    /// The content and all its older names are gone.
    DeleteContent(Digest),
    /// This path means nothing any more.
    DeleteName {
        /// Always 0 so far.
        namespace: u32,
        /// The path.
        path: Cow<'a, [u8]>,
    },
    /// The attributes of a path are these now.
    Attributes {
        /// Always 0 so far.
        namespace: u32,
        /// The path.
        path: Cow<'a, [u8]>,
        /// The new attributes, all of them.
        attributes: Attributes,
    },
    /// The segment's live records were copied; the file may be missing.
    RetireSegment(SegmentId),
    /// Nothing means this blob any more; the file may be missing.
    RetireBlob(BlobId),
    /// A kind of a later version that may be passed over.
    Unknown(u8),
}

/// Content in the payload area of the record's own batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PutBody {
    /// Its SHA-256.
    pub digest: Digest,
    /// Bytes of payload.
    pub len: u32,
    /// Where it begins, from the start of the batch.
    pub offset: u32,
    /// CRC32C of the payload, seeded with the nonce and its place in the segment.
    pub crc: u32,
}

/// Content in a file of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutLargeBody<'a> {
    /// Its SHA-256.
    pub digest: Digest,
    /// Bytes of content.
    pub len: u64,
    /// Its file.
    pub blob: BlobId,
    /// CRC32C of every [`BLOB_CHUNK_BYTES`] of it (the last may be shorter), seeded with the blob's number
    /// and the chunk's offset.
    pub chunk_crcs: Cow<'a, [u32]>,
}

/// A name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameBody<'a> {
    /// Always 0 so far.
    pub namespace: u32,
    /// What it means.
    pub digest: Digest,
    /// `storage/...`; at most [`PATH_BYTES_MAX`].
    pub path: Cow<'a, [u8]>,
    /// What is known of it.
    pub attributes: Cow<'a, Attributes>,
}

impl Body<'_> {
    /// Whether it says that something is gone.
    #[must_use]
    pub fn is_delete(&self) -> bool {
        matches!(self, Body::DeleteContent(_) | Body::DeleteName { .. })
    }

    fn kind(&self) -> u8 {
        match self {
            Body::Put(_) => KIND_PUT,
            Body::PutLarge(_) => KIND_PUT_LARGE,
            Body::Name(_) => KIND_NAME,
            Body::DeleteContent(_) => KIND_DELETE_CONTENT,
            Body::DeleteName { .. } => KIND_DELETE_NAME,
            Body::Attributes { .. } => KIND_ATTRIBUTES,
            Body::RetireSegment(_) => KIND_RETIRE_SEGMENT,
            Body::RetireBlob(_) => KIND_RETIRE_BLOB,
            Body::Unknown(kind) => *kind,
        }
    }

    /// Bytes of the entry that carries this body, without padding.
    #[must_use]
    pub fn entry_bytes(&self) -> usize {
        match self {
            Body::Put(_) => PUT_BYTES,
            Body::PutLarge(put) => PUT_LARGE_FIXED_BYTES + 4 * put.chunk_crcs.len(),
            Body::Name(name) => NAME_FIXED_BYTES + name.path.len() + name.attributes.as_bytes().len(),
            Body::DeleteContent(_) => ENTRY_HEAD_BYTES + 32,
            Body::DeleteName { path, .. } => ENTRY_HEAD_BYTES + 8 + path.len(),
            Body::Attributes { path, attributes, .. } => {
                ENTRY_HEAD_BYTES + 12 + path.len() + attributes.as_bytes().len()
            }
            Body::RetireSegment(_) | Body::RetireBlob(_) => ENTRY_HEAD_BYTES + 8,
            Body::Unknown(_) => ENTRY_HEAD_BYTES,
        }
    }
}

impl Record<'_> {
    /// Writes the entry into `to`, which has exactly [`Body::entry_bytes`] bytes and stands at `position`
    /// of the segment with this seed.
    pub fn encode(&self, to: &mut [u8], seed: Seed, position: u64) {
        assert_eq!(to.len(), self.body.entry_bytes(), "an entry is encoded into its own size");
        let len = u32::try_from(to.len()).expect("a batch is far below 4 GiB");
        let flags = if matches!(self.body, Body::Unknown(_)) { FLAG_SKIPPABLE } else { 0 };
        let mut out = Writer::new(to);
        out.u32(0).u32(len).u8(self.body.kind()).u8(1).u16(flags).u32(0).u64(self.lsn.0).i64(self.time.0);
        match &self.body {
            Body::Put(put) => {
                let bytes = u64::from(put.len);
                out.bytes(&put.digest.0).u8(HASH_SHA256).u8(CODEC_NONE).u16(0).u32(0);
                out.u64(bytes).u64(bytes).u32(put.offset).u32(put.crc).zeros(8);
            }
            Body::PutLarge(put) => {
                assert_eq!(put.chunk_crcs.len() as u64, put.len.div_ceil(BLOB_CHUNK_BYTES as u64));
                let chunk = u32::try_from(BLOB_CHUNK_BYTES).expect("a chunk is 256 KiB");
                let chunks = u32::try_from(put.chunk_crcs.len()).expect("a record fits a batch");
                out.bytes(&put.digest.0).u8(HASH_SHA256).u8(CODEC_NONE).u16(0).u32(0);
                out.u64(put.len).u64(put.len).u64(put.blob.0).u32(chunk).u32(chunks).zeros(8);
                put.chunk_crcs.iter().for_each(|crc| {
                    out.u32(*crc);
                });
            }
            Body::Name(name) => {
                assert!(name.path.len() <= PATH_BYTES_MAX, "paths are bounded where they are made");
                let attributes = name.attributes.as_bytes();
                out.u32(name.namespace).u32(len_u32(&name.path)).u32(len_u32(attributes)).u32(0);
                out.bytes(&name.digest.0).bytes(&name.path).bytes(attributes);
            }
            Body::DeleteContent(digest) => {
                out.bytes(&digest.0);
            }
            Body::DeleteName { namespace, path } => {
                out.u32(*namespace).u32(len_u32(path)).bytes(path);
            }
            Body::Attributes { namespace, path, attributes } => {
                let attributes = attributes.as_bytes();
                out.u32(*namespace).u32(len_u32(path)).u32(len_u32(attributes)).bytes(path).bytes(attributes);
            }
            Body::RetireSegment(segment) => {
                out.u64(u64::from(segment.0));
            }
            Body::RetireBlob(blob) => {
                out.u64(blob.0);
            }
            Body::Unknown(_) => {}
        }
        assert_eq!(out.position(), to.len(), "every byte of an entry is written");
        let sum = seed.at(position).sum(&to[4..]);
        to[..4].copy_from_slice(&sum.to_le_bytes());
    }

    /// The length that the entry at the start of `bytes` claims to have.
    ///
    /// # Errors
    /// `Short` where not even the claim is there.
    pub fn claimed_len(bytes: &[u8]) -> Result<usize, FormatError> {
        let mut from = Reader(bytes);
        from.bytes(4)?;
        Ok(from.u32()? as usize)
    }

    /// Decodes the entry that begins `bytes` and stands at `position` of the segment with this seed.
    ///
    /// # Errors
    /// `Short`, `Checksum`, `Inconsistent`; `Unsupported` for an unknown kind that may not be skipped.
    pub fn decode(bytes: &[u8], seed: Seed, position: u64) -> Result<Record<'_>, FormatError> {
        let len = Self::claimed_len(bytes)?;
        let entry = bytes.get(..len).ok_or(FormatError::Short)?;
        let mut from = Reader(entry);
        let sum = from.u32()?;
        if seed.at(position).sum(from.0) != sum {
            return Err(FormatError::Checksum);
        }
        from.bytes(4)?;
        let (kind, version, flags) = (from.u8()?, from.u8()?, from.u16()?);
        from.zeros(4)?;
        let (lsn, time) = (Lsn(from.u64()?), Wall(from.i64()?));
        if version != 1 || !(KIND_PUT..=KIND_RETIRE_BLOB).contains(&kind) {
            let skippable = flags & FLAG_SKIPPABLE != 0;
            return if skippable {
                Ok(Record { lsn, time, body: Body::Unknown(kind) })
            } else {
                Err(FormatError::Unsupported)
            };
        }
        let body = match kind {
            KIND_PUT => {
                let (digest, len) = decode_content(&mut from)?;
                let (offset, crc) = (from.u32()?, from.u32()?);
                from.zeros(8)?;
                let len = u32::try_from(len).map_err(|_| FormatError::Inconsistent)?;
                Body::Put(PutBody { digest, len, offset, crc })
            }
            KIND_PUT_LARGE => {
                let (digest, len) = decode_content(&mut from)?;
                let (blob, chunk, chunks) = (BlobId(from.u64()?), from.u32()?, from.u32()?);
                from.zeros(8)?;
                if chunk as usize != BLOB_CHUNK_BYTES || u64::from(chunks) != len.div_ceil(u64::from(chunk)) {
                    return Err(FormatError::Inconsistent);
                }
                let crcs: Result<Vec<u32>, _> = (0..chunks).map(|_| from.u32()).collect();
                Body::PutLarge(PutLargeBody { digest, len, blob, chunk_crcs: Cow::Owned(crcs?) })
            }
            KIND_NAME => {
                let (namespace, path_len, attributes_len) = (from.u32()?, from.u32()?, from.u32()?);
                from.zeros(4)?;
                let digest = Digest(from.array()?);
                let path = Cow::Borrowed(from.bytes(path_len as usize)?);
                let attributes = Cow::Owned(Attributes::from_bytes(from.bytes(attributes_len as usize)?)?);
                Body::Name(NameBody { namespace, digest, path, attributes })
            }
            KIND_DELETE_CONTENT => Body::DeleteContent(Digest(from.array()?)),
            KIND_DELETE_NAME => {
                let (namespace, path_len) = (from.u32()?, from.u32()?);
                Body::DeleteName { namespace, path: Cow::Borrowed(from.bytes(path_len as usize)?) }
            }
            KIND_ATTRIBUTES => {
                let (namespace, path_len, attributes_len) = (from.u32()?, from.u32()?, from.u32()?);
                let path = Cow::Borrowed(from.bytes(path_len as usize)?);
                let attributes = Attributes::from_bytes(from.bytes(attributes_len as usize)?)?;
                Body::Attributes { namespace, path, attributes }
            }
            KIND_RETIRE_SEGMENT => {
                let number = u32::try_from(from.u64()?).map_err(|_| FormatError::Inconsistent)?;
                Body::RetireSegment(SegmentId(number))
            }
            _ => Body::RetireBlob(BlobId(from.u64()?)),
        };
        if from.0.is_empty() { Ok(Record { lsn, time, body }) } else { Err(FormatError::Inconsistent) }
    }
}

/// Digest, algorithm, codec, key id, stored and original length, as both puts carry them.
fn decode_content(from: &mut Reader<'_>) -> Result<(Digest, u64), FormatError> {
    let digest = Digest(from.array()?);
    let (hash, codec) = (from.u8()?, from.u8()?);
    from.zeros(2)?;
    let key = from.u32()?;
    let (stored, original) = (from.u64()?, from.u64()?);
    if hash != HASH_SHA256 || codec != CODEC_NONE || key != 0 {
        return Err(FormatError::Unsupported);
    }
    if stored != original {
        return Err(FormatError::Inconsistent);
    }
    Ok((digest, stored))
}

fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("paths and attributes are bounded by limits.rs")
}

#[cfg(test)]
mod tests {
    use super::super::attributes::Kind;
    use super::*;

    fn samples() -> Vec<Record<'static>> {
        let digest = Digest::of(b"content");
        let mut attributes = Attributes::default();
        attributes.push(Kind::OriginalName, b"a.txt");
        let path = || Cow::Borrowed(b"storage/documents/txt/ab_a.txt".as_slice());
        let bodies = vec![
            Body::Put(PutBody { digest, len: 7, offset: 4096, crc: 99 }),
            Body::PutLarge(PutLargeBody {
                digest,
                len: 2 * BLOB_CHUNK_BYTES as u64 + 1,
                blob: BlobId(77),
                chunk_crcs: Cow::Owned(vec![1, 2, 3]),
            }),
            Body::Name(NameBody {
                namespace: 0,
                digest,
                path: path(),
                attributes: Cow::Owned(attributes.clone()),
            }),
            Body::DeleteContent(digest),
            Body::DeleteName { namespace: 0, path: path() },
            Body::Attributes { namespace: 0, path: path(), attributes },
            Body::RetireSegment(SegmentId(5)),
            Body::RetireBlob(BlobId(6)),
            Body::Unknown(200),
        ];
        bodies
            .into_iter()
            .zip(1..)
            .map(|(body, lsn)| Record { lsn: Lsn(lsn), time: Wall(-5), body })
            .collect()
    }

    #[test]
    fn every_kind_comes_back_as_it_was() {
        let seed = Seed::new(b"life");
        for record in samples() {
            let mut bytes = vec![0xaa; record.body.entry_bytes()];
            record.encode(&mut bytes, seed, 512);
            assert_eq!(Record::decode(&bytes, seed, 512), Ok(record.clone()));
            assert_eq!(Record::decode(&bytes, seed, 520), Err(FormatError::Checksum), "elsewhere");
            assert_eq!(Record::decode(&bytes, Seed::new(b"past"), 512), Err(FormatError::Checksum));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let seed = Seed::new(b"life");
        for record in samples() {
            let mut bytes = vec![0; record.body.entry_bytes()];
            record.encode(&mut bytes, seed, 0);
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::decode(&bytes, seed, 0).is_err(), "bit {bit} of {record:?}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            for len in 0..bytes.len() {
                assert!(Record::decode(&bytes[..len], seed, 0).is_err(), "cut at {len}");
            }
        }
    }

    #[test]
    fn an_unknown_kind_without_the_skip_flag_is_refused() {
        let seed = Seed::new(b"life");
        let record = Record { lsn: Lsn(1), time: Wall(0), body: Body::Unknown(200) };
        let mut bytes = vec![0; record.body.entry_bytes()];
        record.encode(&mut bytes, seed, 0);
        bytes[10] = 0;
        let sum = seed.at(0).sum(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Record::decode(&bytes, seed, 0), Err(FormatError::Unsupported));
    }
}
