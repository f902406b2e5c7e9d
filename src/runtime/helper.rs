//! Blocking work off the cores: a few helper threads behind a bounded queue.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use super::sim;
use super::sync::oneshot;
use crate::limits::{HELPER_QUEUE_MAX, HELPER_THREADS};

type Job = Box<dyn FnOnce() + Send>;

struct Helpers {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Tasks that found the queue full. All are woken when there is room for many: one that is gone by then cannot
    /// keep the wake-up from another.
    waiting: Vec<Waker>,
}

static HELPERS: Helpers =
    Helpers { queue: Mutex::new(Queue { jobs: VecDeque::new(), waiting: Vec::new() }), work: Condvar::new() };

impl Helpers {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Jobs run outside the lock, so nothing panics under it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the job back when the queue is full.
    fn push(&self, job: Job, waker: Option<&Waker>) -> Result<(), Job> {
        let mut queue = self.lock();
        if queue.jobs.len() >= HELPER_QUEUE_MAX {
            queue.waiting.extend(waker.cloned());
            return Err(job);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.work.notify_one();
        Ok(())
    }

    fn serve(&self) -> ! {
        loop {
            let mut queue = self.lock();
            let job = loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            // Many at a time: each finds room, or has been woken for nothing.
            let has_room = queue.jobs.len() <= HELPER_QUEUE_MAX / 2;
            let waiting = if has_room { std::mem::take(&mut queue.waiting) } else { Vec::new() };
            drop(queue);
            for waker in waiting {
                waker.wake();
            }
            job();
        }
    }
}

/// Starts the threads, once; later calls give the first one's result.
/// [`core::launch`](super::core::launch) calls it, so that a refusal comes at start.
pub fn start() -> io::Result<()> {
    static STARTED: OnceLock<Result<(), io::ErrorKind>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        for n in 0..HELPER_THREADS {
            let thread = std::thread::Builder::new().name(format!("helper-{n}"));
            thread.spawn(|| HELPERS.serve()).map_err(|e| e.kind())?;
        }
        Ok(())
    });
    started.map_err(|kind| io::Error::new(kind, "cannot start the helper threads"))
}

/// Runs `work` on a helper thread (in the simulation: at once, after a simulated delay) and gives its result.
/// A panic of `work` goes on in the caller. Dropping the future does not stop work that is queued.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if sim::active() {
        sim::helper_delay().await;
        return work();
    }
    start().expect("helper threads start with the cores");
    let (sender, receiver) = oneshot::channel();
    let mut job: Option<Job> = Some(Box::new(move || sender.send(catch_unwind(AssertUnwindSafe(work)))));
    poll_fn(|cx| match job.take() {
        Some(refused) => match HELPERS.push(refused, Some(cx.waker())) {
            Ok(()) => Poll::Ready(()),
            Err(back) => {
                job = Some(back);
                Poll::Pending
            }
        },
        None => Poll::Ready(()),
    })
    .await;
    match receiver.await.expect("a helper answers every job") {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs `work` on a helper thread without waiting for it; here and now where the queue is full.
/// It must not panic.
pub(super) fn detach(work: impl FnOnce() + Send + 'static) {
    let refused = match start() {
        Ok(()) => HELPERS.push(Box::new(work), None),
        Err(_) => Err(Box::new(work) as Job),
    };
    if let Err(job) = refused {
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::tests::on_one_core;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    #[test]
    fn more_jobs_than_the_queue_holds_are_all_done() {
        on_one_core(|| async {
            let done = Rc::new(Cell::new(0));
            let total = HELPER_QUEUE_MAX * 4;
            let all = crate::runtime::sync::Notify::new();
            for n in 0..total {
                let (done, all) = (Rc::clone(&done), all.clone());
                crate::runtime::core::spawn(async move {
                    let doubled = run(move || {
                        if n % 256 == 0 {
                            std::thread::sleep(Duration::from_millis(2));
                        }
                        n * 2
                    })
                    .await;
                    assert_eq!(doubled, n * 2);
                    done.set(done.get() + 1);
                    all.notify();
                });
            }
            while done.get() < total {
                all.wait().await;
            }
        });
    }

    #[test]
    fn a_panic_goes_on_in_the_caller_and_the_helper_lives() {
        on_one_core(|| async {
            for _ in 0..HELPER_THREADS + 1 {
                let end = crate::runtime::core::catch_panic(run(|| panic!("on purpose"))).await;
                assert_eq!(end, Err::<(), _>("on purpose".to_owned()));
            }
            assert_eq!(run(|| 3).await, 3);
        });
    }
}
