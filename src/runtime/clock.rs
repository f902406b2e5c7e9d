//! Time. Real on a core of the daemon, virtual on a simulated one.
use std::time::Duration;
use crate::base::time::Wall;

/// Nanoseconds of a clock that never goes back; its zero means nothing.
pub fn now_ns() -> u64 { todo!() }
/// The wall clock. May jump.
pub fn wall() -> Wall { todo!() }
/// Waits; the daemon's timers have 1 ms resolution, rounded up.
pub async fn sleep(duration: Duration) { todo!() }
