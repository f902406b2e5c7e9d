//! Space that was deleted is given back while clients dawdle: one that sends, one that reads.

use std::time::{Duration, Instant};

use crate::support::disk::blobs;
use crate::support::{Daemon, Setup, random_bytes, request};

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

#[test]
fn what_was_deleted_goes_while_a_download_of_a_small_content_dawdles() {
    let daemon = Setup::new().flag("--cores", "1").start();
    let content = random_bytes(1, 1_000_000);
    let hash = |content: &[u8]| daemon.upload("a.bin", content)["hash"].as_str().expect("a hash").to_owned();
    let (read, other) = (hash(&content), hash(&random_bytes(2, 2_000_000)));
    assert_eq!(blobs(daemon.data()).len(), 1);
    // Three answers are more than a connection takes that nobody reads from. The last one that has begun holds nothing by now.
    let target = format!("/files/{read}");
    let mut readers: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
    readers.iter_mut().for_each(|reader| reader.send(&request("GET", &target, &[], b"").repeat(3)));
    daemon.wait_for_metric("rhinobox_core_requests{core=\"0\"}", 4.0);
    std::thread::sleep(Duration::from_millis(500));
    delete(&daemon, &other, 0);
    // Who reads on gets all of it, ...
    let mut patient = readers.pop().expect("one of three");
    for _ in 0..3 {
        let response = patient.response().expect(200);
        assert!(response.is_whole && response.body == content, "{} bytes", response.body.len());
    }
    // ... and of what is deleted itself, as long as it is there: never other bytes.
    daemon.connect().ask("DELETE", &target, &[], b"").expect(204);
    std::thread::sleep(Duration::from_millis(500));
    for mut reader in readers {
        let first = reader.response().expect(200);
        assert!(content.starts_with(&first.body), "{} bytes", first.body.len());
        assert_eq!(first.is_whole, first.body.len() == content.len());
        if first.is_whole {
            reader.response().expect(404);
        }
    }
}
