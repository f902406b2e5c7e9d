//! The queue holds 10,000 files. When it has been full for a second an upload is 503; what is in it is kept.
//!
//! A frozen file system makes it fill: commits wait in the kernel, as on a disk that has stalled.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::volume::{FileSystem, Volume};
use crate::support::{Folder, Form, Setup, random_bytes, sha256};

const CONNECTIONS: usize = 14;
const FILES: usize = 1_000;

fn file(connection: usize, number: usize) -> Vec<u8> {
    random_bytes((connection * 100_000 + number) as u64, 64)
}

fn batch(connection: usize) -> Form {
    (0..FILES).fold(Form::new(), |form, number| form.file("queued.bin", &file(connection, number)))
}

#[test]
fn a_stalled_disk_fills_the_queue_and_what_is_in_it_is_stored_when_it_goes_on() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 256, &[]) else { return };
    let daemon = Setup::new().data_dir(&volume.path().join("data")).flag("--cores", "2").start();
    daemon.serves();
    let Some(frozen) = volume.freeze() else { return };
    let (sender, answers) = mpsc::channel();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (mut client, sender) = (daemon.connect(), sender.clone());
            scope.spawn(move || {
                let response = batch(connection).send(&mut client);
                // The test may have failed by now.
                let _nobody_listens = sender.send((connection, response));
            });
        }
        drop(sender);
        let mut refused = HashSet::new();
        let begun = Instant::now();
        let (connection, response) = answers.recv().expect("somebody is answered");
        assert_eq!(response.expect(503).field("Retry-After"), Some("1"));
        refused.insert(connection);
        println!("the first 503 after {:.1?}", begun.elapsed());
        let depth = daemon.metric("rhinobox_queue_depth");
        assert!(depth <= daemon.metric("rhinobox_queue_capacity"), "{depth}");
        // A stalled disk is no reason to be silent: whatever needs none is answered.
        daemon.get("/healthz").expect(200);
        daemon.get("/readyz").expect(200);
        while let Ok((connection, response)) = answers.recv_timeout(Duration::from_millis(1_500)) {
            assert_eq!(response.expect(503).field("Retry-After"), Some("1"));
            refused.insert(connection);
        }
        let waiting = CONNECTIONS - refused.len();
        println!("{} refused, {waiting} wait for the disk, {depth} files are queued", refused.len());
        assert!(waiting > 0 && !refused.is_empty(), "{waiting} batches wait");
        drop(frozen);
        for _ in 0..waiting {
            let (_, response) = answers.recv_timeout(Duration::from_secs(60)).expect("the rest is answered");
            assert_eq!(response.stored().len(), FILES);
        }
        // And those that were told to come again do.
        for connection in refused {
            assert_eq!(batch(connection).send(&mut daemon.connect()).stored().len(), FILES);
        }
    });
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    for connection in 0..CONNECTIONS {
        let content = file(connection, connection * 7);
        assert_eq!(daemon.content(&sha256(&content)), content);
    }
    daemon.stop();
}
