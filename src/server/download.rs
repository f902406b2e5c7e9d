//! `GET` and `HEAD` of `/files/{hash}` and `/storage/...`. Nothing is sent that was not verified: an inline content
//! whole, a big one chunk by chunk; damage in mid-body cuts the connection.
//!
//! Always: bytes in memory are reserved for; who does not read has none. What waits for its reader for long is let go,
//! and read and verified again when there is room for it in the socket.

use std::time::Duration;

use bytes::{Buf as _, Bytes};

use super::conn::{Conn, Gone, Patience, Trouble, no_memory};
use super::error::unreadable;
use super::parts::Parts;
use crate::base::digest::Digest;
use crate::http::conditional::{self, Selected, Verdict};
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::{Head, Method};
use crate::http::range::{self, ByteRange, RangeList, Ranges};
use crate::http::response::{HeadWriter, Persistence};
use crate::ingest::Ingest;
use crate::limits::{
    BLOB_CHUNK_BYTES, BLOCK_BYTES, INLINE_BYTES_MAX, MEMORY_WAIT_MS, QUEUE_POLL_MS, READER_HOLD_MS,
    READER_POLL_MS,
};
use crate::runtime::buffer::capacity_for;
use crate::runtime::clock;
use crate::runtime::core::spawn;
use crate::runtime::disk::File;
use crate::runtime::sync::{Permit, Semaphore, oneshot};
use crate::store::Active;
use crate::store::ReadError;
use crate::store::index::{Content, Location, NAMESPACE, PathKey};
use crate::store::read::{Large, StoredName};

/// What is asked for.
pub enum Target<'a> {
    /// A content, under its first name.
    Content(Digest),
    /// A name.
    Path(&'a str),
}

/// Answers with a content.
///
/// # Errors
/// 404, 412, 416; 500 for what is damaged.
pub async fn file(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    (ingest, active): (&Ingest, Active),
    target: Target<'_>,
) -> Result<Persistence, Trouble> {
    let (name, content) = find(conn, head, ingest, target).await?;
    if content.damaged {
        return Err(unreadable(&ReadError::Damaged(String::new())).into());
    }
    let source = Source::open(ingest, name.digest, &content)
        .await
        .map_err(|error| note_damage(conn, ingest, &name, &content, &error))?;
    let size = source.len();
    let selected = Selected { digest: name.digest, modified: name.time };
    match conditional::evaluate(head, Some(&selected)) {
        Verdict::Proceed => {}
        Verdict::NotModified => {
            drop(active);
            return not_modified(conn, head, persistence, &selected).await;
        }
        Verdict::PreconditionFailed => {
            return Err(HttpError::new(Status::PreconditionFailed, "the stored content is another").into());
        }
    }
    let ranges = conditional::range(head, &selected).map_or(Ranges::Whole, |value| range::parse(value, size));
    let (status, ranges) = match ranges {
        Ranges::One(part) => (Status::PartialContent, RangeList::from_elem(part, 1)),
        Ranges::Many(parts) => (Status::PartialContent, parts),
        Ranges::Whole => (Status::Ok, RangeList::from_elem(ByteRange { start: 0, end: size }, 1)),
        Ranges::Unsatisfiable => {
            let message = format!("the content has {size} bytes");
            let error = HttpError::new(Status::RangeNotSatisfiable, message);
            return Err(error.with(Extra::UnsatisfiedRange(size)).into());
        }
    };
    // The first bytes are verified before the head promises them.
    let wants_body = head.method != Method::Head && size > 0;
    let first = if wants_body {
        let memory = reserve(conn, &source).await?;
        let first = source.read(ingest, ranges[0].start).await;
        let bytes = first.map_err(|error| note_damage(conn, ingest, &name, &content, &error))?;
        Some(Piece { bytes, _memory: memory })
    } else {
        None
    };
    // The file of a big content is open and stays readable, and a small one is in memory: who reads slowly holds up nothing
    // that frees space.
    drop(active);
    let parts = Parts::new(conn, head, persistence, (status, &ranges, size), &name);
    conn.count_status(status);
    let Some(first) = first else {
        conn.send(vec![parts.head]).await?;
        return Ok(persistence);
    };
    match send(conn, ingest, &source, parts, first).await {
        Ok(()) => Ok(persistence),
        Err(Stopped::Gone) => Err(Trouble::Gone),
        Err(Stopped::Damaged(error)) => {
            note_damage(conn, ingest, &name, &content, &error);
            Err(Trouble::Gone)
        }
    }
}

