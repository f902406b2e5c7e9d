//! An open file of a simulated disk. Closed when the last clone is dropped; until then a removed file keeps its room.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::{SimDisk, Started};
use crate::runtime::buffer::Buffer;
use crate::runtime::disk::Open;
use crate::runtime::sim::content::SECTOR;
use crate::runtime::sim::faults::{Failure, Op};
use crate::runtime::sim::volume::Volume;
use crate::runtime::sim::world::KernelOwned;

/// An open file of a simulated disk.
#[derive(Clone)]
pub struct SimFile {
    handle: Arc<Handle>,
}

struct Handle {
    disk: SimDisk,
    ino: u64,
    how: Open,
    path: Arc<str>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.disk.with(|volume| volume.close(self.ino));
    }
}

impl SimFile {
    /// The handle that `Volume::open` has counted.
    pub(super) fn new(disk: &SimDisk, ino: u64, how: Open, path: &str) -> SimFile {
        SimFile { handle: Arc::new(Handle { disk: disk.clone(), ino, how, path: path.into() }) }
    }

    /// One read of up to `len` bytes into the start of `buf`; sets `buf.len()` to what came.
    pub async fn read_at(&self, mut buf: Buffer, len: usize, offset: u64) -> (io::Result<usize>, Buffer) {
        buf.set_len(len);
        let result = self.read_once(buf.as_mut_slice(), offset).await;
        buf.set_len(*result.as_ref().unwrap_or(&0));
        (result, buf)
    }

    /// Exactly `len` bytes into the start of `buf`, or UnexpectedEof.
    pub async fn read_exact_at(&self, mut buf: Buffer, len: usize, offset: u64) -> (io::Result<()>, Buffer) {
        buf.set_len(len);
        let mut done = 0;
        let result = loop {
            if done == len {
                break Ok(());
            }
            // A direct read that ends within a sector has met the end of the file.
            if self.handle.how.direct && !done.is_multiple_of(SECTOR) {
                break Err(io::ErrorKind::UnexpectedEof.into());
            }
            match self.read_once(&mut buf.as_mut_slice()[done..], offset + done as u64).await {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        buf.set_len(done);
        (result, buf)
    }

    /// Writes all of `buf[range]`, going on after a short write or EINTR.
    pub async fn write_all_at(
        &self,
        buf: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<()>, Buffer) {
        let result = self.write_all(&buf.as_slice()[range], offset).await;
        (result, buf)
    }

    /// As [`SimFile::write_all_at`].
    pub async fn write_shared_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all(bytes, offset).await
    }

    /// fdatasync.
    pub async fn sync_data(&self) -> io::Result<()> {
        let handle = &*self.handle;
        let started = self.start(Op::Sync, 0, 0).await;
        let owned = KernelOwned::new(&started.world, Op::Sync);
        started.until_applied().await;
        started.until_complete().await;
        owned.done();
        handle.disk.with(|volume| match started.error() {
            Ok(()) => {
                volume.sync(handle.ino, started.began);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                volume.forsake(handle.ino, started.began);
                Err(error)
            }
        })
    }

    /// fsync: here the same as [`SimFile::sync_data`], which covers the size.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.sync_data().await
    }

    /// ftruncate.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        let ino = self.handle.ino;
        self.resize(Op::SetLen, len, |volume, op| {
            volume.set_len(op, ino, len);
            Ok(())
        })
        .await
    }

    /// The length that reads see.
    pub async fn len(&self) -> io::Result<u64> {
        let handle = &*self.handle;
        handle.disk.at_once(Op::Len, &handle.path, |volume, _| Ok(volume.len(handle.ino))).await
    }

    /// fallocate, extending the length. ENOSPC takes nothing.
    pub async fn allocate(&self, len: u64) -> io::Result<()> {
        let ino = self.handle.ino;
        self.resize(Op::Allocate, len, |volume, op| volume.allocate(op, ino, len)).await
    }

    async fn start(&self, op: Op, offset: u64, len: u64) -> Started {
        let handle = &*self.handle;
        let synced = op == Op::Write && handle.how.dsync;
        let extra_ns = if synced { handle.disk.latency().sync_ns } else { (0, 0) };
        handle.disk.start(op, &handle.path, offset, len, extra_ns).await
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.handle.how.write { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EBADF)) }
    }

    fn check_aligned(&self, memory: &[u8], offset: u64) {
        if self.handle.how.direct {
            let aligned = memory.as_ptr().addr().is_multiple_of(SECTOR)
                && memory.len().is_multiple_of(SECTOR)
                && offset.is_multiple_of(SECTOR as u64);
            let (path, at, len) = (&self.handle.path, memory.as_ptr().addr(), memory.len());
            assert!(aligned, "unaligned direct I/O on {path}: memory {at:#x}, length {len}, offset {offset}");
        }
    }

    async fn resize(
        &self,
        op: Op,
        len: u64,
        act: impl FnOnce(&mut Volume, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        self.check_writable()?;
        let handle = &*self.handle;
        let started = self.start(op, 0, len).await;
        let owned = KernelOwned::new(&started.world, op);
        started.until_applied().await;
        let result = started.error().and_then(|()| handle.disk.with(|volume| act(volume, started.number)));
        started.until_complete().await;
        owned.done();
        handle.disk.with(|volume| volume.complete(started.number, Some(handle.ino)));
        result
    }

    /// How much of `len` bytes an operation handles, by its fault.
    fn shortened(&self, started: &Started, len: usize) -> usize {
        match started.failure {
            Some(Failure::Short(0)) => 0,
            Some(Failure::Short(n)) if self.handle.how.direct => len.min(n.next_multiple_of(SECTOR)),
            Some(Failure::Short(n)) => len.min(n),
            _ => len,
        }
    }

    async fn read_once(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.check_aligned(into, offset);
        let handle = &*self.handle;
        let started = self.start(Op::Read, offset, into.len() as u64).await;
        let owned = KernelOwned::new(&started.world, Op::Read);
        started.until_applied().await;
        let len = self.shortened(&started, into.len());
        let result = started
            .error()
            .map(|()| handle.disk.with(|volume| volume.read(handle.ino, offset, &mut into[..len])));
        started.until_complete().await;
        owned.done();
        result
    }

    async fn write_all(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut done = 0;
        while done < data.len() {
            match self.write_once(&data[done..], offset + done as u64).await {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn write_once(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        self.check_aligned(data, offset);
        let handle = &*self.handle;
        let started = self.start(Op::Write, offset, data.len() as u64).await;
        let owned = KernelOwned::new(&started.world, Op::Write);
        let mut len = self.shortened(&started, data.len());
        match started.failure {
            None | Some(Failure::Short(_)) => {}
            // A write that fails this way may have gone any part of its way.
            Some(Failure::Eio) => {
                let sectors = data.len().div_ceil(SECTOR);
                len = data.len().min(started.world.draw(|rng| rng.index(sectors + 1)) * SECTOR);
            }
            Some(_) => len = 0,
        }
        handle.disk.with(|volume| volume.start_write(started.number, handle.ino, offset, &data[..len]));
        started.until_applied().await;
        let applied = handle.disk.with(|volume| volume.apply_write(started.number));
        started.until_complete().await;
        owned.done();
        handle.disk.with(|volume| {
            volume.complete(started.number, Some(handle.ino));
            started.error()?;
            applied?;
            if handle.how.dsync {
                volume.make_write_durable(started.number, handle.ino);
            }
            Ok(len)
        })
    }
}
