//! Giving space back: what lives in a segment that is mostly dead is copied, and the segment removed.
//!
//! Always: a copy keeps its record's number, so that it is older than everything that was newer than the original;
//! damaged records are never dropped: a segment that has any stays as it is; so does the last of a lane, whose
//! successor, not there yet, will name it. The order, for one segment:
//!
//! 1. nobody is active who may have put something there that the index does not show yet;
//! 2. its live records are copied by a lane of the compactor's own, and flushed;
//! 3. the index is told the copies' places, each only if it still shows the original;
//! 4. nobody is active who may have seen the original's place;
//! 5. a record says that the segment is retired, and is flushed;
//! 6. its file is removed.
//!
//! Between two of them the compactor frees what has waited for step 4 (`graveyard`), and makes checkpoints: so
//! neither happens while the other does.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::commit::{NewBody, NewRecord, Payload, Placed, Size};
use super::error::ReadError;
use super::format::header::Predecessor;
use super::format::{Body, Record};
use super::graveyard::Grave;
use super::index::{Index, Location, PathKey, Place};
use super::lane::{Lane, LaneStart};
use super::scan::{self, FoundBatch, SegmentHead};
use super::segment::{self, Segment};
use super::{Durability, Store, blob, checkpoint};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::limits::{
    COMPACTION_APPEND_BYTES, COMPACTION_BYTES_PER_S, COMPACTION_GAIN_PERCENT, COMPACTION_RECORDS_AT_ONCE,
    COMPACTION_SURVEY_REST, COMPACTION_TICK_MS, NAMES_PER_APPEND, SPACE_PERCENT_OF_LIVE,
};
use crate::runtime::buffer::Pool;
use crate::runtime::core::{spawn, yield_now};
use crate::runtime::sync::Notify;
use crate::runtime::{clock, fatal, helper};

/// What a name's record takes, for choosing segments. What is copied in the end is measured.
const NAME_BYTES_ESTIMATE: u64 = 256;
/// What a put's entry and slot take.
const PUT_BYTES_ESTIMATE: u64 = 112;

/// Counts of what compaction did since the start.
#[derive(Debug, Default)]
pub struct CompactionStats {
    /// Segments removed.
    pub segments: AtomicU64,
    /// Bytes of their files.
    pub freed_bytes: AtomicU64,
    /// Bytes copied out of them.
    pub copied_bytes: AtomicU64,
}

/// Runs on one core, in the background. `Rc`: it stays there.
pub struct Compactor {
    store: Arc<Store>,
    pool: Pool,
    /// The core's lane: takes the records that retire segments.
    host: Rc<Lane>,
    start: LaneStart,
    /// Takes the copies; started when there is something to copy.
    lane: RefCell<Option<Rc<Lane>>>,
    /// Segments that cannot be compacted: they hold damage, or what this build does not know.
    unfit: RefCell<HashSet<SegmentId>>,
    /// Segments whose live share was measured and was too great: the estimate at that time.
    measured: RefCell<HashMap<SegmentId, u64>>,
    /// When the next copies may be appended.
    append_at_ns: Cell<u64>,
    /// Garbage and segments at the last survey.
    surveyed: Cell<(u64, usize)>,
    stopping: Cell<bool>,
    stopped: Notify,
}

impl Compactor {
    /// Starts it. `start` is the lane for its copies, `host` the lane of the core it runs on.
    #[must_use]
    pub fn start(store: &Arc<Store>, pool: &Pool, host: &Rc<Lane>, start: LaneStart) -> Rc<Compactor> {
        let compactor = Rc::new(Compactor {
            store: store.clone(),
            pool: pool.clone(),
            host: host.clone(),
            start,
            lane: RefCell::default(),
            unfit: RefCell::default(),
            measured: RefCell::default(),
            append_at_ns: Cell::new(0),
            surveyed: Cell::default(),
            stopping: Cell::new(false),
            stopped: Notify::default(),
        });
        spawn(compactor.clone().run());
        compactor
    }

    /// Ends what it is at, and seals its segment. Before the host lane is stopped.
    pub async fn stop(&self) {
        self.stopping.set(true);
        self.stopped.wait().await;
    }

