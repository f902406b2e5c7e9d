//! The seal: says where a segment that is no longer written to ends. Redundant with a scan and with
//! the successor's header: a torn or rotten seal costs time, not data.

use super::bytes::{Reader, Writer};
use super::{FormatError, SEAL_OFFSET};
use crate::base::crc::Seed;
use crate::base::ids::{BatchSeq, Lsn};
use crate::base::time::Wall;

const MAGIC: &[u8; 8] = b"RHINOEND";
/// Bytes of the encoded seal; one sector.
pub const SEAL_BYTES: usize = 128;

/// Where and how a segment ended. All its batches were flushed before it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seal {
    /// The byte behind the last batch.
    pub end: u64,
    /// The last batch, or the one before the segment's first if it has none.
    pub last_batch: BatchSeq,
    /// Number of batches.
    pub batches: u64,
    /// Number of records.
    pub records: u64,
    /// Least LSN in it; 0 if it has no record.
    pub least_lsn: Lsn,
    /// Greatest LSN in it; 0 if it has no record.
    pub greatest_lsn: Lsn,
    /// When it was sealed.
    pub sealed: Wall,
}

impl Seal {
    /// The encoded seal of the segment with this seed.
    #[must_use]
    pub fn encode(&self, seed: Seed) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        let mut to = Writer::new(&mut bytes);
        to.bytes(MAGIC).u64(self.end).u64(self.last_batch.0).u64(self.batches).u64(self.records);
        to.u64(self.least_lsn.0).u64(self.greatest_lsn.0).i64(self.sealed.0);
        let sum = seed.at(SEAL_OFFSET).sum(&bytes[..SEAL_BYTES - 4]);
        bytes[SEAL_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Decodes the seal of the segment with this seed.
    ///
    /// # Errors
    /// `Blank` while the segment is open, others where the block is damaged.
    pub fn decode(bytes: &[u8], seed: Seed) -> Result<Seal, FormatError> {
        let bytes = bytes.get(..SEAL_BYTES).ok_or(FormatError::Short)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(FormatError::Blank);
        }
        let (fields, sum) = bytes.split_at(SEAL_BYTES - 4);
        if seed.at(SEAL_OFFSET).sum(fields).to_le_bytes() != sum {
            return Err(FormatError::Checksum);
        }
        let mut from = Reader(fields);
        if &from.array::<8>()? != MAGIC {
            return Err(FormatError::Magic);
        }
        let seal = Seal {
            end: from.u64()?,
            last_batch: BatchSeq(from.u64()?),
            batches: from.u64()?,
            records: from.u64()?,
            least_lsn: Lsn(from.u64()?),
            greatest_lsn: Lsn(from.u64()?),
            sealed: Wall(from.i64()?),
        };
        from.zeros(from.0.len())?;
        Ok(seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_comes_back_and_every_flipped_bit_is_noticed() {
        let seed = Seed::new(b"life");
        let seal = Seal {
            end: 40_960,
            last_batch: BatchSeq(5),
            batches: 5,
            records: 12,
            least_lsn: Lsn(1),
            greatest_lsn: Lsn(12),
            sealed: Wall(5),
        };
        let bytes = seal.encode(seed);
        assert_eq!(Seal::decode(&bytes, seed), Ok(seal));
        assert_eq!(Seal::decode(&bytes, Seed::new(b"past life")), Err(FormatError::Checksum));
        assert_eq!(Seal::decode(&[0; SEAL_BYTES], seed), Err(FormatError::Blank));
        for bit in 0..SEAL_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Seal::decode(&flipped, seed).is_err(), "bit {bit}");
        }
    }
}
