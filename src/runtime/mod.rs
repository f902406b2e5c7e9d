//! The machine: the only home of monoio, libc, threads and `unsafe`.
//!
//! Everything above runs on a *core*: in the daemon a pinned thread with one monoio io_uring executor,
//! in tests a core of the [`sim`]ulation. The functions here find out from a thread-local which of the
//! two they stand on, so code above is written once and has no type parameter for it.
#![allow(unused_variables, clippy::todo, missing_docs, clippy::missing_docs_in_private_items)]

pub mod buffer;
pub mod clock;
pub mod core;
pub mod disk;
pub mod fatal;
pub mod helper;
pub mod inbox;
pub mod net;
pub mod signal;
pub mod sim;
pub mod sync;
pub mod topology;

pub fn random() -> [u8; 16] {
    todo!()
}
