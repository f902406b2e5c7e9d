//! A range of a [`Buffer`] as monoio wants to see it: the part the kernel reads or fills.
//!
//! What always holds: the range lies within the capacity, and all of it is initialised.

#![expect(unsafe_code, reason = "monoio's buffer traits are unsafe to implement")]

use monoio::buf::{IoBuf, IoBufMut};

use super::buffer::Buffer;

/// `buffer[start..start + len]` of its capacity, lent to the kernel.
pub(super) struct Window {
    buffer: Buffer,
    start: usize,
    len: usize,
}

impl Window {
    /// Panics where the range is not within the capacity.
    pub(super) fn new(buffer: Buffer, start: usize, len: usize) -> Window {
        let end = start.checked_add(len).expect("a range of memory ends below usize::MAX");
        assert!(end <= buffer.capacity(), "{start}..{end} beyond capacity {}", buffer.capacity());
        Window { buffer, start, len }
    }

    /// The buffer back, its length as it was.
    pub(super) fn into_buffer(self) -> Buffer {
        self.buffer
    }
}

// SAFETY: the memory is the buffer's own heap block: it does not move with the window and lives as long as
// the window does. `new` has checked that the range lies within it, and a block is always initialised.
unsafe impl IoBuf for Window {
    fn read_ptr(&self) -> *const u8 {
        // SAFETY: within the block, see above.
        unsafe { self.buffer.start().as_ptr().add(self.start) }
    }

    fn bytes_init(&self) -> usize {
        self.len
    }
}

// SAFETY: as above; a window owns its buffer, so nothing else reads or writes the range meanwhile.
unsafe impl IoBufMut for Window {
    fn write_ptr(&mut self) -> *mut u8 {
        // SAFETY: within the block, see above.
        unsafe { self.buffer.start().as_ptr().add(self.start) }
    }

    fn bytes_total(&mut self) -> usize {
        self.len
    }

    unsafe fn set_init(&mut self, _: usize) {
        // All of it is initialised already; the caller counts what came.
    }
}
