//! The catalogue: what is stored as lists that can be filtered, searched and sorted. SQLite, derived from the log, on
//! threads of its own; it may be deleted.
//!
//! Always:
//! - no upload, download or delete waits for it. It reads what the log has already made durable;
//! - its content is a function of the log alone: read from any point on, through a crash or from nothing, it comes to the
//!   same ([`follow`] says why);
//! - what it cannot read, or does not know, it removes and makes anew.

mod cursor;
pub mod follow;
mod lookup;
mod lost;
mod query;
mod schema;
mod sorted;
mod statement;
#[cfg(test)]
mod testing;
mod threads;
mod words;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

pub use cursor::Cursor;
pub use follow::Follower;
pub use query::{Category, File, Order, Page, Query, Totals};
pub use schema::{FILE, Trouble};

use crate::base::ids::{Lsn, StoreId};
use crate::limits::{
    CATALOGUE_JOURNAL_BYTES, CATALOGUE_LATE_MS, CATALOGUE_NICE, CATALOGUE_QUERY_MS, CATALOGUE_READERS,
    CATALOGUE_TICK_MS, CATALOGUE_WAITING_MAX,
};
use crate::runtime::clock;
use crate::runtime::process::Priority;
use crate::runtime::worker::{Full, Workers};
use threads::WriterThreads;
use write::Writer;

/// The catalogue of a store. Shared by all cores.
pub struct Catalogue {
    store: StoreId,
    writer: WriterThreads,
    readers: Workers<Reader>,
    shared: Arc<Shared>,
}

/// What its threads and the follower tell each other.
#[derive(Default)]
struct Shared {
    generation: Arc<AtomicU64>,
    /// It lists all that the log held at some moment; until then it would leave out what is old.
    is_complete: AtomicBool,
    /// The file that a reader found damaged, by generation; 0 for none.
    damaged: AtomicU64,
    /// All that the log held at this time is in, ...
    followed_ns: AtomicU64,
    /// ... and all numbers below this.
    followed_lsn: AtomicU64,
    made: AtomicU64,
    changes: AtomicU64,
}

/// How far the catalogue is behind the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lag {
    /// Nanoseconds since all that the log held was in.
    pub ns: u64,
    /// Numbers drawn since: at least as many as there were changes.
    pub numbers: u64,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// Too many ask: it found no place in the queue, or its time was over there.
    Busy,
    /// It is being made, and would leave out what is old.
    Incomplete,
    /// It took too long.
    TooLong,
    /// It cannot be read now; the log says why.
    Unreadable,
}

/// The state of a reading thread.
struct Reader {
    path: PathBuf,
    store: StoreId,
    shared: Arc<Shared>,
    connection: Option<(u64, Connection)>,
}

impl Catalogue {
    /// Starts the threads of the catalogue in this data folder. Its file is opened, or made, when it is followed first.
    /// The journal takes a part of `segment_bytes`, which is scaled to the volume.
    ///
    /// # Errors
    /// Why threads cannot be had.
    pub fn start(folder: &Path, store: StoreId, segment_bytes: u64) -> io::Result<Arc<Catalogue>> {
        let path = folder.join(FILE);
        let shared = Arc::<Shared>::default();
        shared.followed_ns.store(clock::now_ns(), Ordering::Relaxed);
        let journal = CATALOGUE_JOURNAL_BYTES.min(segment_bytes / 4);
        let writer = Writer::new(path.clone(), store, journal, shared.generation.clone());
        let reader = || Reader { path: path.clone(), store, shared: shared.clone(), connection: None };
        let readers = (0..CATALOGUE_READERS).map(|_| reader()).collect();
        Ok(Arc::new(Catalogue {
            store,
            writer: WriterThreads::start(writer)?,
            readers: Workers::start("list", Priority::Nice(CATALOGUE_NICE), CATALOGUE_WAITING_MAX, readers)?,
            shared,
        }))
    }

    /// Whose it is.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// A page of a list.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn list(&self, query: Query) -> Result<Page, NoAnswer> {
        self.read(move |connection| lookup::page(connection, &query)).await
    }

    /// Sums over all files.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn totals(&self) -> Result<Totals, NoAnswer> {
        self.read(lookup::totals).await
    }

    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        // From when it was asked, whatever it waits for.
        let until_ns = clock::now_ns() + CATALOGUE_QUERY_MS * 1_000_000;
        // At a start that is soon.
        while !self.shared.is_complete.load(Ordering::Acquire) {
            if clock::now_ns() > until_ns {
                return Err(NoAnswer::Incomplete);
            }
            clock::sleep(Duration::from_millis(CATALOGUE_TICK_MS / 4)).await;
        }
        match self.readers.run(move |reader| reader.ask(until_ns, ask)).await {
            Ok(answer) => answer,
            Err(Full) => Err(NoAnswer::Busy),
        }
    }

    /// How far it is behind.
    #[must_use]
    pub fn lag(&self, next_lsn: Lsn) -> Lag {
        let followed = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Lag {
            ns: clock::now_ns().saturating_sub(followed(&self.shared.followed_ns)),
            numbers: next_lsn.0.saturating_sub(followed(&self.shared.followed_lsn)),
        }
    }

    /// Whether it is so late, or so young, that it is not to wait for a processor that nobody wants.
    fn is_late(&self) -> bool {
        let lag_ns = clock::now_ns().saturating_sub(self.shared.followed_ns.load(Ordering::Relaxed));
        lag_ns > CATALOGUE_LATE_MS * 1_000_000 || !self.shared.is_complete.load(Ordering::Acquire)
    }

    /// How often it was made, or made anew, since the start.
    #[must_use]
    pub fn times_made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// Changes entered since the start.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Relaxed)
    }
}

