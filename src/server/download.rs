//! `GET` and `HEAD` of `/files/{hash}` and `/storage/...`. Nothing is sent that was not verified: an inline content
//! whole, a big one chunk by chunk; damage in mid-body cuts the connection.

use std::time::Duration;

use bytes::Bytes;

use super::conn::{Conn, Gone, Trouble, no_memory};
use super::error::unreadable;
use crate::base::digest::Digest;
use crate::http::conditional::{self, Selected, Verdict};
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::{Head, Method};
use crate::http::range::{self, ByteRange, Ranges};
use crate::http::response::{Disposition, HeadWriter, Persistence};
use crate::ingest::Ingest;
use crate::limits::{ANSWER_BYTES_MAX, BLOB_CHUNK_BYTES, MEMORY_WAIT_MS, QUEUE_POLL_MS};
use crate::media::inline::presentation;
use crate::runtime::clock;
use crate::runtime::core::spawn;
use crate::runtime::disk::File;
use crate::runtime::sync::{Permit, oneshot};
use crate::store::ReadError;
use crate::store::format::attributes::Kind;
use crate::store::index::{Content, Location, PathKey};
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
    ingest: &Ingest,
    target: Target<'_>,
) -> Result<Persistence, Trouble> {
    let (name, content) = find(conn, head, ingest, target).await?;
    if content.damaged {
        return Err(unreadable(&ReadError::Damaged(String::new())).into());
    }
    let source = Source::open(ingest, &content)
        .await
        .map_err(|error| note_damage(conn, ingest, &name, &content, &error))?;
    let size = source.len();
    let selected = Selected { digest: name.digest, modified: name.time };
    match conditional::evaluate(head, Some(&selected)) {
        Verdict::Proceed => {}
        Verdict::NotModified => return not_modified(conn, head, persistence, &selected).await,
        Verdict::PreconditionFailed => {
            return Err(HttpError::new(Status::PreconditionFailed, "the stored content is another").into());
        }
    }
    let ranges = conditional::range(head, &selected).map_or(Ranges::Whole, |value| range::parse(value, size));
    let (status, part) = match ranges {
        Ranges::One(part) => (Status::PartialContent, part),
        // Several ranges: the whole is always a right answer.
        Ranges::Whole | Ranges::Many(_) => (Status::Ok, ByteRange { start: 0, end: size }),
        Ranges::Unsatisfiable => {
            let message = format!("the content has {size} bytes");
            let error = HttpError::new(Status::RangeNotSatisfiable, message);
            return Err(error.with(Extra::UnsatisfiedRange(size)).into());
        }
    };
    // The first bytes are verified before the head promises them.
    let wants_body = head.method != Method::Head && size > 0;
    // A quarter is left to small contents: who reads a big one slowly holds up none of those.
    let (need, left) = match source {
        Source::Large { .. } => (ANSWER_BYTES_MAX, conn.core.send_budget.total() / 4),
        // What is small is read whole.
        Source::Inline(_, len) => (usize::try_from(len).unwrap_or(ANSWER_BYTES_MAX), 0),
    };
    let memory = if wants_body { Some(reserve(conn, need, left).await?) } else { None };
    let first = if wants_body {
        let first = source.read(ingest, part.start).await;
        Some(first.map_err(|error| note_damage(conn, ingest, &name, &content, &error))?)
    } else {
        None
    };
    let out = head_of(conn, head, persistence, status, part, size, &name);
    conn.core.count_status(status);
    match first {
        None => conn.send(vec![out.into()]).await?,
        Some(first) => {
            let sent = source.send(conn, ingest, out.into(), first, part).await;
            if let Err(Stopped::Damaged(error)) = sent {
                note_damage(conn, ingest, &name, &content, &error);
                return Err(Trouble::Gone);
            }
            sent.map_err(|_| Gone)?;
        }
    }
    drop(memory);
    Ok(persistence)
}

