//! Giving space back: what lives in a segment that is mostly dead is copied, and the segment removed.
//!
//! Always: a copy keeps its record's number, so that it is older than everything that was newer than the original;
//! damaged records are never dropped: a segment that has any stays as it is; so does the last of a lane in use, whose
//! successor, not there yet, will name it; records of deletes are kept as long as `tombstones` says. The order, for one
//! segment:
//!
//! 1. nobody is active who may have put something there that the index does not show yet;
//! 2. its live records are copied by a lane of the compactor's own, and flushed;
//! 3. the index is told the copies' places, each only if it still shows the original;
//! 4. nobody is active who may have seen the original's place;
//! 5. a record says that the segment is retired, and is flushed;
//! 6. its file is removed, or becomes a spare.
//!
//! Between two of them the compactor frees what has waited for step 4 (`graveyard`), and makes checkpoints: so
//! neither happens while the other does.

mod copy;
mod survey;
mod tombstones;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::survey::{LiveBytes, RATE_PERCENT_MIN, Survey};
use self::tombstones::Horizon;
use super::commit::{NewBody, NewRecord};
use super::graveyard::Grave;
use super::index::Location;
use super::lane::{Lane, LaneStart};
use super::pace::Pace;
use super::segment;
use super::space::Room;
use super::{Durability, Store, blob, checkpoint};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::limits::{
    COMPACTION_REST_MS, COMPACTION_ROUND_MIN, COMPACTION_ROUND_SHARE, COMPACTION_SETTLE_MS,
    COMPACTION_SURVEY_REST, COMPACTION_TICK_MS, GRAVES_AT_ONCE,
};
use crate::runtime::buffer::Pool;
use crate::runtime::core::{spawn, yield_now};
use crate::runtime::sync::Notify;
use crate::runtime::{clock, fatal, helper};

