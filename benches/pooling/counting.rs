//! An allocator that counts what each thread asks of it, and is otherwise the system's.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts, and passes on.
pub(crate) struct Counting;

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, bytes: 0 }) };
}

/// What a thread has asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) allocations: u64,
    pub(crate) bytes: u64,
}

impl Counts {
    /// Of this thread, since it began.
    pub(crate) fn of_this_thread() -> Counts {
        COUNTS.get()
    }

    /// What came since `before`.
    pub(crate) fn since(self, before: Counts) -> Counts {
        Counts { allocations: self.allocations - before.allocations, bytes: self.bytes - before.bytes }
    }
}

fn count(bytes: usize) {
    let Counts { allocations, bytes: before } = COUNTS.get();
    COUNTS.set(Counts { allocations: allocations + 1, bytes: before + bytes as u64 });
}

// SAFETY: every call goes to the system's allocator as it came, with its layout. Counting allocates nothing: the counts
// are a thread-local without a destructor, made when the program was.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: what the caller promises of `layout` is what is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller has `block` from here, so from the system's allocator, with this layout.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
