//! Checkpoints: the index as a file, so that a start reads only what the log has got since. It may be deleted: a start
//! without one reads the whole log.
//!
//! Always: a checkpoint holds everything that stands in the log up to the positions it names; what stands behind them is
//! read from the log again, whether the checkpoint has it or not. It is made whole, flushed and only then given its name.
//! A store whose log is damaged gets none: the damage would be forgotten with it. The order:
//!
//! 1. how far each segment is written is noted, then a number is drawn;
//! 2. nobody is active who began before that number: whoever wrote up to those positions has told the index;
//! 3. the index is copied, contents first, shard by shard, while it goes on to change;
//! 4. with `durability os`, the log is flushed: the checkpoint must not know more than the disk;
//! 5. the file is flushed, gets its name, and the name is flushed.
//!
//! Nothing is compacted and no note of a delete is dropped meanwhile: the compactor makes checkpoints itself. A copy of an
//! old record behind those positions could else bring back what a delete before them took away.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::Store;
use super::error::is_no_space;
use super::format::FormatError;
use super::format::bytes::{Reader, Writer};
use super::format::checkpoint::{CheckpointSeed, Head, PAGE_HEAD_BYTES, Page, Section};
use super::index::{PathKey, Place, Removal, encode_all};
use super::pace::Pace;
use super::scan::Window;
use super::segment::{Segment, Written};
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, BlobId, Lsn, SegmentId, StoreId};
use crate::limits::{
    CHECKPOINT_BYTES_PER_S, CHECKPOINT_INTERVAL_MS, CHECKPOINT_IO_BYTES, CHECKPOINT_NAMES_SHARE,
    CHECKPOINT_RECORDS_MIN, CHECKPOINT_WAIT_MS, INDEX_SHARDS,
};
use crate::runtime;
use crate::runtime::buffer::{Buffer, Pool};
use crate::runtime::clock;
use crate::runtime::disk::{Disk, File, Open};

/// The directory of checkpoints.
pub const DIRECTORY: &str = "index";
/// The checkpoint.
pub const FILE: &str = "index/checkpoint";
/// One that is being made.
const NEW_FILE: &str = "index/checkpoint.new";
/// How often it is looked whether step 2 is over.
const POLL_MS: u64 = 10;

/// Whether a file of this name in [`DIRECTORY`] is the checkpoint.
pub(super) fn is_file(name: &str) -> bool {
    FILE.strip_prefix(DIRECTORY).and_then(|rest| rest.strip_prefix('/')) == Some(name)
}

/// When checkpoints are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckpointPace {
    /// With so many records that a start would read, at least.
    pub records_min: u64,
    /// At least so long after the last, in milliseconds.
    pub interval_ms: u64,
}

impl Default for CheckpointPace {
    fn default() -> Self {
        CheckpointPace { records_min: CHECKPOINT_RECORDS_MIN, interval_ms: CHECKPOINT_INTERVAL_MS }
    }
}

/// Counts since the start, of checkpoints made.
#[derive(Debug, Default)]
pub struct CheckpointStats {
    /// Made.
    pub made: AtomicU64,
    /// Bytes of the last.
    pub bytes: AtomicU64,
    /// What [`Store::log_records`] said when the last was begun.
    records: AtomicU64,
    /// The segments that the one on the disk names, and the last batch that it holds of each for certain.
    segments: Mutex<HashMap<SegmentId, BatchSeq>>,
}

