//! The simulated disk: what a Linux file system on a device with a volatile cache promises, and nothing more.
//!
//! Every file has a *live* state, which reads see, and a *durable* one, which a power cut leaves.
//!
//! - A write takes effect on the live state at some moment between its start and its completion, whole. It is
//!   pending for durability from its start on.
//! - `sync_data` and `sync_all` make durable the writes and size changes of that one file that had **completed
//!   before the sync began**. Others may have become durable or not.
//! - A write through a `dsync` handle is durable when it returns, exactly its own sectors, and as much of the file's
//!   size as reading them back needs. It flushes nothing else.
//! - Direct and buffered handles are alike: the device's cache is as volatile as the page cache.
//! - Names (create, remove, rename) are volatile until `sync_dir` of their directory, for a rename of the directory
//!   it goes to. Syncing a file does not make its name durable; ext4 often does, the program must not rely on it.
//!   Each change of a name is atomic, and a file never has two names.
//! - After a failed sync what it covered is never written again by a later sync, though that may well succeed: the
//!   kernel has marked the pages clean.
//! - Nothing that is durable is ever undone by something older that is still pending.
//!
//! A *power cut* keeps the durable state and any subset of what is pending: whole operations, some sectors of
//! 512 bytes of a write (in flight ones included), some changes of size, some changes of names. A *kill* keeps the
//! live state, with each write in flight done, not done or done in part, and leaves all as volatile as it was: kill,
//! recovery, power cut is a sequence to test. An operation on names or sizes that is in flight has either taken
//! effect already or never will: cuts at other moments show the other case.
//!
//! New room reads as zeros, or, on request, as junk. Operations take random virtual times and complete in any order.
//! A direct operation with unaligned memory, offset or length panics, and dropping the future of a read, write, sync,
//! allocation or truncation before it is done fails the run: the first is a bug that some disks forgive, the second
//! is one that the kernel answers by writing into freed memory.

mod handle;

use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::content::{Content, SECTOR, index};
use super::faults::{Counters, Failure, FaultPlan, Op};
use super::rng::Rng;
use super::trace::{Phase, What};
use super::volume::Volume;
use super::world::{World, world};
use crate::base::digest::Digest;
use crate::runtime::disk::{Entry, Open, Space};

pub use handle::SimFile;

/// How long operations take, in virtual nanoseconds, least and greatest.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// A read.
    pub read_ns: (u64, u64),
    /// A write; one through a `dsync` handle takes a sync's time on top.
    pub write_ns: (u64, u64),
    /// A flush.
    pub sync_ns: (u64, u64),
    /// Everything about names and sizes.
    pub names_ns: (u64, u64),
    /// One operation in so many stalls; 0 for none.
    pub stall_one_in: u64,
    /// For how long.
    pub stall_ns: (u64, u64),
}

impl Default for Latency {
    /// Like a fair NVMe drive.
    fn default() -> Latency {
        Latency {
            read_ns: (20_000, 200_000),
            write_ns: (10_000, 200_000),
            sync_ns: (50_000, 2_000_000),
            names_ns: (5_000, 300_000),
            stall_one_in: 0,
            stall_ns: (10_000_000, 3_000_000_000),
        }
    }
}

/// A simulated disk. Clones are the same disk. It outlives the runs of a [`Sim`](super::Sim) that use it.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

struct Shared {
    volume: Mutex<Volume>,
    latency: Mutex<Latency>,
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

/// Before, during and after: what one operation brings along.
struct Started {
    world: Rc<World>,
    op: Op,
    path: Arc<str>,
    offset: u64,
    len: u64,
    /// The operation's number.
    number: u64,
    /// The volume's count when it began.
    began: u64,
    failure: Option<Failure>,
    before_ns: u64,
    after_ns: u64,
}

impl Started {
    fn error(&self) -> io::Result<()> {
        self.failure.and_then(Failure::error).map_or(Ok(()), Err)
    }

    /// Until the operation takes effect.
    async fn until_applied(&self) {
        self.world.delay(self.before_ns).await;
        self.world.event(self.op, Phase::Apply, &self.path, self.offset, self.len).await;
    }

