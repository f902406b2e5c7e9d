//! Emptying one segment: it is read once from front to back, and what lives in it is appended elsewhere.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::tombstones::Horizon;
use super::{Compactor, Stop};
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, SegmentId};
use crate::limits::{
    COMPACTION_APPEND_BYTES, COMPACTION_RECORDS_AT_ONCE, COMPACTION_RETRY_MS, NAMES_PER_APPEND,
    SCAN_WINDOW_BYTES,
};
use crate::runtime::clock;
use crate::runtime::core::yield_now;
use crate::runtime::disk::Open;
use crate::store::Store;
use crate::store::commit::{NewBody, NewRecord, Payload, Placed, Size};
use crate::store::format::{Body, FIRST_BATCH_OFFSET, Record, SegmentHeader};
use crate::store::graveyard::Grave;
use crate::store::index::{Location, PathKey, Place};
use crate::store::lane::{Lane, Submitted};
use crate::store::scan::{self, FoundBatch, SegmentHead, Window};
use crate::store::segment::{self, Segment};

/// Why a segment was not emptied.
enum Failure {
    /// It holds damage, or what this build does not know; in words.
    Unfit(String),
    /// The disk refused.
    Io(io::Error),
    /// Compaction does not go on.
    Stop,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

impl From<Stop> for Failure {
    fn from(_: Stop) -> Failure {
        Failure::Stop
    }
}

impl Compactor {
    /// Steps 2 and 3. Whether the segment is on its way out. What was copied before it turned out to be unfit is of no
    /// harm: the copies are as good as the originals. Nothing is on its way to the log when this returns.
    pub(super) async fn compact(&self, segment: &Arc<Segment>) -> Result<bool, Stop> {
        let id = segment.id;
        let mut under_way = None;
        let read = self.copy_all(segment, &mut under_way).await;
        let told = self.finish(under_way).await;
        // A checkpoint may come next. A copy that lands behind its positions could bring back what a delete in front of
        // them took away.
        debug_assert!(self.lane.borrow().as_ref().is_none_or(|lane| lane.is_idle()), "a copy is on its way");
        match read.and(told.map_err(Failure::from)) {
            Ok(()) => {
                segment.mark_emptied();
                self.store.graveyard.add(&self.store.index, Grave::Segment(id));
                return Ok(true);
            }
            Err(Failure::Stop) => return Err(Stop),
            Err(Failure::Unfit(why)) => {
                tracing::error!(segment = %id, why, "a segment is left as it is: it cannot be compacted");
                self.unfit.borrow_mut().insert(id, u64::MAX);
            }
            Err(Failure::Io(error)) => {
                tracing::warn!(segment = %id, %error, "a segment could not be read; it is compacted later");
                self.unfit.borrow_mut().insert(id, clock::now_ns() + COMPACTION_RETRY_MS * 1_000_000);
            }
        }
        Ok(false)
    }

    /// Reads the segment and hands what lives in it to the lane. The last copies may be under way when this returns.
    async fn copy_all(&self, segment: &Segment, under_way: &mut Option<UnderWay>) -> Result<(), Failure> {
        // Past the page cache, which is for those who ask for files.
        let how = Open { direct: self.store.direct, ..Open::default() };
        let file = self.store.disk.open(&segment::path(segment.id), how).await?;
        let head = scan::read_head(&file, &self.pool, self.store.id, segment.id).await?;
        let SegmentHead::Open { header, seal: Some(seal), damage } = head else {
            return Err(Failure::Unfit("its header or seal cannot be read".to_owned()));
        };
        if let Some(damage) = damage.first() {
            return Err(Failure::Unfit(damage.to_string()));
        }
        // As for all batches: no more than a quarter of a segment.
        let quarter = usize::try_from(self.store.options.segment_bytes / 4).unwrap_or(usize::MAX);
        let append_bytes = quarter.min(COMPACTION_APPEND_BYTES);
        let mut source = Source {
            header: &header,
            window: Window::paced(&file, &self.pool, &self.pace, &self.stopping),
            next: header.first_batch,
            offset: FIRST_BATCH_OFFSET,
            end: seal.end,
        };
        let forgets = Horizon::of(&self.store, self.is_synced.get()).may_forget(segment);
        let mut copies = Copies::default();
        while let Some(batch) = source.batch().await? {
            if self.stopping.get() {
                return Err(Failure::Stop);
            }
            for (number, (position, entry_len, record)) in batch.records(segment.seed).enumerate() {
                pause(number).await;
                let record = record
                    .map_err(|error| Failure::Unfit(format!("a record at byte {position}: {error}")))?;
                if matches!(record.body, Body::Unknown(_) | Body::Attributes { .. }) {
                    return Err(Failure::Unfit("it holds records of a newer rhinobox".to_owned()));
                }
                if forgets && record.body.is_delete() {
                    self.store.compaction.forgotten_deletes.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                if !self.lives(segment, &batch, position, entry_len, &record) {
                    continue;
                }
                let (moved, copy) =
                    copy(segment, &batch, (position, entry_len), record, &mut source.window).await?;
                let with = copies.size.plus(Size::of(&copy.body)).batch_bytes();
                if with > append_bytes && !copies.records.is_empty() {
                    self.append(std::mem::take(&mut copies), under_way).await?;
                }
                copies.add(moved, copy);
                if copies.size.batch_bytes() >= append_bytes || copies.records.len() >= NAMES_PER_APPEND {
                    self.append(std::mem::take(&mut copies), under_way).await?;
                }
            }
        }
        if !copies.records.is_empty() {
            self.append(copies, under_way).await?;
        }
        Ok(())
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
            // Somewhere an older record may be left that it forbids; see `tombstones`.
            Body::DeleteContent(_) | Body::DeleteName { .. } => true,
            Body::RetireSegment(retired) => {
                self.store.segments.is_named_as_predecessor(*retired) || self.store.checkpoint.names(*retired)
            }
            Body::RetireBlob(_) | Body::Attributes { .. } | Body::Unknown(_) => false,
        }
    }