impl CheckpointStats {
    /// Whether the checkpoint on the disk takes this segment to be there.
    pub(super) fn names(&self, id: SegmentId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Whether the checkpoint on the disk was made after all of this segment.
    pub(super) fn covers(&self, segment: &Segment) -> bool {
        self.lock().get(&segment.id).is_some_and(|held| *held >= segment.written().last_batch)
    }

    /// The checkpoint on the disk may soon be one that names these, too.
    fn add_segments(&self, ids: impl Iterator<Item = SegmentId>) {
        let mut segments = self.lock();
        for id in ids {
            segments.entry(id).or_insert(BatchSeq(0));
        }
    }

    /// The checkpoint on the disk names these segments, and holds them up to these batches.
    pub(super) fn set_segments(&self, held: impl Iterator<Item = (SegmentId, BatchSeq)>) {
        *self.lock() = held.collect();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SegmentId, BatchSeq>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a checkpoint says beside what the index now holds.
#[derive(Debug)]
pub struct Checkpoint {
    /// See [`Head`].
    pub head: Head,
    /// How far the index has taken in each segment.
    pub segments: HashMap<SegmentId, Written>,
    /// Segments that are gone although others name them.
    pub retired: HashSet<SegmentId>,
    /// Deletes that a name in the log may not have seen.
    pub contents_deleted: HashMap<Digest, Lsn>,
    /// As `contents_deleted`.
    pub paths_deleted: HashMap<PathKey, Lsn>,
}

/// Why no checkpoint was made.
#[derive(Debug)]
pub enum NotMade {
    /// The disk.
    Io(io::Error),
    /// Someone is active for long.
    Busy,
    /// The daemon stops.
    Stopping,
    /// The log is damaged.
    Damaged,
}

impl From<io::Error> for NotMade {
    fn from(error: io::Error) -> NotMade {
        NotMade::Io(error)
    }
}

/// The head of the checkpoint in this directory, if there is a readable one: the index is to be made with its keys.
pub(super) async fn read_head(disk: &Disk, pool: &Pool, store: StoreId) -> Option<Head> {
    let file = disk.open(FILE, Open::default()).await.ok()?;
    let mut pages = Pages::new(&file, pool, store);
    match pages.next().await {
        Ok(Some((page, entries))) if page.section == Section::Head => Head::decode(&entries).ok(),
        _ => None,
    }
}

/// Fills the store's index, which is empty and has the checkpoint's keys, from the checkpoint.
///
/// # Errors
/// In words, why there is none to be used. The index is empty then.
pub(super) async fn load(store: &Store, pool: &Pool) -> Result<Checkpoint, String> {
    let result = load_pages(store, pool).await;
    if result.is_err() {
        store.index.clear();
    }
    result
}

async fn load_pages(store: &Store, pool: &Pool) -> Result<Checkpoint, String> {
    let file = store.disk.open(FILE, Open::default()).await.map_err(|error| error.to_string())?;
    let mut pages = Pages::new(&file, pool, store.id);
    let Some((page, entries)) = pages.next().await? else { return Err("it is empty".to_owned()) };
    if page.section != Section::Head {
        return Err("it does not begin with its head".to_owned());
    }
    let head = Head::decode(&entries).map_err(|error| error.to_string())?;
    if head.store != store.id || head.keys != store.index.keys() {
        return Err("it is of another store".to_owned());
    }
    let mut checkpoint = Checkpoint {
        head,
        segments: HashMap::new(),
        retired: HashSet::new(),
        contents_deleted: HashMap::new(),
        paths_deleted: HashMap::new(),
    };
    let mut removed = Vec::new();
    while let Some((page, entries)) = pages.next().await? {
        if page.section == Section::End {
            removed.iter().for_each(|removal| store.index.load_removal(removal));
            return Ok(checkpoint);
        }
        checkpoint
            .take(store, page, &entries, &mut removed)
            .map_err(|error| format!("a page of {:?}: {error}", page.section))?;
    }
    Err("its end is missing".to_owned())
}

/// Reads the checkpoint of a store at rest and uses nothing of it: in words how it is; `None` if there is none.
///
/// # Errors
/// In words, why it cannot be used.
pub async fn check(store: &Store, pool: &Pool) -> Result<Option<String>, String> {
    let file = match store.disk.open(FILE, Open::default()).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(|error| error.to_string())?,
    };
    let mut pages = Pages::new(&file, pool, store.id);
    let (mut contents, mut names) = (0, 0);
    while let Some((page, _)) = pages.next().await? {
        match page.section {
            Section::Contents => contents += u64::from(page.entries),
            Section::Names => names += u64::from(page.entries),
            _ => {}
        }
    }
    Ok(Some(format!("{contents} contents and {names} names in {} pages", pages.count)))
}

impl Checkpoint {
    fn take(
        &mut self,
        store: &Store,
        page: Page,
        entries: &[u8],
        removed: &mut Vec<Removal>,
    ) -> Result<(), FormatError> {
        let mut from = Reader(entries);
        match page.section {
            Section::Contents | Section::MoreNames | Section::Blobs | Section::Names => {
                let of = usize::try_from(page.of).map_err(|_| FormatError::Inconsistent)?;
                return store.index.load_image(page.section, page.shard.into(), of, entries);
            }
            Section::Head | Section::End => return Err(FormatError::Inconsistent),
            _ => {}
        }
        while !from.is_empty() {
            match page.section {
                Section::Segments => {
                    let id = SegmentId(from.u32()?);
                    from.u32()?;
                    let written = Written { end: from.u64()?, last_batch: BatchSeq(from.u64()?) };
                    self.segments.insert(id, written);
                }
                Section::Retired => {
                    self.retired.insert(SegmentId(from.u32()?));
                }
                Section::ContentsDeleted => {
                    self.contents_deleted.insert(Digest(from.array()?), Lsn(from.u64()?));
                }
                Section::PathsDeleted => {
                    self.paths_deleted.insert(PathKey::decode(&mut from)?, Lsn(from.u64()?));
                }
                _ => removed.push(Removal {
                    key: PathKey::decode(&mut from)?,
                    digest: Digest(from.array()?),
                    place: Place::decode(&mut from)?,
                }),
            }
        }
        Ok(())
    }
}

/// The pages of a checkpoint, front to back.
struct Pages<'a> {
    window: Window<'a>,
    store: StoreId,
    seed: Option<CheckpointSeed>,
    offset: u64,
    count: u64,
    ended: bool,
}

impl<'a> Pages<'a> {
    fn new(file: &'a File, pool: &'a Pool, store: StoreId) -> Pages<'a> {
        let window = Window::of(file, pool, CHECKPOINT_IO_BYTES);
        Pages { window, store, seed: None, offset: 0, count: 0, ended: false }
    }