    /// Until the operation is done.
    async fn until_complete(&self) {
        self.world.delay(self.after_ns).await;
        self.world.event(self.op, Phase::Complete, &self.path, self.offset, self.len).await;
    }
}

impl SimDisk {
    /// An empty disk without bounds, on which nothing fails.
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk::from_volume(Volume::new(), Latency::default())
    }

    fn from_volume(volume: Volume, latency: Latency) -> SimDisk {
        SimDisk { shared: Arc::new(Shared { volume: Mutex::new(volume), latency: Mutex::new(latency) }) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Volume) -> T) -> T {
        act(&mut self.shared.volume.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn latency(&self) -> Latency {
        *self.shared.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the program sees: the operations of `Disk`.

    async fn start(&self, op: Op, path: &Arc<str>, offset: u64, len: u64, extra_ns: (u64, u64)) -> Started {
        let world = world();
        world.event(op, Phase::Start, path, offset, len).await;
        let latency = self.latency();
        let (least, greatest) = match op {
            Op::Read => latency.read_ns,
            Op::Write => (latency.write_ns.0 + extra_ns.0, latency.write_ns.1 + extra_ns.1),
            Op::Sync | Op::SyncDir => latency.sync_ns,
            _ => latency.names_ns,
        };
        let (before_ns, after_ns) = world.draw(|rng| {
            let mut whole = rng.between(least, greatest.max(least));
            if rng.one_in(latency.stall_one_in) {
                whole += rng.between(latency.stall_ns.0, latency.stall_ns.1);
            }
            let before = rng.between(0, whole);
            (before, whole - before)
        });
        let (failure, began, number) = self.with(|volume| {
            let began = volume.now();
            (volume.faults.begin(op, path), began, volume.next())
        });
        if let Some(failure) = failure {
            world.record(What::Fault { op, why: failure.name() });
        }
        let path = Arc::clone(path);
        Started { world, op, path, offset, len, number, began, failure, before_ns, after_ns }
    }

    /// An operation that takes effect in one moment, or fails without effect.
    async fn at_once<T>(
        &self,
        op: Op,
        path: &str,
        act: impl FnOnce(&mut Volume, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        let started = self.start(op, &path.into(), 0, 0, (0, 0)).await;
        started.until_applied().await;
        let result = started.error().and_then(|()| self.with(|volume| act(volume, started.number)));
        started.until_complete().await;
        self.with(|volume| volume.complete(started.number, None));
        result
    }

    /// Opens a file. NotFound, AlreadyExists, IsADirectory, ENOSPC without inodes.
    pub async fn open(&self, path: &str, how: Open) -> io::Result<SimFile> {
        let opened = |ino| SimFile::new(self, ino, how, path);
        // The handle is made at the moment of effect, so that it is closed whatever becomes of this future.
        self.at_once(Op::Open, path, |volume, op| volume.open(op, path, how.create_new).map(opened)).await
    }

    /// Names in a directory, sorted; "" is the root.
    pub async fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        self.at_once(Op::List, dir, |volume, _| volume.list(dir)).await
    }

    /// Creates a directory; fine if it is there.
    pub async fn create_dir(&self, path: &str) -> io::Result<()> {
        self.at_once(Op::CreateDir, path, |volume, op| volume.create_dir(op, path)).await
    }

    /// Unlinks a file.
    pub async fn remove(&self, path: &str) -> io::Result<()> {
        self.at_once(Op::Remove, path, |volume, op| volume.remove(op, path)).await
    }

    /// Renames a file, replacing what had the new name.
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.at_once(Op::Rename, from, |volume, op| volume.rename(op, from, to)).await
    }

    /// Makes a directory's entries durable.
    pub async fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let started = self.start(Op::SyncDir, &dir.into(), 0, 0, (0, 0)).await;
        let ino = self.with(|volume| volume.dir_at(dir))?;
        started.until_applied().await;
        started.until_complete().await;
        started.error()?;
        self.with(|volume| volume.sync_dir(ino, started.began));
        Ok(())
    }

    /// Room on the volume.
    pub async fn space(&self) -> io::Result<Space> {
        self.at_once(Op::Space, "", |volume, _| Ok(volume.space())).await
    }

    /// Always 512 bytes, of memory and of offset.
    pub async fn direct_alignment(&self) -> io::Result<Option<(usize, usize)>> {
        self.at_once(Op::Alignment, "", |_, _| Ok(Some((SECTOR, SECTOR)))).await
    }

    // What befalls it.

    /// The disk that is found after the power failed at this moment; this one stays as it is, so that many cuts can
    /// be drawn from one. No plan of faults is carried over.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> SimDisk {
        let volume = self.with(|volume| volume.after_power_cut(&mut Rng::new(seed)));
        SimDisk::from_volume(volume, self.latency())
    }

