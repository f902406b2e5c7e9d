//! A store of many small files, made in the process by the code that the daemon stores with, much sooner than over
//! sockets.
//!
//! Always: files are numbered from nought, and a file's content follows from its number.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::TermsBody;
use rhinobox::ingest::{Ingest, Mode, Upload};
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::{CoreId, launch, spawn};
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::sync::Notify;
use rhinobox::runtime::topology;
use rhinobox::store::{Durability, Lane, Store};

use super::store::{self, POOL_BYTES};

/// Files of one upload.
const UPLOAD_FILES: u64 = 2_000;
/// Uploads of a core that are under way at once.
const UPLOADS_AT_ONCE: usize = 2;

/// Name and bytes of the file of a number.
pub(crate) type Described = Arc<dyn Fn(u64) -> (String, usize) + Send + Sync>;

/// All of one size, named by their numbers.
pub(crate) fn alike(bytes: usize) -> Described {
    Arc::new(move |n| (format!("{n}.txt"), bytes))
}

/// Stores `files` files in an empty folder, on all cores, and makes a checkpoint as a clean stop does.
///
/// # Errors
/// If there are no cores to run on.
pub(crate) fn generate(dir: &Path, files: u64, described: Described) -> io::Result<()> {
    let cpus = topology::cpus(None)?;
    let cores = cpus.len();
    let next = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::channel::<Arc<Store>>();
    let receiver = Arc::new(std::sync::Mutex::new(receiver));
    let dir = dir.to_path_buf();
    let running = launch(&cpus, move |core| {
        let (next, sender, receiver, dir) = (next.clone(), sender.clone(), receiver.clone(), dir.clone());
        let described = described.clone();
        async move {
            let pool = Pool::new(POOL_BYTES);
            if core == CoreId(0) {
                let choices = store::choices(Durability::Commit);
                let opened = Store::open(Disk::uring(dir), &pool, choices).await;
                let (store, _) = opened.expect("an empty folder takes a store");
                (0..cores).for_each(|_| sender.send(store.clone()).expect("every core waits for it"));
            }
            let store = receiver.lock().expect("nobody panics").recv().expect("the first core sends it");
            store_files(core, &store, &pool, (files, described), &next).await;
            if core == CoreId(0) {
                while store.open_lanes() > 0 {
                    rhinobox::runtime::clock::sleep(Duration::from_millis(5)).await;
                }
                store.checkpoint_at_stop(&pool).await;
            }
        }
    })?;
    running.join();
    Ok(())
}

async fn store_files(
    core: CoreId,
    store: &Arc<Store>,
    pool: &Pool,
    (files, described): (u64, Described),
    next: &Arc<AtomicU64>,
) {
    let start = rhinobox::store::LaneStart {
        id: rhinobox::base::ids::LaneId(u32::try_from(core.0).expect("few")),
        predecessor: None,
    };
    let lane = Lane::start(store, pool, start);
    let ingest = store::ingest(store, &lane, pool);
    let (running, done) = (Rc::new(Cell::new(UPLOADS_AT_ONCE)), Notify::new());
    for _ in 0..UPLOADS_AT_ONCE {
        let (ingest, next, running, done) = (ingest.clone(), next.clone(), running.clone(), done.clone());
        let described = described.clone();
        spawn(async move {
            loop {
                let first = next.fetch_add(UPLOAD_FILES, Ordering::Relaxed);
                if first >= files {
                    break;
                }
                upload_directly(&ingest, first..files.min(first + UPLOAD_FILES), &described).await;
            }
            running.set(running.get() - 1);
            done.notify();
        });
    }
    while running.get() > 0 {
        done.wait().await;
    }
    lane.stop().await;
}

async fn upload_directly(ingest: &Ingest, numbers: std::ops::Range<u64>, described: &Described) {
    let mut upload = Upload::new(ingest, Mode::AtEnd);
    for n in numbers {
        let (name, bytes) = described(n);
        let declared = Declared { name: name.into(), ..Declared::default() };
        upload.begin(declared, Some(bytes as u64)).await.expect("there is room");
        upload.data(Bytes::from(content(n, bytes))).await.expect("there is room");
        upload.end(None).await.expect("there is room");
    }
    for outcome in upload.finish(&Arc::new(TermsBody::default())).await {
        outcome.expect("there is room");
    }
}

/// File number `n`: text, different from all others.
pub(crate) fn content(n: u64, bytes: usize) -> Vec<u8> {
    let mut text = format!("{n} ");
    while text.len() < bytes {
        text.push_str("media ");
    }
    text.truncate(bytes.max(24));
    text.into_bytes()
}