    /// The next page with its entries, checked; `None` behind the End page.
    async fn next(&mut self) -> Result<Option<(Page, Bytes)>, String> {
        if self.ended {
            return Ok(None);
        }
        let at = self.offset;
        let words = |error: &dyn std::fmt::Display| format!("the page at byte {at}: {error}");
        let head = self.window.get(at, PAGE_HEAD_BYTES).await.map_err(|error| words(&error))?;
        let (page, nonce) = Page::decode(&head).map_err(|error| words(&error))?;
        let seed = *self.seed.get_or_insert_with(|| CheckpointSeed::new(nonce, self.store));
        let bytes = self.window.get(at, page.stride()).await.map_err(|error| words(&error))?;
        let entries = bytes.slice_ref(page.check(&bytes, seed, at).map_err(|error| words(&error))?);
        if page.section == Section::End {
            if *entries != self.count.to_le_bytes() {
                return Err("pages are missing".to_owned());
            }
            self.ended = true;
        }
        self.offset += page.stride() as u64;
        self.count += 1;
        Ok(Some((page, entries)))
    }
}

/// Removes one that was being made when its process ended.
///
/// # Errors
/// What the disk gave.
pub(super) async fn remove_unfinished(disk: &Disk) -> io::Result<()> {
    match disk.remove(NEW_FILE).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Makes a checkpoint. At full speed if nobody is served any more, which `bound` says; ends early once `stopping` is set.
///
/// # Errors
/// See [`NotMade`]. The last one, if there is one, is still there and as good as before.
pub(super) async fn make(
    store: &Store,
    pool: &Pool,
    bound: Option<u64>,
    stopping: &Cell<bool>,
) -> Result<(), NotMade> {
    if !store.log_damage().is_empty() {
        return Err(NotMade::Damaged);
    }
    let records = store.log_records();
    let written = store.segments.written();
    let mark = store.index.draw_mark();
    let until_ns = clock::now_ns() + CHECKPOINT_WAIT_MS * 1_000_000;
    while !store.epochs.have_passed(mark) {
        if stopping.get() {
            return Err(NotMade::Stopping);
        }
        if clock::now_ns() > until_ns {
            return Err(NotMade::Busy);
        }
        clock::sleep(Duration::from_millis(POLL_MS)).await;
    }
    remove_unfinished(&store.disk).await?;
    let how = Open { write: true, create_new: true, direct: store.direct, ..Open::default() };
    let mut out = PageWriter {
        file: store.disk.open(NEW_FILE, how).await?,
        pool,
        seed: CheckpointSeed::new(runtime::random(), store.id),
        buffer: Some(pool.take(CHECKPOINT_IO_BYTES)),
        offset: 0,
        pages: 0,
        pace: bound.map(Pace::new),
        stopping,
    };
    match write_all(store, &mut out, &written).await {
        Ok(()) => {}
        Err(why) => {
            let _left_for_the_next = store.disk.remove(NEW_FILE).await;
            return Err(why);
        }
    }
    // Whichever of the two a failure here leaves.
    store.checkpoint.add_segments(written.iter().map(|(id, _)| *id));
    store.disk.rename(NEW_FILE, FILE).await?;
    store.disk.sync_dir(DIRECTORY).await?;
    store.checkpoint.set_segments(written.iter().map(|(id, written)| (*id, written.last_batch)));
    store.checkpoint.records.store(records, Ordering::Relaxed);
    store.checkpoint.bytes.store(out.offset, Ordering::Relaxed);
    store.checkpoint.made.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Steps 3 to 5, up to the flush.
async fn write_all(
    store: &Store,
    out: &mut PageWriter<'_>,
    written: &[(SegmentId, Written)],
) -> Result<(), NotMade> {
    let head = Head {
        store: store.id,
        created: clock::wall(),
        next_lsn: store.index.next_lsn(),
        next_segment: SegmentId(store.next_segment.load(Ordering::Relaxed)),
        next_blob: BlobId(store.next_blob.load(Ordering::Relaxed)),
        keys: store.index.keys(),
    };
    out.section(Section::Head, 0, &head.encode()).await?;
    let segments = encode_all(Section::Segments, written.len(), written.iter(), |(id, written), to| {
        to.u32(id.0).u32(0).u64(written.end).u64(written.last_batch.0);
    });
    out.section(Section::Segments, 0, &segments).await?;
    let retired = store.segments.retired();
    let encode = |id: &SegmentId, to: &mut Writer<'_>| {
        to.u32(id.0);
    };
    let retired = encode_all(Section::Retired, retired.len(), retired.iter(), encode);
    out.section(Section::Retired, 0, &retired).await?;
    store.index.begin_image();
    let copied = copy_index(store, out).await;
    let removed = store.index.end_image();
    copied?;
    let removed = encode_all(Section::Removed, removed.len(), removed.iter(), |removal, to| {
        removal.key.encode(to);
        to.bytes(&removal.digest.0);
        removal.place.encode(to);
    });
    out.section(Section::Removed, 0, &removed).await?;
    let pages = out.pages.to_le_bytes();
    out.section(Section::End, 0, &pages).await?;
    out.write().await?;
    if !store.options.durability.flushes() {
        store.flush_open_segments().await?;
    }
    out.file.sync_all().await?;
    Ok(())
}

async fn copy_index(store: &Store, out: &mut PageWriter<'_>) -> Result<(), NotMade> {
    for shard in 0..INDEX_SHARDS {
        for (section, bytes) in store.index.image_of_contents(shard) {
            out.section(section, shard, &bytes).await?;
        }
    }
    for shard in 0..INDEX_SHARDS {
        for (section, bytes) in store.index.image_of_names(shard) {
            out.section(section, shard, &bytes).await?;
        }
    }
    Ok(())
}

struct PageWriter<'a> {
    file: File,
    pool: &'a Pool,
    seed: CheckpointSeed,
    /// Pages on their way to the file.
    buffer: Option<Buffer>,
    /// Where the buffer goes.
    offset: u64,
    pages: u64,
    pace: Option<Pace>,
    stopping: &'a Cell<bool>,
}

