//! A disk that fails under load: a write or flush that fails ends the daemon, in words and with the exit code for that.
//! It is never tried again, and nothing is answered after it. When the disk is repaired, what was answered is there.

use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use crate::support::content::Random;
use crate::support::volume::{FileSystem, Volume, ran, skipped, sparse, unmount};
use crate::support::{Folder, Ledger, Setup, load};
use crate::volatile_disk::VolatileDisk;

fn setup(volume: &std::path::Path) -> Setup {
    Setup::new().data_dir(&volume.join("data")).flag("--segment-mib", "4").flag("--max-upload-mb", "64")
}

/// Runs load on a daemon whose disk `fail`s at some moment, until it ends by itself; checks how it ended.
fn ends_in_words(what: &str, setup: &Setup, ledger: &Ledger, seed: u64, fail: impl FnOnce()) {
    let daemon = setup.start();
    let (address, stop) = (daemon.address(), AtomicBool::new(false));
    let status = thread::scope(|scope| {
        let loading = scope.spawn(|| load::keep_running(address, 6, seed, ledger, &stop));
        let stopping = load::StopOnDrop(&stop);
        fail();
        let status = daemon.wait_for_exit();
        drop(stopping);
        loading.join().expect("the load ends with the daemon");
        status
    });
    let said = daemon.said();
    let why = said.lines().find(|line| line.starts_with("rhinobox: ")).unwrap_or("nothing");
    println!("{what}: {} answered, {} refused; the daemon said {why:?}", ledger.answers(), ledger.refusals());
    assert_eq!(status.code(), Some(70), "{said}");
    assert!(why.ends_with("(exit code 70)") && why.contains("could not"), "it ended without a word: {said}");
}

/// On the repaired disk: all is there, and the daemon serves.
fn is_whole_again(setup: &Setup, ledger: &Ledger) {
    setup.verifies();
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    daemon.serves();
    daemon.stop().verifies();
}

/// An image on a tmpfs that is full before the image is: the kernel cannot write back, and every block that is new to the
/// image is an I/O error.
struct Thin {
    folder: Folder,
    volume: Option<Volume>,
}

impl Thin {
    const MIB: u64 = 1024;

    fn new(file_system: FileSystem, tmpfs_mib: u64) -> Option<Thin> {
        let mut thin = Thin { folder: Folder::new(), volume: None };
        let made = thin.make(file_system, tmpfs_mib);
        made.inspect_err(|why| skipped(format_args!("no volume on a tmpfs can be mounted here: {why}")))
            .ok()?;
        Some(thin)
    }

    fn make(&mut self, file_system: FileSystem, tmpfs_mib: u64) -> Result<(), String> {
        let tmpfs = self.folder.join("tmpfs");
        std::fs::create_dir_all(&tmpfs).map_err(|error| format!("no mount point: {error}"))?;
        let size = format!("size={tmpfs_mib}m");
        ran(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&tmpfs))?;
        let image = tmpfs.join("image");
        sparse(&image, Thin::MIB)?;
        file_system.make(&image, &[])?;
        let volume = self.volume.insert(Volume::over(&image, self.folder.path())?);
        volume.take_pages_one_by_one()?;
        if file_system == FileSystem::Xfs { volume.fail_at_once() } else { Ok(()) }
    }

    fn volume(&self) -> &Volume {
        self.volume.as_ref().expect("it was mounted when it was made")
    }

    /// As an operator would: unmounts it, gives it the room that it lacked, mounts it.
    fn repair(&self) {
        self.volume().unmount().expect("the daemon is gone");
        let size = format!("remount,size={}m", 2 * Thin::MIB);
        ran(Command::new("mount").args(["-o", &size]).arg(self.folder.join("tmpfs")))
            .expect("a tmpfs may grow");
        self.volume().mount().expect("it comes back");
    }
}

impl Drop for Thin {
    fn drop(&mut self) {
        self.volume = None;
        let tmpfs = self.folder.join("tmpfs");
        if tmpfs.exists()
            && let Err(why) = unmount(&tmpfs)
        {
            eprintln!("{} stays mounted: {why}", tmpfs.display());
        }
    }
}

fn cannot_write_back(what: &str, file_system: FileSystem) {
    let mut random = Random::printed(what);
    let Some(thin) = Thin::new(file_system, 150 + random.below(100)) else { return };
    let (setup, ledger) = (setup(thin.volume().path()), Ledger::default());
    // The load itself fills the tmpfs.
    ends_in_words(what, &setup, &ledger, random.next(), || {});
    thin.repair();
    is_whole_again(&setup, &ledger);
}

#[test]
fn an_ext4_that_cannot_write_back_ends_the_daemon() {
    cannot_write_back("an ext4 that cannot write back", FileSystem::Ext4);
}

#[test]
fn an_xfs_that_cannot_write_back_ends_the_daemon() {
    cannot_write_back("an XFS that cannot write back", FileSystem::Xfs);
}

#[test]
fn a_disk_that_takes_writes_and_fails_to_flush_ends_the_daemon() {
    let what = "a disk that fails to flush";
    let mut random = Random::printed(what);
    let folder = Folder::new();
    let Some(mut disk) = VolatileDisk::new(folder.path(), FileSystem::Ext4, Thin::MIB) else { return };
    let (setup, ledger) = (setup(disk.path()), Ledger::default());
    ends_in_words(what, &setup, &ledger, random.next(), || {
        thread::sleep(Duration::from_millis(random.below(800)));
        disk.fail_flushes();
    });
    // And with the power, all that could not be flushed goes.
    disk.restore().expect("it comes back");
    is_whole_again(&setup, &ledger);
}
