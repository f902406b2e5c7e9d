//! Blocking work off the cores: a few helper threads behind a bounded queue.
/// Runs `work` on a helper thread (in the simulation: at once, after a simulated delay) and gives its result.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T { todo!() }
