//! Bytes that survive: the log, its lanes and segments, big blobs, the index, recovery.
//!
//! The order that never changes, and where each step is:
//!
//! 1. a big blob's data is flushed, and its name ([`blob::BlobWriter::finish`]);
//! 2. its put record is flushed ([`lane::Lane::append`]);
//! 3. the name record is flushed, in the same batch or later;
//! 4. the index shows it ([`index::ClaimGuard::publish`], [`index::NameGuard::publish`]);
//! 5. the claim is released, who waits for the same digest is woken;
//! 6. the request is answered.

mod backlog;
pub mod blob;
pub mod checkpoint;
pub mod commit;
pub mod compaction;
pub mod delete;
pub mod dir;
pub mod epoch;
pub mod error;
pub mod format;
mod graveyard;
pub mod index;
pub mod lane;
mod pace;
pub mod probe;
pub mod provision;
pub mod read;
mod recent;
pub mod recovery;
pub mod scan;
pub mod scrub;
pub mod segment;
mod space;
mod spare;
pub mod stats;
pub mod tail;

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::ids::{BlobId, LaneId, SegmentId, StoreId};
use crate::base::units::align_down;
use crate::limits::{
    BLOCK_BYTES, DAMAGE_LISTED_MAX, INLINE_SEGMENT_SHARE, OPEN_BLOBS_MAX, OPEN_FILES_SHARE,
    OPEN_SEGMENTS_MAX, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_VOLUME_SHARE,
};
use crate::runtime;
use crate::runtime::buffer::Pool;
use crate::runtime::disk::{Disk, Space};
use crate::runtime::process;

pub use checkpoint::CheckpointPace;
pub use compaction::Compactor;
pub use dir::Identity;
pub use epoch::Active;
pub use error::{CommitError, OpenError, ReadError};
pub use lane::{Lane, LaneStart};
pub use probe::Probed;
pub use recovery::Recovered;
pub use scrub::{ScrubPace, Scrubber};
pub use space::Room;
pub use stats::Stats;

/// When a file counts as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// When it is flushed.
    Commit,
    /// When the kernel has it. A power cut may lose what was answered; a crash of the daemon does not.
    Os,
}

impl Durability {
    fn flushes(self) -> bool {
        self == Durability::Commit
    }

    /// As settings and headers spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Durability::Commit => "commit",
            Durability::Os => "os",
        }
    }
}

/// How a batch is made durable. Never both: an O_DSYNC write may cover its own blocks only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlushMethod {
    /// One O_DSYNC write.
    Dsync,
    /// Plain writes, then one fdatasync.
    Fdatasync,
}

impl FlushMethod {
    fn parse(text: &str) -> Option<FlushMethod> {
        match text {
            "dsync" => Some(FlushMethod::Dsync),
            "fdatasync" => Some(FlushMethod::Fdatasync),
            _ => None,
        }
    }
}

impl std::fmt::Display for FlushMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FlushMethod::Dsync => "dsync",
            FlushMethod::Fdatasync => "fdatasync",
        })
    }
}

/// What the operator may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choices {
    /// See [`Durability`].
    pub durability: Durability,
    /// Bytes of a segment; `None`: fit for the volume.
    pub segment_bytes: Option<u64>,
    /// Contents up to this stand in segments.
    pub inline_bytes_max: usize,
    /// When checkpoints are made.
    pub checkpoint: CheckpointPace,
    /// Bytes a second that compaction reads and writes at most; 0: there is none.
    pub compaction_bytes_per_s: u64,
}

#[cfg(test)]
impl Choices {
    /// Of a small store whose files are big from 4 KiB on, for unit tests.
    pub(crate) fn small() -> Choices {
        Choices {
            durability: Durability::Commit,
            segment_bytes: Some(1 << 20),
            inline_bytes_max: 4_096,
            checkpoint: CheckpointPace::default(),
            compaction_bytes_per_s: crate::limits::COMPACTION_BYTES_PER_S,
        }
    }
}

