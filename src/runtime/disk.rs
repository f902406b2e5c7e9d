//! The disk: one data directory and its files, real (io_uring) or simulated.
//!
//! Paths are relative to the data directory, with `/`. Data operations take the buffer and give it back with the
//! result. A result of zero bytes where bytes were asked for is an error, not progress. Metadata operations
//! (open, list, remove, rename, sync_dir ...) run on a helper thread in the daemon.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;

use super::buffer::Buffer;
pub use super::disk_uring::DIRECT_PROBE_FILE;
use super::disk_uring::{UringDisk, UringFile};
use super::sim::disk::{SimDisk, SimFile};

/// A data directory. Cheap to clone.
#[derive(Clone)]
pub struct Disk {
    inner: DiskKind,
}

#[derive(Clone)]
enum DiskKind {
    Uring(UringDisk),
    Sim(SimDisk),
}

/// How to open a file. All are open for reading.
#[derive(Clone, Copy, Default, Debug)]
pub struct Open {
    /// For writing too.
    pub write: bool,
    /// Fails with AlreadyExists where there is one. Needs `write`.
    pub create_new: bool,
    /// Past the page cache (O_DIRECT): memory, offset and length aligned.
    pub direct: bool,
    /// Every write is durable when it returns, for exactly the bytes it wrote (O_DSYNC).
    pub dsync: bool,
    /// Reads bring into the page cache what they ask for and nothing behind it (POSIX_FADV_RANDOM).
    pub random: bool,
}

/// A name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The last component. What is not UTF-8 is shown with replacement characters and cannot be opened.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Length in bytes; of no meaning for a directory.
    pub len: u64,
}

/// Bytes and inodes of the volume.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Size of the volume.
    pub total_bytes: u64,
    /// What an ordinary user may still fill.
    pub free_bytes: u64,
    /// Files that may still be created; `u64::MAX` where the file system makes inodes as it goes.
    pub free_inodes: u64,
}

impl Disk {
    /// The real one, rooted at an existing directory.
    #[must_use]
    pub fn uring(root: PathBuf) -> Disk {
        Disk { inner: DiskKind::Uring(UringDisk::new(root)) }
    }

    /// A simulated one.
    #[must_use]
    pub fn sim(disk: SimDisk) -> Disk {
        Disk { inner: DiskKind::Sim(disk) }
    }

    /// Opens a file.
    pub async fn open(&self, path: &str, how: Open) -> io::Result<File> {
        let inner = match &self.inner {
            DiskKind::Uring(disk) => FileKind::Uring(disk.open(path, how).await?),
            DiskKind::Sim(disk) => FileKind::Sim(disk.open(path, how).await?),
        };
        Ok(File { inner })
    }

    /// Names in a directory, sorted; "" is the root.
    pub async fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.list(dir).await,
            DiskKind::Sim(disk) => disk.list(dir).await,
        }
    }

    /// Creates a directory; fine if it is there.
    pub async fn create_dir(&self, path: &str) -> io::Result<()> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.create_dir(path).await,
            DiskKind::Sim(disk) => disk.create_dir(path).await,
        }
    }

    /// Removes a file's name; its space is free once the last [`File`] is dropped too.
    pub async fn remove(&self, path: &str) -> io::Result<()> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.remove(path).await,
            DiskKind::Sim(disk) => disk.remove(path).await,
        }
    }

    /// Renames a file, in place of one of that name.
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.rename(from, to).await,
            DiskKind::Sim(disk) => disk.rename(from, to).await,
        }
    }

    /// Makes the directory's entries durable; "" is the root.
    pub async fn sync_dir(&self, dir: &str) -> io::Result<()> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.sync_dir(dir).await,
            DiskKind::Sim(disk) => disk.sync_dir(dir).await,
        }
    }

    /// What the volume has left.
    pub async fn space(&self) -> io::Result<Space> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.space().await,
            DiskKind::Sim(disk) => disk.space().await,
        }
    }

    /// Alignment that direct I/O needs here (memory, offset), from statx(STATX_DIOALIGN) and tried on a scratch
    /// file; `None` where direct I/O is not supported (open with `direct: false` then).
    pub async fn direct_alignment(&self) -> io::Result<Option<(usize, usize)>> {
        match &self.inner {
            DiskKind::Uring(disk) => disk.direct_alignment().await,
            DiskKind::Sim(disk) => disk.direct_alignment().await,
        }
    }
}

