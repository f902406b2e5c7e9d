//! Waiting for one another. `oneshot` crosses cores; `Notify` and `Semaphore` stay on one.
//! All are plain wakers and so work on real and simulated cores alike. `within` waits for a future and keeps it.
//!
//! What always holds: no waker is called under a lock or borrow; a waiting future that is dropped leaves the line
//! and takes nothing with it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::clock;

pub mod oneshot;

/// Waits for a future, for at most so long: `None` if it is not ready by then. It is not given up: whoever has it
/// waits on, so it may own kernel I/O.
pub async fn within<F: Future>(limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut over = pin!(clock::sleep(limit));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if limit.is_zero() {
            return Poll::Ready(None);
        }
        over.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// Wakes tasks of the same core. `Rc` inside.
#[derive(Clone, Default)]
pub struct Notify {
    inner: Rc<RefCell<Bell>>,
}

#[derive(Default)]
struct Bell {
    /// Rung while nobody waited.
    stored: bool,
    waiters: Vec<Rc<Ticket>>,
}

/// One who waits, for a bell or in a semaphore's line.
#[derive(Default)]
struct Ticket {
    /// Permits asked for; of no meaning to a bell.
    n: usize,
    granted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Ticket {
    fn grant(&self) {
        self.granted.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.granted.get() {
            return Poll::Ready(());
        }
        let old = self.waker.replace(Some(cx.waker().clone()));
        drop(old);
        Poll::Pending
    }
}

impl Notify {
    /// One that was not rung yet.
    #[must_use]
    pub fn new() -> Notify {
        Notify::default()
    }

    /// Wakes all that wait now; if nobody waits, the next `wait` returns at once.
    pub fn notify(&self) {
        let waiters = {
            let mut bell = self.inner.borrow_mut();
            bell.stored = bell.waiters.is_empty();
            std::mem::take(&mut bell.waiters)
        };
        for waiter in waiters {
            waiter.grant();
        }
    }

    /// Waits for the next [`notify`](Notify::notify), from the first poll on.
    pub async fn wait(&self) {
        let ticket = {
            let mut bell = self.inner.borrow_mut();
            if std::mem::take(&mut bell.stored) {
                return;
            }
            let ticket = Rc::new(Ticket::default());
            bell.waiters.push(Rc::clone(&ticket));
            ticket
        };
        BellWait { notify: self, ticket }.await;
    }
}

struct BellWait<'a> {
    notify: &'a Notify,
    ticket: Rc<Ticket>,
}

impl Future for BellWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.ticket.poll(cx)
    }
}

impl Drop for BellWait<'_> {
    fn drop(&mut self) {
        if !self.ticket.granted.get() {
            self.notify.inner.borrow_mut().waiters.retain(|w| !Rc::ptr_eq(w, &self.ticket));
        }
    }
}

/// A first-come-first-served budget on one core. `Rc` inside.
#[derive(Clone)]
pub struct Semaphore {
    line: Rc<Line>,
}

struct Line {
    total: usize,
    available: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<Ticket>>>,
}

impl Line {
    fn give_back(&self, n: usize) {
        self.available.set(self.available.get() + n);
        self.serve();
    }

    /// Grants to those in front as long as it lasts.
    fn serve(&self) {
        loop {
            let next = {
                let mut waiters = self.waiters.borrow_mut();
                match waiters.front() {
                    Some(front) if front.n <= self.available.get() => waiters.pop_front(),
                    _ => None,
                }
            };
            let Some(next) = next else { return };
            self.available.set(self.available.get() - next.n);
            next.grant();
        }
    }
}

impl Semaphore {
    /// A budget of `permits`, all available.
    #[must_use]
    pub fn new(permits: usize) -> Semaphore {
        let line =
            Line { total: permits, available: Cell::new(permits), waiters: RefCell::new(VecDeque::new()) };
        Semaphore { line: Rc::new(line) }
    }

    /// Waits for `n` (capped to the total). Dropping the waiting future leaves the line; dropping the permit gives back.
    pub async fn acquire(&self, n: usize) -> Permit {
        let n = n.min(self.line.total);
        if let Some(permit) = self.try_acquire(n) {
            return permit;
        }
        let ticket = Rc::new(Ticket { n, ..Ticket::default() });
        self.line.waiters.borrow_mut().push_back(Rc::clone(&ticket));
        LineWait { line: Rc::clone(&self.line), ticket, taken: false }.await
    }

    /// `None` where it would have to wait, be it only behind others. `n` is capped to the total.
    #[must_use]
    pub fn try_acquire(&self, n: usize) -> Option<Permit> {
        let n = n.min(self.line.total);
        let available = self.line.available.get();
        if n > available || !self.line.waiters.borrow().is_empty() {
            return None;
        }
        self.line.available.set(available - n);
        Some(Permit { line: Rc::clone(&self.line), n })
    }

    /// All permits, held or not.
    #[must_use]
    pub fn total(&self) -> usize {
        self.line.total
    }

    /// Permits that nobody holds.
    #[must_use]
    pub fn available(&self) -> usize {
        self.line.available.get()
    }
}

struct LineWait {
    line: Rc<Line>,
    ticket: Rc<Ticket>,
    taken: bool,
}

impl Future for LineWait {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        self.ticket.poll(cx).map(|()| {
            self.taken = true;
            Permit { line: Rc::clone(&self.line), n: self.ticket.n }
        })
    }
}

impl Drop for LineWait {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        if self.ticket.granted.get() {
            self.line.give_back(self.ticket.n);
        } else {
            self.line.waiters.borrow_mut().retain(|w| !Rc::ptr_eq(w, &self.ticket));
            // It may have stood in front of someone who asks for less.
            self.line.serve();
        }
    }
}

/// A share of a [`Semaphore`]'s budget, given back on drop.
pub struct Permit {
    line: Rc<Line>,
    n: usize,
}

impl Permit {
    /// How much it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.n
    }

    /// Takes as much as makes it `n`, where that leaves `rest` to others and nobody waits. Never waits, never shrinks.
    #[must_use]
    pub fn try_grow(&mut self, n: usize, rest: usize) -> bool {
        let Some(more) = n.checked_sub(self.n).filter(|more| *more > 0) else { return true };
        let available = self.line.available.get();
        if more.saturating_add(rest) > available || !self.line.waiters.borrow().is_empty() {
            return false;
        }
        self.line.available.set(available - more);
        self.n = n;
        true
    }

    /// Gives back all but `n`. Never grows.
    pub fn shrink(&mut self, n: usize) {
        if let Some(surplus) = self.n.checked_sub(n) {
            self.n = n;
            self.line.give_back(surplus);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.line.give_back(self.n);
    }
}

#[cfg(test)]
mod tests;
