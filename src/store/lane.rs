//! A lane: the sequence of segments that one core writes, by greedy group commit.
//!
//! The committer takes everything that is pending, writes it as one batch, flushes, tells all who wait, and
//! takes what came in meanwhile. There is no timer. The order, which a test cuts between each two numbers:
//!
//! 1. the batch is written and flushed (an earlier one always is by then: there is one in flight at a time);
//! 2. who waits is told, enters the index, releases claims, answers.
//!
//! When a segment is full: (1) its last batch is flushed, (2) the next one's header is written and flushed, naming
//! the first's end, (3) batches go there, (4) the first is sealed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::backlog::Backlog;
use super::commit::{self, Append, NewRecord, Placed, Position, Size};
use super::epoch::{Active, Entrance};
use super::error::{CommitError, failed, is_no_space};
use super::format::header::{HEADER_BYTES, Predecessor};
use super::format::{
    FIRST_BATCH_OFFSET, HEADER_COPY_OFFSET, Nonce, SEAL_OFFSET, Seal, SegmentHeader, seal::SEAL_BYTES,
};
use super::provision::{Prepared, Provisioner};
use super::segment::{Segment, Written};
use super::stats::LaneStats;
use super::{Durability, Store};
use crate::base::crc::Seed;
use crate::base::ids::{BatchSeq, LaneId, Lsn, SegmentId};
use crate::limits::{
    BATCH_BYTES_MAX, BLOCK_BYTES, LANE_RENEW_TICK_MS, SEGMENT_RESERVE_BYTES, ZEROED_BATCH_BYTES_MAX,
};
use crate::runtime::buffer::Pool;
use crate::runtime::disk::File;
use crate::runtime::sync::{Notify, oneshot};
use crate::runtime::{self, clock, core, fatal};

/// What a lane goes on from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneStart {
    /// Its number.
    pub id: LaneId,
    /// Its last segment's end, if it has one.
    pub predecessor: Option<Predecessor>,
}

/// A core's way into the log. `Rc`: it stays on its core.
pub struct Lane {
    store: Arc<Store>,
    queue: RefCell<VecDeque<Append>>,
    backlog: Backlog,
    stats: Arc<LaneStats>,
    work: Notify,
    stopping: Cell<bool>,
    stopped: Notify,
    entrance: Entrance,
}

impl Lane {
    /// Starts the lane's committer on this core.
    #[must_use]
    pub fn start(store: &Arc<Store>, pool: &Pool, start: LaneStart) -> Rc<Lane> {
        let lane = Rc::new(Lane {
            store: store.clone(),
            queue: RefCell::default(),
            backlog: Backlog::default(),
            stats: store.stats.join(),
            work: Notify::default(),
            stopping: Cell::new(false),
            stopped: Notify::default(),
            entrance: store.epochs.join(),
        });
        let writer = Writer {
            store: store.clone(),
            pool: pool.clone(),
            provisioner: Provisioner::start(store, pool),
            stats: lane.stats.clone(),
            id: start.id,
            open: None,
            predecessor: start.predecessor,
            next_batch: BatchSeq(start.predecessor.map_or(0, |before| before.last_batch.0) + 1),
            flushed: BatchSeq(start.predecessor.map_or(0, |before| before.last_batch.0)),
        };
        store.open_lanes.fetch_add(1, Ordering::AcqRel);
        core::spawn(commit_loop(lane.clone(), writer));
        core::spawn(wake_to_renew(Rc::downgrade(&lane)));
        lane
    }

