//! SIGTERM and SIGINT, taken by the main thread alone; cores and helpers never see one. SIGXFSZ, taken by nobody.

#![expect(unsafe_code, reason = "signal masks are libc's")]

use std::mem::MaybeUninit;

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set it is given; only then is it changed and read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        set.assume_init()
    }
}

/// Blocks SIGTERM and SIGINT in this thread and all that it starts later. Call first in `main`.
pub fn block() {
    let set = set();
    // SAFETY: the set is initialised and outlives the call; no old mask is asked for.
    let status = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    assert_eq!(status, 0, "pthread_sigmask takes SIG_BLOCK and a valid set");
}

/// A write beyond the limit on the size of files (`ulimit -f`) fails with EFBIG and no signal, in the whole process.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN is no handler of ours, and nothing else sets one for this signal.
    let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR, "SIGXFSZ may be ignored");
}

/// Waits, on the calling (main) thread, for the next SIGTERM or SIGINT; says which.
#[must_use]
pub fn wait() -> &'static str {
    let set = set();
    let mut signal = 0;
    loop {
        // SAFETY: both pointers are to live, initialised values of this frame.
        let status = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
        match (status, signal) {
            (0, libc::SIGTERM) => return "SIGTERM",
            (0, libc::SIGINT) => return "SIGINT",
            _ => {}
        }
    }
}

/// From now on the next SIGTERM or SIGINT ends the process at once.
pub fn stop_at_once_on_the_next() {
    if let Err(error) = on_the_next(|_name| super::fatal::stop_now()) {
        // The stop that is under way is bounded all the same.
        tracing::warn!(%error, "a second signal will not be heard");
    }
}

/// Has this done, on a thread of its own, at the next SIGTERM or SIGINT. They must be blocked.
///
/// # Errors
/// If there is no thread to be had.
pub fn on_the_next(act: impl FnOnce(&'static str) + Send + 'static) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("signal".to_owned());
    thread.spawn(|| act(wait())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_signal_is_waited_for() {
        // In a thread of its own: the mask is the thread's, and so is the signal.
        std::thread::spawn(|| {
            block();
            // SAFETY: the thread signals itself; SIGTERM is blocked here, so it stays pending until waited for.
            assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGTERM) }, 0);
            assert_eq!(wait(), "SIGTERM");
        })
        .join()
        .unwrap();
    }
}
