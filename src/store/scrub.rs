//! Reading everything again, slowly, so that rot is found while something can be done about it.
//!
//! A cycle reads every sealed segment, record by record and payload by payload, then every blob, chunk by chunk, past
//! the page cache and at a bounded rate; the next begins a set time after it. What does not check is marked damaged: it
//! is no longer served, and its next upload stores it anew. How far a cycle has come outlives a restart.
//!
//! Always: at any time, everything that was there when the last whole cycle began has been read since then.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::error::ReadError;
use super::format::Body;
use super::format::header::Predecessor;
use super::index::{Content, Location};
use super::lane::Lane;
use super::pace::Pace;
use super::scan::{self, Damage, SegmentHead, Window};
use super::segment::{self, Segment};
use super::{Store, blob};
use crate::base::crc::Seed;
use crate::base::digest::Digest;
use crate::base::ids::SegmentId;
use crate::base::time::Wall;
use crate::limits::{BLOB_CHUNK_BYTES, BLOCK_BYTES, FORMAT_FILE_BYTES_MAX, SCRUB_NOTE_MS, SCRUB_TICK_MS};
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::core::spawn;
use crate::runtime::disk::{File, Open};
use crate::runtime::helper;
use crate::runtime::sync::Notify;

/// Where the progress is kept.
const NOTE: &str = "state/scrub";
const NOTE_NEW: &str = "state/scrub.new";

/// How often and how fast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScrubPace {
    /// From the beginning of a cycle to that of the next, at least.
    pub cycle: Duration,
    /// Bytes a second, at most.
    pub bytes_per_s: u64,
}

/// Counts since the start, and how far back what was not read again goes.
#[derive(Debug, Default)]
pub struct ScrubStats {
    /// Bytes read and found good or bad.
    pub bytes: AtomicU64,
    /// Places that did not check.
    pub damage: AtomicU64,
    /// Whole cycles.
    pub cycles: AtomicU64,
    /// When the last whole cycle began, or the first did, as a [`Wall`].
    verified_since: AtomicI64,
}

impl ScrubStats {
    /// Seconds since everything that was there then has been read again, at most; 0 while that is not known.
    #[must_use]
    pub fn oldest_unverified_seconds(&self) -> u64 {
        let since = self.verified_since.load(Ordering::Relaxed);
        if since == 0 {
            return 0;
        }
        u64::try_from(clock::wall().0.saturating_sub(since) / 1_000_000_000).unwrap_or(0)
    }
}

/// How far a cycle has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Progress {
    /// When the last whole cycle began; until there was one, when the first did.
    last_began: Wall,
    /// When this one began.
    began: Wall,
    next: Step,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The segments behind this one.
    SegmentsAfter(SegmentId),
    /// The blobs of contents whose digest begins with this byte, and greater ones.
    BlobsFrom(u8),
    /// Nothing until the next cycle is due.
    Done,
}

impl Progress {
    fn first(now: Wall) -> Progress {
        Progress { last_began: now, began: now, next: Step::SegmentsAfter(SegmentId(0)) }
    }

    fn encode(&self) -> String {
        let (phase, at) = match self.next {
            Step::SegmentsAfter(id) => ("segments", u64::from(id.0)),
            Step::BlobsFrom(byte) => ("blobs", u64::from(byte)),
            Step::Done => ("done", 0),
        };
        let text = format!("scrub 1\n{} {} {phase} {at}\n", self.last_began.0, self.began.0);
        format!("{text}{:08x}\n", Seed::PLAIN.sum(text.as_bytes()))
    }

    fn decode(text: &str) -> Option<Progress> {
        let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let body = format!("{body}\n");
        if u32::from_str_radix(sum, 16).ok()? != Seed::PLAIN.sum(body.as_bytes()) {
            return None;
        }
        let mut words = body.strip_prefix("scrub 1\n")?.split_whitespace();
        let last_began = Wall(words.next()?.parse().ok()?);
        let began = Wall(words.next()?.parse().ok()?);
        let (phase, at) = (words.next()?, words.next()?.parse::<u64>().ok()?);
        let next = match phase {
            "segments" => Step::SegmentsAfter(SegmentId(u32::try_from(at).ok()?)),
            "blobs" => Step::BlobsFrom(u8::try_from(at).ok()?),
            "done" => Step::Done,
            _ => return None,
        };
        Some(Progress { last_began, began, next })
    }
}

/// Why a content was not read to its end.
enum Trouble {
    /// What the index said of it, and what does not check.
    Damage(Content, String),
    /// The disk refused, for now.
    Io(io::Error),
}

/// Runs on one core, in the background. `Rc`: it stays there.
pub struct Scrubber {
    store: Arc<Store>,
    pool: Pool,
    lane: Rc<Lane>,
    pace: ScrubPace,
    rate: Pace,
    noted_ns: Cell<u64>,
    stopping: Cell<bool>,
    stopped: Notify,
}

