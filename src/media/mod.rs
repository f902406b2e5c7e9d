//! What a file is: its type from its first bytes, its folder, and the path it is served at.
//!
//! Pure, without I/O. Nothing a client sends makes these functions panic, or allocate more than they say.

pub mod classify;
pub mod inline;
pub mod name;
pub mod sniff;
pub mod table;
mod text;
