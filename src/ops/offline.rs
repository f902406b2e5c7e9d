//! What the offline commands share: the way to a store that is read and never changed.
//!
//! Always: no daemon serves the folder meanwhile, as far as can be told, and none can start; nothing in the
//! folder is created, written or removed.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, mpsc};

use crate::limits::OFFLINE_BUFFER_BYTES;
use crate::ops::Failure;
use crate::runtime::buffer::Pool;
use crate::runtime::core;
use crate::runtime::disk::{Disk, Open};
use crate::runtime::process::{self, LockFile};
use crate::runtime::topology;
use crate::store::{OpenError, ReadError, Store, dir};

/// Why work on a core failed, in one sentence.
pub(super) type Failed = Box<dyn Error + Send + Sync>;

/// How files of a store that is only read are opened.
pub(super) const READ: Open =
    Open { write: false, create_new: false, direct: false, dsync: false, random: false };

/// Runs `work` with the store in `dir` on a core of its own and gives its result.
///
/// # Errors
/// `work`'s, and in one sentence why the folder cannot be read: it is no store, a daemon serves it.
pub(super) fn on_store<T, F, Fut>(folder: &Path, work: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Fn(Arc<Store>, Pool) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T, Failed>> + 'static,
{
    let name = folder.display();
    let metadata = std::fs::metadata(folder).map_err(|error| format!("cannot read {name}: {error}"))?;
    if !metadata.is_dir() {
        return Err(format!("cannot read {name}: it is not a folder").into());
    }
    let _lock = keep_daemons_out(folder)?;
    let cpus = topology::cpus(Some(1))?;
    let (sender, outcome) = mpsc::channel();
    let root = folder.to_owned();
    let cores = core::launch(&cpus, move |_| {
        let (work, sender, disk) = (work.clone(), sender.clone(), Disk::uring(root.clone()));
        async move {
            let pool = Pool::new(OFFLINE_BUFFER_BYTES);
            let result = match Store::attach(disk, &pool).await {
                Ok(store) => work(store, pool).await,
                Err(error) => Err(error.into()),
            };
            // The other end waits until this core has ended.
            let _ = sender.send(result);
        }
    })?;
    cores.join();
    let result = outcome.recv().unwrap_or_else(|_| Err("the core ended before its work".into()));
    result.map_err(|error| -> Failure {
        match error.downcast_ref::<OpenError>() {
            Some(error) => format!("cannot read {name}: {error}").into(),
            None => error,
        }
    })
}

/// Refuses while a daemon serves the folder, and keeps one from starting.
fn keep_daemons_out(folder: &Path) -> Result<Option<LockFile>, Failure> {
    match process::share_lock_file(&folder.join(dir::LOCK_FILE)) {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(format!("a daemon serves this folder: {error}; stop it first").into())
        }
        Err(error) => {
            // Nothing is left to do if standard error is closed.
            let _ = writeln!(
                io::stderr(),
                "rhinobox: could not check whether a daemon serves {}: {error}; what is read may be changing",
                folder.display()
            );
            Ok(None)
        }
    }
}

/// Whether whoever reads our output has had enough: no failure, and nothing to say to them.
pub(super) fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Damage in words, or the disk's refusal.
///
/// # Errors
/// The disk's refusal: it ends the command, as nothing else would fare better.
pub(super) fn damage_only<T>(result: Result<T, ReadError>) -> Result<Result<T, String>, Failed> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(ReadError::Damaged(place)) => Ok(Err(place)),
        Err(error @ ReadError::Io(_)) => Err(error.into()),
    }
}
