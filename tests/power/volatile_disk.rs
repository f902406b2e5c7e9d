//! A disk with a volatile write cache, whose power can be cut, and whose flushes can be made to fail.
//!
//! The chain: a file system on a loop device, over a file that `nbdfuse` shows, over the network block device of an
//! `nbdkit` that keeps writes in memory (its `cache` filter) until they are flushed into the image behind it. SIGKILL
//! to that `nbdkit` is a power cut: what was not flushed is gone. With the `error` filter below the cache, writes are
//! taken and the flush fails, as on a drive that dies.
//!
//! Always: [`VolatileDisk::new`] has shown, on this machine, that a flush passes the whole chain and that what was not
//! flushed is lost. Where it does not, the test is skipped, in words.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::SeekFrom;

use crate::support::random_bytes;
use crate::support::volume::{FileSystem, Volume, skipped, sparse, unmount};

/// Programs start in milliseconds; a busy machine may take this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Larger than the store's direct writes, and a multiple of every block size.
const PROBE_BYTES: usize = 1 << 20;

pub(crate) struct VolatileDisk {
    folder: PathBuf,
    running: Option<Running>,
    volume: Option<Volume>,
}

/// What the disk consists of while it has power.
struct Running {
    server: Child,
    gateway: Child,
}

impl VolatileDisk {
    /// A disk of `mib` with this file system, mounted. `None`, said in words, where it cannot be had.
    pub(crate) fn new(folder: &Path, file_system: FileSystem, mib: u64) -> Option<VolatileDisk> {
        let mut disk = VolatileDisk { folder: folder.to_owned(), running: None, volume: None };
        match disk.make(file_system, mib) {
            Ok(()) => Some(disk),
            Err(why) => {
                skipped(format_args!("no disk with a volatile cache can be had here: {why}"));
                None
            }
        }
    }

    fn make(&mut self, file_system: FileSystem, mib: u64) -> Result<(), String> {
        sparse(&self.image(), mib)?;
        self.power_on()?;
        file_system.make(&self.device(), &[])?;
        self.volume = Some(Volume::over(&self.device(), &self.folder)?);
        self.prove()
    }