/// Counts of what compaction did since the start.
#[derive(Debug, Default)]
pub struct CompactionStats {
    /// Segments removed.
    pub segments: AtomicU64,
    /// Bytes of their files.
    pub freed_bytes: AtomicU64,
    /// Bytes copied out of them.
    pub copied_bytes: AtomicU64,
    /// Records of deletes left behind in them.
    pub forgotten_deletes: AtomicU64,
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
    /// Segments that cannot be compacted, and until when that is believed: for ever where they hold damage or what this
    /// build does not know, for a while where the disk refused.
    unfit: RefCell<HashMap<SegmentId, u64>>,
    /// Of what is read and appended.
    pace: Pace,
    /// Garbage and segments at the last survey.
    surveyed: Cell<(u64, usize)>,
    /// Garbage at a survey that found nothing to do, and until when no other is made unless there is more.
    resting: Cell<(u64, u64)>,
    /// The directory of segments is flushed since the last was removed.
    is_synced: Cell<bool>,
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
            pace: Pace::new(store.options.compaction_bytes_per_s),
            surveyed: Cell::default(),
            resting: Cell::default(),
            is_synced: Cell::new(true),
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
            if self.store.room_for(0) != Room::Enough {
                self.store.remove_spares().await;
            }
            // Here, and so never while something is copied or freed.
            checkpoint_ns =
                checkpoint::make_if_due(&self.store, &self.pool, &self.stopping, checkpoint_ns).await;
            if self.store.options.compaction_bytes_per_s > 0 && clock::now_ns() >= survey_ns {
                survey_ns = self.compact_some().await;
            }
        }
        let lane = self.lane.borrow_mut().take();
        if let Some(lane) = lane {
            lane.stop().await;
        }
        self.store.remove_spares().await;
        self.stopped.notify();
    }

    fn is_unfit(&self, segment: &segment::Segment) -> bool {
        self.unfit.borrow().get(&segment.id).is_some_and(|until_ns| clock::now_ns() < *until_ns)
    }

    /// Steps 5 and 6, and the burial of contents.
    async fn free_passed(&self) {
        let (mut retired, mut replaced) = (Vec::new(), Vec::new());
        loop {
            let passed = self.store.graveyard.take_passed(&self.store);
            if passed.is_empty() {
                break;
            }
            let is_all = passed.len() < GRAVES_AT_ONCE;
            for grave in passed {
                match grave {
                    Grave::Content(digest, death) => self.bury(&digest, death).await,
                    Grave::ContentNote(digest, lsn) => self.store.index.forget_deleted_content(&digest, lsn),
                    Grave::PathNote(key, lsn) => self.store.index.forget_deleted_path(key, lsn),
                    Grave::Segment(id) => retired.push(id),
                    Grave::Blob(id) => replaced.push(id),
                }
            }
            if is_all {
                break;
            }
            yield_now().await;
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
        let mut spares = Vec::new();
        self.is_synced.set(false);
        for id in segments {
            let bytes = self.store.segments.get(id).map_or(0, |segment| segment.bytes());
            match self.store.discard_segment(id, spares.len()).await {
                Ok(spare) => {
                    spares.extend(spare);
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
        match self.store.disk.sync_dir(segment::DIRECTORY).await {
            Ok(()) => {
                self.is_synced.set(true);
                self.store.spares.add(spares);
            }
            Err(error) => {
                // The files may come back after a power cut. The retire records say that nothing needs them. What was to
                // be a spare is left for the next start to remove.
                tracing::warn!(%error, "the segments' directory could not be flushed");
            }
        }
    }

    /// Compacts the deadest segments, some of them: then it is looked again which these are. Gives when
    /// that may be: a look at many millions takes a while, and is never more than a small part of a core's time.
    async fn compact_some(&self) -> u64 {
        let store = &self.store;
        let seen = (store.graveyard.garbage(), store.segments.count());
        let begun_ns = clock::now_ns();
        let (rested_at, until_ns) = self.resting.get();
        if self.surveyed.get() == seen || rested_at == seen.0 && begun_ns < until_ns {
            return 0;
        }
        // Contents without a name whose uploads have ended: all who are active began after their puts.
        let before = store.epochs.oldest().unwrap_or_else(|| store.index.draw_mark());
        let surveyed = store.clone();
        let settled = survey::settled(store);
        let first = store.segments.all().iter().map(|segment| segment.id).min().unwrap_or_default();
        let (doomed, live) = helper::run(move || {
            (surveyed.index.doom_nameless(before), LiveBytes::count(&surveyed.index, first))
        })
        .await;
        for (digest, death) in doomed {
            store.graveyard.dying(digest, death);
        }
        let now_ns = clock::now_ns();
        let survey_ns = now_ns + (now_ns - begun_ns) * COMPACTION_SURVEY_REST;
        tombstones::set_guards(store);
        let horizon = Horizon::of(store, self.is_synced.get());
        let mut survey = Survey::of(store, (&settled, &live), &horizon, |segment| self.is_unfit(segment));
        // However much of it lives.
        let in_the_way = tombstones::oldest_in_the_way(store, survey.alive, |segment| self.is_unfit(segment));
        let mut done = !survey.waiting;
        if done
            && survey.rate_percent().is_none()
            && survey.candidates.iter().all(|candidate| candidate.live > 0)
        {
            self.resting.set((seen.0, now_ns + COMPACTION_REST_MS * 1_000_000));
        }
        let round = COMPACTION_ROUND_MIN.max(store.segments.count() / COMPACTION_ROUND_SHARE);
        for (number, candidate) in std::mem::take(&mut survey.candidates).into_iter().enumerate() {
            let percent = survey.rate_percent();
            if candidate.live > 0 {
                if percent.is_none() {
                    break;
                }
                if number >= round {
                    done = false;
                    break;
                }
            }
            let percent = percent.unwrap_or(RATE_PERCENT_MIN);
            self.pace.set(store.options.compaction_bytes_per_s / 100 * percent);
            if self.stopping.get() {
                return survey_ns;
            }
            match self.compact_and_retire(&candidate.segment).await {
                // While it was copied others wrote: what it brought may be used up again.
                Ok(true) => survey.used = survey::bytes_used(store),
                Ok(false) => {}
                Err(Stop) => {
                    done = false;
                    break;
                }
            }
        }
        if let Some(oldest) = in_the_way
            && !oldest.segment.is_emptied()
            && !self.stopping.get()
        {
            done = false;
            self.pace.set(store.options.compaction_bytes_per_s / 100 * RATE_PERCENT_MIN);
            // Without space it is tried again.
            let _emptied = self.compact_and_retire(&oldest.segment).await;
        }
        // What was copied has changed the number of segments, which is no reason to look again.
        if done {
            self.surveyed.set((seen.0, store.segments.count()));
        }
        survey_ns
    }

    /// Steps 2 to 6, as far as those who are active end soon: what is emptied takes its room until it is retired. Whether
    /// the segment is on its way out.
    async fn compact_and_retire(&self, segment: &Arc<segment::Segment>) -> Result<bool, Stop> {
        let is_emptied = self.compact(segment).await?;
        if is_emptied {
            clock::sleep(Duration::from_millis(COMPACTION_SETTLE_MS)).await;
            self.free_passed().await;
        }
        Ok(is_emptied)
    }
}

/// Compaction does not go on: there is no space, or the daemon stops.
struct Stop;