    async fn run(self: Rc<Self>) {
        let mut survey_ns = 0;
        let interval_ns = self.store.options.checkpoint.interval_ms * 1_000_000;
        let mut checkpoint_ns = clock::now_ns() + interval_ns;
        while !self.stopping.get() {
            clock::sleep(Duration::from_millis(COMPACTION_TICK_MS)).await;
            self.free_passed().await;
            // Here, and so never while something is copied or freed.
            checkpoint_ns =
                checkpoint::make_if_due(&self.store, &self.pool, &self.stopping, checkpoint_ns).await;
            if clock::now_ns() >= survey_ns {
                let took_ns = self.compact_some().await;
                // A survey of many millions takes a while: it is never more than a small part of a core's time.
                survey_ns = clock::now_ns() + took_ns * COMPACTION_SURVEY_REST;
            }
        }
        let lane = self.lane.borrow_mut().take();
        if let Some(lane) = lane {
            lane.stop().await;
        }
        self.stopped.notify();
    }

    /// Steps 5 and 6, and the burial of contents.
    async fn free_passed(&self) {
        let (mut retired, mut replaced) = (Vec::new(), Vec::new());
        for grave in self.store.graveyard.take_passed(&self.store) {
            match grave {
                Grave::Content(digest, death) => self.bury(&digest, death).await,
                Grave::ContentNote(digest, lsn) => self.store.index.forget_deleted_content(&digest, lsn),
                Grave::PathNote(key, lsn) => self.store.index.forget_deleted_path(key, lsn),
                Grave::Segment(id) => retired.push(id),
                Grave::Blob(id) => replaced.push(id),
            }
        }
        if !replaced.is_empty() {
            self.flush_if_os().await;
        }
        for blob in replaced {
            self.remove_blob(blob).await;
        }
        if !retired.is_empty() {
            self.retire(retired).await;
        }
    }

    /// Drops a content that died, if nobody has named or stored it since, and its blob's file.
    async fn bury(&self, digest: &Digest, death: Lsn) {
        let Some(location) = self.store.index.bury(digest, death) else { return };
        self.store.graveyard.note_garbage();
        if let Location::Large { blob, .. } = location {
            self.remove_blob(blob).await;
        }
    }

    async fn remove_blob(&self, blob: BlobId) {
        self.store.blobs.forget(blob);
        if let Err(error) = self.store.disk.remove(&blob::path(blob)).await {
            tracing::warn!(%blob, %error, "a blob that nothing names could not be removed; the next start will");
        }
    }

    /// With `os`, what replaced something may not be flushed yet, and what it replaced was.
    async fn flush_if_os(&self) {
        if self.store.options.durability == Durability::Os
            && let Err(error) = self.store.flush_open_segments().await
        {
            fatal::exit(fatal::Exit::CommitFailed, &format!("could not flush the open segments: {error}"));
        }
    }

