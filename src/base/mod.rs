//! Vocabulary of the whole program: pure types without I/O.

pub mod crc;
pub mod digest;
pub mod histogram;
pub mod ids;
pub mod time;
pub mod units;
