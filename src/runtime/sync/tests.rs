//! Waiting, polled by hand and across threads.

use super::*;
use crate::runtime::core::spawn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

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

#[test]
fn a_permit_grows_while_the_rest_stays_and_nobody_waits() {
    let semaphore = Semaphore::new(10);
    let mut permit = semaphore.try_acquire(2).unwrap();
    assert!(permit.try_grow(6, 4));
    assert_eq!((permit.held(), semaphore.available()), (6, 4));
    assert!(!permit.try_grow(7, 4), "the rest would be less than 4");
    assert!(permit.try_grow(3, 100), "it has that already");
    assert_eq!(permit.held(), 6);
    let mut waiting = probe(semaphore.acquire(5));
    assert!(waiting.poll().is_pending());
    assert!(!permit.try_grow(7, 0), "not in front of one who waits");
    permit.shrink(5);
    assert!(waiting.poll().is_ready());
    drop((waiting, permit));
    assert_eq!((semaphore.available(), semaphore.total()), (10, 10));
}

#[test]
fn what_is_not_ready_in_time_goes_on_and_is_ready_later() {
    let work = async {
        let (sender, mut receiver) = oneshot::channel();
        let mut receiver = Pin::new(&mut receiver);
        assert_eq!(within(Duration::ZERO, receiver.as_mut()).await, None);
        spawn(async move {
            clock::sleep(Duration::from_millis(100)).await;
            sender.send(7);
        });
        let begun_ns = clock::now_ns();
        assert_eq!(within(Duration::from_millis(30), receiver.as_mut()).await, None);
        assert!(clock::now_ns() - begun_ns >= 30_000_000);
        assert_eq!(within(Duration::from_secs(60), receiver.as_mut()).await, Some(Some(7)));
        assert!(clock::now_ns() - begun_ns < 60_000_000_000);
    };
    crate::runtime::sim::Sim::new(1, 1).run(|| work).done();
}
