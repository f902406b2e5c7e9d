//! From the files of a store to its index. May be killed at any point and run again, any number of times.
//! What only reads ([`read_heads`], [`load`], [`blob_files`]) is apart from what changes anything ([`recover`]),
//! so that the offline tools see a store as the daemon would.
//!
//! The order:
//!
//! 1. read the head of every segment;
//! 2. take the checkpoint, if there is one; scan every segment that goes on behind it, enter its records into the index,
//!    note what is damaged; apply deletes, drop contents without a name. Whatever this build must refuse has shown by now,
//!    and nothing was changed;
//! 3. remove segments that were prepared, in part or wholly, and never used, and flush which there are; of a segment without a seal: cut what was never
//!    acknowledged, flush the rest (a page read back may never have reached the disk), seal it. Nothing is ever
//!    appended to it again;
//! 4. sweep blob files that no record names (unless there is damage);
//! 5. only now may anyone read or deduplicate against what was found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::atomic::Ordering;

use super::checkpoint::{self, Checkpoint};
use super::error::OpenError;
use super::format::header::Predecessor;
use super::format::{Body, Seal, SegmentHeader};
use super::index::{Location, PathKey, Place};
use super::lane::{self, LaneStart};
use super::scan::{self, Damage, Scanned, SegmentHead};
use super::segment::{self, Written};
use super::{Store, blob};
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, BlobId, LaneId, Lsn, SegmentId};
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
    /// Contents and names that came from a checkpoint; none if there was none that could be used.
    pub checkpoint: Option<(u64, u64)>,
    /// Segments there are.
    pub segments: usize,
    /// Segments read.
    pub segments_read: usize,
    /// Records read.
    pub records: u64,
    /// Blob files removed because no record names them.
    pub swept_blobs: usize,
}

/// A segment with a readable head.
pub struct Found {
    /// Its file.
    pub file: File,
    /// Its header.
    pub header: SegmentHeader,
    /// Its seal, if one can be read.
    pub seal: Option<Seal>,
}

/// The heads of all segments, and what they say of one another.
#[derive(Default)]
pub struct Heads {
    /// Segments with a readable head.
    pub segments: BTreeMap<SegmentId, Found>,
    /// Where segments end, as their seals or their successors' headers say.
    pub ends: HashMap<SegmentId, Predecessor>,
    /// Files that were prepared and never used.
    pub blank: Vec<SegmentId>,
    /// Paths of files that were being prepared.
    pub unfinished: Vec<String>,
    /// The greatest number in use.
    pub greatest: SegmentId,
    /// Heads that cannot be read.
    pub damage: Vec<Damage>,
    /// Segments that are not there, each with the one that continues it.
    pub missing: Vec<(SegmentId, SegmentId)>,
}

/// What all segments say together.
pub struct Loaded {
    /// What was found. Nothing was done about it yet.
    pub report: Recovered,
    /// The segments that are missing and were not retired; they are in the report's damage too.
    pub missing: Vec<Damage>,
    seen: Seen,
    checkpoint: Option<Checkpoint>,
}

/// The files of blobs.
#[derive(Debug, Default)]
pub struct BlobFiles {
    /// Those that no live content names.
    pub unnamed: Vec<BlobId>,
    /// The greatest number in use.
    pub greatest: BlobId,
    /// Directories that should be there and are not.
    pub missing_directories: Vec<String>,
}

/// What was seen beyond what the index holds.
#[derive(Default)]
struct Seen {
    greatest_lsn: Lsn,
    contents_deleted: HashMap<Digest, Lsn>,
    paths_deleted: HashMap<PathKey, Lsn>,
    /// Segments that were retired: they may be missing.
    retired: HashSet<SegmentId>,
    /// Names that others have replaced at their paths.
    replaced: HashSet<Place>,
    greatest_blob: BlobId,
    records: u64,
}