    /// Makes the records durable, all in one batch, and says where they are.
    ///
    /// # Errors
    /// [`CommitError`]: none of them is durable then.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Placed>, CommitError> {
        self.submit(records).outcome().await.map(|committed| committed.places)
    }

    /// As [`Lane::append`], for records that free space; see [`Append::frees_space`].
    ///
    /// # Errors
    /// As [`Lane::append`].
    pub async fn append_freeing(&self, records: Vec<NewRecord>) -> Result<Vec<Placed>, CommitError> {
        self.submit_freeing(records).outcome().await.map(|committed| committed.places)
    }

    /// While what this gives lives, nothing is freed that the index shows from now on.
    pub fn enter(&self) -> Active {
        self.entrance.enter(self.store.index.next_lsn())
    }

    /// Whether it has more to write than an upload may be made to wait for.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.backlog.is_behind(group_bytes_max(self.store.options.segment_bytes), clock::now_ns())
    }

    /// Whether it has nothing to write, and writes nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }

    /// What it counts and times, for whoever reads it.
    #[must_use]
    pub fn stats(&self) -> &Arc<LaneStats> {
        &self.stats
    }

    /// As [`Lane::append`], without waiting: appends submitted one after the other share batches.
    #[must_use]
    pub fn submit(&self, records: Vec<NewRecord>) -> Submitted {
        self.submit_as(records, false)
    }

    /// As [`Lane::append_freeing`], without waiting.
    #[must_use]
    pub fn submit_freeing(&self, records: Vec<NewRecord>) -> Submitted {
        self.submit_as(records, true)
    }

    fn submit_as(&self, records: Vec<NewRecord>, frees_space: bool) -> Submitted {
        let size = Size::of_all(&records);
        assert!(size.fits(), "callers split what is larger than a batch");
        let (done, receiver) = oneshot::channel();
        if records.is_empty() {
            done.send(Ok(Committed::default()));
        } else if self.stopping.get() {
            done.send(Err(CommitError::Stopped));
        } else {
            self.backlog.push(size);
            self.stats.set_waiting(self.backlog.records());
            let lowest = records.iter().map(|record| record.lsn).min().unwrap_or_default();
            let active = self.entrance.enter(lowest);
            self.queue.borrow_mut().push_back(Append { records, frees_space, done, active: Some(active) });
            self.work.notify();
        }
        Submitted(receiver)
    }

    /// Commits what is pending, seals the segment, gives the space of what was prepared back.
    pub async fn stop(&self) {
        self.stopping.set(true);
        self.work.notify();
        self.stopped.wait().await;
    }
}

/// Records that are durable.
#[derive(Debug, Default)]
pub struct Committed {
    /// Where, in the records' order.
    pub places: Vec<Placed>,
    /// When the write of their batch began; 0 where there was nothing to write.
    pub begun_ns: u64,
    /// When that batch was written and flushed.
    pub flushed_ns: u64,
}

/// Records on their way to the log.
pub struct Submitted(oneshot::Receiver<Result<Committed, CommitError>>);

impl Submitted {
    /// Waits until they are durable, or not to be.
    ///
    /// # Errors
    /// As [`Lane::append`].
    pub async fn outcome(self) -> Result<Committed, CommitError> {
        self.0.await.unwrap_or(Err(CommitError::Stopped))
    }
}

/// Wakes a lane that has nothing to write now and then, so that it can begin a new segment.
async fn wake_to_renew(lane: Weak<Lane>) {
    loop {
        clock::sleep(Duration::from_millis(LANE_RENEW_TICK_MS)).await;
        let Some(lane) = lane.upgrade().filter(|lane| !lane.stopping.get()) else { return };
        if lane.store.renew_below.load(Ordering::Relaxed) > 0 {
            lane.work.notify();
        }
    }
}

async fn commit_loop(lane: Rc<Lane>, mut writer: Writer) {
    loop {
        let group = take_group(&mut lane.queue.borrow_mut(), lane.store.options.segment_bytes);
        if !group.is_empty() {
            lane.backlog.begin(size_of(&group), clock::now_ns());
            lane.stats.set_waiting(lane.backlog.records());
            writer.commit(group).await;
            lane.backlog.end(clock::now_ns());
        } else if lane.stopping.get() {
            break;
        } else {
            writer.renew().await;
            lane.work.wait().await;
        }
    }
    writer.close().await;
    lane.store.open_lanes.fetch_sub(1, Ordering::AcqRel);
    lane.stopped.notify();
}

/// What a batch of several appends takes at most: a quarter of a segment, so that little is left over at its end.
fn group_bytes_max(segment_bytes: u64) -> usize {
    usize::try_from(segment_bytes / 4).map_or(BATCH_BYTES_MAX, |share| share.min(BATCH_BYTES_MAX))
}

/// As many appends as one batch holds, and at least one.
fn take_group(queue: &mut VecDeque<Append>, segment_bytes: u64) -> Vec<Append> {
    let bytes_max = group_bytes_max(segment_bytes);
    let mut size = Size::default();
    let mut count = 0;
    for append in queue.iter() {
        let with = size.plus(Size::of_all(&append.records));
        if !with.fits() || count > 0 && with.batch_bytes() > bytes_max {
            break;
        }
        (size, count) = (with, count + 1);
    }
    queue.drain(..count).collect()
}

/// The segment that is being written.
struct OpenSegment {
    id: SegmentId,
    /// As others see it.
    known: Arc<Segment>,
    file: File,
    seed: Seed,
    tag: u64,
    size: u64,
    /// Where the next batch goes.
    end: u64,
    batches: u64,
    records: u64,
    lsns: Option<(Lsn, Lsn)>,
}

impl OpenSegment {
    /// Whether zeros ahead of its batches were worth their price.
    fn holds_small_batches(&self) -> bool {
        self.end <= self.batches.saturating_mul(ZEROED_BATCH_BYTES_MAX)
    }
}

