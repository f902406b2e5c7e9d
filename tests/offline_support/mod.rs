//! Stores to try the offline commands on: made by real uploads on a real core, changed byte by byte, compared.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use rhinobox::base::units::MIB;
use rhinobox::ingest::naming::Named;
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::TermsBody;
use rhinobox::ingest::{Ingest, Mode, Queue, Upload};
use rhinobox::media::name::HASH_DIGITS;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::sync::Semaphore;
use rhinobox::runtime::{core, topology};
use rhinobox::store::{CheckpointPace, Choices, Durability, Lane, Store};

/// A folder of this test, removed when it is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rhinobox-offline-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a run of the store ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    Stopped,
    /// As if the process had died: nothing is sealed.
    Died,
}

/// Contents above this stand in files of their own here.
pub(crate) const INLINE_BYTES_MAX: usize = 4096;

/// Opens (or makes) the store in `dir` on a core and lets `work` upload.
pub(crate) fn run<T, F, Fut>(dir: &Path, end: End, work: F) -> T
where
    T: Send + 'static,
    F: Fn(Ingest) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = T> + 'static,
{
    let (sender, receiver) = mpsc::channel();
    let dir = dir.to_owned();
    let cores = core::launch(&topology::cpus(Some(1)).unwrap(), move |_| {
        let (work, sender, disk) = (work.clone(), sender.clone(), Disk::uring(dir.clone()));
        async move {
            let pool = Pool::new(MIB);
            let choices = Choices {
                durability: Durability::Commit,
                segment_bytes: Some(MIB as u64),
                inline_bytes_max: INLINE_BYTES_MAX,
                checkpoint: CheckpointPace::default(),
                compaction_bytes_per_s: rhinobox::limits::COMPACTION_BYTES_PER_S,
            };
            let (store, opened) = Store::open(disk, &pool, choices).await.expect("the store opens");
            let start = store.lane_starts(&opened.recovered, 1)[0];
            let lane = Lane::start(&store, &pool, start);
            let ingest = Ingest {
                index: store.index.handle(),
                store,
                lane: lane.clone(),
                pool,
                queue: Arc::new(Queue::default()),
                budget: Semaphore::new(8 * MIB),
                deal: Rc::new(Err),
                offload: Rc::new(Err),
                path_digits: HASH_DIGITS,
            };
            let result = work(ingest).await;
            if end == End::Stopped {
                lane.stop().await;
            }
            sender.send(result).unwrap();
        }
    });
    cores.unwrap().join();
    receiver.recv().unwrap()
}

/// A file to upload.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn sent(name: &str, bytes: impl Into<Vec<u8>>) -> Sent {
    Sent { name: name.to_owned(), bytes: bytes.into() }
}

/// Uploads the files in one request.
pub(crate) async fn upload(ingest: &Ingest, files: &[Sent], category: &str, comment: &str) -> Vec<Named> {
    let mut upload = Upload::new(ingest, Mode::AtEnd);
    for file in files {
        let declared = Declared { name: file.name.as_str().into(), mime: None, digest: None, time: None };
        upload.begin(declared, Some(file.bytes.len() as u64)).await.unwrap();
        upload.data(Bytes::copy_from_slice(&file.bytes)).await.unwrap();
        upload.end(None).await.unwrap();
    }
    let terms = Arc::new(TermsBody { category: category.to_owned(), comment: comment.to_owned() });
    upload.finish(&terms).await.into_iter().map(|outcome| outcome.expect("the file is stored")).collect()
}

/// Bytes that look like nothing, different for each `salt`.
pub(crate) fn noise(len: usize, salt: u64) -> Vec<u8> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Makes a store of one run with these files, one request each, and gives their paths.
pub(crate) fn store_of(dir: &Path, end: End, files: &[Sent]) -> Vec<String> {
    let files = files.to_vec();
    run(dir, end, move |ingest| {
        let files = files.clone();
        async move {
            let mut paths = Vec::new();
            for file in &files {
                paths.extend(upload(&ingest, std::slice::from_ref(file), "", "").await);
            }
            paths.into_iter().map(|named| named.path.to_string()).collect()
        }
    })
}

/// What the program did.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            status: output.status.code().expect("it exits"),
            out: String::from_utf8(output.stdout).expect("it writes text"),
            err: String::from_utf8(output.stderr).expect("it writes text"),
        }
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rhinobox"));
    command.args(arguments);
    command
}

pub(crate) fn rhinobox(arguments: &[&str]) -> Ran {
    command(arguments).output().unwrap().into()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All files below a folder with their bytes, and all folders.
pub(crate) fn contents_of(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(dir).unwrap().to_owned();
            if path.is_dir() {
                found.insert(relative, None);
                todo.push(path);
            } else {
                found.insert(relative, Some(fs::read(path).unwrap()));
            }
        }
    }
    found
}
