//! Memory for large tables, on huge pages. A lookup in a table of a hundred megabytes misses the TLB on
//! every touch with pages of 4 KiB; with pages of 2 MiB hardly ever.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait; the runtime is where unsafe lives")]

use std::alloc::Layout;
use std::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator, Global};

/// Bytes of a huge page on every machine this runs on.
const HUGE_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// An allocator that aligns what is as large as a huge page to one, and asks for huge pages there. Smaller blocks
/// are the global allocator's. Where the kernel has no huge pages to give, all works as before.
#[derive(Clone, Copy, Default, Debug)]
pub struct HugePages;

fn placed(layout: Layout) -> Layout {
    if layout.size() < HUGE_PAGE_BYTES {
        return layout;
    }
    layout.align_to(HUGE_PAGE_BYTES).expect("a size that was valid before fits this alignment")
}

// SAFETY: every block comes from `Global` with the layout that `placed` makes of the caller's, and goes back to
// it with the same one. Copies of `HugePages` are the same allocator.
unsafe impl Allocator for HugePages {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let layout = placed(layout);
        let block = Global.allocate(layout)?;
        if layout.align() == HUGE_PAGE_BYTES {
            // Whole pages only: a last part of one would take memory that nobody uses.
            let whole = layout.size() / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
            // SAFETY: the range lies in the block just allocated; advice changes no contents, and an error
            // only means ordinary pages.
            unsafe { libc::madvise(block.as_ptr().cast(), whole, libc::MADV_HUGEPAGE) };
        }
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller gives what `allocate` got, so this is the layout that `Global` was asked with.
        unsafe { Global.deallocate(block, placed(layout)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_blocks_are_left_alone_and_large_ones_are_aligned() {
        for bytes in [1, 4096, HUGE_PAGE_BYTES - 1, HUGE_PAGE_BYTES, 3 * HUGE_PAGE_BYTES + 17] {
            let layout = Layout::from_size_align(bytes, 16).unwrap();
            let block = HugePages.allocate(layout).unwrap();
            let address = block.cast::<u8>().as_ptr().addr();
            assert_eq!(address % 16, 0);
            assert!(bytes < HUGE_PAGE_BYTES || address.is_multiple_of(HUGE_PAGE_BYTES));
            // SAFETY: `block` came from this allocator with this layout, and is written within its size.
            unsafe {
                block.cast::<u8>().as_ptr().write_bytes(7, bytes);
                HugePages.deallocate(block.cast(), layout);
            }
        }
    }
}
