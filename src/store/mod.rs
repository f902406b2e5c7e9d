//! Bytes that survive.

pub mod format;
