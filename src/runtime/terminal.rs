//! The terminal that standard output is.

#![expect(unsafe_code, reason = "the size of a terminal is an ioctl")]

use std::mem::MaybeUninit;

/// Columns and rows; `None` where standard output is no terminal, or one that does not know.
#[must_use]
pub fn size() -> Option<(usize, usize)> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the request writes a `winsize` to where there is room for one; zeros are a valid one.
    let (status, size) = unsafe {
        let status = libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr());
        (status, size.assume_init())
    };
    let known = status == 0 && size.ws_col > 0 && size.ws_row > 0;
    known.then(|| (usize::from(size.ws_col), usize::from(size.ws_row)))
}
