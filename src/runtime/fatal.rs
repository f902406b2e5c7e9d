//! The ways this process ends other than by request, each with its exit code.
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
/// Says why on standard error and ends the process at once (in the simulation: ends the simulated process).
pub fn exit(code: Exit, why: &str) -> ! { todo!() }
