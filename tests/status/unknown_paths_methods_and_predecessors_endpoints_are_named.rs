//! 404, 405 with `Allow`, 501: each says in JSON what is wrong.

use crate::support::{Daemon, Form, sha256};

#[test]
fn what_is_not_there_is_404() {
    let daemon = Daemon::start();
    let hash = sha256(b"never sent");
    for target in [
        "/nothing",
        "/files/",
        "/ingest/media/",
        "/storage/",
        "/storage/images/jpg/000000000000_none.jpg",
        &format!("/files/{hash}"),
        &format!("/files/{hash}/meta"),
    ] {
        let response = daemon.get(target);
        assert_eq!(response.status, 404, "{target}");
        assert!(!response.error().is_empty());
    }
    let names = format!("/files/{hash}/names");
    let json = [("Content-Type", "application/json")];
    daemon.connect().ask("POST", &names, &json, b"{\"name\":\"a\"}").expect(404);
    daemon.serves();
}

#[test]
fn a_method_that_a_resource_lacks_is_405_and_lists_those_it_has() {
    let daemon = Daemon::start();
    let hash = sha256(b"never sent");
    let names = format!("/files/{hash}/names");
    for (method, target, one) in [
        ("GET", "/ingest/media", "POST"),
        ("DELETE", "/healthz", "GET"),
        ("POST", "/metrics", "GET"),
        ("PUT", "/stats", "HEAD"),
        ("GET", names.as_str(), "POST"),
        ("BREW", "/readyz", "HEAD"),
        ("OPTIONS", "/ingest/media", "POST"),
    ] {
        let response = daemon.connect().ask(method, target, &[], b"").expect(405);
        let allow = response.field("Allow").expect("405 lists the methods").to_owned();
        assert!(allow.split(", ").any(|known| known == one), "{method} {target}: {allow}");
        assert!(!response.error().is_empty());
    }
    daemon.serves();
}

#[test]
fn endpoints_of_the_predecessor_say_what_to_use_instead() {
    let daemon = Daemon::start();
    for target in ["/ingest", "/ingest/json"] {
        for method in ["GET", "POST"] {
            let response = daemon.connect().ask(method, target, &[], b"{}").expect(501);
            assert!(response.error().contains("/ingest/media"), "{}", response.error());
        }
    }
    Form::of("a.txt", b"used instead").send(&mut daemon.connect()).expect(200);
}
