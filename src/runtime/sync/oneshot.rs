//! One answer, from any thread to any task.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

struct Place<T> {
    value: Option<T>,
    waker: Option<Waker>,
    sender_gone: bool,
}

struct Shared<T>(Mutex<Place<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Place<T>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that gives the answer.
pub struct Sender<T>(Arc<Shared<T>>);

/// The end that waits for it.
pub struct Receiver<T>(Arc<Shared<T>>);

/// A place for one answer. `Send` where `T` is.
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let place = Place { value: None, waker: None, sender_gone: false };
    let shared = Arc::new(Shared(Mutex::new(place)));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Gives the answer. It is dropped with the receiver where nobody waits any more.
    pub fn send(self, value: T) {
        self.0.lock().value = Some(value);
        // The rest is done by `drop`.
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut place = self.0.lock();
            place.sender_gone = true;
            place.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// The answer, if it is there already.
    pub fn try_take(&mut self) -> Option<T> {
        self.0.lock().value.take()
    }
}

/// `None` when the sender was dropped unused.
impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = self.0.lock();
        if place.sender_gone {
            return Poll::Ready(place.value.take());
        }
        match &mut place.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => place.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // The waker's last reference to the task must not end on the sender's core.
        let waker = self.0.lock().waker.take();
        drop(waker);
    }
}