/// Reserves the memory that sending a content takes, where that leaves so much to others. Waits for it holding nothing.
///
/// # Errors
/// 503 if there is none for a second.
async fn reserve(conn: &Conn, bytes: usize, left: usize) -> Result<Permit, HttpError> {
    let budget = &conn.core.send_budget;
    let bytes = bytes.min(budget.total() - left);
    let deadline_ns = clock::now_ns() + MEMORY_WAIT_MS * 1_000_000;
    loop {
        if budget.available() >= bytes + left
            && let Some(permit) = budget.try_acquire(bytes)
        {
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
    Source::open(ingest, content).await?.read(ingest, 0).await
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
        Target::Path(path) => ingest.store.index.path(PathKey::new(0, path.as_bytes())),
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
    conn.core.count_status(Status::NotModified);
    conn.send(vec![out.into()]).await?;
    Ok(persistence)
}

fn head_of(
    conn: &Conn,
    head: &Head,
    persistence: Persistence,
    status: Status,
    part: ByteRange,
    size: u64,
    name: &StoredName,
) -> Vec<u8> {
    let mime = name.attributes.text(Kind::Mime);
    let shown = presentation(&mime);
    let disposition = if shown.inline { Disposition::Inline } else { Disposition::Attachment };
    let original = name.attributes.text(Kind::OriginalName);
    let mut out = Vec::with_capacity(1024);
    let writer = HeadWriter::begin(&mut out, status, &conn.core.date())
        .field("Content-Type", shown.content_type.as_bytes())
        .content_length(part.end - part.start)
        .entity_tag(&name.digest)
        .repr_digest(&name.digest)
        .field("Last-Modified", name.time.http_date().to_string().as_bytes())
        .field("Accept-Ranges", b"bytes")
        .field("Cache-Control", b"private, no-cache")
        .disposition(disposition, &original)
        .field("X-Content-Type-Options", b"nosniff")
        .field("Content-Security-Policy", b"sandbox; default-src 'none'")
        .field("Cross-Origin-Resource-Policy", b"same-origin")
        .connection(head.version, persistence);
    let writer = if status == Status::PartialContent { writer.content_range(part, size) } else { writer };
    writer.end();
    out
}

/// Where a content's bytes come from.
enum Source {
    Inline(Location, u64),
    Large { large: std::rc::Rc<Large>, file: File },
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
    async fn open(ingest: &Ingest, content: &Content) -> Result<Source, ReadError> {
        match content.location {
            Location::Inline { len, .. } => Ok(Source::Inline(content.location, u64::from(len))),
            Location::Large { record, entry_len, .. } => {
                let large = ingest.store.read_large(&ingest.pool, record, entry_len).await?;
                let file = ingest.store.open_large(&large).await?;
                Ok(Source::Large { large: std::rc::Rc::new(large), file })
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Source::Inline(_, len) => *len,
            Source::Large { large, .. } => large.len,
        }
    }

    /// The verified bytes from `offset` on: all of them, or to the end of the chunk that holds it.
    async fn read(&self, ingest: &Ingest, offset: u64) -> Result<Bytes, ReadError> {
        match self {
            Source::Inline(location, _) => {
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

    /// Starts reading what follows in a task of its own, so that the disk works while the network does.
    fn read_ahead(&self, ingest: &Ingest, offset: u64) -> oneshot::Receiver<Result<Bytes, ReadError>> {
        let (sender, receiver) = oneshot::channel();
        if let Source::Large { large, file } = self {
            let (large, file, ingest) = (large.clone(), file.clone(), ingest.clone());
            spawn(async move {
                let (chunk, _) = split(offset);
                sender.send(ingest.store.read_chunk(&ingest.pool, &file, &large, chunk).await);
            });
        }
        receiver
    }

    async fn send(
        &self,
        conn: &mut Conn,
        ingest: &Ingest,
        head: Bytes,
        first: Bytes,
        part: ByteRange,
    ) -> Result<(), Stopped> {
        let mut at = part.start;
        let mut pieces = vec![head];
        let mut next = first;
        loop {
            let wanted = usize::try_from(part.end - at).unwrap_or(usize::MAX).min(next.len());
            at += wanted as u64;
            pieces.push(next.slice(..wanted));
            if at >= part.end {
                return Ok(conn.send(pieces).await?);
            }
            if wanted == 0 {
                return Err(Stopped::Damaged(ReadError::Damaged("shorter than its record says".to_owned())));
            }
            let ahead = self.read_ahead(ingest, at);
            let sent = conn.send(std::mem::take(&mut pieces)).await;
            let read = ahead.await;
            sent?;
            next = match read {
                Some(read) => read.map_err(Stopped::Damaged)?,
                None => return Err(Stopped::Damaged(ReadError::Damaged("nothing follows".to_owned()))),
            };
        }
    }
}

/// The chunk that holds `offset`, and where in it.
fn split(offset: u64) -> (usize, usize) {
    let chunk = BLOB_CHUNK_BYTES as u64;
    let index = usize::try_from(offset / chunk).expect("chunks of a file fit the address space");
    (index, usize::try_from(offset % chunk).expect("within a chunk"))
}