    /// The disk that the next process finds if this one dies now; this one stays as it is.
    #[must_use]
    pub fn kill(&self, seed: u64) -> SimDisk {
        let volume = self.with(|volume| volume.after_kill(&mut Rng::new(seed)));
        SimDisk::from_volume(volume, self.latency())
    }

    /// This disk as it is now, with what is in flight; each of the two goes on by itself. From inside of a run, to
    /// draw cuts of this moment later.
    #[must_use]
    pub fn snapshot(&self) -> SimDisk {
        SimDisk::from_volume(self.with(|volume| volume.clone()), self.latency())
    }

    /// Tells apart what next processes would find: the same for two disks only if all names, lengths and bytes that
    /// reads see are the same.
    #[must_use]
    pub fn image(&self) -> Digest {
        self.with(|volume| volume.image())
    }

    /// From now on operations fail as planned, counted from here.
    pub fn set_faults(&self, plan: impl Into<FaultPlan>) {
        let plan = plan.into();
        self.with(|volume| volume.faults.plan = plan);
    }

    /// What was asked of this disk, since it was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.with(|volume| volume.faults.counters.clone())
    }

    /// Bounds the room, in bytes of whole 4 KiB pages and in inodes (directories and the root count).
    pub fn set_capacity(&self, bytes: u64, inodes: u64) {
        self.with(|volume| {
            volume.capacity_pages = bytes / super::content::PAGE as u64;
            volume.inodes_max = inodes;
        });
    }

    /// New room from `allocate` holds junk instead of zeros, as recycled blocks may.
    pub fn fill_new_room_with_junk(&self, seed: u64) {
        self.with(|volume| volume.junk = Some(Rng::new(seed)));
    }

    /// How long operations take from now on.
    pub fn set_latency(&self, latency: Latency) {
        *self.shared.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    // Tools of tests: synchronous, durable at once.

    /// Puts a file in place, with the directories that lead to it.
    pub fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.with(|volume| volume.put(path, bytes))
    }

    /// All bytes of a file, as reads see them.
    pub fn contents(&self, path: &str) -> io::Result<Vec<u8>> {
        self.with(|volume| volume.contents(path))
    }

    /// Path and length of every file, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<(String, u64)> {
        self.with(|volume| volume.files())
    }

    /// Overwrites bytes on the medium and in the cache, within the file's length.
    pub fn overwrite(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let change = |content: &mut Content| {
            let len = bytes.len().min(index(content.len().saturating_sub(offset)));
            if len > 0 {
                content.write(offset, &bytes[..len]);
            }
        };
        self.with(|volume| volume.corrupt(path, change))
    }

    /// Zeroes a range, within the file's length.
    pub fn zero(&self, path: &str, range: Range<u64>) -> io::Result<()> {
        self.overwrite(path, range.start, &vec![0; index(range.end.saturating_sub(range.start))])
    }

    /// Flips bit `bit` (0 to 7) of the byte at `offset`.
    pub fn flip_bit(&self, path: &str, offset: u64, bit: u8) -> io::Result<()> {
        let flip = |content: &mut Content| {
            let mut byte = [0];
            if content.read(offset, &mut byte) == 1 {
                content.write(offset, &[byte[0] ^ (1 << bit)]);
            }
        };
        self.with(|volume| volume.corrupt(path, flip))
    }
}
