//! `rhinobox put`: files and folders to a daemon, each content once.
//!
//! Threads take files from the walk, hash a lot of them, ask `/dedup` which contents are missing, send those, and give the
//! others their names (`lot`). What is durable the daemon knows: a run that was cut short is simply run again, and only
//! what is missing is sent. Names are given again to all; a name that is there already writes nothing.
//!
//! Always: memory is bounded by the number of threads, not of files; every file is told of once (`report`): sent, known,
//! failed, or passed over.

mod lot;
mod progress;
mod report;
mod stdin;
mod upload;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::retry::Retry;
use super::walk::{Step, Walk};
use super::{Client, ClientError, Outcome};
use crate::limits::CLIENT_TAKE_FILES;
use lot::Lot;
use progress::Progress;
use report::Report;

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Standard input too, by this name.
    pub stdin: Option<String>,
    /// For all of them; may be empty.
    pub category: String,
    /// For all of them; may be empty.
    pub comment: String,
    /// Threads, each with a request at a time.
    pub jobs: usize,
    /// How long a request that does not succeed is tried again.
    pub patience: Duration,
    /// The result as one JSON text on standard output.
    pub json: bool,
    /// A line for each file.
    pub verbose: bool,
}

/// What the threads share.
struct Run {
    client: Client,
    retry: Retry,
    category: String,
    comment: String,
    report: Report,
    /// Why nothing more is sent.
    stopped: Mutex<Option<ClientError>>,
}

impl Run {
    /// Nothing after this would fare better.
    fn stop(&self, why: ClientError) {
        lock(&self.stopped).get_or_insert(why);
    }

    fn is_stopped(&self) -> bool {
        lock(&self.stopped).is_some()
    }
}

/// What a thread that panicked held is whole: it is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends them.
///
/// # Errors
/// Why it was stopped: the server is gone, refuses all of it, or is none.
pub fn run(client: Client, options: Options) -> Result<Outcome, ClientError> {
    let progress = Progress::start(&options.paths);
    let run = Run {
        client,
        retry: Retry::new(options.patience).telling(progress.teller()),
        category: options.category,
        comment: options.comment,
        report: Report::new(options.json, options.verbose, progress),
        stopped: Mutex::new(None),
    };
    let walk = Mutex::new(Walk::new(options.paths));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| work(&run, &walk));
        }
        if let Some(name) = options.stdin {
            stdin::send(&run, name);
        }
    });
    let Run { report, stopped, .. } = run;
    let stopped = stopped.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcome = report.finish(stopped.as_ref())?;
    stopped.map_or(Ok(outcome), Err)
}

/// What a thread does until nothing is left.
fn work(run: &Run, walk: &Mutex<Walk>) {
    let mut lot = Lot::default();
    loop {
        let steps: Vec<Step> = lock(walk).by_ref().take(CLIENT_TAKE_FILES).collect();
        if steps.is_empty() {
            return lot.send(run);
        }
        for step in steps {
            if run.is_stopped() {
                return;
            }
            match step {
                Step::File(found) => lot.read(run, found),
                Step::Passed(path, why) => run.report.passed(&path, why),
                Step::Failed(path, why) => run.report.failed(&path, &why),
            }
            if lot.is_full() {
                std::mem::take(&mut lot).send(run);
            }
        }
    }
}