/// Sends the parts, one behind the other. `first` begins the first; of the others no byte is in memory before its turn.
async fn send(
    conn: &mut Conn,
    ingest: &Ingest,
    source: &Source,
    parts: Parts,
    first: Piece,
) -> Result<(), Stopped> {
    let Parts { mut head, ranges, between, end } = parts;
    let mut piece = Some(first);
    // One for all ranges: who reads slowly gains nothing by asking for many.
    let mut patience = conn.patience();
    for (at, range) in ranges.into_iter().enumerate() {
        let first = match piece.take() {
            Some(first) => first,
            None => source.read_again(conn, ingest, &mut patience, range.start).await?,
        };
        source.send(conn, ingest, &mut patience, head, (first, range)).await?;
        head = between.get(at).cloned().unwrap_or_default();
    }
    if !end.is_empty() {
        conn.send_more(vec![end], &mut patience).await?;
    }
    Ok(())
}

/// Reserves the memory that sending a content takes. Waits for it holding nothing.
///
/// # Errors
/// 503 if there is none for a second.
async fn reserve(conn: &Conn, source: &Source) -> Result<Permit, HttpError> {
    let deadline_ns = clock::now_ns() + MEMORY_WAIT_MS * 1_000_000;
    loop {
        if let Some(permit) = source.try_reserve(&conn.core.send_budget) {
            return Ok(permit);
        }
        if clock::now_ns() >= deadline_ns {
            return Err(no_memory("downloads"));
        }
        clock::sleep(Duration::from_millis(QUEUE_POLL_MS)).await;
    }
}

/// What is stored under a digest and has a name.
///
/// # Errors
/// 404.
pub fn live_content(ingest: &Ingest, digest: &Digest) -> Result<Content, HttpError> {
    let content = ingest.store.index.content(digest).filter(|content| content.first_name.is_some());
    content.ok_or_else(|| HttpError::not_found("nothing is stored under this hash"))
}

/// Bytes of a content.
///
/// # Errors
/// If its record cannot be read.
pub async fn size_of(ingest: &Ingest, content: &Content) -> Result<u64, ReadError> {
    match content.location {
        Location::Inline { len, .. } => Ok(u64::from(len)),
        Location::Large { record, entry_len, .. } => {
            Ok(ingest.store.read_large(&ingest.pool, record, entry_len).await?.len)
        }
    }
}

/// The beginning of a content, as much as one read gives.
///
/// # Errors
/// If it cannot be read or does not check.
pub async fn first_bytes(ingest: &Ingest, content: &Content) -> Result<Bytes, ReadError> {
    let (store, pool) = (&ingest.store, &ingest.pool);
    match content.location {
        Location::Inline { .. } => store.read_inline(pool, content.location).await,
        Location::Large { record, entry_len, .. } => {
            let large = store.read_large(pool, record, entry_len).await?;
            store.read_chunk(pool, &store.open_large(&large).await?, &large, 0).await
        }
    }
}

async fn find(
    conn: &Conn,
    head: &Head,
    ingest: &Ingest,
    target: Target<'_>,
) -> Result<(StoredName, Content), HttpError> {
    let missing = || HttpError::not_found("nothing is stored here");
    let place = match target {
        Target::Content(digest) => {
            let content = live_content(ingest, &digest)?;
            if content.damaged && head.method == Method::Head {
                // Whoever asks whether to send it should.
                return Err(HttpError::not_found("the stored copy is damaged: send the content again"));
            }
            content.first_name
        }
        Target::Path(path) => ingest.store.index.path(PathKey::new(NAMESPACE, path.as_bytes())),
    };
    let place = place.ok_or_else(missing)?;
    let name = ingest.store.read_name(&ingest.pool, place).await.map_err(|error| {
        conn.core.shared.metrics.count_damaged_read();
        tracing::error!(%error, "a stored name cannot be read");
        unreadable(&error)
    })?;
    let content = ingest.store.index.content(&name.digest).ok_or_else(missing)?;
    Ok((name, content))
}

/// Tells the log what is damaged and lets the next upload heal it; gives the answer for the client.
fn note_damage(
    conn: &Conn,
    ingest: &Ingest,
    name: &StoredName,
    content: &Content,
    error: &ReadError,
) -> HttpError {
    tracing::error!(digest = %name.digest, %error, "a stored copy cannot be served");
    if matches!(error, ReadError::Damaged(_)) {
        conn.core.shared.metrics.count_damaged_read();
        ingest.store.index.mark_damaged(&name.digest, content.lsn);
    }
    unreadable(error)
}