struct Writer {
    store: Arc<Store>,
    pool: Pool,
    provisioner: Rc<Provisioner>,
    stats: Arc<LaneStats>,
    id: LaneId,
    open: Option<OpenSegment>,
    predecessor: Option<Predecessor>,
    next_batch: BatchSeq,
    /// The last batch known to be flushed.
    flushed: BatchSeq,
}

impl Writer {
    async fn commit(&mut self, mut group: Vec<Append>) {
        let mut size = size_of(&group);
        let reserve = if group.iter().all(|append| append.frees_space) { 0 } else { SEGMENT_RESERVE_BYTES };
        let flush_although_os =
            self.store.options.durability == Durability::Os && group.iter().any(|append| append.frees_space);
        if !self.has_room(size.batch_bytes() as u64 + reserve)
            && let Err(error) = self.next_segment().await
        {
            // What frees space may have what is left of this one.
            let (freeing, others): (Vec<_>, Vec<_>) =
                group.into_iter().partition(|append| append.frees_space);
            fail(others, error);
            group = freeing;
            size = size_of(&group);
            if group.is_empty() || !self.has_room(size.batch_bytes() as u64) {
                return fail(group, error);
            }
        }
        let Some(open) = &self.open else { return fail(group, CommitError::NoSpace) };
        let at = Position {
            segment: open.id,
            lane: self.id,
            offset: open.end,
            seq: self.next_batch,
            durable_through: self.flushed,
            seed: open.seed,
            tag: open.tag,
        };
        let mut buffer = self.pool.take(size.batch_bytes());
        let places = commit::encode(&mut buffer, at, clock::wall(), &group);
        let lsns = group.iter().flat_map(|append| &append.records).map(|record| record.lsn);
        let lsns = lsns.clone().min().zip(lsns.max());
        let kept = group.iter().flat_map(|append| &append.records).filter(|record| record.body.is_kept());
        let kept: u64 = kept.map(|record| Size::of(&record.body).bytes() as u64).sum();
        let begun_ns = clock::now_ns();
        let bytes = buffer.len();
        let (result, buffer) = open.file.write_all_at(buffer, 0..bytes, at.offset).await;
        let result = match result {
            Ok(()) if self.store.flushes_apart() || flush_although_os => open.file.sync_data().await,
            other => other,
        };
        if let Err(error) = result {
            if !is_no_space(&error) {
                let why = format!("a batch could not be made durable in segment {}: {error}", at.segment);
                fatal::exit(fatal::Exit::CommitFailed, &why);
            }
            // What reached the disk is unknown, and this range is never written again: the segment ends before it.
            if let Err(error) = self.retire_open().await {
                return fail(group, error);
            }
            return fail(group, CommitError::NoSpace);
        }
        let flushed_ns = clock::now_ns();
        self.stats.record_commit(size.records, bytes, flushed_ns - begun_ns);
        if self.store.options.durability == Durability::Commit || flush_although_os {
            self.flushed = at.seq;
        }
        self.next_batch = BatchSeq(at.seq.0 + 1);
        self.store.recent.note(at.segment, at.offset, &buffer.as_slice()[..size.table_bytes()]);
        if let Some(open) = &mut self.open {
            open.end += bytes as u64;
            open.known.note_kept(kept);
            open.known.note_written(Written { end: open.end, last_batch: at.seq });
            open.batches += 1;
            open.records += size.records as u64;
            open.lsns = match (open.lsns, lsns) {
                (Some(old), Some(new)) => Some((old.0.min(new.0), old.1.max(new.1))),
                (old, new) => old.or(new),
            };
        }
        for (append, places) in group.into_iter().zip(places) {
            append.done.send(Ok(Committed { places, begun_ns, flushed_ns }));
        }
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.open.as_ref().is_some_and(|open| open.end + bytes <= open.size)
    }

    /// Begins a new segment if the open one is so old that it keeps deletes from being forgotten.
    async fn renew(&mut self) {
        let below = SegmentId(self.store.renew_below.load(Ordering::Relaxed));
        if self.open.as_ref().is_some_and(|open| open.id < below)
            && let Err(error) = self.next_segment().await
        {
            tracing::debug!(lane = %self.id, %error, "no new segment could be begun; it is tried again");
        }
    }

    /// Ends the open segment, if any, and opens the next.
    async fn next_segment(&mut self) -> Result<(), CommitError> {
        let zeros = self.open.as_ref().is_none_or(OpenSegment::holds_small_batches);
        let Some(prepared) = self.provisioner.take(zeros).await else { return Err(CommitError::NoSpace) };
        self.retire_open().await?;
        self.open = Some(self.activate(prepared).await?);
        Ok(())
    }