impl PageWriter<'_> {
    /// Writes a section of a shard, in as many pages as it takes; none if it is empty.
    async fn section(&mut self, section: Section, shard: usize, entries: &[u8]) -> Result<(), NotMade> {
        let of = (entries.len() / section.entry_bytes()) as u64;
        let shard = u16::try_from(shard).expect("some hundred shards");
        for payload in entries.chunks(section.page_entries() * section.entry_bytes()) {
            let count = u32::try_from(payload.len() / section.entry_bytes()).expect("a page is small");
            let page = Page { section, shard, entries: count, of };
            let stride = page.stride();
            if self.buffered() + stride > CHECKPOINT_IO_BYTES {
                self.write().await?;
            }
            let at = self.buffered();
            let offset = self.offset + at as u64;
            if let Some(buffer) = &mut self.buffer {
                buffer.set_len(at + stride);
                page.encode(payload, self.seed, offset, &mut buffer.as_mut_slice()[at..]);
            }
            self.pages += 1;
        }
        Ok(())
    }

    fn buffered(&self) -> usize {
        self.buffer.as_ref().map_or(0, Buffer::len)
    }

    /// Writes what is buffered, at a bounded rate.
    async fn write(&mut self) -> Result<(), NotMade> {
        if self.stopping.get() {
            return Err(NotMade::Stopping);
        }
        let buffer = self.buffer.take().unwrap_or_else(|| self.pool.take(CHECKPOINT_IO_BYTES));
        let len = buffer.len();
        if let Some(pace) = &self.pace {
            pace.spend(len as u64, self.stopping).await;
        }
        let (result, mut buffer) = self.file.write_all_at(buffer, 0..len, self.offset).await;
        result?;
        buffer.set_len(0);
        self.buffer = Some(buffer);
        self.offset += len as u64;
        Ok(())
    }
}