impl Scrubber {
    /// Starts it. `lane` is that of its core.
    #[must_use]
    pub fn start(store: &Arc<Store>, pool: &Pool, lane: &Rc<Lane>, pace: ScrubPace) -> Rc<Scrubber> {
        let scrubber = Rc::new(Scrubber {
            store: store.clone(),
            pool: pool.clone(),
            lane: lane.clone(),
            pace,
            rate: Pace::new(pace.bytes_per_s),
            noted_ns: Cell::new(0),
            stopping: Cell::new(false),
            stopped: Notify::default(),
        });
        spawn(scrubber.clone().run());
        scrubber
    }

    /// Ends what it is at, and notes how far it came.
    pub async fn stop(&self) {
        self.stopping.set(true);
        self.stopped.wait().await;
    }

    async fn run(self: Rc<Self>) {
        let mut progress = match self.read_note().await {
            Some(progress) => progress,
            None => Progress::first(clock::wall()),
        };
        self.store.scrub.verified_since.store(progress.last_began.0, Ordering::Relaxed);
        while !self.stopping.get() {
            match progress.next {
                Step::SegmentsAfter(id) => {
                    progress.next = match self.store.segments.sealed_after(id) {
                        Some(segment) => {
                            if !self.segment(&segment).await {
                                break;
                            }
                            Step::SegmentsAfter(segment.id)
                        }
                        None => Step::BlobsFrom(0),
                    };
                }
                Step::BlobsFrom(byte) => {
                    if !self.blobs(byte).await {
                        break;
                    }
                    progress.next = byte.checked_add(1).map_or(Step::Done, Step::BlobsFrom);
                    if progress.next == Step::Done {
                        progress.last_began = progress.began;
                        self.store.scrub.verified_since.store(progress.last_began.0, Ordering::Relaxed);
                        self.store.scrub.cycles.fetch_add(1, Ordering::Relaxed);
                        self.noted_ns.set(0);
                    }
                }
                Step::Done => {
                    clock::sleep(Duration::from_millis(SCRUB_TICK_MS)).await;
                    let now = clock::wall();
                    let due_ns = i64::try_from(self.pace.cycle.as_nanos()).unwrap_or(i64::MAX);
                    // A clock that was set back begins a cycle too early: that harms nothing.
                    if now.0 >= progress.began.0.saturating_add(due_ns) || now < progress.began {
                        progress.began = now;
                        progress.next = Step::SegmentsAfter(SegmentId(0));
                    }
                    continue;
                }
            }
            self.note_now_and_then(&progress).await;
        }
        self.write_note(&progress).await;
        self.stopped.notify();
    }

    /// Reads a segment. False if the daemon stops before its end.
    async fn segment(&self, segment: &Arc<Segment>) -> bool {
        match self.check_segment(segment).await {
            Ok(whole) => whole,
            Err(error) => {
                let damage = matches!(ReadError::from(error), ReadError::Damaged(_));
                if damage && !segment.is_emptied() {
                    self.found(&format!("segment {} cannot be read", segment.id));
                }
                true
            }
        }
    }