/// What a store runs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// See [`Durability`].
    pub durability: Durability,
    /// See [`FlushMethod`].
    pub flush: FlushMethod,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Contents up to this stand in segments.
    pub inline_bytes_max: usize,
    /// When checkpoints are made.
    pub checkpoint: CheckpointPace,
    /// Bytes a second that compaction reads and writes at most; 0: there is none.
    pub compaction_bytes_per_s: u64,
}

/// An open store. Shared by all cores; each has its own [`Lane`].
pub struct Store {
    /// Which store this is.
    pub id: StoreId,
    /// What it runs with.
    pub options: Options,
    /// See [`index::Index`].
    pub index: Arc<index::Index>,
    /// Counts and times.
    pub stats: Stats,
    /// Counts of what compaction did.
    pub compaction: compaction::CompactionStats,
    /// Counts of what scrubbing read.
    pub scrub: scrub::ScrubStats,
    /// Counts of checkpoints.
    pub checkpoint: checkpoint::CheckpointStats,
    /// What recovery could not read of the log, in words; the first of it.
    log_damage: OnceLock<Vec<String>>,
    /// Records that recovery read from the log.
    recovered_records: AtomicU64,
    /// Lanes that may still be written to.
    open_lanes: AtomicUsize,
    disk: Disk,
    direct: bool,
    segments: segment::Segments,
    blobs: blob::Blobs,
    space: space::Gauge,
    epochs: epoch::Epochs,
    graveyard: graveyard::Graveyard,
    spares: spare::Spares,
    recent: recent::Recent,
    next_segment: AtomicU32,
    /// Lanes whose open segment has a number below this begin a new one when they have nothing to write.
    renew_below: AtomicU32,
    next_blob: AtomicU64,
    /// The greatest number of a record that was found when it was opened.
    recovered_through: AtomicU64,
}

/// What opening a store found.
#[derive(Debug)]
pub struct Opened {
    /// What recovery found and did.
    pub recovered: Recovered,
    /// Whether the store was made just now.
    pub created: bool,
    /// Direct I/O works here.
    pub direct: bool,
    /// How long a durable write of one block takes; unknown on a full disk.
    pub probed: Option<Probed>,
}

impl Store {
    /// Opens the store in this directory, or makes one, and recovers it.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing was changed if it is `Refused`.
    pub async fn open(disk: Disk, pool: &Pool, choices: Choices) -> Result<(Arc<Store>, Opened), OpenError> {
        let known = dir::identify(&disk, pool).await?;
        if known.is_some() {
            // A store whose maker was killed may not have its names on the disk yet.
            disk.sync_dir("").await.map_err(OpenError::io("flush the data directory"))?;
        }
        // A store that exists must start on a full disk too: it is read, and what frees space is done there.
        let full_is_fine = |error: &std::io::Error| known.is_some() && error::is_no_space(error);
        let direct = match disk.direct_alignment().await {
            Ok(alignment) => {
                alignment.is_some_and(|(memory, offset)| memory <= BLOCK_BYTES && offset <= BLOCK_BYTES)
            }
            Err(error) if full_is_fine(&error) => probe::opens_directly(&disk).await,
            Err(error) => return Err(OpenError::io("ask for direct I/O")(error)),
        };
        disk.create_dir("state").await.map_err(OpenError::io("make the store's directories"))?;
        let probed = match probe::probe(&disk, pool, direct).await {
            Ok(probed) => Some(probed),
            Err(error) if full_is_fine(&error) => None,
            Err(error) => return Err(OpenError::io("probe the disk")(error)),
        };
        let identity = match known {
            Some(identity) => identity,
            None => {
                let flush = probed.map_or(FlushMethod::Fdatasync, |probed| probed.best());
                let identity = Identity { store: StoreId(runtime::random()), flush };
                dir::create(&disk, pool, identity).await?;
                identity
            }
        };
        let room = disk.space().await.map_err(OpenError::io("ask for the volume's space"))?;
        let segment_bytes = choices.segment_bytes.unwrap_or_else(|| {
            let share = align_down(room.total_bytes / SEGMENT_VOLUME_SHARE, BLOCK_BYTES as u64);
            share.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
        });
        let inline_share = usize::try_from(segment_bytes / INLINE_SEGMENT_SHARE).unwrap_or(usize::MAX);
        let options = Options {
            durability: choices.durability,
            flush: identity.flush,
            segment_bytes,
            inline_bytes_max: choices.inline_bytes_max.min(inline_share),
            checkpoint: choices.checkpoint,
            compaction_bytes_per_s: choices.compaction_bytes_per_s,
        };
        let head = checkpoint::read_head(&disk, pool, identity.store).await;
        let index = head.map_or_else(index::Index::new, |head| index::Index::with_keys(head.keys));
        let store = Arc::new(Store::new(disk, identity.store, (options, direct), room, index));
        let recovered = recovery::recover(&store, pool).await?;
        Ok((store, Opened { recovered, created: known.is_none(), direct, probed }))
    }

