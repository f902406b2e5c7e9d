//! Page-aligned buffers, pooled per core. `Buffer` is uniquely owned and writable; frozen, its slices are
//! `Bytes` that may cross cores and bring the memory home (through a lock-free queue) when the last is dropped.
use bytes::Bytes;

/// Address alignment of every buffer, in bytes; enough for direct I/O anywhere.
pub const ALIGN: usize = 4096;

/// A uniquely owned, page-aligned block of initialised memory; `len` bytes of it are in use.
pub struct Buffer {}

impl Buffer {
    pub fn capacity(&self) -> usize { todo!() }
    pub fn len(&self) -> usize { todo!() }
    pub fn is_empty(&self) -> bool { todo!() }
    /// Sets the bytes in use. Panics beyond the capacity. What lies in between is whatever was there (initialised).
    pub fn set_len(&mut self, len: usize) { todo!() }
    pub fn as_slice(&self) -> &[u8] { todo!() }
    pub fn as_mut_slice(&mut self) -> &mut [u8] { todo!() }
    /// The capacity behind the bytes in use.
    pub fn spare_mut(&mut self) -> &mut [u8] { todo!() }
    /// Appends; panics beyond the capacity.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) { todo!() }
    /// The bytes in use as shared slices; the memory goes home when the last is dropped.
    pub fn freeze(self) -> Bytes { todo!() }
}

/// A core's buffers. Cheap to clone, `Send + Sync`: any core may drop what came from it.
/// `take` never waits and never fails: bounding memory is the business of the budgets above
/// (see `limits`); the pool keeps at most `kept_bytes_max` of returned buffers for reuse.
#[derive(Clone)]
pub struct Pool {}

impl Pool {
    pub fn new(kept_bytes_max: usize) -> Pool { todo!() }
    /// An empty buffer (`len` 0) of at least `capacity` bytes: the least size class that fits
    /// (16 KiB, 64 KiB, 256 KiB, 1 MiB, beyond that exact and unpooled).
    pub fn take(&self, capacity: usize) -> Buffer { todo!() }
    /// Bytes out in use now, and kept for reuse now.
    pub fn usage(&self) -> (usize, usize) { todo!() }
}