/// Recovers `store`, whose index is empty.
///
/// # Errors
/// What the disk gave, and `Refused` for a store that a later version wrote.
pub async fn recover(store: &Store, pool: &Pool) -> Result<Recovered, OpenError> {
    let how = Open { write: true, direct: store.direct, ..Open::default() };
    let heads = read_heads(store, pool, how).await?;
    let begun = take_checkpoint(store, pool).await;
    let mut seals = Vec::new();
    let mut loaded = load(store, pool, &heads, begun, async |segment, scanned| {
        if segment.seal.is_none() {
            seals.push((segment.header.segment, seal_of(scanned)));
        }
        Ok(())
    })
    .await?;
    // A number is never used again, be its segment gone: blobs take theirs from it.
    let gone = loaded.seen.retired.iter().chain(heads.missing.iter().map(|(id, _)| id)).copied();
    let next = SegmentId(gone.fold(heads.greatest, SegmentId::max).0 + 1);
    let known = loaded.checkpoint.as_ref().map_or(next, |checkpoint| checkpoint.head.next_segment);
    store.set_next_segment(next.max(known));
    let doing = OpenError::io("remove an unfinished checkpoint");
    checkpoint::remove_unfinished(&store.disk).await.map_err(doing)?;
    remove_unused(store, &heads).await?;
    flush_names(store, loaded.checkpoint.is_some()).await?;
    for (id, seal) in seals {
        let doing = OpenError::io(format!("cut and flush segment {id}"));
        finish_segment(pool, &heads.segments[&id], &seal).await.map_err(doing)?;
    }
    loaded.report.swept_blobs =
        sweep_blobs(store, &loaded).await.map_err(OpenError::io("sweep blobs that nothing names"))?;
    store.note_recovered(&loaded.report);
    if let Some(checkpoint) = &loaded.checkpoint {
        let held = checkpoint.segments.iter().map(|(id, written)| (*id, written.last_batch));
        store.checkpoint.set_segments(held);
    }
    Ok(loaded.report)
}

/// The checkpoint, if there is one to be used. Any other is told of and left to be replaced: the log says it all.
async fn take_checkpoint(store: &Store, pool: &Pool) -> Option<Checkpoint> {
    match store.disk.list(checkpoint::DIRECTORY).await {
        Ok(entries) if entries.iter().any(|entry| checkpoint::is_file(&entry.name)) => {}
        _ => return None,
    }
    match checkpoint::load(store, pool).await {
        Ok(checkpoint) => Some(checkpoint),
        Err(why) => {
            tracing::warn!(why, "the checkpoint of the index cannot be used; the whole log is read instead");
            None
        }
    }
}

/// Reads what all segments say into the store's index, and makes it whole: deletes are applied, contents without a name
/// dropped. The index is empty, or holds the checkpoint. Changes nothing on the disk; `visit` is shown each segment that
/// is read.
///
/// # Errors
/// What the disk gave, `visit`'s, and `Refused` for a store that a later version wrote.
pub async fn load(
    store: &Store,
    pool: &Pool,
    heads: &Heads,
    checkpoint: Option<Checkpoint>,
    mut visit: impl AsyncFnMut(&Found, &Scanned) -> Result<(), OpenError>,
) -> Result<Loaded, OpenError> {
    let usage = store.index.usage();
    let mut report = Recovered {
        damage: heads.damage.clone(),
        checkpoint: checkpoint.as_ref().map(|_| (usage.contents, usage.names)),
        segments: heads.segments.len(),
        ..Recovered::default()
    };
    let mut seen = checkpoint.as_ref().map(Seen::of).unwrap_or_default();
    for (id, segment) in &heads.segments {
        let doing = || format!("read segment {id}");
        let taken = checkpoint.as_ref().and_then(|checkpoint| checkpoint.segments.get(id)).copied();
        if let (Some(taken), Some(known)) = (taken, heads.ends.get(id))
            && taken.last_batch == known.last_batch
            && segment.file.len().await.map_err(OpenError::io(doing()))? >= known.end
        {
            store.segments.add(&segment.header, Some(taken));
            note_lane(&mut report.lanes, segment.header.lane, *known);
            continue;
        }
        let scanned = scan::scan(&segment.file, pool, &segment.header, heads.ends.get(id).copied())
            .await
            .map_err(OpenError::io(doing()))?;
        let behind = taken.map_or(BatchSeq(0), |taken| taken.last_batch);
        replay(store, &segment.header, &scanned, behind, &mut seen)?;
        report.segments_read += 1;
        report.damage.extend(scanned.damage.iter().cloned());
        visit(segment, &scanned).await?;
        if let Some(why) = &scanned.tail {
            report.cuts.push(format!("segment {id}: {why}"));
        }
        let end = Predecessor { segment: *id, end: scanned.end, last_batch: scanned.last_batch };
        store.segments.add(&segment.header, Some(Written { end: end.end, last_batch: end.last_batch }));
        note_lane(&mut report.lanes, segment.header.lane, end);
    }
    let replaced = std::mem::take(&mut seen.replaced);
    store.index.replay_deletes(&seen.contents_deleted, &seen.paths_deleted, replaced);
    seen.retired.iter().for_each(|id| store.segments.note_retired(*id));

    let missing = missing_segments(heads, &seen, checkpoint.as_ref());
    report.damage.extend(missing.iter().cloned());
    report.records = seen.records;
    let headroom = if report.damage.is_empty() { 0 } else { LSN_HEADROOM_AFTER_DAMAGE };
    store.recovered_through.store(seen.greatest_lsn.0, Ordering::Relaxed);
    store.index.advance_past(Lsn(seen.greatest_lsn.0 + headroom));
    store.index.drop_nameless();
    report.lanes.sort_by_key(|lane| lane.id);
    Ok(Loaded { report, missing, seen, checkpoint })
}

