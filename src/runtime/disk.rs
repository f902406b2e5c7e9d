//! The disk: one data directory and its files, real (io_uring) or simulated.
//!
//! Paths are relative to the data directory, with `/`. Data operations take the buffer and give it back with the
//! result. A result of zero bytes where bytes were asked for is an error, not progress. Metadata operations
//! (open, list, remove, rename, sync_dir ...) run on a helper thread in the daemon.
use std::io;
use std::ops::Range;
use super::buffer::Buffer;

#[derive(Clone)]
pub struct Disk {}

/// How to open a file.
#[derive(Clone, Copy, Default, Debug)]
pub struct Open {
    pub write: bool,
    /// Fails with AlreadyExists where there is one.
    pub create_new: bool,
    /// Past the page cache (O_DIRECT): memory, offset and length aligned.
    pub direct: bool,
    /// Every write is durable when it returns, for exactly the bytes it wrote (O_DSYNC).
    pub dsync: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry { pub name: String, pub is_dir: bool, pub len: u64 }

/// Bytes and inodes of the volume.
#[derive(Clone, Copy, Debug)]
pub struct Space { pub total_bytes: u64, pub free_bytes: u64, pub free_inodes: u64 }

impl Disk {
    /// The real one, rooted at an existing directory.
    pub fn uring(root: std::path::PathBuf) -> Disk { todo!() }
    pub async fn open(&self, path: &str, how: Open) -> io::Result<File> { todo!() }
    /// Names in a directory, sorted; "" is the root.
    pub async fn list(&self, dir: &str) -> io::Result<Vec<Entry>> { todo!() }
    /// Creates a directory; fine if it is there.
    pub async fn create_dir(&self, path: &str) -> io::Result<()> { todo!() }
    pub async fn remove(&self, path: &str) -> io::Result<()> { todo!() }
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> { todo!() }
    /// Makes the directory's entries durable.
    pub async fn sync_dir(&self, dir: &str) -> io::Result<()> { todo!() }
    pub async fn space(&self) -> io::Result<Space> { todo!() }
    /// Alignment that direct I/O needs here (memory, offset), from statx(STATX_DIOALIGN) and tried on a scratch
    /// file; `None` where direct I/O is not supported (open with `direct: false` then).
    pub async fn direct_alignment(&self) -> io::Result<Option<(usize, usize)>> { todo!() }
}

/// An open file. Cheap to clone, `Send + Sync`: any core may use it. Closed when the last clone is dropped.
#[derive(Clone)]
pub struct File {}

impl File {
    /// One read of up to `len` bytes into the start of `buf`; sets `buf.len()` to what came. `Ok(0)` at the end of the file.
    pub async fn read_at(&self, buf: Buffer, len: usize, offset: u64) -> (io::Result<usize>, Buffer) { todo!() }
    /// Exactly `len` bytes into the start of `buf`, or UnexpectedEof.
    pub async fn read_exact_at(&self, buf: Buffer, len: usize, offset: u64) -> (io::Result<()>, Buffer) { todo!() }
    /// Writes all of `buf[range]`, going on after a short write (or EINTR) until done.
    pub async fn write_all_at(&self, buf: Buffer, range: Range<usize>, offset: u64) -> (io::Result<()>, Buffer) { todo!() }
    /// fdatasync.
    pub async fn sync_data(&self) -> io::Result<()> { todo!() }
    /// fsync.
    pub async fn sync_all(&self) -> io::Result<()> { todo!() }
    /// ftruncate.
    pub async fn set_len(&self, len: u64) -> io::Result<()> { todo!() }
    pub async fn len(&self) -> io::Result<u64> { todo!() }
    /// fallocate(2), extending the length; `Unsupported` is turned into Ok (the caller writes zeros anyway).
    pub async fn allocate(&self, len: u64) -> io::Result<()> { todo!() }
}
