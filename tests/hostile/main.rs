//! Clients that mean no good, or are in a bad way: each time a good client is served beside them. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod crowd;

mod slow_uploads_hold_little_memory;
