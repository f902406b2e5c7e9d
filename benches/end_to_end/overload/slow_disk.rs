//! A disk that is slow on purpose, so that it and not the client or a processor is what the daemon runs into: ext4 on a
//! loop device, over a file that `nbdfuse` shows, over an `nbdkit` that keeps its bytes in memory and lets no more of
//! them pass in a second than it is told (its `rate` filter).
//!
//! Always: what was mounted is unmounted and what was started has ended when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// Programs start in milliseconds; a busy machine may take this long. So may an unmount behind a dead process.
const PATIENCE: Duration = Duration::from_secs(20);
/// Holds what a step stores, and is small enough for segments that are soon ready.
const DISK_MIB: u32 = 1024;

/// A mounted slow disk.
pub(crate) struct SlowDisk {
    dir: PathBuf,
    server: Option<Child>,
    gateway: Option<Child>,
    mounted: bool,
}

impl SlowDisk {
    /// Makes one below `dir`, of so many bytes a second.
    ///
    /// # Errors
    /// If a program is missing, or this process may not mount.
    pub(crate) fn new(dir: &Path, bytes_per_second: u64) -> Result<Self> {
        let mut disk = Self { dir: dir.to_owned(), server: None, gateway: None, mounted: false };
        disk.make(bytes_per_second).map_err(|error| {
            format!(
                "no slow disk: {error} (it takes root, nbdkit, nbdfuse and ext4; see scripts/setup-tests.sh)"
            )
        })?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("volume")
    }

    fn gate(&self) -> PathBuf {
        self.dir.join("gate")
    }

    fn make(&mut self, bytes_per_second: u64) -> Result<()> {
        fs::create_dir_all(self.path())?;
        fs::create_dir_all(self.gate())?;
        let socket = self.dir.join("socket");
        let _none_yet = fs::remove_file(&socket);
        let rate = format!("rate={}", bytes_per_second * 8);
        let size = format!("{DISK_MIB}M");
        let server = Command::new("nbdkit")
            .args(["-f", "-U"])
            .arg(&socket)
            // No credit for quiet times: a disk has none.
            .args(["--filter=rate", "memory", &size, &rate, "burstiness=0.1"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.server = Some(server.map_err(|error| format!("nbdkit: {error}"))?);
        wait_for("nbdkit", || socket.exists())?;
        let device = self.gate().join("nbd");
        let gateway =
            Command::new("nbdfuse").arg(&device).arg("--unix").arg(&socket).stderr(Stdio::null()).spawn();
        self.gateway = Some(gateway.map_err(|error| format!("nbdfuse: {error}"))?);
        wait_for("nbdfuse", || device.exists())?;
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let lazily = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
        let mut mkfs = Command::new("mkfs.ext4");
        run(mkfs.env("PATH", path).args(["-q", "-F", "-m", "0", "-E", lazily]).arg(&device))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&device).arg(self.path()))?;
        self.mounted = true;
        Ok(())
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        for (mounted, path) in [(self.mounted, self.path()), (self.gateway.is_some(), self.gate())] {
            let unmounted = || run(Command::new("umount").arg(&path).stderr(Stdio::null())).is_ok();
            if mounted && wait_for("umount", unmounted).is_err() {
                eprintln!("{} stays mounted", path.display());
            }
        }
        for child in [&mut self.gateway, &mut self.server].into_iter().flatten() {
            let _ended_already = child.kill();
            let _killed = child.wait();
        }
        let _stays_for_the_next = fs::remove_dir_all(&self.dir);
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} failed: {status}").into()) }
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_there() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{what} took longer than {PATIENCE:?}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
