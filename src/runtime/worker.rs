//! Threads of their own for work that takes long or blocks: each has a state and does one job after the other on it,
//! from one bounded queue.
//!
//! What always holds: a job runs with a state that no other has; jobs of one thread run in the order they came; a panic
//! of a job goes on in who waits for it, and the thread lives. In the simulation jobs run where they are asked for, after
//! a simulated delay.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::process::Priority;
use super::sim;
use super::sync::oneshot;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// One or more threads, each with a state. They end when this is dropped and the queue is empty.
pub struct Workers<S>(Arc<Inner<S>>);

struct Inner<S> {
    queue: Mutex<Queue<S>>,
    work: Condvar,
    waiting_max: usize,
}

struct Queue<S> {
    jobs: VecDeque<Job<S>>,
    closed: bool,
    /// Of simulated threads.
    states: Vec<S>,
}

/// The queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl<S: Send + 'static> Workers<S> {
    /// Starts a thread for each state, at least one. They have this priority, and at most `waiting_max` jobs wait for
    /// them.
    ///
    /// # Errors
    /// Why a thread cannot be had.
    pub fn start(
        name: &str,
        priority: Priority,
        waiting_max: usize,
        states: Vec<S>,
    ) -> io::Result<Workers<S>> {
        assert!(!states.is_empty(), "somebody has to do the work");
        let queue = Queue { jobs: VecDeque::new(), closed: false, states: Vec::new() };
        let inner = Arc::new(Inner { queue: Mutex::new(queue), work: Condvar::new(), waiting_max });
        if sim::active() {
            inner.lock().states = states;
            return Ok(Workers(inner));
        }
        // Dropped on the way out it ends those that were started.
        let workers = Workers(inner);
        for (number, state) in states.into_iter().enumerate() {
            let inner = workers.0.clone();
            std::thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
                priority.take();
                inner.serve(state);
            })?;
        }
        Ok(workers)
    }

    /// Runs `work` on one of the threads and gives its result. A panic of `work` goes on here. Dropping the future does
    /// not stop work that is queued.
    ///
    /// # Errors
    /// [`Full`]: nothing was done.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Full> {
        if sim::active() {
            sim::helper_delay().await;
            let mut queue = self.0.lock();
            let state = queue.states.first_mut().expect("there is a state for each thread");
            return Ok(work(state));
        }
        let (sender, receiver) = oneshot::channel();
        let job: Job<S> =
            Box::new(move |state| sender.send(catch_unwind(AssertUnwindSafe(move || work(state)))));
        {
            let mut queue = self.0.lock();
            if queue.jobs.len() >= self.0.waiting_max {
                return Err(Full);
            }
            queue.jobs.push_back(job);
        }
        self.0.work.notify_one();
        match receiver.await.expect("every job is answered") {
            Ok(result) => Ok(result),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<S> Inner<S> {
    fn lock(&self) -> MutexGuard<'_, Queue<S>> {
        // On threads, jobs run outside the lock, so nothing panics under it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut state: S) {
        loop {
            let mut queue = self.lock();
            let job = loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.closed {
                    return;
                }
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            job(&mut state);
        }
    }
}

impl<S> Drop for Workers<S> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::tests::on_one_core;

    #[test]
    fn jobs_change_the_state_in_their_order_and_a_panic_goes_on_in_who_waits() {
        on_one_core(|| async {
            let workers = Workers::start("count", Priority::Nice(5), 8, vec![0_u64]).unwrap();
            for n in 1..=10 {
                assert_eq!(workers.run(move |sum| *sum += n).await, Ok(()));
            }
            let panicked = crate::runtime::core::catch_panic(workers.run(|_| panic!("on purpose"))).await;
            assert_eq!(panicked.map(|_: Result<(), Full>| ()), Err("on purpose".to_owned()));
            assert_eq!(workers.run(|sum| *sum).await, Ok(55));
        });
    }

    #[test]
    fn what_finds_the_queue_full_is_told_so_at_once() {
        on_one_core(|| async {
            let workers = std::rc::Rc::new(Workers::start("busy", Priority::Idle, 1, vec![()]).unwrap());
            let gate = Arc::new((Mutex::new(false), Condvar::new()));
            let begun = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let (blocked, begins) = (gate.clone(), begun.clone());
            let (first, second) = (workers.clone(), workers.clone());
            let done = crate::runtime::sync::Notify::new();
            let rung = done.clone();
            crate::runtime::core::spawn(async move {
                let wait = move |_: &mut ()| {
                    begins.store(true, std::sync::atomic::Ordering::SeqCst);
                    let mut open = blocked.0.lock().unwrap();
                    while !*open {
                        open = blocked.1.wait(open).unwrap();
                    }
                };
                assert_eq!(first.run(wait).await, Ok(()));
            });
            while !begun.load(std::sync::atomic::Ordering::SeqCst) {
                crate::runtime::core::yield_now().await;
            }
            crate::runtime::core::spawn(async move {
                assert_eq!(second.run(|_| 2).await, Ok(2));
                rung.notify();
            });
            crate::runtime::core::yield_now().await;
            crate::runtime::core::yield_now().await;
            assert_eq!(workers.run(|_| 3).await, Err(Full), "one runs and one waits");
            *gate.0.lock().unwrap() = true;
            gate.1.notify_all();
            done.wait().await;
        });
    }
}
