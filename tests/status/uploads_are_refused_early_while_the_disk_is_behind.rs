//! While more waits for the disk than it will write in a second, or the disk has stalled for three, uploads are 503 at once,
//! before their body is asked for. Everything else goes on, and nothing is refused for its own size.
//!
//! A frozen file system is as far behind as a disk can be.

use std::thread::sleep;
use std::time::Duration;

use crate::support::client::request;
use crate::support::volume::{FileSystem, Volume};
use crate::support::{Client, Daemon, Folder, Form, Setup, random_bytes, sha256};

/// A daemon on a volume that can be frozen, with one core: there all uploads share a lane.
fn start() -> Option<(Folder, Volume, Daemon)> {
    let folder = Folder::new();
    let volume = Volume::new(folder.path(), FileSystem::Ext4, 512, &[])?;
    let daemon = Setup::new().data_dir(&volume.path().join("data")).flag("--cores", "1").start();
    Some((folder, volume, daemon))
}

/// Sends an upload that will wait for the frozen disk, and waits until the disk counts as stalled.
fn stall(daemon: &Daemon, content: &[u8]) -> Client {
    let mut waiting = daemon.connect();
    waiting.send(&Form::of("waits.bin", content).request(&[]));
    daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
    sleep(Duration::from_millis(3_500));
    waiting
}

#[test]
fn what_cannot_be_stored_in_time_is_refused_by_its_head_and_all_else_is_served() {
    let Some((_folder, volume, daemon)) = start() else { return };
    let kept = random_bytes(1, 5_000);
    daemon.upload("kept.bin", &kept);
    let doomed = daemon.upload("doomed.bin", &random_bytes(2, 5_000));
    assert_eq!(daemon.metric("rhinobox_shed_total"), 0.0);
    let Some(frozen) = volume.freeze() else { return };
    let mut waiting = stall(&daemon, &random_bytes(3, 10_000));

    // No 100: the bodies of these are never asked for.
    for length in ["5", "10000", "300000000"] {
        let mut client = daemon.connect();
        let fields = [("Expect", "100-continue"), ("Content-Length", length)];
        client.send(&request("PUT", "/files/late.bin", &fields, b""));
        let response = client.response().expect(503);
        assert_eq!((response.continued, response.field("Retry-After")), (0, Some("1")));
        assert!(response.closes() && response.error().contains("waiting to be stored"));
    }
    let mut client = daemon.connect();
    let chunked = [("Transfer-Encoding", "chunked"), ("Expect", "100-continue")];
    client.send(&request("PUT", "/files/late.bin", &chunked, b""));
    assert_eq!(client.response().expect(503).continued, 0);
    // What is wrong with a request itself is said first.
    let mut client = daemon.connect();
    client.ask("POST", "/ingest/media", &[("Content-Type", "text/plain")], b"x").expect(415);

    // A small body that came with its head is passed over, and the connection serves on.
    let mut client = daemon.connect();
    for _ in 0..3 {
        let response = Form::of("late.bin", &random_bytes(4, 10_000)).send(&mut client).expect(503);
        assert_eq!((response.closes(), response.field("Retry-After")), (false, Some("1")));
        let target = format!("/files/{}", sha256(&kept));
        assert_eq!(client.get(&target).expect(200).body, kept);
        client.ask("HEAD", &target, &[], b"").expect(200);
        client.get("/readyz").expect(200);
    }
    assert_eq!(daemon.metric("rhinobox_shed_total"), 7.0);
    // A delete is a promise that must be kept, however long it takes.
    let mut deleting = daemon.connect();
    let path = doomed["path"].as_str().expect("a record has a path");
    deleting.send(&request("DELETE", &format!("/{path}"), &[], b""));

    drop(frozen);
    waiting.response().expect(200);
    let status = deleting.response().status;
    assert!(matches!(status, 200 | 204), "{status}");
    // The same connection is let in as soon as the disk goes on.
    Form::of("late.bin", &random_bytes(4, 10_000)).send(&mut client).expect(200);
    assert_eq!(daemon.metric("rhinobox_shed_total"), 7.0);
    daemon.stop();
}

#[test]
fn what_was_let_in_is_stored_whatever_its_size_and_an_idle_store_lets_in_whatever_comes() {
    let Some((_folder, volume, daemon)) = start() else { return };
    let batch = (0..10_000_u64).fold(Form::new(), |form, n| form.file("of-many.bin", &n.to_le_bytes()));
    let batch = batch.request(&[]);
    let big = random_bytes(6, 60_000_000);
    let big_request = request("PUT", "/files/big.bin", &[], &big);
    let mut sending = [daemon.connect(), daemon.connect()];
    for (client, request) in sending.iter_mut().zip([&batch, &big_request]) {
        client.send(&request[..500]);
    }
    daemon.wait_for_metric("rhinobox_queue_depth", 2.0);
    let Some(frozen) = volume.freeze() else { return };
    let senders: Vec<_> = sending
        .iter()
        .zip([&batch, &big_request])
        .map(|(client, request)| {
            let (stream, rest) =
                (client.stream.try_clone().expect("a socket is shared"), request[500..].to_vec());
            std::thread::spawn(move || std::io::Write::write_all(&mut &stream, &rest))
        })
        .collect();
    sleep(Duration::from_millis(3_500));
    Form::of("late.bin", &random_bytes(7, 10_000)).send(&mut daemon.connect()).expect(503);
    drop(frozen);
    let [batch_client, big_client] = &mut sending;
    assert_eq!(batch_client.response().stored().len(), 10_000);
    big_client.response().expect(201);
    for sender in senders {
        sender.join().expect("no sender panics").expect("the daemon takes it all");
    }
    // Nothing is left to write: what was stalled a moment ago lets in the largest batch there is.
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    let mut client = daemon.connect();
    client.send(&batch);
    assert_eq!(client.response().stored().len(), 10_000);
    assert_eq!(daemon.metric("rhinobox_shed_total"), 1.0);
    assert_eq!(daemon.content(&sha256(&big)), big);
    daemon.stop();
}