async fn not_modified(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    selected: &Selected,
) -> Result<Persistence, Trouble> {
    let mut out = Vec::with_capacity(256);
    HeadWriter::begin(&mut out, Status::NotModified, &conn.core.date())
        .entity_tag(&selected.digest)
        .field("Last-Modified", selected.modified.http_date().to_string().as_bytes())
        .field("Cache-Control", b"private, no-cache")
        .connection(head.version, persistence)
        .end();
    conn.count_status(Status::NotModified);
    conn.send(vec![out.into()]).await?;
    Ok(persistence)
}

/// Where a content's bytes come from.
enum Source {
    /// Its place is good while the request is active; later it may be elsewhere.
    Inline {
        digest: Digest,
        location: Location,
        len: u64,
    },
    Large {
        large: std::rc::Rc<Large>,
        file: File,
    },
}

/// Why sending stopped.
enum Stopped {
    Gone,
    Damaged(ReadError),
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Stopped {
        Stopped::Gone
    }
}

impl Source {
    async fn open(ingest: &Ingest, digest: Digest, content: &Content) -> Result<Source, ReadError> {
        match content.location {
            location @ Location::Inline { len, .. } => {
                Ok(Source::Inline { digest, location, len: u64::from(len) })
            }
            Location::Large { record, entry_len, .. } => {
                let large = ingest.store.read_large(&ingest.pool, record, entry_len).await?;
                let file = ingest.store.open_large(&large).await?;
                Ok(Source::Large { large: std::rc::Rc::new(large), file })
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Source::Inline { len, .. } => *len,
            Source::Large { large, .. } => large.len,
        }
    }

    /// The verified bytes from `offset` on: all of them, or to the end of the chunk that holds it. Of a request that is active.
    async fn read(&self, ingest: &Ingest, offset: u64) -> Result<Bytes, ReadError> {
        match self {
            Source::Inline { location, .. } => {
                let whole = ingest.store.read_inline(&ingest.pool, *location).await?;
                Ok(whole.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len())..))
            }
            Source::Large { large, file } => {
                let (chunk, skip) = split(offset);
                let bytes = ingest.store.read_chunk(&ingest.pool, file, large, chunk).await?;
                Ok(bytes.slice(skip.min(bytes.len())..))
            }
        }
    }

    /// As [`Source::read`], of a request that is not active any more: looks again where the content is.
    async fn read_later(&self, ingest: &Ingest, offset: u64) -> Result<Bytes, Stopped> {
        let Source::Inline { digest, len, .. } = self else {
            return self.read(ingest, offset).await.map_err(Stopped::Damaged);
        };
        let _active = ingest.lane.enter();
        let there = ingest.store.index.content(digest);
        if there.as_ref().is_some_and(|content| content.damaged) {
            return Err(Stopped::Damaged(ReadError::Damaged("found while it was read slowly".to_owned())));
        }
        let Some(location @ Location::Inline { .. }) = there.map(|content| content.location) else {
            tracing::info!(%digest, "an answer was cut off: what was read slowly was deleted or stored anew meanwhile");
            return Err(Stopped::Gone);
        };
        let source = Source::Inline { digest: *digest, location, len: *len };
        source.read(ingest, offset).await.map_err(Stopped::Damaged)
    }

    /// Reserves the memory for one read, where there is some. A quarter is left to small contents: those who read big
    /// ones hold up none of those.
    fn try_reserve(&self, budget: &Semaphore) -> Option<Permit> {
        let (bytes, left) = match self {
            Source::Large { .. } => (BLOB_CHUNK_BYTES, budget.total() / 4),
            // What is small is read whole, with the blocks that it stands in.
            Source::Inline { len, .. } => {
                (capacity_for(usize::try_from(*len).unwrap_or(INLINE_BYTES_MAX) + 2 * BLOCK_BYTES), 0)
            }
        };
        let bytes = bytes.min(budget.total() - left);
        if budget.available() < bytes + left { None } else { budget.try_acquire(bytes) }
    }

    /// Starts reading what follows in a task of its own, so that the disk works while the network does; where there is
    /// memory for that.
    fn read_ahead(&self, budget: &Semaphore, ingest: &Ingest, offset: u64) -> Option<Ahead> {
        let Source::Large { large, file } = self else { return None };
        let memory = self.try_reserve(budget)?;
        let (sender, receiver) = oneshot::channel();
        let (large, file, ingest) = (large.clone(), file.clone(), ingest.clone());
        // The memory is the task's until the read has ended, whether or not anybody waits for it then.
        spawn(async move {
            let (chunk, _) = split(offset);
            let read = ingest.store.read_chunk(&ingest.pool, &file, &large, chunk).await;
            sender.send(read.map(|bytes| Piece { bytes, _memory: memory }));
        });
        Some(receiver)
    }

    /// Sends a part of it, which begins with `first`.
    async fn send(
        &self,
        conn: &mut Conn,
        ingest: &Ingest,
        patience: &mut Patience,
        mut head: Bytes,
        (first, part): (Piece, ByteRange),
    ) -> Result<(), Stopped> {
        let (mut at, mut piece) = (part.start, first);
        let mut keeps_up = true;
        loop {
            let wanted = usize::try_from(part.end - at).unwrap_or(usize::MAX).min(piece.bytes.len());
            if wanted == 0 {
                return Err(Stopped::Damaged(ReadError::Damaged("shorter than its record says".to_owned())));
            }
            let end = at + wanted as u64;
            let reads_ahead = keeps_up && end < part.end;
            let ahead = reads_ahead.then(|| self.read_ahead(&conn.core.send_budget, ingest, end)).flatten();
            patience.offer(head.len() + wanted);
            let mut held = Some((piece, ahead));
            let hold = if keeps_up { Duration::from_millis(READER_HOLD_MS) } else { Duration::ZERO };
            keeps_up = true;
            while at < end {
                let Some((piece, _)) = &mut held else {
                    let again = self.read_again(conn, ingest, patience, at).await?;
                    held = Some((again, None));
                    continue;
                };
                let left = usize::try_from(end - at).unwrap_or(usize::MAX);
                let Some(bytes) = piece.bytes.get(..left) else {
                    return Err(Stopped::Damaged(ReadError::Damaged("shorter than it was".to_owned())));
                };
                let sent = conn.try_send_both(&head, bytes)?;
                if sent > 0 {
                    patience.renew();
                    let of_head = sent.min(head.len());
                    head.advance(of_head);
                    piece.bytes.advance(sent - of_head);
                    at += (sent - of_head) as u64;
                    continue;
                }
                if hold.is_zero() {
                    held = None;
                }
                conn.wait_for_reader(patience, hold, || held = None).await?;
                keeps_up &= held.is_some();
            }
            if at >= part.end {
                return Ok(());
            }
            let Some((Piece { bytes, _memory: memory }, ahead)) = held else {
                piece = self.read_again(conn, ingest, patience, at).await?;
                continue;
            };
            drop(bytes);
            let begun_ns = clock::now_ns();
            piece = match ahead {
                Some(ahead) => {
                    drop(memory);
                    let nothing = || Stopped::Damaged(ReadError::Damaged("nothing follows".to_owned()));
                    ahead.await.ok_or_else(nothing)?.map_err(Stopped::Damaged)?
                }
                None => {
                    let bytes = self.read_later(ingest, at).await?;
                    Piece { bytes, _memory: memory }
                }
            };
            patience.excuse(clock::now_ns() - begun_ns);
        }
    }

    /// Reads from `at` on, once there is memory for it: what had been let go of. Waits for it holding nothing.
    async fn read_again(
        &self,
        conn: &Conn,
        ingest: &Ingest,
        patience: &mut Patience,
        at: u64,
    ) -> Result<Piece, Stopped> {
        let begun_ns = clock::now_ns();
        let until_ns = begun_ns.saturating_add(patience.pause_ns());
        let memory = loop {
            if let Some(memory) = self.try_reserve(&conn.core.send_budget) {
                break memory;
            }
            if clock::now_ns() >= until_ns {
                tracing::warn!("an answer was cut off: there was no memory to go on with it");
                return Err(Stopped::Gone);
            }
            clock::sleep(Duration::from_millis(READER_POLL_MS)).await;
        };
        let bytes = self.read_later(ingest, at).await?;
        patience.excuse(clock::now_ns() - begun_ns);
        Ok(Piece { bytes, _memory: memory })
    }
}

/// Bytes of a content, and the memory reserved for them.
struct Piece {
    bytes: Bytes,
    _memory: Permit,
}

/// A piece on its way from the disk.
type Ahead = oneshot::Receiver<Result<Piece, ReadError>>;

/// The chunk that holds `offset`, and where in it.
fn split(offset: u64) -> (usize, usize) {
    let chunk = BLOB_CHUNK_BYTES as u64;
    let index = usize::try_from(offset / chunk).expect("chunks of a file fit the address space");
    (index, usize::try_from(offset % chunk).expect("within a chunk"))
}