/// An open file. Cheap to clone, `Send + Sync`: any core may use it. Closed when the last clone is dropped.
#[derive(Clone)]
pub struct File {
    inner: FileKind,
}

#[derive(Clone)]
enum FileKind {
    Uring(UringFile),
    Sim(SimFile),
}

impl File {
    /// One read of up to `len` bytes into the start of `buf`; sets `buf.len()` to what came. `Ok(0)` at the end of the file.
    /// Panics beyond the capacity.
    pub async fn read_at(&self, buf: Buffer, len: usize, offset: u64) -> (io::Result<usize>, Buffer) {
        match &self.inner {
            FileKind::Uring(file) => file.read_at(buf, len, offset).await,
            FileKind::Sim(file) => file.read_at(buf, len, offset).await,
        }
    }

    /// Exactly `len` bytes into the start of `buf`, or UnexpectedEof; then `buf.len()` says how far
    /// it came. Panics beyond the capacity.
    pub async fn read_exact_at(&self, buf: Buffer, len: usize, offset: u64) -> (io::Result<()>, Buffer) {
        match &self.inner {
            FileKind::Uring(file) => file.read_exact_at(buf, len, offset).await,
            FileKind::Sim(file) => file.read_exact_at(buf, len, offset).await,
        }
    }

    /// Writes all of `buf[range]` (of its bytes in use), going on after a short write (or EINTR) until done.
    /// After an error any part of it may have been written. Panics where the range is not in use.
    pub async fn write_all_at(
        &self,
        buf: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<()>, Buffer) {
        match &self.inner {
            FileKind::Uring(file) => file.write_all_at(buf, range, offset).await,
            FileKind::Sim(file) => file.write_all_at(buf, range, offset).await,
        }
    }

    /// As [`File::write_all_at`], of all of `bytes`, which others may read meanwhile. Of a direct file they begin and end
    /// on its alignment.
    pub async fn write_shared_at(&self, bytes: Bytes, offset: u64) -> io::Result<()> {
        match &self.inner {
            FileKind::Uring(file) => file.write_shared_at(bytes, offset).await,
            FileKind::Sim(file) => file.write_shared_at(&bytes, offset).await,
        }
    }

    /// fdatasync.
    pub async fn sync_data(&self) -> io::Result<()> {
        match &self.inner {
            FileKind::Uring(file) => file.sync_data().await,
            FileKind::Sim(file) => file.sync_data().await,
        }
    }

    /// fsync.
    pub async fn sync_all(&self) -> io::Result<()> {
        match &self.inner {
            FileKind::Uring(file) => file.sync_all().await,
            FileKind::Sim(file) => file.sync_all().await,
        }
    }

    /// ftruncate.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        match &self.inner {
            FileKind::Uring(file) => file.set_len(len).await,
            FileKind::Sim(file) => file.set_len(len).await,
        }
    }

    /// Length in bytes.
    pub async fn len(&self) -> io::Result<u64> {
        match &self.inner {
            FileKind::Uring(file) => file.len().await,
            FileKind::Sim(file) => file.len().await,
        }
    }

    /// fallocate(2), extending the length. A file system that cannot do it only extends the length.
    pub async fn allocate(&self, len: u64) -> io::Result<()> {
        match &self.inner {
            FileKind::Uring(file) => file.allocate(len).await,
            FileKind::Sim(file) => file.allocate(len).await,
        }
    }
}
