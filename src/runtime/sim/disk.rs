//! The simulated disk.

use std::io;
use std::ops::Range;

use crate::runtime::buffer::Buffer;
use crate::runtime::disk::{Entry, Open, Space};

/// A simulated disk.
#[derive(Clone)]
pub struct SimDisk {}
/// A file of a simulated disk.
#[derive(Clone)]
pub struct SimFile {}

#[expect(missing_docs, clippy::unused_async, reason = "stands in until the simulated disk is here")]
impl SimDisk {
    pub async fn open(&self, _: &str, _: Open) -> io::Result<SimFile> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn list(&self, _: &str) -> io::Result<Vec<Entry>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn create_dir(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn sync_dir(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn space(&self) -> io::Result<Space> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn direct_alignment(&self) -> io::Result<Option<(usize, usize)>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[expect(missing_docs, clippy::unused_async, reason = "stands in until the simulated disk is here")]
impl SimFile {
    pub async fn read_at(&self, buf: Buffer, _: usize, _: u64) -> (io::Result<usize>, Buffer) {
        (Err(io::ErrorKind::Unsupported.into()), buf)
    }
    pub async fn read_exact_at(&self, buf: Buffer, _: usize, _: u64) -> (io::Result<()>, Buffer) {
        (Err(io::ErrorKind::Unsupported.into()), buf)
    }
    pub async fn write_all_at(&self, buf: Buffer, _: Range<usize>, _: u64) -> (io::Result<()>, Buffer) {
        (Err(io::ErrorKind::Unsupported.into()), buf)
    }
    pub async fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn sync_all(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn len(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub async fn allocate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
