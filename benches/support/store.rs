//! A store in the bench's own process, on one core and the real disk: the code the daemon stores with, without a network.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use rhinobox::http::multipart::{Boundary, Event, Multipart};
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::TermsBody;
use rhinobox::ingest::{Ingest, Mode, Queue, Upload};
use rhinobox::limits::{INLINE_BYTES_MAX, RECEIVE_BYTES_MAX, RECEIVE_BYTES_MIN};
use rhinobox::media::name::HASH_DIGITS;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::launch;
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::sync::Semaphore;
use rhinobox::runtime::topology;
use rhinobox::store::{CheckpointPace, Choices, Durability, Lane, Store};

use super::Result;
use super::form::{BOUNDARY, Form};

/// Bytes of buffers that a core keeps, and that its slices may take.
pub(crate) const POOL_BYTES: usize = 64 << 20;

/// A store as the daemon makes one where nothing is set.
pub(crate) fn choices(durability: Durability) -> Choices {
    Choices {
        durability,
        segment_bytes: None,
        inline_bytes_max: INLINE_BYTES_MAX,
        checkpoint: CheckpointPace::default(),
        // Nothing is deleted here.
        compaction_bytes_per_s: 0,
    }
}

/// What uploads on this core need. Slices stay on it.
pub(crate) fn ingest(store: &Arc<Store>, lane: &Rc<Lane>, pool: &Pool) -> Ingest {
    Ingest {
        index: store.index.handle(),
        store: store.clone(),
        lane: lane.clone(),
        pool: pool.clone(),
        queue: Arc::new(Queue::default()),
        budget: Semaphore::new(POOL_BYTES),
        deal: Rc::new(Err),
        offload: Rc::new(Err),
        path_digits: HASH_DIGITS,
    }
}

/// Runs `work` on a pinned core of its own, with an executor and a ring, to its end.
///
/// # Errors
/// What `work` says, or why there is no core.
pub(crate) fn on_a_core<T, F, Fut>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T>> + 'static,
{
    let (sender, receiver) = mpsc::channel();
    let cores = launch(&topology::cpus(Some(1))?, move |_| {
        let (work, sender) = (work.clone(), sender.clone());
        async move {
            // The receiver waits for it below.
            let _ = sender.send(work().await);
        }
    })?;
    cores.join();
    receiver.recv()?
}

/// Makes a store in the empty folder `dir`, opens a lane, runs `work` and stops the lane.
///
/// # Errors
/// What `work` says, or why there is no store.
pub(crate) fn with_store<T, F, Fut>(dir: &Path, durability: Durability, pool: &Pool, work: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(Ingest) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T>> + 'static,
{
    let (dir, pool) = (dir.to_path_buf(), pool.clone());
    on_a_core(move || {
        let (dir, pool, work) = (dir.clone(), pool.clone(), work.clone());
        async move {
            let (store, opened) = Store::open(Disk::uring(dir), &pool, choices(durability)).await?;
            let lane = Lane::start(&store, &pool, store.lane_starts(&opened.recovered, 1)[0]);
            let result = work(ingest(&store, &lane, &pool)).await;
            lane.stop().await;
            result
        }
    })
}

/// Stores a form's files as the daemon does, from the buffers that a socket would have filled to the names.
///
/// # Errors
/// If any file is not stored, or was there before.
pub(crate) async fn upload(ingest: &Ingest, form: &Form) -> Result<()> {
    let boundary = Boundary::new(BOUNDARY.as_bytes()).ok_or("no boundary")?;
    let (mut parts, mut upload) = (Multipart::new(&boundary), Upload::new(ingest, Mode::AtEnd));
    let (mut rest, mut receive_bytes, mut is_file) = (form.body(), RECEIVE_BYTES_MIN, false);
    loop {
        match parts.next()? {
            Event::NeedMore => {
                let (piece, after) = rest.split_at(receive_bytes.min(rest.len()));
                if piece.is_empty() {
                    return Err("the form ends before its end".into());
                }
                parts.push(received(ingest, receive_bytes, piece));
                rest = after;
                receive_bytes = (4 * receive_bytes).min(RECEIVE_BYTES_MAX);
            }
            Event::PartBegin(head) => {
                is_file = head.filename.is_some();
                if let Some(filename) = head.filename {
                    let mime = head.content_type.as_deref().and_then(|mime| std::str::from_utf8(mime).ok());
                    let mime = mime.map(str::to_owned);
                    let declared = Declared { name: filename.text().clone(), mime, digest: None, time: None };
                    upload.begin(declared, None).await?;
                }
            }
            Event::Data(data) if is_file => upload.data(data).await?,
            Event::PartEnd if is_file => upload.end(None).await?,
            Event::Data(_) | Event::PartEnd => {}
            Event::End => break,
        }
    }
    let outcomes = upload.finish(&Arc::new(TermsBody::default())).await;
    if outcomes.len() != form.files() {
        return Err(format!("{} files of {} have an answer", outcomes.len(), form.files()).into());
    }
    for outcome in outcomes {
        let named = outcome?;
        if named.duplicate || named.len != form.file_bytes() as u64 || named.mime != "image/jpeg" {
            return Err(format!("a new file was stored as {named:?}").into());
        }
    }
    Ok(())
}

/// A pooled buffer with what a receive has brought.
fn received(ingest: &Ingest, capacity: usize, piece: &[u8]) -> Bytes {
    let mut buffer = ingest.pool.take(capacity);
    buffer.extend_from_slice(piece);
    buffer.freeze()
}
