//! A core's inbox: a bounded lock-free queue and a wake-up that is sent only when it goes from empty to non-empty.
//!
//! What always holds: after a successful `push`, the consumer either is awake and will look again before it sleeps,
//! or is woken by this push.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crossbeam_queue::ArrayQueue;

/// `Send + Sync`; many producers, one consumer.
pub struct Inbox<M> {
    queue: ArrayQueue<M>,
    /// The consumer is awake, or its wake-up is under way. Only the consumer clears it, and looks again after.
    awake: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl<M: Send> Inbox<M> {
    /// An empty inbox. `capacity` is not zero.
    #[must_use]
    pub fn new(capacity: usize) -> Inbox<M> {
        Inbox { queue: ArrayQueue::new(capacity), awake: AtomicBool::new(true), waker: Mutex::new(None) }
    }

    /// Hands the message back when full.
    pub fn push(&self, message: M) -> Result<(), M> {
        self.queue.push(message)?;
        // Both swaps are of one flag and both read what the other wrote: whichever comes second sees what came
        // before the first. Either this one finds `false` and with it the waker, or the consumer's finds our message.
        if !self.awake.swap(true, Ordering::AcqRel) {
            let waker = self.waker().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        Ok(())
    }

    /// The next message, waiting for one. Never waits while there is one, so a consumer that has to let others
    /// run counts its messages. Dropping the future loses nothing.
    pub async fn next(&self) -> M {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next message if there is one; for the consumer only.
    pub fn try_next(&self) -> Option<M> {
        self.queue.pop()
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<M> {
        if let Some(message) = self.queue.pop() {
            return Poll::Ready(message);
        }
        let old = self.waker().replace(cx.waker().clone());
        drop(old);
        self.awake.swap(false, Ordering::AcqRel);
        match self.queue.pop() {
            Some(message) => {
                self.awake.store(true, Ordering::Release);
                Poll::Ready(message)
            }
            None => Poll::Pending,
        }
    }

    /// Messages waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Messages it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        // Nothing that can panic runs under the lock.
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::tests::on_cores;
    use std::sync::Arc;

    #[test]
    fn a_full_inbox_hands_the_message_back() {
        let inbox = Inbox::new(2);
        assert_eq!((inbox.push(1), inbox.push(2), inbox.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((inbox.len(), inbox.capacity()), (2, 2));
        assert_eq!(inbox.try_next(), Some(1));
        assert_eq!(inbox.push(3), Ok(()));
    }

    #[test]
    fn no_wake_up_is_lost_between_threads_and_a_core() {
        const PRODUCERS: u64 = 3;
        const EACH: u64 = 30_000;
        let inbox = Arc::new(Inbox::new(8));
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let inbox = Arc::clone(&inbox);
                std::thread::spawn(move || {
                    for n in 0..EACH {
                        let mut message = producer << 32 | n;
                        while let Err(back) = inbox.push(message) {
                            message = back;
                            std::thread::yield_now();
                        }
                        // Now and then let the consumer fall asleep: the edge is what is tested.
                        if n % 64 == producer {
                            std::thread::sleep(std::time::Duration::from_micros(50));
                        }
                    }
                })
            })
            .collect();
        on_cores(1, move |_| {
            let inbox = Arc::clone(&inbox);
            async move {
                let mut expected = [0; 3];
                for _ in 0..PRODUCERS * EACH {
                    let message = inbox.next().await;
                    let producer = usize::try_from(message >> 32).unwrap();
                    assert_eq!(message & 0xffff_ffff, expected[producer], "in order of each producer");
                    expected[producer] += 1;
                }
                assert!(inbox.is_empty());
            }
        });
        for producer in producers {
            producer.join().unwrap();
        }
    }

    #[test]
    fn cores_answer_each_other_through_inboxes() {
        let inboxes: Arc<[Inbox<u32>; 2]> = Arc::new([Inbox::new(1), Inbox::new(1)]);
        on_cores(2, move |core| {
            let inboxes = Arc::clone(&inboxes);
            async move {
                let (mine, other) = (&inboxes[core.0], &inboxes[1 - core.0]);
                if core.0 == 0 {
                    other.push(0).unwrap();
                }
                for n in 0..5_000 {
                    let got = mine.next().await;
                    assert_eq!(got, n * 2 + u32::from(core.0 == 0));
                    if got < 9_999 {
                        other.push(got + 1).unwrap();
                    }
                }
            }
        });
    }
}
