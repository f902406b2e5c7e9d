//! `POST /dedup` says of many hashes at once which contents are not stored: never sent, deleted, or damaged.

use std::fmt::Write as _;

use crate::support::{Daemon, Response, disk, random_bytes, sha256};

fn ask(daemon: &Daemon, hashes: &[String]) -> Response {
    let body = serde_json::json!({ "hashes": hashes }).to_string();
    post(daemon, "application/json", body.as_bytes())
}

fn post(daemon: &Daemon, content_type: &str, body: &[u8]) -> Response {
    daemon.connect().ask("POST", "/dedup", &[("Content-Type", content_type)], body)
}

#[track_caller]
fn answers(daemon: &Daemon, hashes: &[String], missing: &[&String], present: usize) {
    let answer = ask(daemon, hashes).expect(200).json();
    assert_eq!(answer, serde_json::json!({ "missing": missing, "present": present }));
}

#[test]
fn what_was_never_sent_or_is_gone_is_missing() {
    let daemon = Daemon::start();
    let small = random_bytes(1, 2_000);
    let big = random_bytes(2, 2_000_000);
    let gone = random_bytes(3, 2_000);
    for content in [&small, &big, &gone] {
        daemon.upload("a.bin", content);
    }
    let [small, big, gone, never] = [&small, &big, &gone, &vec![]].map(|content| sha256(content));
    daemon.connect().ask("DELETE", &format!("/files/{gone}"), &[], b"").expect(204);
    let shouted = big.to_uppercase();
    let asked = [&never, &small, &big, &gone, &shouted, &never].map(String::clone);
    answers(&daemon, &asked, &[&never, &gone, &never], 3);
    answers(&daemon, &[], &[], 0);
    let shouted = [never.to_uppercase()];
    answers(&daemon, &shouted, &[&shouted[0]], 0);
    // It names and changes nothing.
    let daemon = daemon.restart();
    answers(&daemon, &asked[..4], &[&never, &gone], 2);
}

#[test]
fn a_damaged_copy_is_missing_once_that_is_known() {
    let daemon = Daemon::start();
    let content = random_bytes(4, 5_000);
    daemon.upload("a.bin", &content);
    let setup = daemon.stop();
    let (segment, at) = disk::find_in_segments(setup.data(), &content);
    disk::flip(&segment, at + 100);
    let daemon = setup.start();
    let hash = sha256(&content);
    daemon.get(&format!("/files/{hash}")).expect(500);
    answers(&daemon, std::slice::from_ref(&hash), &[&hash], 0);
    daemon.upload("a.bin", &content);
    answers(&daemon, std::slice::from_ref(&hash), &[], 1);
}

#[test]
fn ten_thousand_are_answered_and_one_more_is_refused() {
    let daemon = Daemon::start();
    let stored = random_bytes(5, 100);
    daemon.upload("a.bin", &stored);
    let mut hashes: Vec<_> = (0..9_999).map(|seed: u64| sha256(&seed.to_le_bytes())).collect();
    hashes.push(sha256(&stored));
    let missing: Vec<_> = hashes[..9_999].iter().collect();
    answers(&daemon, &hashes, &missing, 1);
    // Written for people.
    let mut pretty = String::from("{\n  \"hashes\": [\n");
    for hash in &hashes {
        let comma = if hash == &hashes[9_999] { "" } else { "," };
        writeln!(pretty, "    \"{hash}\"{comma}").expect("a string takes it");
    }
    pretty.push_str("  ]\n}\n");
    assert_eq!(post(&daemon, "application/json; charset=utf-8", pretty.as_bytes()).json()["present"], 1);
    hashes.push(sha256(b"one more"));
    let refused = ask(&daemon, &hashes).expect(413);
    assert_eq!(refused.error(), "10001 hashes were asked about; the limit is 10000");
}

#[test]
fn what_is_no_question_is_refused() {
    let daemon = Daemon::start();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json+x", ""] {
        let refused = post(&daemon, content_type, b"{\"hashes\":[]}").expect(415);
        assert!(refused.error().contains("application/json"), "{}", refused.error());
    }
    for (body, why) in [
        ("", "list of hashes"),
        ("{\"hashes\":[\"12\"]}", "hashes[0] is not a SHA-256"),
        ("{\"hashes\":[\"\\u001b[2J\"]}", "hashes[0] is not a SHA-256"),
        ("{\"\\u001b[2J\":[]}", "list of hashes"),
        (&"[".repeat(100_000), "list of hashes"),
    ] {
        let refused = post(&daemon, "application/json", body.as_bytes()).expect(400);
        assert!(refused.error().contains(why), "{}", refused.error());
        assert!(!refused.body.contains(&0x1b));
    }
    let long = vec![b' '; 1_048_577];
    assert!(post(&daemon, "application/json", &long).expect(413).error().contains("1048576"));
    daemon.get("/dedup").expect(405);
    daemon.serves();
}