impl Seen {
    /// What a checkpoint has seen.
    fn of(checkpoint: &Checkpoint) -> Seen {
        Seen {
            greatest_lsn: Lsn(checkpoint.head.next_lsn.0.saturating_sub(1)),
            contents_deleted: checkpoint.contents_deleted.clone(),
            paths_deleted: checkpoint.paths_deleted.clone(),
            retired: checkpoint.retired.clone(),
            greatest_blob: BlobId(checkpoint.head.next_blob.0.saturating_sub(1)),
            ..Seen::default()
        }
    }
}

/// Reads the heads of all segments. `how` is how their files are opened.
///
/// # Errors
/// What the disk gave, and `Refused` for a store that a later version wrote.
pub async fn read_heads(store: &Store, pool: &Pool, how: Open) -> Result<Heads, OpenError> {
    let entries = store.disk.list(segment::DIRECTORY).await.map_err(OpenError::io("list the segments"))?;
    let mut heads = Heads::default();
    let unfinished = entries.iter().filter(|entry| segment::is_unfinished(&entry.name));
    heads.unfinished = unfinished.map(|entry| format!("{}/{}", segment::DIRECTORY, entry.name)).collect();
    for id in entries.iter().filter_map(|entry| segment::parse_name(&entry.name)) {
        heads.greatest = heads.greatest.max(id);
        let doing = || OpenError::io(format!("read the head of segment {id}"));
        let file = store.disk.open(&segment::path(id), how).await.map_err(doing())?;
        match scan::read_head(&file, pool, store.id, id).await {
            Ok(SegmentHead::Blank) => heads.blank.push(id),
            Ok(SegmentHead::Damaged(error)) => heads.damage.push(Damage {
                segment: id,
                offset: 0,
                what: format!(
                    "both copies of the header are unreadable ({error}); nothing in it can be served"
                ),
            }),
            Ok(SegmentHead::Open { header, seal, damage }) => {
                heads.damage.extend(damage);
                heads.segments.insert(id, Found { file, header: *header, seal });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(OpenError::Refused(format!("{error}: a newer rhinobox wrote this store")));
            }
            Err(error) => return Err(doing()(error)),
        }
    }
    heads.find_ends();
    Ok(heads)
}

impl Heads {
    fn find_ends(&mut self) {
        for (id, segment) in &self.segments {
            if let Some(seal) = &segment.seal {
                let end = Predecessor { segment: *id, end: seal.end, last_batch: seal.last_batch };
                self.ends.insert(*id, end);
            }
            if let Some(before) = segment.header.predecessor {
                self.ends.insert(before.segment, before);
                if !self.segments.contains_key(&before.segment) {
                    self.missing.push((before.segment, *id));
                }
            }
        }
    }
}

/// Removes segments that were prepared, in part or wholly, and never used.
async fn remove_unused(store: &Store, heads: &Heads) -> Result<(), OpenError> {
    let blank = heads.blank.iter().map(|id| segment::path(*id));
    let unused: Vec<String> = heads.unfinished.iter().cloned().chain(blank).collect();
    for path in &unused {
        store.disk.remove(path).await.map_err(OpenError::io(format!("remove the unused {path}")))?;
    }
    Ok(())
}

/// From here on no segment that is gone comes back, and no older checkpoint: the process before this one may have been
/// killed between a removal or a new name and its flush.
async fn flush_names(store: &Store, has_checkpoint: bool) -> Result<(), OpenError> {
    let doing = || OpenError::io("flush the directories of segments and checkpoint");
    store.disk.sync_dir(segment::DIRECTORY).await.map_err(doing())?;
    if has_checkpoint {
        store.disk.sync_dir(checkpoint::DIRECTORY).await.map_err(doing())?;
    }
    Ok(())
}

/// Segments that are not there although others, or the checkpoint, name them.
fn missing_segments(heads: &Heads, seen: &Seen, checkpoint: Option<&Checkpoint>) -> Vec<Damage> {
    let mut missing: BTreeMap<SegmentId, String> = BTreeMap::new();
    for (id, by) in &heads.missing {
        missing.insert(*id, format!("the segment is missing; segment {by} continues it"));
    }
    for id in checkpoint.iter().flat_map(|checkpoint| checkpoint.segments.keys()) {
        if !heads.segments.contains_key(id) && !heads.damage.iter().any(|damage| damage.segment == *id) {
            missing
                .entry(*id)
                .or_insert_with(|| "the segment is missing; the checkpoint names it".to_owned());
        }
    }
    let missing = missing.into_iter().filter(|(id, _)| !seen.retired.contains(id));
    missing.map(|(segment, what)| Damage { segment, offset: 0, what }).collect()
}

