//! The processor's caches.

#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "the instruction has no safe form"))]

/// Begins to load the cache line of `at`, which will be read or written soon. Changes nothing but the time that takes.
#[inline]
pub fn prefetch<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads and writes nothing that a program can see, and faults nowhere.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(at).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