    /// The store in this directory, to be read and never written: for tools, while no daemon runs. Changes
    /// nothing. Its index is empty until [`recovery::load`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn attach(disk: Disk, pool: &Pool) -> Result<Arc<Store>, OpenError> {
        let no_store = || OpenError::Refused("it holds no rhinobox store: it has no FORMAT file".to_owned());
        let identity = dir::identify(&disk, pool).await?.ok_or_else(no_store)?;
        let room = disk.space().await.map_err(OpenError::io("ask for the volume's space"))?;
        // What concerns writing is of no meaning here.
        let options = Options {
            durability: Durability::Commit,
            flush: identity.flush,
            segment_bytes: SEGMENT_BYTES_MIN,
            inline_bytes_max: 0,
            checkpoint: CheckpointPace::default(),
            compaction_bytes_per_s: 0,
        };
        Ok(Arc::new(Store::new(disk, identity.store, (options, false), room, index::Index::new())))
    }

    fn new(
        disk: Disk,
        id: StoreId,
        (options, direct): (Options, bool),
        room: Space,
        index: Arc<index::Index>,
    ) -> Store {
        let descriptors =
            process::nofile_limit().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let files_share = descriptors / OPEN_FILES_SHARE;
        let open_past_cache = direct && process::page_bytes() > BLOCK_BYTES as u64;
        Store {
            id,
            options,
            index,
            stats: Stats::default(),
            segments: segment::Segments::new(
                disk.clone(),
                open_past_cache,
                OPEN_SEGMENTS_MAX.min(files_share),
            ),
            blobs: blob::Blobs::new(OPEN_BLOBS_MAX.min(files_share)),
            space: space::Gauge::new(room, 2 * options.segment_bytes),
            epochs: epoch::Epochs::default(),
            graveyard: graveyard::Graveyard::default(),
            spares: spare::Spares::default(),
            recent: recent::Recent::default(),
            compaction: compaction::CompactionStats::default(),
            scrub: scrub::ScrubStats::default(),
            checkpoint: checkpoint::CheckpointStats::default(),
            log_damage: OnceLock::new(),
            recovered_records: AtomicU64::new(0),
            open_lanes: AtomicUsize::new(0),
            disk,
            direct,
            next_segment: AtomicU32::new(1),
            renew_below: AtomicU32::new(0),
            next_blob: AtomicU64::new(1),
            recovered_through: AtomicU64::new(0),
        }
    }

    /// Bytes of memory a store's index takes for a file with one name: least, with full slots, and most, right
    /// after they grew.
    pub const INDEX_BYTES_PER_FILE: std::ops::RangeInclusive<usize> = 115..=126;

    /// Whether the volume has room for `bytes` more, as of the last look.
    #[must_use]
    pub fn room_for(&self, bytes: u64) -> Room {
        self.space.room_for(bytes)
    }

    /// Bytes free on the volume, as of the last look.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.space.free_bytes()
    }

    /// Looks at the volume's space again.
    pub async fn refresh_space(&self) {
        match self.disk.space().await {
            Ok(space) => self.space.set(space),
            Err(error) => tracing::warn!(%error, "the volume's space could not be asked for"),
        }
    }

    fn note_recovered(&self, report: &Recovered) {
        let words = report.damage.iter().take(DAMAGE_LISTED_MAX).map(ToString::to_string);
        let _recovery_comes_once = self.log_damage.set(words.collect());
        self.recovered_records.store(report.records, Ordering::Relaxed);
    }

    /// Whether all that was written to a segment has been entered in the index, and nothing more will be.
    fn is_settled(&self, segment: &segment::Segment) -> bool {
        segment.is_sealed() && self.epochs.have_passed(segment.sealed_at())
    }

    /// Records of the log that the start has read.
    #[must_use]
    pub fn records_read(&self) -> u64 {
        self.recovered_records.load(Ordering::Relaxed)
    }

    /// What recovery could not read of the log, in words; at most [`DAMAGE_LISTED_MAX`] places.
    #[must_use]
    pub fn log_damage(&self) -> &[String] {
        self.log_damage.get().map_or(&[], Vec::as_slice)
    }

    /// Lanes that may still be written to.
    #[must_use]
    pub fn open_lanes(&self) -> usize {
        self.open_lanes.load(Ordering::Acquire)
    }

    /// A content was stored again: removes its former blob once nobody can read it any more.
    pub fn discard_blob(&self, blob: BlobId) {
        self.graveyard.replaced_blob(&self.index, blob);
    }

    async fn flush_open_segments(&self) -> std::io::Result<()> {
        for segment in self.segments.open() {
            self.segments.file(&segment).await?.sync_data().await?;
        }
        Ok(())
    }

    /// Segments there are.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.count()
    }

    /// Bytes of records of deletes, and of others that the index does not show, that this run has written and still keeps.
    #[must_use]
    pub fn tombstone_bytes(&self) -> u64 {
        self.segments.all().iter().map(|segment| segment.kept()).sum()
    }

    /// Bytes written in segments.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// The lanes of this run, so many: those there were, then new ones.
    #[must_use]
    pub fn lane_starts(&self, recovered: &Recovered, lanes: usize) -> Vec<LaneStart> {
        let next = recovered.lanes.iter().map(|lane| lane.id.0 + 1).max().unwrap_or(0);
        let fresh = (next..).map(|id| LaneStart { id: LaneId(id), predecessor: None });
        let starts: Vec<_> = recovered.lanes.iter().copied().chain(fresh).take(lanes).collect();
        self.segments.set_lanes_in_use(starts.iter().map(|start| start.id).collect());
        starts
    }

    fn dsync(&self) -> bool {
        self.options.durability == Durability::Commit && self.options.flush == FlushMethod::Dsync
    }

    /// A batch's writes are followed by a flush.
    fn flushes_apart(&self) -> bool {
        self.options.durability == Durability::Commit && self.options.flush == FlushMethod::Fdatasync
    }

    fn next_segment(&self) -> SegmentId {
        SegmentId(self.next_segment.fetch_add(1, Ordering::Relaxed))
    }

    fn set_next_segment(&self, id: SegmentId) {
        self.next_segment.store(id.0, Ordering::Relaxed);
        // Blob numbers begin with the first segment number of this run, so that no two runs share one.
        self.next_blob.fetch_max(u64::from(id.0) << 32, Ordering::Relaxed);
    }

    fn next_blob(&self) -> BlobId {
        BlobId(self.next_blob.fetch_add(1, Ordering::Relaxed))
    }

    fn set_next_blob_after(&self, id: BlobId) {
        self.next_blob.fetch_max(id.0 + 1, Ordering::Relaxed);
    }
}
