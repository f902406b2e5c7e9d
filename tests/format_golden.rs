//! The bytes of format version 1, held still: what the encoders write, what docs/FORMAT.md says of it, and data
//! folders that an earlier build wrote.
//!
//! `tests/golden/format/*.hex` are the structures with fixed numbers and nonces, `tests/golden/v1/*` the folders. Both
//! were written by the ignored tests at the end of [`structures`] and [`folders`]. A change of any of them is a change
//! of the format: it takes a new version and a folder of its own, and this one stays readable.

mod offline_support;

#[path = "golden/document.rs"]
mod document;
#[path = "golden/folders.rs"]
mod folders;
#[path = "golden/structures.rs"]
mod structures;