/// Enters what stands behind this batch.
fn replay(
    store: &Store,
    header: &SegmentHeader,
    scanned: &Scanned,
    behind: BatchSeq,
    seen: &mut Seen,
) -> Result<(), OpenError> {
    let seed = header.nonce.seed(header.segment);
    for batch in scanned.batches.iter().filter(|batch| batch.header.seq > behind) {
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
                    let location = Location::of_put(header.segment, batch.header.offset, &put);
                    store.index.replay_content(put.digest, record.lsn, location);
                }
                Body::PutLarge(put) => {
                    seen.greatest_blob = seen.greatest_blob.max(put.blob);
                    let location = Location::Large { record: place, entry_len, blob: put.blob };
                    store.index.replay_content(put.digest, record.lsn, location);
                }
                Body::Name(name) => {
                    let key = PathKey::new(name.namespace, &name.path);
                    let fingerprint = store.index.fingerprint(&name.digest, name.attributes.as_bytes());
                    let gone = &mut seen.replaced;
                    store.index.replay_name(key, record.lsn, place, &name.digest, fingerprint, gone);
                }
                Body::DeleteContent(digest) => {
                    let latest = seen.contents_deleted.entry(digest).or_default();
                    *latest = record.lsn.max(*latest);
                }
                Body::DeleteName { namespace, path } => {
                    let latest = seen.paths_deleted.entry(PathKey::new(namespace, &path)).or_default();
                    *latest = record.lsn.max(*latest);
                }
                Body::RetireSegment(retired) => {
                    seen.retired.insert(retired);
                }
                // This build writes none of these.
                Body::Attributes { .. } | Body::RetireBlob(_) | Body::Unknown(_) => {}
            }
        }
    }
    Ok(())
}

/// Step 3.
async fn finish_segment(pool: &Pool, found: &Found, seal: &Seal) -> io::Result<()> {
    found.file.set_len(seal.end).await?;
    found.file.sync_all().await?;
    let seed = found.header.nonce.seed(found.header.segment);
    lane::write_seal(pool, (found.header.segment, &found.file, false), seed, seal).await;
    Ok(())
}

/// What the seal of a segment without one will say.
fn seal_of(scanned: &Scanned) -> Seal {
    let lsns = scanned.batches.iter().filter(|batch| batch.header.records > 0);
    Seal {
        end: scanned.end,
        last_batch: scanned.last_batch,
        batches: scanned.batches.len() as u64,
        records: scanned.batches.iter().map(|batch| u64::from(batch.header.records)).sum(),
        least_lsn: lsns.clone().map(|batch| batch.header.least_lsn).min().unwrap_or_default(),
        greatest_lsn: lsns.map(|batch| batch.header.greatest_lsn).max().unwrap_or_default(),
        sealed: clock::wall(),
    }
}

fn note_lane(lanes: &mut Vec<LaneStart>, id: LaneId, end: Predecessor) {
    match lanes.iter_mut().find(|lane| lane.id == id) {
        // Segments are visited in the order of their numbers, and a lane's numbers grow.
        Some(lane) => lane.predecessor = Some(end),
        None => lanes.push(LaneStart { id, predecessor: Some(end) }),
    }
}

/// Removes the files of blobs that no live content names, where that may be known, and makes sure that no number
/// is used again.
async fn sweep_blobs(store: &Store, loaded: &Loaded) -> io::Result<usize> {
    let files = blob_files(store, loaded).await?;
    if let Some(missing) = files.missing_directories.first() {
        let why = format!("the directory {missing} is missing: make it (its blobs, if it had any, are lost)");
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    store.set_next_blob_after(files.greatest);
    // A record that cannot be read may name any of them, or be the name that keeps its content.
    if !loaded.report.damage.is_empty() {
        return Ok(0);
    }
    for id in &files.unnamed {
        store.disk.remove(&blob::path(*id)).await?;
    }
    Ok(files.unnamed.len())
}

/// Finds the files of blobs that no live content names. `loaded` is what filled the store's index.
///
/// # Errors
/// What the disk gave.
pub async fn blob_files(store: &Store, loaded: &Loaded) -> io::Result<BlobFiles> {
    let mut live = HashSet::new();
    store.index.for_each_content(|_, content| {
        if let Location::Large { blob, .. } = content.location {
            live.insert(blob);
        }
    });
    let mut files = BlobFiles { greatest: loaded.seen.greatest_blob, ..BlobFiles::default() };
    for number in 0..=0xff_u64 {
        let directory = blob::directory(BlobId(number));
        let entries = match store.disk.list(&directory).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files.missing_directories.push(directory);
                continue;
            }
            result => result?,
        };
        for id in entries.iter().filter_map(|entry| blob::parse_name(&entry.name)) {
            files.greatest = files.greatest.max(id);
            if !live.contains(&id) {
                files.unnamed.push(id);
            }
        }
    }
    Ok(files)
}