    async fn retire(&self, segments: Vec<SegmentId>) {
        self.flush_if_os().await;
        let record = |id: &SegmentId| NewRecord {
            lsn: self.store.index.draw_mark(),
            time: clock::wall(),
            body: NewBody::RetireSegment(*id),
        };
        if let Err(error) = self.host.append_freeing(segments.iter().map(record).collect()).await {
            tracing::warn!(%error, "segments could not be retired; they are tried again");
            for id in segments {
                self.store.graveyard.add(&self.store.index, Grave::Segment(id));
            }
            return;
        }
        for id in segments {
            let bytes = self.store.segments.get(id).map_or(0, |segment| segment.bytes());
            match self.store.disk.remove(&segment::path(id)).await {
                Ok(()) => {
                    self.store.segments.note_retired(id);
                    self.store.segments.remove(id);
                    let stats = &self.store.compaction;
                    stats.segments.fetch_add(1, Ordering::Relaxed);
                    stats.freed_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                Err(error) => {
                    // It stays known, as its file does: what excuses its predecessor is still needed.
                    tracing::warn!(segment = %id, %error, "a retired segment could not be removed; it is tried again");
                    self.store.graveyard.add(&self.store.index, Grave::Segment(id));
                }
            }
        }
        if let Err(error) = self.store.disk.sync_dir(segment::DIRECTORY).await {
            // The files may come back after a power cut. The retire records say that nothing needs them.
            tracing::warn!(%error, "the segments' directory could not be flushed");
        }
    }

    /// Chooses segments, the deadest first, until what is left is within bounds of what lives, and compacts them. Gives
    /// how long the choice took.
    async fn compact_some(&self) -> u64 {
        let store = &self.store;
        let seen = (store.graveyard.garbage(), store.segments.count());
        if self.surveyed.get() == seen {
            return 0;
        }
        let begun_ns = clock::now_ns();
        // Contents without a name whose uploads have ended: all who are active began after their puts.
        let before = store.epochs.oldest().unwrap_or_else(|| store.index.draw_mark());
        let surveyed = store.clone();
        let (doomed, live) =
            helper::run(move || (surveyed.index.doom_nameless(before), live_bytes(&surveyed.index))).await;
        for (digest, death) in doomed {
            store.graveyard.dying(digest, death);
        }
        let survey_ns = clock::now_ns() - begun_ns;
        let mut candidates: Vec<(u64, Arc<Segment>)> = Vec::new();
        let last_of_lanes = store.segments.last_of_lanes();
        let (mut used, mut alive) = (0, 0);
        let mut waiting = false;
        // What was emptied is on its way out.
        for segment in store.segments.sealed().into_iter().filter(|segment| !segment.is_emptied()) {
            let bytes = live.get(&segment.id).copied().unwrap_or(0);
            used += segment.bytes();
            alive += bytes.min(segment.bytes());
            if !store.epochs.have_passed(segment.sealed_at()) {
                waiting = true;
            } else if last_of_lanes.get(&segment.lane) != Some(&segment.id)
                && !self.unfit.borrow().contains(&segment.id)
                && self.measured.borrow().get(&segment.id).is_none_or(|then| bytes * 10 < then * 9)
            {
                candidates.push((bytes, segment));
            }
        }
        candidates.sort_by_key(|(live, segment)| live * 1_000 / segment.bytes().max(1));
        let mut done = true;
        for (live, segment) in candidates {
            let within = used * 100 <= alive * SPACE_PERCENT_OF_LIVE;
            if within && live > 0 {
                break;
            }
            if self.stopping.get() {
                return survey_ns;
            }
            match self.compact(&segment, live).await {
                Ok(true) => used = used.saturating_sub(segment.bytes().saturating_sub(live)),
                Ok(false) => {}
                Err(Stop) => {
                    done = false;
                    break;
                }
            }
        }
        // What was copied has changed the number of segments, which is no reason to look again.
        if done && !waiting {
            self.surveyed.set((seen.0, store.segments.count()));
        }
        survey_ns
    }

    /// Steps 2 and 3. Whether the segment is on its way out.
    async fn compact(&self, segment: &Arc<Segment>, estimate: u64) -> Result<bool, Stop> {
        let id = segment.id;
        let batches = match self.read(segment).await {
            Ok(batches) => batches,
            Err(why) => {
                tracing::warn!(segment = %id, why, "a segment is left as it is: it cannot be compacted");
                self.unfit.borrow_mut().insert(id);
                return Ok(false);
            }
        };
        let all = || batches.iter().flat_map(|batch| batch.records(segment.seed).map(move |it| (batch, it)));
        let mut live_bytes = 0;
        for (number, (batch, (position, entry_len, record))) in all().enumerate() {
            pause(number).await;
            if let Ok(record) = record
                && self.lives(segment, batch, position, entry_len, &record)
            {
                live_bytes += u64::from(entry_len) + payload_bytes(&record);
            }
        }
        if live_bytes * 100 > segment.bytes() * (100 - COMPACTION_GAIN_PERCENT) {
            self.measured.borrow_mut().insert(id, estimate.max(1));
            return Ok(false);
        }
        // As for all batches: no more than a quarter of a segment.
        let quarter = usize::try_from(self.store.options.segment_bytes / 4).unwrap_or(usize::MAX);
        let append_bytes = quarter.min(COMPACTION_APPEND_BYTES);
        let mut copies = Copies::default();
        for (number, (batch, (position, entry_len, record))) in all().enumerate() {
            pause(number).await;
            let Ok(record) = record else { continue };
            if !self.lives(segment, batch, position, entry_len, &record) {
                continue;
            }
            match self.copy(segment, batch, (position, entry_len), record).await {
                Ok((moved, copy)) => copies.add(moved, copy),
                Err(error) => {
                    tracing::error!(segment = %id, %error, "a segment is left as it is: damage was found in it");
                    self.unfit.borrow_mut().insert(id);
                    return Ok(false);
                }
            }
            if copies.size.batch_bytes() >= append_bytes || copies.records.len() >= NAMES_PER_APPEND {
                self.flush(std::mem::take(&mut copies)).await?;
                if self.stopping.get() {
                    return Err(Stop);
                }
            }
        }
        self.flush(copies).await?;
        segment.mark_emptied();
        self.store.graveyard.add(&self.store.index, Grave::Segment(id));
        Ok(true)
    }

    /// All batches of a sealed segment, or in words why it is to be left alone.
    async fn read(&self, segment: &Segment) -> Result<Vec<FoundBatch>, String> {
        let words = |error: io::Error| error.to_string();
        let file = self.store.segments.file(segment).await.map_err(words)?;
        let head = scan::read_head(&file, &self.pool, self.store.id, segment.id).await.map_err(words)?;
        let SegmentHead::Open { header, seal, damage } = head else {
            return Err("its header cannot be read".to_owned());
        };
        let known =
            seal.map(|seal| Predecessor { segment: segment.id, end: seal.end, last_batch: seal.last_batch });
        let Some(known) = known.filter(|_| damage.is_empty()) else {
            return Err("its header or seal is damaged".to_owned());
        };
        let scanned = scan::scan(&file, &self.pool, &header, Some(known)).await.map_err(words)?;
        if let Some(damage) = scanned.damage.first() {
            return Err(damage.to_string());
        }
        for batch in &scanned.batches {
            for (number, (position, _, record)) in batch.records(segment.seed).enumerate() {
                pause(number).await;
                let body = record.map_err(|error| format!("a record at byte {position}: {error}"))?.body;
                if matches!(body, Body::Unknown(_) | Body::Attributes { .. }) {
                    return Err("it holds records of a newer rhinobox".to_owned());
                }
            }
        }
        Ok(scanned.batches)
    }

    /// Whether a record is still needed.
    fn lives(
        &self,
        segment: &Segment,
        batch: &FoundBatch,
        position: u64,
        entry_len: u32,
        record: &Record<'_>,
    ) -> bool {
        let index = &self.store.index;
        let place = place(segment.id, position);
        match &record.body {
            Body::Put(put) => {
                let here = Location::of_put(segment.id, batch.header.offset, put);
                index.content(&put.digest).is_some_and(|content| content.location == here)
            }
            Body::PutLarge(put) => {
                let here = Location::Large { record: place, entry_len, blob: put.blob };
                index.content(&put.digest).is_some_and(|content| content.location == here)
            }
            Body::Name(name) => index.path(PathKey::new(name.namespace, &name.path)) == Some(place),
            // Somewhere an older record may be left that it forbids.
            Body::DeleteContent(_) | Body::DeleteName { .. } => true,
            Body::RetireSegment(retired) => {
                self.store.segments.is_named_as_predecessor(*retired) || self.store.checkpoint.names(*retired)
            }
            Body::RetireBlob(_) | Body::Attributes { .. } | Body::Unknown(_) => false,
        }
    }

    /// The record to append for a live one, and what the index is to be told when it is flushed.
    async fn copy(
        &self,
        segment: &Segment,
        batch: &FoundBatch,
        (position, entry_len): (u64, u32),
        record: Record<'_>,
    ) -> Result<(Moved, NewRecord), ReadError> {
        let here = place(segment.id, position);
        let damaged =
            |what: &str| ReadError::Damaged(format!("segment {} at byte {position}: {what}", segment.id));
        let path = |bytes: &[u8]| {
            std::str::from_utf8(bytes).map(Box::<str>::from).map_err(|_| damaged("a path that is not UTF-8"))
        };
        let (moved, body) = match record.body {
            Body::Put(put) => {
                let from = Location::of_put(segment.id, batch.header.offset, &put);
                let bytes = self.store.read_inline(&self.pool, from).await?;
                let payload = Payload::from_iter([bytes]);
                (Moved::Content(put.digest, from), NewBody::Put { digest: put.digest, payload, len: put.len })
            }
            Body::PutLarge(put) => {
                let from = Location::Large { record: here, entry_len, blob: put.blob };
                let chunk_crcs = put.chunk_crcs.into_owned();
                let body = NewBody::PutLarge { digest: put.digest, len: put.len, blob: put.blob, chunk_crcs };
                (Moved::Content(put.digest, from), body)
            }
            Body::Name(name) => {
                let moved = Moved::Name(PathKey::new(name.namespace, &name.path), name.digest, here);
                let attributes = name.attributes.into_owned();
                (moved, NewBody::Name { digest: name.digest, path: path(&name.path)?, attributes })
            }
            Body::DeleteContent(digest) => (Moved::Nothing, NewBody::DeleteContent(digest)),
            Body::DeleteName { path: bytes, .. } => (Moved::Nothing, NewBody::DeleteName(path(&bytes)?)),
            Body::RetireSegment(id) => (Moved::Nothing, NewBody::RetireSegment(id)),
            Body::RetireBlob(_) | Body::Attributes { .. } | Body::Unknown(_) => {
                return Err(damaged("a record that was found dead before"));
            }
        };
        Ok((moved, NewRecord { lsn: record.lsn, time: record.time, body }))
    }

    /// Makes copies durable, then tells the index. At a bounded rate.
    async fn flush(&self, copies: Copies) -> Result<(), Stop> {
        if copies.records.is_empty() {
            return Ok(());
        }
        let bytes = copies.size.batch_bytes() as u64;
        let lane = self.lane.borrow().clone();
        let lane = lane.unwrap_or_else(|| {
            let lane = Lane::start(&self.store, &self.pool, self.start);
            self.lane.replace(Some(lane.clone()));
            lane
        });
        // What was read meanwhile counts: the rate is that of the whole, not of its appends.
        let now_ns = clock::now_ns();
        if now_ns < self.append_at_ns.get() {
            clock::sleep(Duration::from_nanos(self.append_at_ns.get() - now_ns)).await;
        }
        self.append_at_ns.set(clock::now_ns() + bytes * 1_000_000_000 / COMPACTION_BYTES_PER_S);
        // Without space nothing is copied; what was is of use all the same.
        let placed = lane.append_freeing(copies.records).await.map_err(|_| Stop)?;
        for (moved, placed) in copies.moved.into_iter().zip(placed) {
            moved.tell(&self.store.index, &placed);
        }
        self.store.compaction.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// Lets the core's requests go first, now and then: a segment of small files has many thousand records.
async fn pause(number: usize) {
    if number.is_multiple_of(COMPACTION_RECORDS_AT_ONCE) {
        yield_now().await;
    }
}

/// Compaction does not go on: there is no space, or the daemon stops.
struct Stop;

/// What the index is told of a copy.
enum Moved {
    Content(Digest, Location),
    Name(PathKey, Digest, Place),
    Nothing,
}

impl Moved {
    fn tell(self, index: &Index, placed: &Placed) {
        match self {
            Moved::Content(digest, from) => {
                let to = match from {
                    Location::Inline { len, .. } => Location::Inline {
                        segment: placed.record.segment,
                        offset: placed.payload_offset,
                        len,
                        crc: placed.payload_crc,
                    },
                    Location::Large { blob, .. } => {
                        Location::Large { record: placed.record, entry_len: placed.entry_len, blob }
                    }
                };
                index.relocate_content(&digest, from, to);
            }
            Moved::Name(key, digest, from) => {
                index.relocate_name(key, &digest, from, placed.record);
            }
            Moved::Nothing => {}
        }
    }
}

/// Copies that share an append.
#[derive(Default)]
struct Copies {
    records: Vec<NewRecord>,
    moved: Vec<Moved>,
    size: Size,
}

impl Copies {
    fn add(&mut self, moved: Moved, record: NewRecord) {
        self.size = self.size.plus(Size::of(&record.body));
        self.moved.push(moved);
        self.records.push(record);
    }
}

fn place(segment: SegmentId, position: u64) -> Place {
    Place { segment, offset: u32::try_from(position).expect("a segment is at most 1 GiB") }
}

fn payload_bytes(record: &Record<'_>) -> u64 {
    match &record.body {
        Body::Put(put) => u64::from(put.len),
        _ => 0,
    }
}

/// Bytes of each segment that the index shows, about.
fn live_bytes(index: &Index) -> HashMap<SegmentId, u64> {
    let mut live: HashMap<SegmentId, u64> = HashMap::new();
    index.for_each_content(|_, content| match content.location {
        Location::Inline { segment, len, .. } => {
            *live.entry(segment).or_default() += u64::from(len) + PUT_BYTES_ESTIMATE;
        }
        Location::Large { record, entry_len, .. } => {
            *live.entry(record.segment).or_default() += u64::from(entry_len);
        }
    });
    index.for_each_name(|place| *live.entry(place.segment).or_default() += NAME_BYTES_ESTIMATE);
    live
}
