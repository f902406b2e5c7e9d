//! `POST /files/{hash}/names` names what is stored; `/meta` lists the names.

use crate::support::{Daemon, random_bytes, sha256};

#[test]
fn a_name_is_added_served_listed_and_kept() {
    let daemon = Daemon::start();
    let json = [("Content-Type", "application/json")];
    for (seed, size) in [(1, 3_000), (2, 500_000)] {
        let content = random_bytes(seed, size);
        let hash = sha256(&content);
        daemon.upload("first.bin", &content);
        let target = format!("/files/{hash}/names");
        let body =
            br#"{"name": "Second Name.bin", "category": "Shelf", "comment": "x", "folder": "trip/day 1"}"#;
        let record = daemon.connect().ask("POST", &target, &json, body).expect(201).json();
        assert_eq!(record["original_name"], "Second Name.bin");
        assert_eq!(record["folder"], "trip/day 1");
        assert_eq!(record["comment"], "x");
        assert_eq!(record["duplicate"], true);
        let path = record["path"].as_str().expect("a path");
        assert_eq!(path, format!("storage/other/unknown/shelf/{}_second-name.bin", &hash[..12]));
        assert_eq!(daemon.get(&format!("/{path}")).expect(200).body, content);
        daemon.connect().ask("POST", &target, &json, body);
        let meta = daemon.get(&format!("/files/{hash}/meta")).expect(200).json();
        assert_eq!(meta["hash"], hash.as_str());
        assert_eq!(meta["damaged"], false);
        assert_eq!(meta["names_total"], 2, "{meta}");
        assert!(meta["names"].as_array().expect("names").iter().any(|name| name["path"] == path));
    }
    let daemon = daemon.restart();
    let meta = daemon.get(&format!("/files/{}/meta", sha256(&random_bytes(1, 3_000)))).expect(200).json();
    assert_eq!(meta["names_total"], 2);
}

#[test]
fn a_body_that_is_no_name_is_400() {
    let daemon = Daemon::start();
    daemon.upload("a.txt", b"named");
    let target = format!("/files/{}/names", sha256(b"named"));
    let json = [("Content-Type", "application/json")];
    let long = format!("{{\"name\":\"{}\"}}", "n".repeat(1_025));
    for body in [
        "",
        "{}",
        "[]",
        "{\"name\":\"\"}",
        "{\"name\":1}",
        "{\"name\":\"a\",\"unknown\":1}",
        "{\"name\":\"a\"} x",
        &"[".repeat(100_000),
        &long,
    ] {
        let response = daemon.connect().ask("POST", &target, &json, body.as_bytes());
        assert_eq!(response.status, 400, "{body:.60}: {}", response.text());
        assert!(!response.error().is_empty());
    }
    daemon.serves();
}