    /// Begins to make copies durable, when those before are. Meanwhile the next ones are read.
    async fn append(&self, copies: Copies, under_way: &mut Option<UnderWay>) -> Result<(), Stop> {
        let bytes = copies.size.batch_bytes() as u64;
        let lane = self.lane.borrow().clone();
        let lane = lane.unwrap_or_else(|| {
            let lane = Lane::start(&self.store, &self.pool, self.start);
            self.lane.replace(Some(lane.clone()));
            lane
        });
        self.pace.spend(bytes, &self.stopping).await;
        self.finish(under_way.take()).await?;
        let submitted = lane.submit_freeing(copies.records);
        *under_way = Some(UnderWay { moved: copies.moved, bytes, submitted });
        Ok(())
    }

    /// Waits until copies are durable, then tells the index.
    async fn finish(&self, under_way: Option<UnderWay>) -> Result<(), Stop> {
        let Some(UnderWay { moved, bytes, submitted }) = under_way else { return Ok(()) };
        // Without space nothing is copied; what was is of use all the same.
        let placed = submitted.outcome().await.map_err(|_| Stop)?.places;
        for (moved, placed) in moved.into_iter().zip(placed) {
            moved.tell(&self.store, &placed);
        }
        self.store.compaction.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// Copies on their way to the log.
struct UnderWay {
    moved: Vec<Moved>,
    bytes: u64,
    submitted: Submitted,
}

/// A sealed segment, read batch by batch.
struct Source<'a> {
    header: &'a SegmentHeader,
    window: Window<'a>,
    /// The number of its next batch, and where that is.
    next: BatchSeq,
    offset: u64,
    end: u64,
}

impl Source<'_> {
    /// The next batch; `None` behind the last.
    async fn batch(&mut self) -> Result<Option<FoundBatch>, Failure> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let found = scan::batch_at(&mut self.window, self.header, self.offset, self.end).await?;
        match found {
            Ok(batch) if batch.header.seq == self.next => {
                self.next = BatchSeq(self.next.0 + 1);
                self.offset = batch.header.end();
                Ok(Some(batch))
            }
            _ => Err(Failure::Unfit(format!("batch {} at byte {} cannot be read", self.next, self.offset))),
        }
    }
}

/// The record to append for a live one, and what the index is to be told when it is flushed.
async fn copy(
    segment: &Segment,
    batch: &FoundBatch,
    (position, entry_len): (u64, u32),
    record: Record<'_>,
    window: &mut Window<'_>,
) -> Result<(Moved, NewRecord), Failure> {
    let here = place(segment.id, position);
    let damaged = |what: &str| Failure::Unfit(format!("a record at byte {position}: {what}"));
    let path = |bytes: &[u8]| {
        std::str::from_utf8(bytes).map(Arc::<str>::from).map_err(|_| damaged("a path that is not UTF-8"))
    };
    let (moved, body) = match record.body {
        Body::Put(put) => {
            let from = Location::of_put(segment.id, batch.header.offset, &put);
            let at = batch.header.offset + u64::from(put.offset);
            let bytes = window.get(at, put.len as usize).await?;
            if bytes.len() < put.len as usize || segment.seed.at(at).sum(&bytes) != put.crc {
                return Err(damaged("its payload does not check"));
            }
            // What is small holds no window until it is flushed: of those there may be one for each record that lives.
            let is_small = bytes.len() < SCAN_WINDOW_BYTES / 4;
            let payload = Payload::from_iter([if is_small { Bytes::copy_from_slice(&bytes) } else { bytes }]);
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
        Body::DeleteContent(digest) => (Moved::Delete(segment.guard()), NewBody::DeleteContent(digest)),
        Body::DeleteName { path: bytes, .. } => {
            (Moved::Delete(segment.guard()), NewBody::DeleteName(path(&bytes)?))
        }
        Body::RetireSegment(id) => (Moved::Nothing, NewBody::RetireSegment(id)),
        Body::RetireBlob(_) | Body::Attributes { .. } | Body::Unknown(_) => {
            return Err(damaged("of a kind that is never copied"));
        }
    };
    Ok((moved, NewRecord { lsn: record.lsn, time: record.time, body }))
}

/// Lets the core's requests go first, now and then: a segment of small files has many thousand records.
async fn pause(number: usize) {
    if number.is_multiple_of(COMPACTION_RECORDS_AT_ONCE) {
        yield_now().await;
    }
}

/// What the index is told of a copy.
enum Moved {
    Content(Digest, Location),
    Name(PathKey, Digest, Place),
    /// A delete, with the guard of the segment that it stood in.
    Delete(Option<SegmentId>),
    Nothing,
}

impl Moved {
    fn tell(self, store: &Store, placed: &Placed) {
        let index = &store.index;
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
            Moved::Delete(guard) => {
                if let (Some(guard), Some(to)) = (guard, store.segments.get(placed.record.segment)) {
                    to.raise_guard(guard);
                }
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
