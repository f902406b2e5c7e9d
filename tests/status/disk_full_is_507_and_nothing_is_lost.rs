//! A full disk is 507: what was stored stays and is read, and uploads resume when there is space again.

use std::fs;

use crate::support::volume::{FileSystem, Volume};
use crate::support::{Daemon, Folder, Form, Ledger, Setup, random_bytes, sha256};

fn fill(daemon: &Daemon, ledger: &Ledger, size: usize, from: u64) -> u64 {
    let mut client = daemon.connect();
    for seed in from..from + 10_000 {
        let content = random_bytes(seed, size);
        let hash = sha256(&content);
        ledger.sending(&hash, seed, size);
        let response = Form::of("fill.bin", &content).send(&mut client);
        match response.status {
            200 => ledger.answered(&hash, response.json()["stored"][0]["path"].as_str().expect("a path")),
            507 => {
                assert!(!response.error().is_empty());
                return seed;
            }
            status => panic!("{status}: {}", response.text()),
        }
    }
    panic!("the volume never filled");
}

#[test]
fn a_full_disk_refuses_uploads_keeps_all_and_recovers() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 64, &[]) else { return };
    // Space that somebody else holds, to be given back later.
    let ballast = volume.path().join("ballast");
    fs::write(&ballast, vec![1; 16 << 20]).expect("the ballast fits");
    let data = volume.path().join("data");
    let setup = Setup::new().data_dir(&data).flag("--cores", "2");
    let daemon = setup.start();
    let ledger = Ledger::default();
    for (size, from) in [(500_000, 0), (20_000, 100_000), (700_000, 200_000)] {
        fill(&daemon, &ledger, size, from);
        ledger.check(&mut daemon.connect());
    }
    daemon.get("/healthz").expect(200);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    let daemon = daemon.restart();
    ledger.check(&mut daemon.connect());
    fs::remove_file(&ballast).expect("the ballast goes");
    let content = random_bytes(999, 1_000_000);
    for attempt in 0.. {
        let response = Form::of("after.bin", &content).send(&mut daemon.connect());
        if response.status == 200 {
            break;
        }
        assert_eq!(response.status, 507, "{}", response.text());
        assert!(attempt < 100, "uploads do not resume");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    daemon.serves();
    ledger.check(&mut daemon.connect());
    let daemon = daemon.restart();
    ledger.check(&mut daemon.connect());
    assert_eq!(daemon.content(&sha256(&content)), content);
    daemon.stop();
}

#[test]
fn a_volume_without_inodes_is_507_and_small_files_are_read() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 64, &["-N", "400"]) else { return };
    let setup = Setup::new().data_dir(&volume.path().join("data")).flag("--cores", "1");
    let daemon = setup.start();
    let ledger = Ledger::default();
    // Big files take an inode each.
    fill(&daemon, &ledger, 300_000, 0);
    ledger.check(&mut daemon.connect());
    daemon.get("/healthz").expect(200);
    let daemon = daemon.restart();
    ledger.check(&mut daemon.connect());
    daemon.stop();
}
