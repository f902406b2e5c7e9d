//! A stored copy that does not check is never served as good: 500 before the first byte, a cut in mid-body. The
//! next upload of the same content heals it and is not called a duplicate.

use crate::support::{Daemon, Setup, disk, random_bytes, sha256};

fn stopped_store(content: &[u8], name: &str) -> Setup {
    let daemon = Setup::new().flag("--inline-max-kib", "256").start();
    daemon.upload(name, content);
    daemon.upload("untouched.txt", b"untouched by what happens to the other");
    daemon.stop()
}

fn heals(daemon: &Daemon, name: &str, content: &[u8]) {
    let hash = sha256(content);
    let head = daemon.connect().ask("HEAD", &format!("/files/{hash}"), &[], b"");
    assert_eq!(head.status, 404, "whoever asks whether to send it should");
    let record = daemon.upload(name, content);
    assert_eq!(record.get("duplicate"), None, "a damaged copy is no copy");
    assert_eq!(daemon.content(&hash), content);
    assert_eq!(daemon.content(&sha256(b"untouched by what happens to the other")).len(), 38);
    daemon.serves();
}

/// What `/stats` lists as damaged.
fn damaged(daemon: &Daemon) -> Vec<String> {
    let stats = daemon.get("/stats").expect(200).json();
    assert!(stats["contents"].as_u64() >= Some(2), "{stats}");
    let listed = stats["damaged"].as_array().expect("a list");
    assert_eq!(stats["damaged_total"], listed.len());
    listed.iter().map(|hash| hash.as_str().expect("a hash").to_owned()).collect()
}

#[test]
fn a_small_content_is_500_and_healed() {
    let content = random_bytes(1, 10_000);
    let setup = stopped_store(&content, "small.bin");
    let (segment, at) = disk::find_in_segments(setup.data(), &content);
    disk::flip(&segment, at + 5_000);
    let daemon = setup.start();
    let hash = sha256(&content);
    let response = daemon.get(&format!("/files/{hash}")).expect(500);
    let id = response.field("Request-Id").expect("an answer that can be found in the log").to_owned();
    daemon.wait_until_said(&id);
    assert!(response.error().contains("damaged"), "{}", response.error());
    daemon.get(&format!("/files/{hash}")).expect(500);
    assert_eq!(damaged(&daemon), [hash.as_str()]);
    // A stop does not make it good.
    let daemon = daemon.restart();
    assert_eq!(damaged(&daemon), [hash.as_str()]);
    heals(&daemon, "small.bin", &content);
    assert_eq!(damaged(&daemon), [""; 0]);
    // And it stays healed.
    assert_eq!(daemon.restart().content(&hash), content);
}

#[test]
fn a_big_content_damaged_in_front_is_500_and_healed() {
    let content = random_bytes(2, 1_000_000);
    let setup = stopped_store(&content, "big.bin");
    disk::flip(&disk::blobs(setup.data())[0], 100);
    let daemon = setup.start();
    let hash = sha256(&content);
    daemon.get(&format!("/files/{hash}")).expect(500);
    heals(&daemon, "big.bin", &content);
    assert_eq!(daemon.restart().content(&hash), content);
}

#[test]
fn a_big_content_damaged_in_the_middle_is_cut_there() {
    let content = random_bytes(3, 2_000_000);
    let setup = stopped_store(&content, "big.bin");
    disk::flip(&disk::blobs(setup.data())[0], 1_500_000);
    let daemon = setup.start();
    let hash = sha256(&content);
    // A range in front of the damage is good.
    let range = [("Range", "bytes=0-99999")];
    let part = daemon.connect().ask("GET", &format!("/files/{hash}"), &range, b"").expect(206);
    assert_eq!(part.body, content[..100_000]);
    let mut client = daemon.connect();
    let response = client.get(&format!("/files/{hash}"));
    assert_eq!(response.status, 200);
    assert!(!response.is_whole, "the damage was served");
    assert_eq!(response.body, content[..response.body.len()]);
    daemon.get(&format!("/files/{hash}")).expect(500);
    assert!(daemon.metric("rhinobox_damaged_reads_total") >= 1.0);
    heals(&daemon, "big.bin", &content);
    assert_eq!(daemon.restart().content(&hash), content);
}

#[test]
fn a_big_content_whose_file_is_gone_or_short_is_500_and_healed() {
    for short in [false, true] {
        let content = random_bytes(4, 1_000_000);
        let setup = stopped_store(&content, "big.bin");
        let blob = &disk::blobs(setup.data())[0];
        if short {
            let file = std::fs::OpenOptions::new().write(true).open(blob).expect("the file opens");
            file.set_len(10_000).expect("the file is cut");
        } else {
            std::fs::remove_file(blob).expect("the file goes");
        }
        let daemon = setup.start();
        let response = daemon.get(&format!("/files/{}", sha256(&content)));
        assert_eq!(response.status, 500, "short: {short}");
        heals(&daemon, "big.bin", &content);
    }
}
