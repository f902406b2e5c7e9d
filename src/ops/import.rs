//! `rhinobox import`: what the Go predecessor stored, into a data folder at rest.
//!
//! It writes through the store's own code and not over HTTP, for the sake of times: when something was uploaded is what the
//! daemon says, and no request may choose it. A daemon has to be stopped meanwhile; the lock sees to that.
//!
//! Always: nothing in the predecessor's folder is changed; a file comes in only if it hashes to what the index says; what is
//! stored already is not read again; each file is durable, or not there, when the command ends, however it ends.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use crate::ingest::{FileError, Ingest, Queue};
use crate::limits::{IMPORT_AT_ONCE, IMPORT_BUFFER_BYTES};
use crate::media::name::HASH_DIGITS;
use crate::ops::offline::Failed;
use crate::ops::{Failure, PARTLY, config::Settings};
use crate::runtime::buffer::Pool;
use crate::runtime::core::{self, spawn};
use crate::runtime::disk::Disk;
use crate::runtime::process;
use crate::runtime::sync::{Semaphore, oneshot};
use crate::runtime::topology;
use crate::store::{CheckpointPace, Choices, Durability, Lane, OpenError, Store, dir};

mod file;
mod index;
mod turn;

use file::Imported;
use index::Entry;
use turn::Turns;

/// Brings everything in that the predecessor's index names. Status 3 where some of it could not be had; the rest is there.
///
/// # Errors
/// In one sentence, why it could not.
pub(super) fn run(from: &Path, settings: &Settings) -> Result<ExitCode, Failure> {
    let mut entries = index::read(from)?;
    // In the order in which they came: what is newest here is newest there.
    entries.sort_by_key(|entry| entry.time);
    let strays = file::strays(from, &entries);
    let data_dir = &settings.data_dir;
    let name = data_dir.display();
    if lies_in(data_dir, from) {
        return Err(
            format!("the data folder {name} is the predecessor's own: give another with --data-dir").into()
        );
    }
    fs::create_dir_all(data_dir)
        .map_err(|error| format!("the data folder {name} cannot be made: {error}"))?;
    let _lock = process::lock_file(&data_dir.join(dir::LOCK_FILE))
        .map_err(|error| format!("the data folder {name} cannot be used: {error}; stop the daemon first"))?;
    let done = on_core(from.to_owned(), settings, entries)?;
    let Done { contents, bytes, names, there, failed } = &done;
    let mut out = io::stdout().lock();
    // Nothing is left to do if standard output is closed: what was imported is there, and the status says the rest.
    let _ = writeln!(
        out,
        "imported {names} names and {contents} contents with {bytes} bytes; {there} files were there already; {failed} failed"
    );
    for stray in strays {
        let _ = writeln!(out, "left: {stray}");
    }
    Ok(if *failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(PARTLY) })
}

/// Whether a folder, which need not be there yet, would stand in another.
fn lies_in(folder: &Path, other: &Path) -> bool {
    let folder = std::path::absolute(folder).ok();
    let there = folder.and_then(|folder| folder.ancestors().find_map(|above| above.canonicalize().ok()));
    there.zip(other.canonicalize().ok()).is_some_and(|(there, other)| there.starts_with(other))
}

/// What was done.
#[derive(Clone, Copy, Default, Debug)]
struct Done {
    /// New ones, and their bytes.
    contents: u64,
    bytes: u64,
    /// New ones.
    names: u64,
    /// Files of the index for which nothing was to be done.
    there: u64,
    failed: u64,
}

