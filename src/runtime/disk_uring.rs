//! The real disk: data operations on the core's ring, metadata operations on helper threads.
//!
//! What always holds: a file's descriptor is closed exactly once, when the last [`UringFile`] is gone and no operation
//! on it is under way; no path leaves the data directory.

#![expect(unsafe_code, reason = "statvfs, statx and fallocate are libc's")]

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::buffer::{ALIGN, Buffer, Pool};
use super::disk::{Entry, Open, Space};
use super::helper;
use super::views::{self, Held};
use super::window::Window;
use crate::limits::DISK_IO_BYTES_MAX;

/// Owner reads and writes, group reads: uploads are nobody else's business.
const FILE_MODE: u32 = 0o640;
const DIR_MODE: u32 = 0o750;

#[derive(Clone)]
pub(super) struct UringDisk {
    root: Arc<PathBuf>,
}

impl UringDisk {
    pub(super) fn new(root: PathBuf) -> UringDisk {
        UringDisk { root: Arc::new(root) }
    }

    /// The path below the root; `""` is the root itself.
    fn path(&self, path: &str) -> io::Result<PathBuf> {
        if !Path::new(path).components().all(|c| matches!(c, Component::Normal(_))) {
            let text = format!("not a path below the data directory: {path:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(self.root.join(path))
    }

    pub(super) async fn open(&self, path: &str, how: Open) -> io::Result<UringFile> {
        let path = self.path(path)?;
        let file = helper::run(move || open(&path, how)).await?;
        let shared = Shared { file: ManuallyDrop::new(file), direct: how.direct };
        Ok(UringFile { shared: Arc::new(shared) })
    }

    pub(super) async fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        let path = self.path(dir)?;
        helper::run(move || {
            let mut entries = Vec::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let attributes = match entry.metadata() {
                    // Removed since it was read.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    result => result?,
                };
                entries.push(Entry {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    is_dir: attributes.is_dir(),
                    len: attributes.len(),
                });
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        })
        .await
    }

    pub(super) async fn create_dir(&self, path: &str) -> io::Result<()> {
        let path = self.path(path)?;
        helper::run(move || match fs::DirBuilder::new().mode(DIR_MODE).create(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        })
        .await
    }

    pub(super) async fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.path(path)?;
        helper::run(move || fs::remove_file(path)).await
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        helper::run(move || fs::rename(from, to)).await
    }

    pub(super) async fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let path = self.path(dir)?;
        helper::run(move || {
            let dir = fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
            dir.sync_all()
        })
        .await
    }

    pub(super) async fn space(&self) -> io::Result<Space> {
        let root = Arc::clone(&self.root);
        helper::run(move || space(&root)).await
    }

    pub(super) async fn direct_alignment(&self) -> io::Result<Option<(usize, usize)>> {
        let root = Arc::clone(&self.root);
        helper::run(move || direct_alignment(&root)).await
    }
}

fn open(path: &Path, how: Open) -> io::Result<fs::File> {
    let file = options(how).open(path)?;
    if how.random {
        // SAFETY: no pointers; the descriptor is open.
        match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) } {
            0 => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
    Ok(file)
}

fn options(how: Open) -> fs::OpenOptions {
    let direct = if how.direct { libc::O_DIRECT } else { 0 };
    let dsync = if how.dsync { libc::O_DSYNC } else { 0 };
    let mut options = fs::OpenOptions::new();
    options.read(true).write(how.write).create_new(how.create_new);
    options.mode(FILE_MODE).custom_flags(direct | dsync);
    options
}

fn space(root: &Path) -> io::Result<Space> {
    let path = CString::new(root.as_os_str().as_bytes())?;
    let mut answer = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: a NUL-terminated path and room for the answer, both alive; zeros are a valid statvfs besides.
    let answer = unsafe {
        if libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        answer.assume_init()
    };
    Ok(Space {
        total_bytes: answer.f_blocks.saturating_mul(answer.f_frsize),
        free_bytes: answer.f_bavail.saturating_mul(answer.f_frsize),
        free_inodes: if answer.f_files == 0 { u64::MAX } else { answer.f_favail },
    })
}

/// Removes the scratch file of the alignment probe, however that ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The scratch file of the probe for direct I/O. One daemon at a time has a data directory.
pub const DIRECT_PROBE_FILE: &str = ".direct-probe";

