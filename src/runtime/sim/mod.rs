//! The simulated machine: cores, clock and disk on one thread, all chance from one seed.

use std::future::Future;
use std::time::Duration;

use super::core::CoreId;
use crate::base::time::Wall;

pub mod disk;

/// Whether this thread is inside a simulation.
#[must_use]
pub fn active() -> bool {
    false
}
/// The virtual clock.
#[must_use]
pub fn now_ns() -> u64 {
    unreachable!("no simulation runs")
}
/// The virtual wall clock.
#[must_use]
pub fn wall() -> Wall {
    unreachable!("no simulation runs")
}
/// Waits in virtual time.
pub async fn sleep(_: Duration) {
    unreachable!("no simulation runs")
}
/// Starts a task on the current simulated core.
pub fn spawn(_: impl Future<Output = ()> + 'static) {
    unreachable!("no simulation runs")
}
/// The current simulated core.
#[must_use]
pub fn current() -> CoreId {
    unreachable!("no simulation runs")
}
/// Lets other simulated tasks run.
pub async fn yield_now() {
    unreachable!("no simulation runs")
}
/// What a helper thread would take.
pub async fn helper_delay() {
    unreachable!("no simulation runs")
}
/// Ends the simulated process.
pub fn died(_: i32, _: &str) -> ! {
    unreachable!("no simulation runs")
}