    async fn check_segment(&self, segment: &Segment) -> io::Result<bool> {
        let file = self.open(&segment::path(segment.id)).await?;
        let head = scan::read_head(&file, &self.pool, self.store.id, segment.id).await?;
        let SegmentHead::Open { header, seal, damage } = head else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        self.found_in(segment, &damage);
        let known =
            seal.map(|seal| Predecessor { segment: segment.id, end: seal.end, last_batch: seal.last_batch });
        let scanned = scan::scan(&file, &self.pool, &header, known).await?;
        self.found_in(segment, &scanned.damage);
        let mut window = Window::new(&file, &self.pool);
        for batch in &scanned.batches {
            for (_, _, record) in batch.records(segment.seed) {
                // Entries were checked by the scan.
                let Ok(record) = record else { continue };
                let Body::Put(put) = record.body else { continue };
                let at = batch.header.offset + u64::from(put.offset);
                let bytes = window.get(at, put.len as usize).await?;
                let checks = bytes.len() == put.len as usize && segment.seed.at(at).sum(&bytes) == put.crc;
                if !checks && !segment.is_emptied() {
                    self.found(&format!("segment {} at byte {at}: checksum mismatch", segment.id));
                    // Unless it was stored anew, or copied elsewhere, in the meantime.
                    let here = Location::of_put(segment.id, batch.header.offset, &put);
                    if self.store.index.content(&put.digest).is_some_and(|now| now.location == here) {
                        self.store.index.mark_damaged(&put.digest, record.lsn);
                    }
                }
            }
            if !self.read(u64::from(batch.header.batch_bytes)).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the blobs of contents whose digest begins with `byte`. False if the daemon stops before the last.
    async fn blobs(&self, byte: u8) -> bool {
        let store = self.store.clone();
        for digest in helper::run(move || store.index.large_contents(byte)).await {
            if self.store.index.content(&digest).is_none_or(|content| content.damaged) {
                continue;
            }
            match self.blob(&digest).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(Trouble::Damage(found, what)) => {
                    // Unless it was stored anew, copied or deleted in the meantime.
                    let now = self.store.index.content(&digest);
                    if now.is_some_and(|now| now.location == found.location && now.first_name.is_some()) {
                        self.found(&format!("content {digest}: {what}"));
                        self.store.index.mark_damaged(&digest, found.lsn);
                    }
                }
                Err(Trouble::Io(error)) => {
                    tracing::warn!(%digest, %error, "a content could not be read again; the next cycle tries");
                }
            }
        }
        true
    }

    async fn blob(&self, digest: &Digest) -> Result<bool, Trouble> {
        // While it is read it is not deleted.
        let _active = self.lane.enter();
        let Some(content) = self.store.index.content(digest) else { return Ok(true) };
        let Location::Large { record, entry_len, .. } = content.location else { return Ok(true) };
        if content.first_name.is_none() {
            return Ok(true);
        }
        let trouble = |error: ReadError| match error {
            ReadError::Damaged(what) => Trouble::Damage(content, what),
            ReadError::Io(error) => Trouble::Io(error),
        };
        let large = self.store.read_large(&self.pool, record, entry_len).await.map_err(trouble)?;
        let opened = self.open(&blob::path(large.blob)).await;
        let file = opened.map_err(|error| trouble(ReadError::from(error)))?;
        for (index, crc) in large.chunk_crcs.iter().enumerate() {
            let offset = index as u64 * BLOB_CHUNK_BYTES as u64;
            let len = usize::try_from((large.len - offset).min(BLOB_CHUNK_BYTES as u64)).expect("a chunk");
            // Whole blocks, for direct I/O; the file ends within the last.
            let span = len.next_multiple_of(BLOCK_BYTES);
            let (result, buffer) = scan::read_up_to(&file, self.pool.take(span), span, offset).await;
            result.map_err(|error| trouble(ReadError::from(error)))?;
            let bytes = buffer.as_slice().get(..len).unwrap_or_default();
            if bytes.len() < len || blob::chunk_seed(large.blob, offset).sum(bytes) != *crc {
                let what = format!("blob {} at byte {offset} does not check", large.blob);
                return Err(Trouble::Damage(content, what));
            }
            if !self.read(len as u64).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn open(&self, path: &str) -> io::Result<File> {
        self.store.disk.open(path, Open { direct: self.store.direct, ..Open::default() }).await
    }

    /// Counts bytes, and waits so that they are not read faster than they may be. False if the daemon stops.
    async fn read(&self, bytes: u64) -> bool {
        self.store.scrub.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.rate.spend(bytes, &self.stopping).await;
        !self.stopping.get()
    }

    /// Unless the segment was emptied meanwhile: then its file may be another's by now.
    fn found_in(&self, segment: &Segment, damage: &[Damage]) {
        if !segment.is_emptied() {
            damage.iter().for_each(|damage| self.found(&damage.to_string()));
        }
    }

    fn found(&self, what: &str) {
        self.store.scrub.damage.fetch_add(1, Ordering::Relaxed);
        tracing::error!(what, "damage: what was stored does not check any more");
    }

    async fn note_now_and_then(&self, progress: &Progress) {
        let now_ns = clock::now_ns();
        if self.noted_ns.get() == 0 || now_ns - self.noted_ns.get() > SCRUB_NOTE_MS * 1_000_000 {
            self.write_note(progress).await;
            self.noted_ns.set(now_ns.max(1));
        }
    }

    async fn read_note(&self) -> Option<Progress> {
        let file = self.store.disk.open(NOTE, Open::default()).await.ok()?;
        let buffer = self.pool.take(FORMAT_FILE_BYTES_MAX);
        let (result, buffer) = scan::read_up_to(&file, buffer, FORMAT_FILE_BYTES_MAX, 0).await;
        result.ok()?;
        Progress::decode(std::str::from_utf8(buffer.as_slice()).ok()?)
    }

    /// Without the note a cycle begins anew: a failure is told and no more.
    async fn write_note(&self, progress: &Progress) {
        if let Err(error) = self.replace_note(progress.encode()).await {
            tracing::warn!(%error, "how far scrubbing came could not be noted");
        }
    }

    async fn replace_note(&self, text: String) -> io::Result<()> {
        let disk = &self.store.disk;
        match disk.remove(NOTE_NEW).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(NOTE_NEW, Open { write: true, create_new: true, ..Open::default() }).await?;
        let mut buffer = self.pool.take(text.len());
        buffer.extend_from_slice(text.as_bytes());
        let (result, _buffer) = file.write_all_at(buffer, 0..text.len(), 0).await;
        result?;
        file.sync_all().await?;
        disk.rename(NOTE_NEW, NOTE).await?;
        disk.sync_dir("state").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_comes_back_and_a_damaged_note_is_none() {
        let steps = [Step::SegmentsAfter(SegmentId(7)), Step::BlobsFrom(255), Step::Done];
        for next in steps {
            let progress = Progress { last_began: Wall(-5), began: Wall(1_700_000_000_000_000_000), next };
            let text = progress.encode();
            assert_eq!(Progress::decode(&text), Some(progress));
            for cut in 0..text.len() {
                assert_eq!(Progress::decode(&text[..cut]), None, "cut at {cut}");
            }
            assert_eq!(Progress::decode(&text.replacen('1', "2", 2)), None);
        }
    }
}