impl Store {
    /// Grows with what a start would have to find out again: records in the log, and damage.
    fn log_records(&self) -> u64 {
        self.recovered_records.load(Ordering::Relaxed) + self.stats.records() + self.index.times_marked()
    }

    /// Whether so much was written since the last checkpoint that another is due.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let since = self.log_records() - self.checkpoint.records.load(Ordering::Relaxed);
        let share = self.index.name_count() / CHECKPOINT_NAMES_SHARE;
        since >= self.options.checkpoint.records_min + share
    }

    /// Makes a checkpoint at full speed, as the last thing before the end: no lane is open any more.
    pub async fn checkpoint_at_stop(&self, pool: &Pool) {
        if self.log_records() == self.checkpoint.records.load(Ordering::Relaxed) {
            return;
        }
        match make(self, pool, None, &Cell::new(false)).await {
            Ok(()) | Err(NotMade::Damaged | NotMade::Busy | NotMade::Stopping) => {}
            Err(NotMade::Io(error)) => {
                tracing::warn!(%error, "no checkpoint could be made; the next start reads more of the log");
            }
        }
    }
}

/// Makes a checkpoint if one is due, at a bounded rate. Gives when to look again.
pub(super) async fn make_if_due(
    store: &Store,
    pool: &Pool,
    stopping: &Cell<bool>,
    not_before_ns: u64,
) -> u64 {
    if clock::now_ns() < not_before_ns || !store.is_checkpoint_due() {
        return not_before_ns;
    }
    match make(store, pool, Some(CHECKPOINT_BYTES_PER_S), stopping).await {
        Ok(()) => {}
        Err(NotMade::Io(error)) => {
            let full = is_no_space(&error);
            tracing::warn!(%error, full, "no checkpoint could be made; it is tried again");
        }
        Err(NotMade::Busy) => {
            tracing::debug!("no checkpoint was made: a request takes long; it is tried again")
        }
        Err(NotMade::Damaged | NotMade::Stopping) => {}
    }
    clock::now_ns() + store.options.checkpoint.interval_ms * 1_000_000
}
