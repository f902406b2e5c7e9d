//! From the files of a store to its index. May be killed at any point and run again, any number of times.
//!
//! The order:
//!
//! 1. read the head of every segment; remove those that were prepared, in part or wholly, and never used;
//! 2. scan every segment, enter its records into the index, note what is damaged;
//! 3. of a segment without a seal: cut what was never acknowledged, flush the rest (a page read back may never
//!    have reached the disk), seal it. Nothing is ever appended to it again;
//! 4. apply deletes, drop contents without a name, sweep blob files that no record names (unless there is damage);
//! 5. only now may anyone read or deduplicate against what was found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use super::error::OpenError;
use super::format::header::Predecessor;
use super::format::{Body, Seal, SegmentHeader};
use super::index::{Location, PathKey, Place};
use super::lane::{self, LaneStart};
use super::scan::{self, Damage, Scanned, SegmentHead};
use super::{Store, blob, segment};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, LaneId, Lsn, SegmentId};
use crate::limits::LSN_HEADROOM_AFTER_DAMAGE;
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::disk::{File, Open};

/// What recovery found and did.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The lanes there were, by number, each where it goes on.
    pub lanes: Vec<LaneStart>,
    /// What was durable and cannot be read. Nothing of it was touched.
    pub damage: Vec<Damage>,
    /// Tails that were cut: never acknowledged.
    pub cuts: Vec<String>,
    /// Segments read.
    pub segments: usize,
    /// Records read.
    pub records: u64,
    /// Blob files removed because no record names them.
    pub swept_blobs: usize,
}

/// A segment with a readable head.
struct Found {
    file: File,
    header: SegmentHeader,
    seal: Option<Seal>,
}

/// What was seen beyond what the index holds.
#[derive(Default)]
struct Seen {
    greatest_lsn: Lsn,
    contents_deleted: HashMap<Digest, Lsn>,
    paths_deleted: HashMap<PathKey, Lsn>,
    /// The blob of every put-large record.
    blobs: HashMap<Place, BlobId>,
    records: u64,
}

/// Recovers `store`, whose index is empty.
///
/// # Errors
/// What the disk gave, and `Refused` for a store that a later version wrote.
pub async fn recover(store: &Store, pool: &Pool) -> Result<Recovered, OpenError> {
    let mut report = Recovered::default();
    let (found, greatest_segment) = read_heads(store, pool, &mut report).await?;
    store.set_next_segment(SegmentId(greatest_segment.0 + 1));
    let ends = known_ends(&found, &mut report);

    let mut seen = Seen::default();
    for (id, segment) in &found {
        let doing = || format!("read segment {id}");
        let scanned = scan::scan(&segment.file, pool, &segment.header, ends.get(id).copied())
            .await
            .map_err(OpenError::io(doing()))?;
        replay(store, &segment.header, &scanned, &mut seen)?;
        report.segments += 1;
        report.damage.extend(scanned.damage.iter().cloned());
        if segment.seal.is_none() {
            finish_segment(pool, segment, &scanned)
                .await
                .map_err(OpenError::io(format!("cut and flush segment {id}")))?;
        }
        if let Some(why) = &scanned.tail {
            report.cuts.push(format!("segment {id}: {why}"));
        }
        let seed = segment.header.nonce.seed(*id);
        store.segments.add(*id, seed, true);
        note_lane(&mut report.lanes, segment.header.lane, *id, &scanned);
    }
    apply_deletes(store, pool, &found, &ends, &seen)
        .await
        .map_err(OpenError::io("read the segments again"))?;

    report.records = seen.records;
    let headroom = if report.damage.is_empty() { 0 } else { LSN_HEADROOM_AFTER_DAMAGE };
    store.index.advance_past(Lsn(seen.greatest_lsn.0 + headroom));
    store.index.drop_nameless();
    // A record that cannot be read may name any of them, or be the name that keeps its content.
    let may_remove = report.damage.is_empty();
    report.swept_blobs = sweep_blobs(store, &seen, may_remove)
        .await
        .map_err(OpenError::io("sweep blobs that nothing names"))?;
    report.lanes.sort_by_key(|lane| lane.id);
    Ok(report)
}

