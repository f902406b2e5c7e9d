//! Eight clients fill a volume: 507, nothing that was answered is lost, reads go on, and uploads go on when there is
//! space again. The same when only the inodes are used up.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::content::Random;
use crate::support::volume::{FileSystem, Volume};
use crate::support::{Daemon, Folder, Ledger, Setup, load, random_bytes};

const CONNECTIONS: u64 = 8;
/// Refusals that show that the volume is full for everybody.
const REFUSALS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(90);

/// Load from eight connections until `until` is true; what is stored is read meanwhile.
fn load_until(daemon: &Daemon, ledger: &Ledger, seed: u64, what: &str, until: impl Fn() -> bool) {
    let stop = AtomicBool::new(false);
    let address = daemon.address();
    thread::scope(|scope| {
        let loading = scope.spawn(|| load::keep_running(address, CONNECTIONS, seed, ledger, &stop));
        let stopping = load::StopOnDrop(&stop);
        let deadline = Instant::now() + PATIENCE;
        while !until() && Instant::now() < deadline && !loading.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        let reached = until();
        // Reads go on while uploads are refused.
        if reached {
            ledger.check(&mut daemon.connect());
            daemon.get("/healthz").expect(200);
        }
        drop(stopping);
        loading.join().expect("the load ends when it is told to");
        assert!(
            reached,
            "{what} was not reached: {} answered, {} refused",
            ledger.answers(),
            ledger.refusals()
        );
    });
}

fn fills_up_and_goes_on(what: &str, volume: &Volume, flags: &[(&str, &str)], free: impl FnOnce()) {
    let mut random = Random::printed(what);
    let mut setup = Setup::new().data_dir(&volume.path().join("data")).flag("--segment-mib", "4");
    for (name, value) in flags {
        setup = setup.flag(name, *value);
    }
    let ledger = Ledger::default();
    let daemon = setup.start();
    load_until(&daemon, &ledger, random.next(), "a full volume", || ledger.refusals() >= REFUSALS);
    let (answered, refused) = (ledger.answers(), ledger.refusals());
    // Killed and started where there is no room: it serves what it has.
    drop(daemon);
    setup.verifies();
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    free();
    let more = answered + 40;
    load_until(&daemon, &ledger, random.next(), "room again", || ledger.answers() >= more);
    println!(
        "{what}: full with {answered} answered, {refused} refused; {} answered in the end",
        ledger.answers()
    );
    // It may be full again by now.
    let setup = daemon.stop();
    setup.verifies();
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    daemon.stop();
}

/// Space that somebody else holds, to be given back later.
fn ballast(volume: &Path, mib: usize) -> std::path::PathBuf {
    let path = volume.join("ballast");
    fs::write(&path, random_bytes(1, mib << 20)).expect("the ballast fits");
    path
}

#[test]
fn an_ext4_without_space_refuses_and_goes_on() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 200, &[]) else { return };
    let ballast = ballast(volume.path(), 100);
    fills_up_and_goes_on("a full ext4", &volume, &[], || fs::remove_file(ballast).expect("the ballast goes"));
}

#[test]
fn an_xfs_without_space_refuses_and_goes_on() {
    let folder = Folder::new();
    // The least that mkfs.xfs makes.
    let Some(volume) = Volume::new(folder.path(), FileSystem::Xfs, 320, &[]) else { return };
    let ballast = ballast(volume.path(), 160);
    fills_up_and_goes_on("a full XFS", &volume, &[], || fs::remove_file(ballast).expect("the ballast goes"));
}

/// Files that somebody else made, until `left` more would fit.
fn empty_files(volume: &Path, left: u64) -> std::path::PathBuf {
    let folder = volume.join("empty");
    fs::create_dir(&folder).expect("there is an inode left");
    let free = || rustix::fs::statvfs(volume).expect("a volume says").f_favail;
    for number in 0.. {
        // XFS says what it could make; the last of them it may be unable to.
        if free() <= left || fs::write(folder.join(number.to_string()), b"").is_err() {
            break;
        }
    }
    folder
}

fn without_inodes(what: &str, volume: &Volume) {
    // The daemon's own folders come first: it makes hundreds.
    let setup = Setup::new().data_dir(&volume.path().join("data")).flag("--segment-mib", "4");
    setup.start().stop();
    let empty = empty_files(volume.path(), 120);
    let small = [("--inline-max-kib", "4")];
    fills_up_and_goes_on(what, volume, &small, || fs::remove_dir_all(empty).expect("the empty files go"));
}

#[test]
fn an_ext4_without_inodes_refuses_and_goes_on() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 1024, &["-N", "2048"]) else { return };
    without_inodes("an ext4 without inodes", &volume);
}

#[test]
fn an_xfs_without_inodes_refuses_and_goes_on() {
    let folder = Folder::new();
    // XFS makes inodes as they are asked for, up to a share of the volume.
    let Some(volume) = Volume::new(folder.path(), FileSystem::Xfs, 1024, &["-i", "maxpct=1"]) else { return };
    without_inodes("an XFS without inodes", &volume);
}

#[test]
fn a_volume_with_too_few_inodes_for_a_store_is_refused_and_taken_when_it_has_them() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 64, &["-N", "64"]) else { return };
    let setup = Setup::new().data_dir(&volume.path().join("data"));
    let (code, said) = setup.refused();
    assert_eq!(code, 1, "{said}");
    let why = said.lines().find(|line| line.starts_with("rhinobox: ")).unwrap_or_default();
    assert!(why.contains("No space left"), "it was refused without saying why: {said}");
    println!("said: {why}");
    // What was half made is made whole elsewhere: the same folder, on a volume with room.
    drop(volume);
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 64, &["-N", "1024"]) else { return };
    let data = volume.path().join("data");
    fs::create_dir_all(data.join("blobs/00")).expect("a volume takes folders");
    let daemon = setup.data_dir(&data).start();
    daemon.serves();
    daemon.stop().verifies();
}
