//! Volumes of a test's own: a file system in an image, on a loop device. They can be too small, lose their power, or
//! stand on what fails.
//!
//! Always: a volume is unmounted when it is dropped. Where a volume cannot be had the test says so on the real standard
//! error, past the capture of the test harness, and passes: it was skipped, in words.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Of a daemon that has just died the ring may hold files for a moment: an unmount is tried this often ...
const UNMOUNTS_MAX: u32 = 200;
/// ... with so long a pause.
const UNMOUNT_PAUSE: Duration = Duration::from_millis(50);

/// Says that a test, or a part of one, does not run here, and why.
pub(crate) fn skipped(why: impl std::fmt::Display) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // The macros that print are captured by the harness; a skipped test must show without `--nocapture`.
    let _closed = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// The standard output of a command that must succeed, or why it did not, in words.
pub(crate) fn ran(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// Which file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    /// Makes one in `device`, a file or a block device.
    pub(crate) fn make(self, device: &Path, options: &[&str]) -> Result<(), String> {
        let (program, quietly): (&str, &[&str]) = match self {
            // Without blocks kept for root: the tests run as root.
            FileSystem::Ext4 => ("mkfs.ext4", &["-q", "-F", "-m", "0"]),
            FileSystem::Xfs => ("mkfs.xfs", &["-q", "-f"]),
        };
        // Debian keeps them where a user's PATH does not look.
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        ran(Command::new(program).env("PATH", path).args(quietly).args(options).arg(device)).map(drop)
    }
}

/// A volume that nothing can be written to.
pub(crate) struct Frozen(PathBuf);

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(why) = ran(Command::new("fsfreeze").arg("-u").arg(&self.0)) {
            eprintln!("{} stays frozen: {why}", self.0.display());
        }
    }
}

/// A file system in an image on a loop device.
pub(crate) struct Volume {
    /// The image, or what stands for one.
    image: PathBuf,
    mounted: PathBuf,
}

impl Volume {
    /// A volume of `mib` in a sparse image in `folder`. `None`, said in words, where this process may not mount.
    pub(crate) fn new(folder: &Path, file_system: FileSystem, mib: u64, options: &[&str]) -> Option<Volume> {
        let image = folder.join("image");
        let made = sparse(&image, mib)
            .and_then(|()| file_system.make(&image, options))
            .and_then(|()| Volume::over(&image, folder));
        made.inspect_err(|why| skipped(format_args!("no {file_system:?} can be mounted here: {why}"))).ok()
    }

    /// The file system that was made in `image`, mounted below `folder`.
    pub(crate) fn over(image: &Path, folder: &Path) -> Result<Volume, String> {
        let mounted = folder.join("volume");
        fs::create_dir_all(&mounted).map_err(|error| format!("no mount point: {error}"))?;
        let volume = Volume { image: image.to_owned(), mounted };
        volume.mount().map(|()| volume)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }

    pub(crate) fn mount(&self) -> Result<(), String> {
        ran(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mounted)).map(drop)
    }

    /// Unmounts it, waiting for what a dead process still holds.
    pub(crate) fn unmount(&self) -> Result<(), String> {
        unmount(&self.mounted)
    }

    /// Lets nothing be written until what is given is dropped; who writes waits. `None`, said in words, where it
    /// cannot be done.
    pub(crate) fn freeze(&self) -> Option<Frozen> {
        let frozen = ran(Command::new("fsfreeze").arg("-f").arg(&self.mounted));
        frozen.inspect_err(|why| skipped(why)).ok().map(|_| Frozen(self.mounted.clone()))
    }

    /// Where the kernel tells of its block device.
    fn device(&self) -> Result<PathBuf, String> {
        let device = fs::metadata(&self.mounted).map_err(|error| error.to_string())?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).map_err(|error| error.to_string())
    }

    /// Lets the device take one page at a time. Linux's loop device calls a write whole of which the file behind it took
    /// only a part (seen with 6.18 over a full tmpfs): no program can notice that. A page is taken or is not.
    pub(crate) fn take_pages_one_by_one(&self) -> Result<(), String> {
        let most = self.device()?.join("queue/max_sectors_kb");
        fs::write(&most, "4").map_err(|error| format!("{}: {error}", most.display()))
    }

    /// Tells this XFS to give up when it cannot write its own records. As it comes it tries again for ever, and who
    /// waits for it waits as long: nothing is answered then, and nothing ends.
    pub(crate) fn fail_at_once(&self) -> Result<(), String> {
        let device = self.device()?;
        let device = device.file_name().unwrap_or_default().to_string_lossy();
        for error in ["default", "EIO", "ENOSPC"] {
            let retries = format!("/sys/fs/xfs/{device}/error/metadata/{error}/max_retries");
            fs::write(&retries, "0").map_err(|error| format!("{retries}: {error}"))?;
        }
        Ok(())
    }

    /// The power fails: the file system stops where it is and flushes nothing, its journal neither. What was handed to
    /// the device is there after the next mount; what only the kernel knew is not.
    pub(crate) fn cut(&self) {
        /// `FS_IOC_SHUTDOWN`, which ext4 and XFS share.
        const SHUTDOWN: libc::Ioctl = 0x8004_587d_u32 as libc::Ioctl;
        let no_log_flush: u32 = 2;
        let root = fs::File::open(&self.mounted).expect("a mounted volume opens");
        #[expect(unsafe_code, reason = "this ioctl is libc's")]
        // SAFETY: the descriptor is open as long as `root` is, and the kernel reads one u32 that outlives the call.
        let status = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN, &raw const no_log_flush) };
        assert_eq!(status, 0, "the file system cannot be shut down: {}", std::io::Error::last_os_error());
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if is_mounted(&self.mounted)
            && let Err(why) = self.unmount()
        {
            eprintln!("{} stays mounted: {why}", self.mounted.display());
        }
    }
}

/// A file of `mib` that takes no space until it is written to.
pub(crate) fn sparse(path: &Path, mib: u64) -> Result<(), String> {
    let made = fs::File::create(path).and_then(|file| file.set_len(mib << 20));
    made.map_err(|error| format!("no image can be made at {}: {error}", path.display()))
}

/// Unmounts a folder, waiting for what a dead process still holds.
pub(crate) fn unmount(mounted: &Path) -> Result<(), String> {
    let mut tries = 0;
    loop {
        match ran(Command::new("umount").arg(mounted)) {
            Err(_) if tries < UNMOUNTS_MAX => thread::sleep(UNMOUNT_PAUSE),
            outcome => return outcome.map(drop),
        }
        tries += 1;
    }
}

/// Whether something is mounted here. The kernel's list is asked: a file system that was shut down answers nothing.
fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = folder.to_string_lossy();
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(&*folder))
}
