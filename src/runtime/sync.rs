//! Waiting for one another. `oneshot` crosses cores; `Notify` and `Semaphore` stay on one.
//! All are plain wakers and so work on real and simulated cores alike.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub mod oneshot {
    use super::*;
    pub struct Sender<T> { m: std::marker::PhantomData<T> }
    pub struct Receiver<T> { m: std::marker::PhantomData<T> }
    /// A place for one answer. `Send` where `T` is.
    pub fn channel<T>() -> (Sender<T>, Receiver<T>) { todo!() }
    impl<T> Sender<T> { pub fn send(self, value: T) { todo!() } }
    /// `None` when the sender was dropped unused.
    impl<T> Future for Receiver<T> {
        type Output = Option<T>;
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> { todo!() }
    }
}

/// Wakes tasks of the same core. `Rc` inside.
#[derive(Clone, Default)]
pub struct Notify {}
impl Notify {
    /// Wakes all that wait now; if nobody waits, the next `wait` returns at once.
    pub fn notify(&self) { todo!() }
    pub async fn wait(&self) { todo!() }
}

/// A first-come-first-served budget on one core. `Rc` inside.
#[derive(Clone)]
pub struct Semaphore {}
impl Semaphore {
    pub fn new(permits: usize) -> Semaphore { todo!() }
    /// Waits for `n` (capped to the total). Dropping the waiting future leaves the line; dropping the permit gives back.
    pub async fn acquire(&self, n: usize) -> Permit { todo!() }
    /// `None` where it would have to wait.
    pub fn try_acquire(&self, n: usize) -> Option<Permit> { todo!() }
    pub fn available(&self) -> usize { todo!() }
}
pub struct Permit {}
impl Permit {
    /// Gives back all but `n`.
    pub fn shrink(&mut self, n: usize) { todo!() }
}
