//! SIGTERM and SIGINT.
/// Blocks SIGTERM and SIGINT in this thread and all that it starts later. Call first in `main`.
pub fn block() { todo!() }
/// Waits, on the calling (main) thread, for the next SIGTERM or SIGINT; says which.
pub fn wait() -> &'static str { todo!() }
