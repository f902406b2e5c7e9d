//! Page-aligned buffers, pooled per core. `Buffer` is uniquely owned and writable; frozen, its slices are
//! `Bytes` that may cross cores and bring the memory home (through a lock-free queue) when the last is dropped.
//!
//! What always holds: every byte up to the capacity is initialised; a block is in exactly one place, a buffer
//! or its pool; kept bytes never exceed the pool's bound.

#![expect(unsafe_code, reason = "aligned memory is std::alloc's")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;

use crate::base::units::{KIB, MIB};
use crate::limits::BATCH_BYTES_MAX;

/// Address alignment of every buffer, in bytes; enough for direct I/O anywhere.
pub const ALIGN: usize = 4096;

/// Capacities that are pooled, ascending. Four times apart: a body's buffer grows in three steps.
/// The last is for the greatest batch, and for the greatest content of one with the blocks it stands in.
const CLASSES: [usize; 5] = [16 * KIB, 64 * KIB, 256 * KIB, MIB, BATCH_BYTES_MAX];

/// What a buffer for `bytes` really takes.
#[must_use]
pub fn capacity_for(bytes: usize) -> usize {
    CLASSES.into_iter().find(|size| bytes <= *size).unwrap_or_else(|| bytes.next_multiple_of(ALIGN))
}

/// The largest pooled capacity that is at most `bytes`; the smallest of all where none is.
#[must_use]
pub fn class_within(bytes: usize) -> usize {
    CLASSES.into_iter().rfind(|size| *size <= bytes).unwrap_or(CLASSES[0])
}

/// Memory, aligned and initialised, freed on drop.
struct Block {
    start: NonNull<u8>,
    capacity: usize,
}

// SAFETY: a block is plain memory that it alone owns; neither address nor allocator are bound to a thread.
unsafe impl Send for Block {}
// SAFETY: through a shared block the memory can only be read.
unsafe impl Sync for Block {}

impl Block {
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, ALIGN).expect("a capacity is below isize::MAX")
    }

    /// `capacity` is not zero.
    fn new(capacity: usize) -> Block {
        assert!(capacity > 0, "an allocation has a size");
        let layout = Block::layout(capacity);
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Block { start, capacity }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `start` has `capacity` initialised bytes, which only this block owns; `&self` keeps them unwritten.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.capacity) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.capacity) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this very layout, freed once.
        unsafe { dealloc(self.start.as_ptr(), Block::layout(self.capacity)) }
    }
}

/// A uniquely owned, page-aligned block of initialised memory; `len` bytes of it are in use.
pub struct Buffer {
    /// Taken only by `drop`.
    block: Option<Block>,
    len: usize,
    home: Arc<Home>,
}

const HAS_BLOCK: &str = "a buffer has its block until it is dropped";

impl Buffer {
    fn block(&self) -> &Block {
        self.block.as_ref().expect(HAS_BLOCK)
    }

    fn block_mut(&mut self) -> &mut Block {
        self.block.as_mut().expect(HAS_BLOCK)
    }

    /// Bytes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.block().capacity
    }

    /// Bytes in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the bytes in use. Panics beyond the capacity. What lies in between is whatever was there
    /// (initialised, but perhaps an earlier user's: overwrite it before it leaves the process).
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "length {len} beyond capacity {}", self.capacity());
        self.len = len;
    }

    /// The bytes in use.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.block().bytes()[..self.len]
    }

    /// The bytes in use, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let len = self.len;
        &mut self.block_mut().bytes_mut()[..len]
    }

    /// The capacity behind the bytes in use.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        &mut self.block_mut().bytes_mut()[len..]
    }

    /// Appends; panics beyond the capacity.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.spare_mut()[..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// The bytes in use as shared slices; the memory goes home when the last is dropped.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        if self.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }

    /// Where the memory starts. Stays the same however the buffer moves.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.block().start
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} of {} bytes)", self.len, self.block.as_ref().map_or(0, |b| b.capacity))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.home.welcome(block);
        }
    }
}

/// What a pool and its buffers share.
struct Home {
    /// One queue a class, each with room for the whole bound.
    classes: [ArrayQueue<Block>; CLASSES.len()],
    kept_bytes_max: usize,
    kept_bytes: AtomicUsize,
    out_bytes: AtomicUsize,
}

impl Home {
    fn welcome(&self, block: Block) {
        let capacity = block.capacity;
        self.out_bytes.fetch_sub(capacity, Ordering::Relaxed);
        let Some(class) = CLASSES.iter().position(|size| *size == capacity) else { return };
        // Counted before it is queued and uncounted after it is taken, so the count is never too small.
        let kept = self.kept_bytes.fetch_add(capacity, Ordering::Relaxed) + capacity;
        if kept > self.kept_bytes_max || self.classes[class].push(block).is_err() {
            self.kept_bytes.fetch_sub(capacity, Ordering::Relaxed);
        }
    }
}

