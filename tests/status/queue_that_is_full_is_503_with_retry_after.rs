//! The queue holds 10,000 files. Batches that were let in share it and go on when others end; while it is full, who
//! comes new is 503.
//!
//! A frozen file system makes it fill: commits wait in the kernel, as on a disk that has stalled.

use std::thread::sleep;
use std::time::Duration;

use crate::support::volume::{FileSystem, Volume};
use crate::support::{Client, Daemon, Folder, Form, Setup, random_bytes, sha256};

const BATCHES: usize = 14;
const FILES: usize = 1_000;
/// Files that a core is given at a time.
const SLICE: f64 = 128.0;

fn file(batch: usize, number: usize) -> Vec<u8> {
    random_bytes((batch * 100_000 + number) as u64, 64)
}

fn batch(batch: usize) -> Form {
    (0..FILES).fold(Form::new(), |form, number| form.file("queued.bin", &file(batch, number)))
}

/// Waits until so many places are taken.
fn wait_for_depth(daemon: &Daemon, least: f64) -> f64 {
    for _ in 0..600 {
        let depth = daemon.metric("rhinobox_queue_depth");
        if depth >= least {
            return depth;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("the queue never held {least} files");
}

#[test]
fn a_stalled_disk_fills_the_queue_and_what_was_let_in_is_stored_when_it_goes_on() {
    let folder = Folder::new();
    let Some(volume) = Volume::new(folder.path(), FileSystem::Ext4, 256, &[]) else { return };
    let daemon = Setup::new().data_dir(&volume.path().join("data")).flag("--cores", "2").start();
    daemon.serves();
    let requests: Vec<Vec<u8>> = (0..BATCHES).map(|number| batch(number).request(&[])).collect();
    let mut clients: Vec<Client> = requests.iter().map(|_| daemon.connect()).collect();
    // All of them are let in before the disk stalls.
    for (client, request) in clients.iter_mut().zip(&requests) {
        client.send(&request[..1_000]);
    }
    daemon.wait_for_metric("rhinobox_queue_depth", BATCHES as f64);
    let Some(frozen) = volume.freeze() else { return };
    let senders: Vec<_> = clients
        .iter()
        .zip(&requests)
        .map(|(client, request)| {
            let (stream, rest) =
                (client.stream.try_clone().expect("a socket is shared"), request[1_000..].to_vec());
            std::thread::spawn(move || std::io::Write::write_all(&mut &stream, &rest))
        })
        .collect();
    let capacity = daemon.metric("rhinobox_queue_capacity");
    let depth = wait_for_depth(&daemon, capacity - SLICE + 1.0);
    assert!(depth <= capacity, "{depth}");
    // Less than a slice may be free: what comes new is kept out by the stall.
    sleep(Duration::from_millis(3_500));
    for number in BATCHES..BATCHES + 3 {
        let mut late = daemon.connect();
        let response = batch(number).send(&mut late).expect(503);
        assert_eq!(response.field("Retry-After"), Some("1"));
    }
    let depth = daemon.metric("rhinobox_queue_depth");
    assert!(depth <= capacity, "{depth}");
    // A stalled disk is no reason to be silent: whatever needs none is answered.
    daemon.get("/healthz").expect(200);
    daemon.get("/readyz").expect(200);
    // Nobody who was let in has been told anything yet.
    for client in &mut clients {
        client.stream.set_nonblocking(true).expect("a socket can be");
        let mut byte = [0];
        let peeked = client.stream.peek(&mut byte).map_err(|error| error.kind());
        assert_eq!(
            peeked,
            Err(std::io::ErrorKind::WouldBlock),
            "an answer came while nothing could be stored"
        );
        client.stream.set_nonblocking(false).expect("a socket can be");
    }
    println!("{BATCHES} batches of {FILES} files wait for the disk, {depth} places are taken");
    drop(frozen);
    for client in &mut clients {
        assert_eq!(client.response().stored().len(), FILES);
    }
    for sender in senders {
        sender.join().expect("no sender panics").expect("the daemon takes it all");
    }
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    // And those that were told to come again do.
    for number in BATCHES..BATCHES + 3 {
        assert_eq!(batch(number).send(&mut daemon.connect()).stored().len(), FILES);
    }
    assert_eq!(daemon.metric("rhinobox_shed_total"), 3.0);
    for number in 0..BATCHES + 3 {
        let content = file(number, number * 7);
        assert_eq!(daemon.content(&sha256(&content)), content);
    }
    daemon.stop();
}