/// Reads all heads, removes prepared files, gives the segments in order and the greatest number in use.
async fn read_heads(
    store: &Store,
    pool: &Pool,
    report: &mut Recovered,
) -> Result<(BTreeMap<SegmentId, Found>, SegmentId), OpenError> {
    let entries = store.disk.list(segment::DIRECTORY).await.map_err(OpenError::io("list the segments"))?;
    let mut found = BTreeMap::new();
    let mut greatest = SegmentId(0);
    let mut removed = false;
    for entry in entries.iter().filter(|entry| segment::is_unfinished(&entry.name)) {
        let path = format!("{}/{}", segment::DIRECTORY, entry.name);
        store.disk.remove(&path).await.map_err(OpenError::io(format!("remove {path}")))?;
        removed = true;
    }
    for id in entries.iter().filter_map(|entry| segment::parse_name(&entry.name)) {
        greatest = greatest.max(id);
        let path = segment::path(id);
        let doing = || OpenError::io(format!("read the head of segment {id}"));
        let how = Open { write: true, direct: store.direct, ..Open::default() };
        let file = store.disk.open(&path, how).await.map_err(doing())?;
        match scan::read_head(&file, pool, store.id, id).await {
            Ok(SegmentHead::Blank) => {
                drop(file);
                store
                    .disk
                    .remove(&path)
                    .await
                    .map_err(OpenError::io(format!("remove the unused segment {id}")))?;
                removed = true;
            }
            Ok(SegmentHead::Damaged(error)) => report.damage.push(Damage {
                segment: id,
                offset: 0,
                what: format!(
                    "both copies of the header are unreadable ({error}); nothing in it can be served"
                ),
            }),
            Ok(SegmentHead::Open { header, seal, damage }) => {
                report.damage.extend(damage);
                found.insert(id, Found { file, header: *header, seal });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(OpenError::Refused(format!("{error}: a newer rhinobox wrote this store")));
            }
            Err(error) => return Err(doing()(error)),
        }
    }
    if removed {
        store
            .disk
            .sync_dir(segment::DIRECTORY)
            .await
            .map_err(OpenError::io("flush the segments' directory"))?;
    }
    Ok((found, greatest))
}

/// Where segments end, as their seals or their successors' headers say.
fn known_ends(found: &BTreeMap<SegmentId, Found>, report: &mut Recovered) -> HashMap<SegmentId, Predecessor> {
    let mut ends = HashMap::new();
    for (id, segment) in found {
        if let Some(seal) = &segment.seal {
            ends.insert(*id, Predecessor { segment: *id, end: seal.end, last_batch: seal.last_batch });
        }
        if let Some(before) = segment.header.predecessor {
            ends.insert(before.segment, before);
            if !found.contains_key(&before.segment) {
                report.damage.push(Damage {
                    segment: before.segment,
                    offset: 0,
                    what: format!("the segment is missing; segment {id} continues it"),
                });
            }
        }
    }
    ends
}

fn replay(
    store: &Store,
    header: &SegmentHeader,
    scanned: &Scanned,
    seen: &mut Seen,
) -> Result<(), OpenError> {
    let seed = header.nonce.seed(header.segment);
    for batch in &scanned.batches {
        for (position, entry_len, record) in batch.records(seed) {
            // What cannot be read was noted as damage by the scan.
            let record = match record {
                Ok(record) => record,
                Err(super::format::FormatError::Unsupported) => {
                    let why = format!("segment {} holds records of a newer rhinobox", header.segment);
                    return Err(OpenError::Refused(why));
                }
                Err(_) => continue,
            };
            let offset = u32::try_from(position).expect("a segment is at most 1 GiB");
            let place = Place { segment: header.segment, offset };
            seen.records += 1;
            seen.greatest_lsn = seen.greatest_lsn.max(record.lsn);
            match record.body {
                Body::Put(put) => {
                    let payload = batch.header.offset + u64::from(put.offset);
                    let offset = u32::try_from(payload).expect("a segment is at most 1 GiB");
                    let location =
                        Location::Inline { segment: header.segment, offset, len: put.len, crc: put.crc };
                    store.index.replay_content(put.digest, record.lsn, location);
                }
                Body::PutLarge(put) => {
                    seen.blobs.insert(place, put.blob);
                    let location = Location::Large { record: place, entry_len };
                    store.index.replay_content(put.digest, record.lsn, location);
                }
                Body::Name(name) => {
                    let key = PathKey::new(name.namespace, &name.path);
                    let fingerprint = store.index.fingerprint(&name.digest, name.attributes.as_bytes());
                    store.index.replay_name(key, record.lsn, place, &name.digest, fingerprint);
                }
                Body::DeleteContent(digest) => {
                    let latest = seen.contents_deleted.entry(digest).or_default();
                    *latest = record.lsn.max(*latest);
                }
                Body::DeleteName { namespace, path } => {
                    let latest = seen.paths_deleted.entry(PathKey::new(namespace, &path)).or_default();
                    *latest = record.lsn.max(*latest);
                }
                // This build writes none of these.
                Body::Attributes { .. } | Body::RetireSegment(_) | Body::RetireBlob(_) | Body::Unknown(_) => {
                }
            }
        }
    }
    Ok(())
}