fn direct_alignment(root: &Path) -> io::Result<Option<(usize, usize)>> {
    let scratch = Scratch(root.join(DIRECT_PROBE_FILE));
    // One that a crash left behind. An open that is refused for its flags may have created the file already.
    let _ = fs::remove_file(&scratch.0);
    let plain = Open { write: true, create_new: true, ..Open::default() };
    let told = dio_align(&options(plain).open(&scratch.0)?)?;
    if told == Some((0, 0)) {
        return Ok(None);
    }
    let file = match options(Open { create_new: false, direct: true, ..plain }).open(&scratch.0) {
        Err(e) if refuses_direct(&e) => return Ok(None),
        result => result?,
    };
    // Where the kernel does not tell, a page is enough for every device there is.
    let (memory, offset) = told.unwrap_or((ALIGN, ALIGN));
    if memory > ALIGN {
        return Ok(None);
    }
    let mut block = Pool::new(0).take(offset.saturating_mul(2));
    block.set_len(offset);
    // The second block, so that an offset that is not zero is tried.
    let at = u64::try_from(offset).unwrap_or(u64::MAX);
    let tried = file.write_all_at(block.as_slice(), at).and_then(|()| {
        block.as_mut_slice().fill(1);
        file.read_exact_at(block.as_mut_slice(), at)
    });
    match tried {
        Ok(()) if block.as_slice().iter().all(|byte| *byte == 0) => Ok(Some((memory, offset))),
        Ok(()) => Err(io::Error::other("a direct write was read back differently")),
        Err(e) if refuses_direct(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn refuses_direct(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}

/// Memory and offset alignment as the kernel tells it; zeros where direct I/O is not supported, `None` where it
/// does not tell (before Linux 6.1, or this file system).
fn dio_align(file: &fs::File) -> io::Result<Option<(usize, usize)>> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: an open descriptor, an empty NUL-terminated path (allowed by the flag) and room for the answer;
    // zeros are a valid statx besides.
    let answer = unsafe {
        let (fd, path) = (file.as_raw_fd(), c"".as_ptr());
        if libc::statx(fd, path, libc::AT_EMPTY_PATH, libc::STATX_DIOALIGN, answer.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        answer.assume_init()
    };
    if answer.stx_mask & libc::STATX_DIOALIGN == 0 {
        return Ok(None);
    }
    let size = |n: u32| usize::try_from(n).expect("a u32 fits this machine's usize");
    Ok(Some((size(answer.stx_dio_mem_align), size(answer.stx_dio_offset_align))))
}

/// The owner of a descriptor.
struct Shared {
    /// Taken only by `drop`.
    file: ManuallyDrop<fs::File>,
    direct: bool,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: taken once, here, and not touched again.
        let file = unsafe { ManuallyDrop::take(&mut self.file) };
        // Closing the last descriptor of a removed file frees its blocks, which may take milliseconds.
        helper::detach(move || drop(file));
    }
}

#[derive(Clone)]
pub(super) struct UringFile {
    shared: Arc<Shared>,
}

impl UringFile {
    /// This core's view of the file, and what keeps the descriptor open until the operation is done.
    fn view(&self) -> io::Result<(&'static monoio::fs::File, Held<Arc<Shared>>)> {
        let view = views::file(self.shared.file.as_fd())?;
        Ok((view, Held::new(Arc::clone(&self.shared))))
    }

    /// What of `buf[start..start + len]` is in the page cache, read without waiting for the disk. `None` where none
    /// of it is, where the file system cannot tell, and of a direct file: the ring finds out what is the matter.
    fn read_cached(&self, buf: &mut Buffer, start: usize, len: usize, offset: u64) -> Option<usize> {
        let offset = libc::off_t::try_from(offset).ok().filter(|_| !self.shared.direct)?;
        buf.set_len(start + len);
        let room = &mut buf.as_mut_slice()[start..];
        let room = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        // SAFETY: the descriptor is open as long as `self` is, and the buffer is borrowed until the call returns.
        let count = unsafe {
            libc::preadv2(self.shared.file.as_raw_fd(), &raw const room, 1, offset, libc::RWF_NOWAIT)
        };
        usize::try_from(count).ok().filter(|count| *count > 0)
    }

    /// One read into `buf[start..start + len]`, retried when interrupted.
    async fn read_once(
        &self,
        mut buf: Buffer,
        start: usize,
        len: usize,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let len = len.min(DISK_IO_BYTES_MAX);
        if let Some(count) = self.read_cached(&mut buf, start, len, offset) {
            return (Ok(count), buf);
        }
        loop {
            let (view, held) = match self.view() {
                Ok(both) => both,
                Err(e) => return (Err(e), buf),
            };
            let window = Window::new(buf, start, len);
            let (result, window) = view.read_at(window, offset).await;
            held.done();
            buf = window.into_buffer();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return (result, buf),
            }
        }
    }

    pub(super) async fn read_at(&self, buf: Buffer, len: usize, offset: u64) -> (io::Result<usize>, Buffer) {
        let (result, mut buf) = self.read_once(buf, 0, len, offset).await;
        buf.set_len(*result.as_ref().unwrap_or(&0));
        (result, buf)
    }

    pub(super) async fn read_exact_at(
        &self,
        mut buf: Buffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<()>, Buffer) {
        let mut done = 0;
        while done < len {
            let start = self.resume(done);
            let result;
            (result, buf) = self.read_once(buf, start, len - start, plus(offset, start)).await;
            match result {
                Ok(n) if start + n > done => done = start + n,
                Ok(_) => {
                    buf.set_len(done);
                    return (Err(unexpected_eof()), buf);
                }
                Err(e) => {
                    buf.set_len(done);
                    return (Err(e), buf);
                }
            }
        }
        buf.set_len(len);
        (Ok(()), buf)
    }

    pub(super) async fn write_all_at(
        &self,
        mut buf: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<()>, Buffer) {
        assert!(
            range.start <= range.end && range.end <= buf.len(),
            "{range:?} of {} bytes in use",
            buf.len()
        );
        let len = range.end - range.start;
        let mut done = 0;
        while done < len {
            let start = self.resume(done);
            let (view, held) = match self.view() {
                Ok(both) => both,
                Err(e) => return (Err(e), buf),
            };
            let window = Window::new(buf, range.start + start, (len - start).min(DISK_IO_BYTES_MAX));
            let (result, window) = view.write_at(window, plus(offset, start)).await;
            held.done();
            buf = window.into_buffer();
            match written(done, start, result) {
                Ok(now) => done = now,
                Err(e) => return (Err(e), buf),
            }
        }
        (Ok(()), buf)
    }

    pub(super) async fn write_shared_at(&self, bytes: Bytes, offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let start = self.resume(done);
            let (view, held) = self.view()?;
            let piece = bytes.slice(start..bytes.len().min(start + DISK_IO_BYTES_MAX));
            let (result, _piece) = view.write_at(piece, plus(offset, start)).await;
            held.done();
            done = written(done, start, result)?;
        }
        Ok(())
    }

    /// Where to go on after `done` bytes. Direct I/O goes on at a whole page, doing some bytes again: at an odd
    /// offset it would fail with EINVAL and hide the true reason of the short result (a full disk, the end).
    fn resume(&self, done: usize) -> usize {
        if self.shared.direct { done - done % ALIGN } else { done }
    }

    pub(super) async fn sync_data(&self) -> io::Result<()> {
        loop {
            let (view, held) = self.view()?;
            let result = view.sync_data().await;
            held.done();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(super) async fn sync_all(&self) -> io::Result<()> {
        loop {
            let (view, held) = self.view()?;
            let result = view.sync_all().await;
            held.done();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(super) async fn set_len(&self, len: u64) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        helper::run(move || shared.file.set_len(len)).await
    }

    pub(super) async fn len(&self) -> io::Result<u64> {
        let shared = Arc::clone(&self.shared);
        helper::run(move || shared.file.metadata().map(|m| m.len())).await
    }

    pub(super) async fn allocate(&self, len: u64) -> io::Result<()> {
        let len = i64::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let shared = Arc::clone(&self.shared);
        helper::run(move || {
            loop {
                // SAFETY: no pointers; the descriptor is open as long as `shared` is.
                if unsafe { libc::fallocate(shared.file.as_raw_fd(), 0, 0, len) } == 0 {
                    return Ok(());
                }
                let e = io::Error::last_os_error();
                match e.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // Of the right length at least; the room for it is found as it is written.
                    Some(libc::EOPNOTSUPP | libc::ENOSYS) => return shared.file.set_len(len.cast_unsigned()),
                    _ => return Err(e),
                }
            }
        })
        .await
    }
}

/// How many bytes are written, after `done` were and a write from `start` on has given `result`.
fn written(done: usize, start: usize, result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(n) if start + n > done => Ok(start + n),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(done),
        Err(e) => Err(e),
    }
}

fn unexpected_eof() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends within the range that was read")
}

fn plus(offset: u64, n: usize) -> u64 {
    offset.saturating_add(u64::try_from(n).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