    /// The bytes that survive a power cut.
    fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    fn gateway_folder(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// The disk as a file.
    fn device(&self) -> PathBuf {
        self.gateway_folder().join("nbd")
    }

    /// While this file exists, flushes fail.
    fn trigger(&self) -> PathBuf {
        self.folder.join("flushes-fail")
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.volume().path()
    }

    fn volume(&self) -> &Volume {
        self.volume.as_ref().expect("it was mounted when it was made")
    }

    fn power_on(&mut self) -> Result<(), String> {
        let socket = self.folder.join("socket");
        let _none_yet = fs::remove_file(&socket);
        let error_file = format!("error-file={}", self.trigger().display());
        let image = format!("file={}", self.image().display());
        let server = Command::new("nbdkit")
            .args(["-f", "-U"])
            .arg(&socket)
            .args(["--filter=cache", "--filter=error", "file", &image])
            .args(["cache=writeback", "error=EIO", "error-pwrite-rate=100%", &error_file])
            // The cache itself: a file without a name, in this folder.
            .env("TMPDIR", &self.folder)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("nbdkit cannot be run: {error}"))?;
        let mut server = Ended(Some(server));
        wait_for("nbdkit", &mut server, || UnixStream::connect(&socket).is_ok())?;
        let gateway_folder = self.gateway_folder();
        fs::create_dir_all(&gateway_folder).map_err(|error| format!("no mount point: {error}"))?;
        let gateway = Command::new("nbdfuse")
            .arg(self.device())
            .arg("--unix")
            .arg(&socket)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("nbdfuse cannot be run: {error}"))?;
        let mut gateway = Ended(Some(gateway));
        wait_for("nbdfuse", &mut gateway, || self.device().exists())?;
        self.running = Some(Running { server: server.keep(), gateway: gateway.keep() });
        Ok(())
    }

    /// The power fails: what was not flushed is gone, and every operation fails from now on.
    pub(crate) fn cut(&mut self) {
        let running = self.running.as_mut().expect("it has power");
        running.server.kill().expect("nbdkit lives to be killed");
        let _killed = running.server.wait();
    }

    /// From now on the disk takes writes, and fails to flush them.
    pub(crate) fn fail_flushes(&self) {
        fs::write(self.trigger(), b"").expect("the trigger is made");
    }

    /// Takes apart what is left after a cut (cuts now if there was none), and mounts what survived it.
    pub(crate) fn restore(&mut self) -> Result<(), String> {
        self.take_apart()?;
        let _none = fs::remove_file(self.trigger());
        self.power_on()?;
        self.volume().mount()
    }

    fn take_apart(&mut self) -> Result<(), String> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let _cut_already = running.server.kill();
        let _killed = running.server.wait();
        let unmounted = self.volume.as_ref().map_or(Ok(()), Volume::unmount);
        // The gateway ends by itself when it is unmounted; one whose server is gone may have ended before.
        let gateway_unmounted = unmount(&self.gateway_folder());
        let _ended = running.gateway.kill();
        let _killed = running.gateway.wait();
        unmounted.and(gateway_unmounted)
    }

    /// Shows that a flush reaches the image, each way the store flushes, and that without one a cut loses the bytes.
    fn prove(&mut self) -> Result<(), String> {
        let [plain, flushed, durable, lost] = [1, 2, 3, 4].map(|seed| random_bytes(seed, PROBE_BYTES));
        let path = self.path().join("proof");
        let said = |error: std::io::Error| format!("a proof of it cannot be written: {error}");
        {
            let mut file = fs::File::create(&path).map_err(said)?;
            file.write_all(&plain).and_then(|()| file.sync_all()).map_err(said)?;
        }
        self.must_hold(&plain, "a write through the page cache and fsync")?;
        let open =
            |flags| fs::OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | flags).open(&path);
        let (direct, synced) = (open(0).map_err(said)?, open(libc::O_DSYNC).map_err(said)?);
        let aligned = |bytes: &[u8]| Aligned::new(bytes);
        direct.write_all_at(aligned(&flushed).bytes(), 0).map_err(said)?;
        direct.sync_data().map_err(said)?;
        self.must_hold(&flushed, "a direct write and fdatasync")?;
        synced.write_all_at(aligned(&durable).bytes(), 0).map_err(said)?;
        self.must_hold(&durable, "a direct write with O_DSYNC")?;
        direct.write_all_at(aligned(&lost).bytes(), 0).map_err(said)?;
        self.cut();
        drop((direct, synced));
        self.restore()?;
        let found = fs::read(&path).map_err(said)?;
        if self.holds(&lost)? || found == lost {
            return Err("what was not flushed survives a cut".to_owned());
        }
        if found != durable {
            return Err("what was flushed does not survive a cut".to_owned());
        }
        fs::remove_file(&path).map_err(said)
    }

    fn must_hold(&self, bytes: &[u8], how: &str) -> Result<(), String> {
        if self.holds(bytes)? { Ok(()) } else { Err(format!("{how} does not pass the whole chain")) }
    }

    /// Whether the image holds these bytes, wherever the file system put each block. Blocks here and there are looked
    /// for, in what of the image was ever written.
    fn holds(&self, bytes: &[u8]) -> Result<bool, String> {
        let said = |error: std::io::Error| format!("the image cannot be read: {error}");
        let image = fs::File::open(self.image()).map_err(said)?;
        let len = image.metadata().map_err(said)?.len();
        let mut wanted: Vec<&[u8]> =
            bytes.chunks(PROBE_BYTES / 8).map(|part| &part[part.len() - 4096..]).collect();
        let mut at = 0;
        while let Ok(start) = rustix::fs::seek(&image, SeekFrom::Data(at)) {
            at = rustix::fs::seek(&image, SeekFrom::Hole(start)).unwrap_or(len);
            let mut written =
                vec![0; usize::try_from(at - start).expect("far below the memory of a machine")];
            image.read_exact_at(&mut written, start).map_err(said)?;
            wanted.retain(|block| memchr::memmem::find(&written, block).is_none());
        }
        Ok(wanted.is_empty())
    }
}

impl Drop for VolatileDisk {
    fn drop(&mut self) {
        if let Err(why) = self.take_apart() {
            eprintln!("{} stays mounted: {why}", self.folder.display());
        }
    }
}

/// A child that is ended unless it is kept.
struct Ended(Option<Child>);

impl Ended {
    fn keep(mut self) -> Child {
        self.0.take().expect("it is kept once")
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ended = child.kill();
            let _killed = child.wait();
        }
    }
}

fn wait_for(program: &str, child: &mut Ended, ready: impl Fn() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        let ended = child.0.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = ended {
            return Err(format!("{program} ended at once: {status}"));
        }
        if Instant::now() > deadline {
            return Err(format!("{program} does not become ready"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Bytes at an address that direct I/O takes.
struct Aligned {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Aligned {
        let mut memory = vec![0; bytes.len() + 4096];
        let start = memory.as_ptr().align_offset(4096);
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        Aligned { memory, start, len: bytes.len() }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}