/// A core's buffers. Cheap to clone, `Send + Sync`: any core may drop what came from it.
/// `take` never waits and never fails: bounding memory is the business of the budgets above
/// (see `limits`); the pool keeps at most `kept_bytes_max` of returned buffers for reuse.
#[derive(Clone)]
pub struct Pool {
    home: Arc<Home>,
}

impl Pool {
    /// An empty pool; nothing is allocated before it is asked for.
    #[must_use]
    pub fn new(kept_bytes_max: usize) -> Pool {
        let home = Home {
            classes: CLASSES.map(|size| ArrayQueue::new((kept_bytes_max / size).max(1))),
            kept_bytes_max,
            kept_bytes: AtomicUsize::new(0),
            out_bytes: AtomicUsize::new(0),
        };
        Pool { home: Arc::new(home) }
    }

    /// An empty buffer (`len` 0) of at least `capacity` bytes: the least size class that fits
    /// (16 KiB, 64 KiB, 256 KiB, 1 MiB, beyond that rounded up to whole pages and unpooled).
    #[must_use]
    pub fn take(&self, capacity: usize) -> Buffer {
        let block = match CLASSES.iter().position(|size| capacity <= *size) {
            Some(class) => match self.home.classes[class].pop() {
                Some(block) => {
                    self.home.kept_bytes.fetch_sub(block.capacity, Ordering::Relaxed);
                    block
                }
                None => Block::new(CLASSES[class]),
            },
            None => Block::new(capacity.next_multiple_of(ALIGN)),
        };
        self.home.out_bytes.fetch_add(block.capacity, Ordering::Relaxed);
        Buffer { block: Some(block), len: 0, home: Arc::clone(&self.home) }
    }

    /// Bytes out in use now, and kept for reuse now.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        (self.home.out_bytes.load(Ordering::Relaxed), self.home.kept_bytes.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_class_that_fits_is_given_and_aligned() {
        let pool = Pool::new(MIB);
        for (asked, given) in
            [(0, 16), (1, 16), (16 * KIB, 16), (16 * KIB + 1, 64), (MIB, 1024), (MIB + 1, 1088)]
        {
            let buffer = pool.take(asked);
            assert_eq!(buffer.capacity(), given * KIB);
            assert_eq!(buffer.start().as_ptr().addr() % ALIGN, 0);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn memory_comes_home_from_another_thread_when_its_last_slice_is_dropped() {
        let pool = Pool::new(MIB);
        let mut buffer = pool.take(16 * KIB);
        let address = buffer.start();
        buffer.extend_from_slice(b"some bytes");
        let whole = buffer.freeze();
        let (head, tail) = (whole.slice(..4), whole.slice(4..));
        drop(whole);
        std::thread::spawn(move || assert_eq!(&head[..], b"some")).join().unwrap();
        assert_eq!(pool.usage(), (16 * KIB, 0), "the tail still holds it");
        std::thread::spawn(move || assert_eq!(&tail[..], b" bytes")).join().unwrap();
        assert_eq!(pool.usage(), (0, 16 * KIB));
        let again = pool.take(1);
        assert_eq!(again.start(), address);
        assert!(again.is_empty());
        assert_eq!(pool.usage(), (16 * KIB, 0));
    }

    #[test]
    fn no_more_is_kept_than_the_bound_under_threads() {
        let pool = Pool::new(256 * KIB);
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let pool = pool.clone();
                std::thread::spawn(move || {
                    for round in 0..500 {
                        let mut held: Vec<_> =
                            (0..8).map(|k| pool.take(CLASSES[(round + k + n) % 3])).collect();
                        for buffer in &mut held {
                            buffer.extend_from_slice(&[7; 100]);
                        }
                        assert!(held.iter().all(|b| b.as_slice() == [7; 100]));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let (out, kept) = pool.usage();
        assert_eq!(out, 0);
        assert!(kept <= 256 * KIB, "{kept}");
        let queued: usize = (0..CLASSES.len()).map(|c| pool.home.classes[c].len() * CLASSES[c]).sum();
        assert_eq!(kept, queued);
    }

    #[test]
    fn a_pool_that_keeps_nothing_frees_what_comes_back() {
        let pool = Pool::new(0);
        drop(pool.take(16 * KIB));
        drop(pool.take(MIB * 3));
        assert_eq!(pool.usage(), (0, 0));
    }

    #[test]
    #[should_panic(expected = "beyond capacity")]
    fn a_length_beyond_the_capacity_panics() {
        Pool::new(0).take(1).set_len(16 * KIB + 1);
    }
}
