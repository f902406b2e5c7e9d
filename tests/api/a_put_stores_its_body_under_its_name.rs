//! `PUT /files/{name}`: 201 with the record and where it is; 200 for what was there.

use crate::support::client::chunked;
use crate::support::content::samples;
use crate::support::{Daemon, random_bytes, sha256};

#[test]
fn a_put_is_201_with_its_location_and_then_200() {
    let daemon = Daemon::start();
    for (seed, size) in [(1, 1_000), (2, 600_000)] {
        let content = random_bytes(seed, size);
        let mut client = daemon.connect();
        let target = "/files/My%20File.bin?category=Some+Place&comment=caf%C3%A9";
        let response = client.ask("PUT", target, &[], &content).expect(201);
        let record = response.json();
        let location = response.field("Location").expect("where it is").to_owned();
        assert_eq!(location, format!("/{}", record["path"].as_str().expect("a path")));
        assert_eq!(record["original_name"], "My File.bin");
        assert_eq!(record["comment"], "café");
        assert_eq!(record["category"], "other/unknown/some-place");
        assert_eq!(record["hash"], sha256(&content).as_str());
        assert!(response.field("Server-Timing").is_some());
        assert_eq!(client.get(&location).expect(200).body, content);
        let again = client.ask("PUT", target, &[], &content).expect(200).json();
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["path"], record["path"]);
    }
}

#[test]
fn a_put_may_be_chunked_or_empty() {
    let daemon = Daemon::start();
    let content = random_bytes(3, 700_000);
    for size in [1_000, 65_536, 700_000] {
        let framed = [("Transfer-Encoding", "chunked")];
        let response = daemon.connect().ask("PUT", "/files/c.bin", &framed, &chunked(&content, size, ""));
        assert!(matches!(response.status, 200 | 201), "{}", response.text());
        assert_eq!(response.json()["hash"], sha256(&content).as_str());
    }
    let empty = daemon.connect().ask("PUT", "/files/empty.txt", &[], b"").expect(201).json();
    assert_eq!(empty["size"], 0);
    assert_eq!(daemon.content(&sha256(b"")), b"");
}

#[test]
fn bytes_beat_the_declared_type_and_that_beats_the_extension() {
    let daemon = Daemon::start();
    for (name, declared, content, mime) in [
        ("a.txt", "text/plain", samples::png(1), "image/png"),
        ("b.bin", "application/pdf", b"nothing that is known".to_vec(), "application/pdf"),
        ("c.py", "application/octet-stream", b"#!/usr/bin/env python3\n".to_vec(), "text/x-python"),
        ("d", "", b"\x01\x02\x03".to_vec(), "application/octet-stream"),
    ] {
        let target = format!("/files/{name}");
        let record = daemon.connect().ask("PUT", &target, &[("Content-Type", declared)], &content).json();
        assert_eq!(record["mime_type"], mime, "{record}");
    }
}
