//! Cores: pinned threads with one executor each.
use std::future::Future;

/// A core's index, 0 to n - 1 (not the processor's number).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CoreId(pub usize);

/// The core this code runs on.
pub fn current() -> CoreId { todo!() }
/// Starts a task on this core.
pub fn spawn(task: impl Future<Output = ()> + 'static) { todo!() }
/// Lets other tasks and the ring's completions go first (a real ring operation, see the rules of use).
pub async fn yield_now() { todo!() }

/// Starts one pinned thread a processor of `cpus`, each running `main(CoreId)` on its own executor.
/// `Err` where io_uring is not available, with a sentence that says so.
pub fn launch<F, Fut>(cpus: &[super::topology::Cpu], main: F) -> std::io::Result<Cores>
where
    F: Fn(CoreId) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{ todo!() }

/// The running cores.
pub struct Cores {}
impl Cores {
    /// Waits until every core's `main` has returned. A core that panicked ends the process (see `fatal`).
    pub fn join(self) { todo!() }
}