/// Opens the store on a core of its own, and imports there.
fn on_core(from: PathBuf, settings: &Settings, entries: Vec<Entry>) -> Result<Done, Failure> {
    let name = settings.data_dir.display().to_string();
    let choices = Choices {
        durability: Durability::Commit,
        segment_bytes: settings.segment_bytes.map(|bytes| bytes as u64),
        inline_bytes_max: settings.inline_bytes_max,
        checkpoint: CheckpointPace::default(),
        compaction_bytes_per_s: 0,
    };
    let (sender, outcome) = mpsc::channel();
    let (root, entries) = (settings.data_dir.clone(), Arc::new(entries));
    let cores = core::launch(&topology::cpus(Some(1))?, move |_| {
        let (sender, from, entries) = (sender.clone(), from.clone(), entries.clone());
        let disk = Disk::uring(root.clone());
        async move {
            // The other end waits until this core has ended.
            let _ = sender.send(import(disk, choices, from, &entries).await);
        }
    })?;
    cores.join();
    let result = outcome.recv().unwrap_or_else(|_| Err("the core ended before its work".into()));
    result.map_err(|error| -> Failure {
        match error.downcast_ref::<OpenError>() {
            Some(error) => format!("cannot write to {name}: {error}").into(),
            None => error,
        }
    })
}

async fn import(
    disk: Disk,
    choices: Choices,
    from: PathBuf,
    entries: &Arc<Vec<Entry>>,
) -> Result<Done, Failed> {
    let pool = Pool::new(IMPORT_BUFFER_BYTES);
    let (store, opened) = Store::open(disk, &pool, choices).await?;
    let Some(start) = store.lane_starts(&opened.recovered, 1).pop() else {
        return Err("the store has no lane".into());
    };
    let ingest = Ingest {
        index: store.index.handle(),
        lane: Lane::start(&store, &pool, start),
        store: store.clone(),
        pool: pool.clone(),
        queue: Arc::new(Queue::default()),
        budget: Semaphore::new(IMPORT_BUFFER_BYTES),
        deal: Rc::new(Err),
        offload: Rc::new(Err),
        path_digits: HASH_DIGITS,
    };
    let before = store.index.name_count();
    let work = Rc::new(Work {
        source: Disk::uring(from.clone()),
        from,
        entries: entries.clone(),
        next: Cell::new(0),
        turns: Turns::default(),
        done: RefCell::default(),
        stopped: Cell::new(None),
    });
    let mut running = Vec::new();
    // Many at once share a flush.
    for _ in 0..IMPORT_AT_ONCE {
        let (sender, receiver) = oneshot::channel();
        running.push(receiver);
        let (work, ingest) = (work.clone(), ingest.clone());
        spawn(async move {
            work.run(&ingest).await;
            sender.send(());
        });
    }
    for receiver in running {
        receiver.await;
    }
    ingest.lane.stop().await;
    store.checkpoint_at_stop(&pool).await;
    if let Some(error) = work.stopped.take() {
        return Err(format!("the import was stopped: {error}; run it again, it goes on from there").into());
    }
    let mut done = *work.done.borrow();
    done.names = store.index.name_count() - before;
    // Every file that is there has a name: that which was there, or a new one.
    done.there = (entries.len() as u64).saturating_sub(done.failed + done.names);
    Ok(done)
}

/// What the tasks share.
struct Work {
    from: PathBuf,
    source: Disk,
    entries: Arc<Vec<Entry>>,
    next: Cell<usize>,
    turns: Turns,
    done: RefCell<Done>,
    /// Why nothing after it would fare better.
    stopped: Cell<Option<FileError>>,
}

impl Work {
    /// Takes one file after the other.
    async fn run(&self, ingest: &Ingest) {
        loop {
            let number = self.next.replace(self.next.get() + 1);
            let Some(entry) = self.entries.get(number) else { return };
            let imported = file::import(ingest, &self.source, &self.from, entry, (&self.turns, number)).await;
            // Should it have failed before its turn.
            self.turns.come(number).await;
            self.turns.pass(number);
            match imported {
                Ok(Imported::New(bytes)) => {
                    let mut done = self.done.borrow_mut();
                    done.contents += 1;
                    done.bytes += bytes;
                }
                Ok(Imported::Known) => {}
                Err(file::Failed::Stopped(error)) => {
                    self.stopped.set(Some(error));
                    self.next.set(self.entries.len());
                }
                Err(file::Failed::This(why)) => {
                    self.done.borrow_mut().failed += 1;
                    file::tell(entry, &why);
                }
            }
        }
    }
}
