//! `DELETE` by hash and by path: 204, then 404, after a kill too; the last name frees the content; who sends it again
//! stores it anew.

use std::time::{Duration, Instant};

use crate::support::form::Form;
use crate::support::{Daemon, Setup, random_bytes, sha256};

#[test]
fn by_hash_all_names_go_and_by_path_the_content_with_the_last() {
    let daemon = Daemon::start();
    for (seed, size) in [(1, 5_000), (2, 700_000)] {
        let content = random_bytes(seed, size);
        let by_hash = format!("/files/{}", sha256(&content));
        let path = |name: &str| format!("/{}", daemon.upload(name, &content)["path"].as_str().unwrap());
        let (one, two) = (path("one.bin"), path("two.bin"));

        let mut client = daemon.connect();
        let gone = client.ask("DELETE", &one, &[], b"").expect(204);
        assert!(gone.body.is_empty() && gone.field("Content-Length").is_none());
        client.ask("DELETE", &one, &[], b"").expect(404);
        client.get(&one).expect(404);
        assert_eq!(client.get(&two).expect(200).body, content, "its other name is still there");
        client.ask("DELETE", &two, &[], b"").expect(204);
        client.get(&by_hash).expect(404);
        client.ask("DELETE", &by_hash, &[], b"").expect(404);

        let again = daemon.upload("one.bin", &content);
        assert!(again.get("duplicate").is_none(), "it is stored anew");
        let two = path("two.bin");
        client.ask("DELETE", &by_hash, &[], b"").expect(204);
        for target in [&one, &two, &by_hash] {
            client.get(target).expect(404);
        }
        assert_eq!(client.ask("GET", &format!("{by_hash}/meta"), &[], b"").status, 404);
    }
    let refused = daemon.connect().ask("DELETE", "/files/not-a-hash", &[], b"").expect(400);
    assert!(refused.error().contains("64 hexadecimal digits"));
    let allowed = daemon.connect().ask("DELETE", "/ingest/media", &[], b"").expect(405);
    assert_eq!(allowed.field("Allow"), Some("POST"));
}

#[test]
fn what_was_deleted_is_gone_after_a_kill_and_what_was_sent_again_is_there() {
    let mut daemon = Daemon::start();
    let contents: Vec<Vec<u8>> = (0..30).map(|n| random_bytes(100 + n, 3_000)).collect();
    for content in &contents {
        daemon.upload("file.bin", content);
    }
    for content in &contents[..20] {
        daemon.connect().ask("DELETE", &format!("/files/{}", sha256(content)), &[], b"").expect(204);
    }
    for content in &contents[..10] {
        daemon.upload("again.bin", content);
    }
    for _ in 0..2 {
        daemon = daemon.kill().start();
        for (n, content) in contents.iter().enumerate() {
            let status = if (10..20).contains(&n) { 404 } else { 200 };
            daemon.get(&format!("/files/{}", sha256(content))).expect(status);
        }
    }
}

#[test]
fn the_space_of_deleted_files_returns_while_the_daemon_runs() {
    let daemon = Setup::new().flag("--segment-mib", "4").flag("--cores", "2").start();
    let log_bytes = || -> u64 {
        let segments = std::fs::read_dir(daemon.data().join("segments")).unwrap();
        segments.filter_map(|entry| entry.ok()?.metadata().ok()).map(|file| file.len()).sum()
    };
    let mut kept = Vec::new();
    for batch in 0..12_u64 {
        let contents: Vec<Vec<u8>> = (0..50).map(|n| random_bytes(batch * 100 + n, 100_000)).collect();
        let form = contents.iter().fold(Form::new(), |form, content| form.file("a.bin", content));
        form.send(&mut daemon.connect()).expect(200);
        let mut client = daemon.connect();
        for (n, content) in contents.into_iter().enumerate() {
            if n == 0 {
                kept.push(content);
            } else {
                client.ask("DELETE", &format!("/files/{}", sha256(&content)), &[], b"").expect(204);
            }
        }
    }
    // 60 MB were sent, 1.2 MB are left. Three lanes have an open segment and a prepared one each,
    // and four files of retired ones wait to be used again.
    let until = Instant::now() + Duration::from_secs(60);
    while log_bytes() > (7 + 4) * (4 << 20) {
        assert!(Instant::now() < until, "{} bytes of log are left", log_bytes());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(daemon.metric("rhinobox_compacted_segments_total") > 5.0);
    for content in &kept {
        assert_eq!(&daemon.content(&sha256(content)), content);
    }
    let daemon = daemon.kill().start();
    for content in &kept {
        assert_eq!(&daemon.content(&sha256(content)), content);
    }
    assert!(!daemon.said().contains("DAMAGE"));
}
