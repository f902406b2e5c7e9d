//! monoio's handles on descriptors that others own: how a file or listener is shared by all cores.
//!
//! monoio's own types are bound to a core and close their descriptor when dropped. A view is such a type over a
//! descriptor number, made once a core and number and never dropped, so it never closes anything: it is no more than
//! the number in the form that monoio takes. Whoever uses one keeps the real owner alive until the operation is done
//! (see [`Held`]). When a number is closed and used anew, its view is used anew too.
//!
//! Memory: below a hundred bytes a core and number, so bounded by the limit on open files.

#![expect(unsafe_code, reason = "a view starts as a claim of ownership that is never acted upon")]

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

thread_local! {
    static FILES: RefCell<Vec<Option<&'static monoio::fs::File>>> = const { RefCell::new(Vec::new()) };
    static LISTENERS: RefCell<Vec<Option<&'static monoio::net::TcpListener>>> = const { RefCell::new(Vec::new()) };
}

/// This core's view of a file. Panics off a core.
pub(super) fn file(fd: BorrowedFd<'_>) -> io::Result<&'static monoio::fs::File> {
    FILES.with_borrow_mut(|views| {
        view(views, fd, || {
            // SAFETY: the descriptor is open (it is borrowed). The std file gives it up in `from_std`, and the view
            // that comes of it is leaked, so this second owner never closes it.
            let file = unsafe { std::fs::File::from_raw_fd(fd.as_raw_fd()) };
            monoio::fs::File::from_std(file)
        })
    })
}

/// This core's view of a listening socket. Panics off a core.
pub(super) fn listener(fd: BorrowedFd<'_>) -> io::Result<&'static monoio::net::TcpListener> {
    LISTENERS.with_borrow_mut(|views| {
        view(views, fd, || {
            // SAFETY: as for files; without monoio's `legacy` feature nothing in `from_std` can fail on the way.
            let listener = unsafe { std::net::TcpListener::from_raw_fd(fd.as_raw_fd()) };
            monoio::net::TcpListener::from_std(listener)
        })
    })
}

fn view<T>(
    views: &mut Vec<Option<&'static T>>,
    fd: BorrowedFd<'_>,
    make: impl FnOnce() -> io::Result<T>,
) -> io::Result<&'static T> {
    let number = usize::try_from(fd.as_raw_fd()).expect("an open descriptor is not negative");
    if views.len() <= number {
        views.resize(number + 1, None);
    }
    if let Some(view) = views[number] {
        return Ok(view);
    }
    let view: &'static T = Box::leak(Box::new(make()?));
    views[number] = Some(view);
    Ok(view)
}

/// Keeps a descriptor's owner alive while an operation on its view is under way. Dropped before [`Held::done`],
/// which means that the operation's future was dropped, it leaks the owner: the kernel may be at work still, and
/// a number closed now could be another file's a moment later.
pub(super) struct Held<T>(Option<T>);

impl<T> Held<T> {
    pub(super) fn new(owner: T) -> Held<T> {
        Held(Some(owner))
    }

    /// The operation is complete.
    pub(super) fn done(mut self) {
        drop(self.0.take());
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if let Some(owner) = self.0.take() {
            std::mem::forget(owner);
        }
    }
}
