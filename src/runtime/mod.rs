//! The machine: the only home of monoio, libc, threads and `unsafe`.
//!
//! Everything above runs on a *core*: in the daemon a pinned thread with one monoio io_uring executor,
//! in tests a core of the [`sim`]ulation. The functions here find out from a thread-local which of the
//! two they stand on, so code above is written once and has no type parameter for it.
//!
//! What always holds: no future that owns kernel I/O is raced or dropped by code above (deadlines act by
//! [`net::Breaker`]); should one be dropped all the same, memory and descriptors are leaked or kept until the
//! kernel is done with them, never reused early.

pub mod buffer;
pub mod cache;
pub mod clock;
pub mod core;
pub mod disk;
mod disk_uring;
pub mod fatal;
pub mod helper;
pub mod inbox;
pub mod lines;
pub mod listeners;
pub mod net;
pub mod process;
pub mod sha256;
pub mod signal;
pub mod sim;
pub mod sync;
pub mod terminal;
pub mod topology;
mod views;
mod window;
pub mod worker;

/// 16 bytes that nobody can guess (in the simulation: from its seed).
#[must_use]
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if sim::active() {
        bytes.chunks_exact_mut(8).for_each(|half| half.copy_from_slice(&sim::random_u64().to_le_bytes()));
    } else {
        getrandom::fill(&mut bytes).expect("Linux always has random bytes to give");
    }
    bytes
}
