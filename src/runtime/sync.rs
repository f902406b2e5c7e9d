//! Waiting for one another. `oneshot` crosses cores; `Notify` and `Semaphore` stay on one.
//! All are plain wakers and so work on real and simulated cores alike.
//!
//! What always holds: no waker is called under a lock or borrow; a waiting future that is dropped leaves the line
//! and takes nothing with it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub mod oneshot {
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
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A future and how often it was woken.
    struct Probe<F> {
        future: Pin<Box<F>>,
        woken: Arc<Count>,
    }
    fn probe<F: Future>(future: F) -> Probe<F> {
        Probe { future: Box::pin(future), woken: Arc::default() }
    }
    impl<F: Future> Probe<F> {
        fn poll(&mut self) -> Poll<F::Output> {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.future.as_mut().poll(&mut Context::from_waker(&waker))
        }
        fn woken(&self) -> usize {
            self.woken.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn an_answer_wakes_its_receiver_once() {
        let (sender, receiver) = oneshot::channel();
        let mut receiver = probe(receiver);
        assert_eq!(receiver.poll(), Poll::Pending);
        std::thread::spawn(move || sender.send(5)).join().unwrap();
        assert_eq!(receiver.woken(), 1);
        assert_eq!(receiver.poll(), Poll::Ready(Some(5)));
    }

    #[test]
    fn a_sender_that_is_dropped_unused_is_told() {
        let (sender, receiver) = oneshot::channel::<u8>();
        let mut receiver = probe(receiver);
        assert_eq!(receiver.poll(), Poll::Pending);
        drop(sender);
        assert_eq!(receiver.woken(), 1);
        assert_eq!(receiver.poll(), Poll::Ready(None));
    }

    #[test]
    fn an_answer_nobody_waits_for_is_dropped() {
        let (sender, receiver) = oneshot::channel();
        let token = Arc::new(());
        drop(receiver);
        sender.send(Arc::clone(&token));
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn answers_cross_cores() {
        use crate::runtime::core::tests::on_one_core;
        on_one_core(|| async {
            for n in 0..200 {
                let (sender, receiver) = oneshot::channel();
                std::thread::spawn(move || {
                    if n % 3 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    sender.send(n);
                });
                assert_eq!(receiver.await, Some(n));
            }
        });
    }

    #[test]
    fn a_bell_wakes_all_that_wait_and_is_kept_for_one_where_nobody_does() {
        let notify = Notify::new();
        let (mut a, mut b) = (probe(notify.wait()), probe(notify.wait()));
        assert!(a.poll().is_pending() && b.poll().is_pending());
        notify.notify();
        assert_eq!((a.woken(), b.woken()), (1, 1));
        assert!(a.poll().is_ready() && b.poll().is_ready());
        assert!(probe(notify.wait()).poll().is_pending(), "not kept: two waited");
        notify.notify();
        notify.notify();
        assert!(probe(notify.wait()).poll().is_ready(), "kept");
        assert!(probe(notify.wait()).poll().is_pending(), "for one only");
    }

    #[test]
    fn a_waiter_that_left_does_not_take_the_bell_with_it() {
        let notify = Notify::new();
        let mut gone = probe(notify.wait());
        assert!(gone.poll().is_pending());
        drop(gone);
        notify.notify();
        assert!(probe(notify.wait()).poll().is_ready());
    }

    #[test]
    fn a_budget_is_served_in_order_of_arrival() {
        let semaphore = Semaphore::new(10);
        let held = semaphore.try_acquire(6).unwrap();
        let (mut big, mut small) = (probe(semaphore.acquire(8)), probe(semaphore.acquire(1)));
        assert!(big.poll().is_pending());
        assert!(small.poll().is_pending(), "there is room, but not in front of the other");
        assert!(semaphore.try_acquire(1).is_none());
        drop(held);
        assert_eq!((big.woken(), small.woken()), (1, 1));
        assert_eq!(semaphore.available(), 1);
        let Poll::Ready(mut permit) = big.poll() else { panic!("granted") };
        permit.shrink(2);
        assert_eq!((permit.held(), semaphore.available()), (2, 7));
        permit.shrink(5);
        assert_eq!(permit.held(), 2);
        drop((permit, small.poll(), small));
        assert_eq!(semaphore.available(), 10);
    }

    #[test]
    fn a_waiter_that_left_lets_those_behind_it_through() {
        let semaphore = Semaphore::new(4);
        let held = semaphore.try_acquire(2).unwrap();
        let (mut front, mut behind) = (probe(semaphore.acquire(4)), probe(semaphore.acquire(2)));
        assert!(front.poll().is_pending() && behind.poll().is_pending());
        drop(front);
        assert_eq!(behind.woken(), 1);
        drop(behind);
        assert_eq!(semaphore.available(), 2, "granted, never taken, given back");
        drop(held);
        assert_eq!(semaphore.available(), 4);
    }

    #[test]
    fn asking_for_more_than_there_is_waits_for_all_of_it() {
        let semaphore = Semaphore::new(3);
        let Poll::Ready(permit) = probe(semaphore.acquire(100)).poll() else { panic!("all are free") };
        assert_eq!(permit.held(), 3);
    }
}
