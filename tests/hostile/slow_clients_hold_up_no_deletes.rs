//! Space that was deleted is given back while clients dawdle: one that sends, one that reads.

use std::time::{Duration, Instant};

use crate::support::disk::blobs;
use crate::support::{Daemon, random_bytes, request};

/// Deletes a content, and waits until only so many files of big contents are left.
fn delete(daemon: &Daemon, hash: &str, left: usize) {
    daemon.connect().ask("DELETE", &format!("/files/{hash}"), &[], b"").expect(204);
    let begin = Instant::now();
    while blobs(daemon.data()).len() > left {
        assert!(begin.elapsed() < Duration::from_secs(10), "the deleted content's file is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_file_of_what_was_deleted_goes_while_an_upload_and_a_download_dawdle() {
    let daemon = Daemon::start();
    let content = random_bytes(1, 24_000_000);
    let hash =
        |content: &[u8]| daemon.upload("big.bin", content)["hash"].as_str().expect("a hash").to_owned();
    let (read, other) = (hash(&content), hash(&random_bytes(2, 2_000_000)));
    assert_eq!(blobs(daemon.data()).len(), 2);
    // They began before the deletes. One has sent half of a file, the other has taken nothing of what it asked for.
    let mut sender = daemon.connect();
    sender.send(&request("PUT", "/files/slow.bin", &[], &random_bytes(3, 100_000))[..50_000]);
    let mut reader = daemon.connect();
    reader.send(&request("GET", &format!("/files/{read}"), &[], b""));
    daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
    reader.stream.peek(&mut [0]).expect("an answer has begun");
    delete(&daemon, &other, 1);
    delete(&daemon, &read, 0);
    // Who had begun to read it gets all of it.
    let response = reader.response().expect(200);
    assert!(response.is_whole && response.body == content, "{} bytes", response.body.len());
}
