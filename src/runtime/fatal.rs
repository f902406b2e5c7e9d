//! The ways this process ends other than by request, each with its exit code.

use std::io::Write;

use super::sim;

/// Exit codes. 0 is a clean stop, 1 a start that was refused, 2 bad usage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// A write or flush of a batch failed: what reached the disk is unknown.
    CommitFailed = 70,
    /// A panic in the store or a claim, or of a whole core.
    Panicked = 71,
    /// Recovery met an I/O error.
    RecoveryFailed = 72,
}

impl Exit {
    /// The process's exit status.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }
}

/// Says why on standard error and ends the process at once, running no destructor and no exit handler
/// (in the simulation: ends the simulated process).
pub fn exit(code: Exit, why: &str) -> ! {
    if sim::active() {
        sim::died(code.code(), why);
    }
    // A closed standard error must not turn this into a panic.
    let _ = writeln!(std::io::stderr(), "rhinobox: {why} (exit code {})", code.code());
    leave(code.code())
}

fn leave(code: i32) -> ! {
    #[expect(unsafe_code, reason = "std has no exit that skips exit handlers")]
    // SAFETY: _exit takes no pointer and does not return; nothing of ours runs after it.
    unsafe {
        libc::_exit(code)
    }
}

/// Refuses to start: one sentence, exit code 1.
pub fn refuse_start(why: &str) -> ! {
    let _closed = writeln!(std::io::stderr(), "rhinobox: {why}");
    leave(1)
}

/// Ends the process at once because it was told to twice: 128 + SIGINT, as shells have it.
pub fn stop_now() -> ! {
    leave(130)
}
