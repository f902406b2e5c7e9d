//! Format version 1: how the store's bytes are laid out. The only place that encodes or decodes them;
//! docs/FORMAT.md describes the same in prose and `tests/format_golden.rs` ties the two together.
//!
//! Always: little-endian, fixed width, sizes and offsets in bytes. Encoders assert what they are given,
//! decoders return errors for whatever a disk can hold. Reserved bytes are written as zero and checked.
//!
//! A segment file, in blocks of 4,096 bytes:
//!
//! ```text
//! 0       header        | who and what this file is, and the nonce that seeds every checksum in it
//! 1       header copy   | so that one bad block does not cost the segment
//! 2       seal          | zeros while the segment is written to; then where it ends
//! 3       (zeros)
//! 4 ...   batches       | each: header, slots, entries, payloads, zeros up to the next block
//! ```

pub mod attributes;
pub mod batch;
pub(in crate::store) mod bytes;
pub mod checkpoint;
pub mod header;
pub mod record;
pub mod seal;

pub use attributes::Attributes;
pub use batch::BatchHeader;
pub use header::{Nonce, SegmentHeader};
pub use record::{Body, NameBody, PutBody, PutLargeBody, Record};
pub use seal::Seal;

use crate::limits::BLOCK_BYTES;

/// The format this build writes, and the newest it reads.
pub const VERSION: u16 = 1;
/// Where the copy of the segment header stands.
pub const HEADER_COPY_OFFSET: u64 = BLOCK_BYTES as u64;
/// Where the seal stands.
pub const SEAL_OFFSET: u64 = 2 * BLOCK_BYTES as u64;
/// Where the first batch stands.
pub const FIRST_BATCH_OFFSET: u64 = 4 * BLOCK_BYTES as u64;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FormatError {
    /// Nothing was ever written here: all zeros.
    Blank,
    /// Too few bytes for what they claim to hold.
    Short,
    /// The leading magic number is another.
    Magic,
    /// The checksum does not match.
    Checksum,
    /// A version or flag that this build does not know and must not ignore.
    Unsupported,
    /// The checksum holds and the content contradicts itself or its place.
    Inconsistent,
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FormatError::Blank => "never written",
            FormatError::Short => "cut short",
            FormatError::Magic => "not one of ours",
            FormatError::Checksum => "checksum mismatch",
            FormatError::Unsupported => "of a version this build does not know",
            FormatError::Inconsistent => "contradicts itself",
        })
    }
}

impl std::error::Error for FormatError {}
