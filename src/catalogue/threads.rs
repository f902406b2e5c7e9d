//! The threads that write the catalogue: two, of which one at a time works.
//!
//! What always holds: whoever writes has the writer for itself, and jobs are done in the order they are asked for, as long as
//! each is waited for.
//!
//! One thread gets what the cores leave over (SCHED_IDLE): of all ways to write beside them that costs an upload least
//! (docs/PERFORMANCE.md). On processors that others use up it gets next to nothing, though, and lists would stand still for
//! as long as that lasts. So what is late is written by the other, which has a share of its own. A thread cannot change from one
//! to the other: without a privilege nobody leaves SCHED_IDLE again (sched(7)).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::write::Writer;
use crate::limits::{CATALOGUE_NICE, CATALOGUE_WAITING_MAX};
use crate::runtime::process::Priority;
use crate::runtime::worker::{Full, Workers};

type Shared = Arc<Mutex<Writer>>;

/// The two, and the writer that they share.
pub(super) struct WriterThreads {
    on_what_is_left: Workers<Shared>,
    on_a_share: Workers<Shared>,
}

/// How long what is to be written may wait for a processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Haste {
    /// Until one is idle.
    None,
    /// As long as its share makes it.
    Late,
}

impl WriterThreads {
    /// # Errors
    /// Why threads cannot be had.
    pub(super) fn start(writer: Writer) -> io::Result<WriterThreads> {
        let writer = Arc::new(Mutex::new(writer));
        let thread =
            |name, priority| Workers::start(name, priority, CATALOGUE_WAITING_MAX, vec![writer.clone()]);
        Ok(WriterThreads {
            on_what_is_left: thread("catalogue", Priority::Idle)?,
            on_a_share: thread("late-lists", Priority::Nice(CATALOGUE_NICE))?,
        })
    }

    /// Runs `work` on one of the threads, and gives its result.
    ///
    /// # Errors
    /// [`Full`]: nothing was done.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        haste: Haste,
        work: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> Result<T, Full> {
        let thread = match haste {
            Haste::None => &self.on_what_is_left,
            Haste::Late => &self.on_a_share,
        };
        // A panic goes on in who waits, so nobody sees what it left.
        thread.run(move |writer| work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STORE, Scratch};
    use super::super::{schema, write::Round};
    use super::*;
    use crate::runtime::core::tests::on_one_core;
    use crate::runtime::process::thread_id;

    #[test]
    fn what_is_late_is_written_by_a_thread_with_a_share_of_the_processors() {
        let scratch = Scratch::new("threads");
        let path = scratch.path().join(schema::FILE);
        on_one_core(move || {
            let path = path.clone();
            async move {
                let threads =
                    WriterThreads::start(Writer::new(path, STORE, 1 << 20, Arc::default())).unwrap();
                let whole = Round { completes: true, ..Round::default() };
                threads.run(Haste::Late, |writer| writer.open().map(|_| ())).await.unwrap().unwrap();
                // What one has opened, the other goes on with.
                threads.run(Haste::None, move |writer| writer.apply(&whole, None)).await.unwrap().unwrap();
                assert!(threads.run(Haste::Late, Writer::open).await.unwrap().unwrap().is_complete);
                let policy = |haste| threads.run(haste, |_| policy_of(thread_id()));
                assert_eq!(policy(Haste::None).await, Ok("5".to_owned()), "SCHED_IDLE");
                assert_eq!(policy(Haste::Late).await, Ok("0".to_owned()), "SCHED_OTHER");
            }
        });
    }

    /// proc_pid_stat(5), field 41.
    fn policy_of(thread: u32) -> String {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
        // The name, in brackets, may hold blanks.
        let behind_name = &stat[stat.rfind(')').unwrap() + 2..];
        behind_name.split(' ').nth(41 - 3).unwrap().to_owned()
    }
}