/// Step 3.
async fn finish_segment(pool: &Pool, found: &Found, scanned: &Scanned) -> io::Result<()> {
    found.file.set_len(scanned.end).await?;
    found.file.sync_all().await?;
    let seed = found.header.nonce.seed(found.header.segment);
    let lsns = scanned.batches.iter().filter(|batch| batch.header.records > 0);
    let seal = Seal {
        end: scanned.end,
        last_batch: scanned.last_batch,
        batches: scanned.batches.len() as u64,
        records: scanned.batches.iter().map(|batch| u64::from(batch.header.records)).sum(),
        least_lsn: lsns.clone().map(|batch| batch.header.least_lsn).min().unwrap_or_default(),
        greatest_lsn: lsns.map(|batch| batch.header.greatest_lsn).max().unwrap_or_default(),
        sealed: clock::wall(),
    };
    lane::write_seal(pool, (found.header.segment, &found.file, false), seed, &seal).await;
    Ok(())
}

fn note_lane(lanes: &mut Vec<LaneStart>, id: LaneId, segment: SegmentId, scanned: &Scanned) {
    let end = Predecessor { segment, end: scanned.end, last_batch: scanned.last_batch };
    match lanes.iter_mut().find(|lane| lane.id == id) {
        // Segments are visited in the order of their numbers, and a lane's numbers grow.
        Some(lane) => lane.predecessor = Some(end),
        None => lanes.push(LaneStart { id, predecessor: Some(end) }),
    }
}

/// Takes away what was deleted later than it was written. A second scan, made only where anything was deleted: the
/// names of a deleted content are found by reading them.
async fn apply_deletes(
    store: &Store,
    pool: &Pool,
    found: &BTreeMap<SegmentId, Found>,
    ends: &HashMap<SegmentId, Predecessor>,
    seen: &Seen,
) -> io::Result<()> {
    if seen.contents_deleted.is_empty() && seen.paths_deleted.is_empty() {
        return Ok(());
    }
    for (id, segment) in found {
        let scanned = scan::scan(&segment.file, pool, &segment.header, ends.get(id).copied()).await?;
        let seed = segment.header.nonce.seed(*id);
        for (position, _, record) in scanned.batches.iter().flat_map(|batch| batch.records(seed)) {
            let Ok(super::format::Record { lsn, body: Body::Name(name), .. }) = record else { continue };
            let key = PathKey::new(name.namespace, &name.path);
            let content_gone = seen.contents_deleted.get(&name.digest).is_some_and(|deleted| lsn < *deleted);
            let path_gone = seen.paths_deleted.get(&key).is_some_and(|deleted| lsn < *deleted);
            if content_gone || path_gone {
                let offset = u32::try_from(position).expect("a segment is at most 1 GiB");
                store.index.remove_name(key, Place { segment: *id, offset }, &name.digest);
            }
        }
    }
    for (digest, deleted) in &seen.contents_deleted {
        store.index.remove_content(digest, *deleted);
    }
    Ok(())
}

/// Removes the files of blobs that no live content names, where that may be known, and makes sure that no number
/// is used again.
async fn sweep_blobs(store: &Store, seen: &Seen, may_remove: bool) -> io::Result<usize> {
    let mut live = HashSet::new();
    store.index.for_each_content(|_, content| {
        if let Location::Large { record, .. } = content.location
            && let Some(blob) = seen.blobs.get(&record)
        {
            live.insert(*blob);
        }
    });
    let mut swept = 0;
    let mut greatest = seen.blobs.values().copied().max().unwrap_or_default();
    for number in 0..=0xff_u64 {
        let directory = blob::directory(BlobId(number));
        for entry in store.disk.list(&directory).await? {
            let Some(id) = blob::parse_name(&entry.name) else { continue };
            greatest = greatest.max(id);
            if may_remove && !live.contains(&id) {
                store.disk.remove(&blob::path(id)).await?;
                swept += 1;
            }
        }
    }
    store.set_next_blob_after(greatest);
    Ok(swept)
}