    /// Writes the header of a prepared segment, naming where the one before ended.
    async fn activate(&self, prepared: Prepared) -> Result<OpenSegment, CommitError> {
        let nonce = Nonce(runtime::random());
        let header = SegmentHeader {
            store: self.store.id,
            segment: prepared.id,
            lane: self.id,
            nonce,
            created: clock::wall(),
            size: prepared.size,
            first_batch: self.next_batch,
            predecessor: self.predecessor,
            compatible: 0,
            read_compatible: 0,
            incompatible: 0,
        };
        let mut buffer = self.pool.take(2 * BLOCK_BYTES);
        buffer.set_len(2 * BLOCK_BYTES);
        let bytes = buffer.as_mut_slice();
        bytes.fill(0);
        let copy = usize::try_from(HEADER_COPY_OFFSET).expect("the second block");
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        bytes[copy..copy + HEADER_BYTES].copy_from_slice(&header.encode());
        let (result, _buffer) = prepared.file.write_all_at(buffer, 0..2 * BLOCK_BYTES, 0).await;
        let result = match result {
            Ok(()) if !self.store.dsync() => prepared.file.sync_data().await,
            other => other,
        };
        result.map_err(|error| failed("open a segment", &error))?;
        let seed = nonce.seed(prepared.id);
        let known = self.store.segments.add(&header, None);
        Ok(OpenSegment {
            id: prepared.id,
            known,
            file: prepared.file,
            seed,
            tag: nonce.tag(),
            size: prepared.size,
            end: FIRST_BATCH_OFFSET,
            batches: 0,
            records: 0,
            lsns: None,
        })
    }

    /// The open segment takes no more batches: from now on its end is what its successor will name. The seal
    /// is written in the background; until then the successor's header says the same.
    async fn retire_open(&mut self) -> Result<(), CommitError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if self.store.options.durability == Durability::Os {
            // The successor's header will say that all of this is durable.
            open.file.sync_data().await.map_err(|error| failed("flush a segment", &error))?;
        }
        let last_batch = BatchSeq(self.next_batch.0 - 1);
        self.flushed = last_batch;
        self.predecessor = Some(Predecessor { segment: open.id, end: open.end, last_batch });
        let (store, pool) = (self.store.clone(), self.pool.clone());
        core::spawn(async move { seal(&store, &pool, open, last_batch).await });
        Ok(())
    }

    /// Seals what is open and removes what was prepared.
    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let last_batch = BatchSeq(self.next_batch.0 - 1);
            let (end, file) = (open.end, open.file.clone());
            let id = open.id;
            if self.store.options.durability == Durability::Os
                && let Err(error) = file.sync_data().await
            {
                fatal::exit(
                    fatal::Exit::CommitFailed,
                    &format!("segment {id} could not be flushed: {error}"),
                );
            }
            seal(&self.store, &self.pool, open, last_batch).await;
            // Gives the unused zeros back. The seal says where the segment ends, so this may fail.
            if let Err(error) = file.set_len(end).await {
                tracing::warn!(segment = %id, %error, "a segment's unused space could not be given back");
            }
        }
        self.provisioner.stop().await;
    }
}

/// Writes a segment's seal. It only saves the next start a scan, so a failure is told and no more.
async fn seal(store: &Store, pool: &Pool, open: OpenSegment, last_batch: BatchSeq) {
    let (least_lsn, greatest_lsn) = open.lsns.unwrap_or_default();
    let seal = Seal {
        end: open.end,
        last_batch,
        batches: open.batches,
        records: open.records,
        least_lsn,
        greatest_lsn,
        sealed: clock::wall(),
    };
    write_seal(pool, (open.id, &open.file, store.dsync()), open.seed, &seal).await;
    store.segments.mark_sealed(open.id, store.index.draw_mark());
}

/// Writes and flushes a seal; see [`seal`]. The flag says whether what is written to the file is durable at once.
pub(super) async fn write_seal(
    pool: &Pool,
    (id, file, dsync): (SegmentId, &File, bool),
    seed: Seed,
    seal: &Seal,
) {
    let mut buffer = pool.take(BLOCK_BYTES);
    buffer.set_len(BLOCK_BYTES);
    buffer.as_mut_slice().fill(0);
    buffer.as_mut_slice()[..SEAL_BYTES].copy_from_slice(&seal.encode(seed));
    let (result, _buffer) = file.write_all_at(buffer, 0..BLOCK_BYTES, SEAL_OFFSET).await;
    let result = match result {
        Ok(()) if !dsync => file.sync_data().await,
        other => other,
    };
    if let Err(error) = result {
        tracing::warn!(segment = %id, %error, "a segment could not be sealed; the next start will scan it");
    }
}

fn size_of(group: &[Append]) -> Size {
    group.iter().fold(Size::default(), |sum, append| sum.plus(Size::of_all(&append.records)))
}

fn fail(group: Vec<Append>, error: CommitError) {
    group.into_iter().for_each(|append| append.done.send(Err(error)));
}