impl Reader {
    fn ask<T>(
        &mut self,
        until_ns: u64,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, NoAnswer> {
        if clock::now_ns() > until_ns {
            return Err(NoAnswer::Busy);
        }
        let generation = self.shared.generation.load(Ordering::Acquire);
        let answer = self.connection(generation, until_ns).and_then(|connection| {
            // All that is asked sees one state of the files, ...
            let _snapshot = connection.unchecked_transaction()?;
            // ... and one that has them all: it may have been made anew since the question was let in.
            let is_complete = schema::is_complete(connection)?;
            is_complete.then(|| ask(connection)).transpose().map_err(Trouble::of_reading)
        });
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(NoAnswer::Incomplete),
            Err(Trouble::Damaged(why)) => {
                tracing::error!(why, "the catalogue cannot be read; it is made anew from the log");
                self.connection = None;
                self.shared.damaged.store(generation, Ordering::Release);
                Err(NoAnswer::Unreadable)
            }
            Err(Trouble::Refused(why)) if why == INTERRUPTED => Err(NoAnswer::TooLong),
            Err(Trouble::Refused(why)) => {
                // It may have been replaced, or its folder be back: the next question opens it again.
                tracing::warn!(why, "the catalogue could not be read");
                self.connection = None;
                Err(NoAnswer::Unreadable)
            }
        }
    }

    /// On the newest file; what is asked of it ends in time.
    fn connection(&mut self, generation: u64, until_ns: u64) -> Result<&Connection, Trouble> {
        if self.connection.as_ref().is_none_or(|(of, _)| *of != generation) {
            self.connection = None;
            let connection = schema::open_to_read(&self.path, self.store)?;
            self.connection = Some((generation, connection));
        }
        let Some((_, connection)) = &mut self.connection else {
            return Err(Trouble::Refused("it is not open".to_owned()));
        };
        lookup::give_up_at(connection, until_ns)?;
        Ok(connection)
    }
}

/// What SQLite says of a question that was given up.
const INTERRUPTED: &str = "interrupted";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::spawn;
    use crate::runtime::core::tests::on_one_core;
    use crate::runtime::sync::Notify;
    use testing::{STORE, Scratch};
    use threads::Haste;
    use write::Round;

    /// What `test` makes of a catalogue that has read nothing.
    fn on_a_catalogue(called: &str, test: impl AsyncFn(Arc<Catalogue>) + Clone + Send + 'static) {
        let scratch = Scratch::new(called);
        let path = scratch.path().to_owned();
        on_one_core(move || {
            let (path, test) = (path.clone(), test.clone());
            async move {
                let catalogue = Catalogue::start(&path, STORE, 1 << 24).unwrap();
                catalogue.writer.run(Haste::None, |writer| writer.open().map(|_| ())).await.unwrap().unwrap();
                test(catalogue).await;
            }
        });
    }

    #[test]
    fn a_list_of_a_catalogue_that_is_being_made_is_not_answered() {
        on_a_catalogue("being-made", async |catalogue| {
            // As when it was let in, and is made anew while it waits.
            catalogue.shared.is_complete.store(true, Ordering::Release);
            assert_eq!(catalogue.list(Query::default()).await, Err(NoAnswer::Incomplete));
            assert_eq!(catalogue.totals().await.map(|_| ()), Err(NoAnswer::Incomplete));
            let whole = Round { completes: true, ..Round::default() };
            catalogue
                .writer
                .run(Haste::None, move |writer| writer.apply(&whole, None))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(catalogue.list(Query::default()).await, Ok(Page::default()));
        });
    }

    #[test]
    fn a_list_that_waits_behind_slow_ones_is_refused_when_its_time_is_over() {
        on_a_catalogue("lists", async |catalogue| {
            let whole = Round { completes: true, ..Round::default() };
            catalogue
                .writer
                .run(Haste::None, move |writer| writer.apply(&whole, None))
                .await
                .unwrap()
                .unwrap();
            catalogue.shared.is_complete.store(true, Ordering::Release);
            let (asked, begun_ns, done) = (8, clock::now_ns(), Notify::new());
            let results = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            for _ in 0..asked {
                let (catalogue, results, rung) = (catalogue.clone(), results.clone(), done.clone());
                spawn(async move {
                    // Most of a list's time, and nothing of SQLite's that could be interrupted.
                    let slow = |_: &Connection| {
                        std::thread::sleep(Duration::from_millis(CATALOGUE_QUERY_MS * 6 / 10));
                        Ok(())
                    };
                    let result = catalogue.read(slow).await;
                    results.borrow_mut().push((result, clock::now_ns() - begun_ns));
                    rung.notify();
                });
            }
            while results.borrow().len() < asked {
                done.wait().await;
            }
            let results = results.borrow();
            let answered = results.iter().filter(|(result, _)| result.is_ok()).count();
            assert_eq!(answered, 2 * CATALOGUE_READERS, "two on each thread begin in time: {results:?}");
            for (result, after_ns) in results.iter().filter(|(result, _)| result.is_err()) {
                assert_eq!(*result, Err(NoAnswer::Busy));
                assert!(*after_ns < 2 * CATALOGUE_QUERY_MS * 1_000_000, "{results:?}");
            }
        });
    }
}
