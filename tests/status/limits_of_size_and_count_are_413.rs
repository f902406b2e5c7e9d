//! `max_upload_mb` is a true limit: from the head where the length is declared, at its byte where it is not.

use crate::support::client::chunked;
use crate::support::{Daemon, Form, Setup, disk, random_bytes, request, sha256};

#[test]
fn a_declared_body_over_the_limit_is_refused_from_the_head() {
    let daemon = Setup::new().flag("--max-upload-mb", "1").start();
    for (method, target) in [("PUT", "/files/a.bin"), ("POST", "/ingest/media")] {
        let content_type = Form::content_type();
        let fields = [
            ("Content-Length", "1048577"),
            ("Content-Type", content_type.as_str()),
            ("Expect", "100-continue"),
        ];
        let mut client = daemon.connect();
        client.send(&request(method, target, &fields, b""));
        let response = client.response().expect(413);
        assert_eq!(response.continued, 0);
        assert!(response.closes() && response.error().contains("1048576"), "{}", response.error());
    }
    let most = random_bytes(1, 1 << 20);
    daemon.connect().ask("PUT", "/files/most.bin", &[], &most).expect(201);
    assert_eq!(daemon.content(&sha256(&most)), most);
    daemon.serves();
}

#[test]
fn a_chunked_body_is_refused_at_the_limit_and_leaves_nothing() {
    let daemon = Setup::new().flag("--max-upload-mb", "1").flag("--inline-max-kib", "256").start();
    let framed = [("Transfer-Encoding", "chunked")];
    let over = chunked(&random_bytes(1, (1 << 20) + 1), 10_000, "");
    daemon.connect().ask("PUT", "/files/a.bin", &framed, &over).expect(413);
    let form = Form::of("a.bin", &random_bytes(1, 1 << 20)).bytes();
    let content_type = Form::content_type();
    let fields = [("Transfer-Encoding", "chunked"), ("Content-Type", content_type.as_str())];
    daemon.connect().ask("POST", "/ingest/media", &fields, &chunked(&form, 10_000, "")).expect(413);
    let most = chunked(&random_bytes(2, 1 << 20), 10_000, "");
    daemon.connect().ask("PUT", "/files/most.bin", &framed, &most).expect(201);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    assert_eq!(disk::blobs(daemon.data()).len(), 1, "what was refused left no file");
    daemon.serves();
}

#[test]
fn ten_thousand_files_are_taken_and_one_more_is_413() {
    let daemon = Daemon::start();
    let mut form = Form::new();
    for number in 0..10_000 {
        form = form.file("n.txt", format!("{number}").as_bytes());
    }
    let records = form.send(&mut daemon.connect()).stored();
    assert_eq!(records.len(), 10_000);
    let over = form.file("n.txt", b"one more");
    over.send(&mut daemon.connect()).expect(413);
    assert_eq!(daemon.get(&format!("/files/{}", sha256(b"one more"))).status, 404);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    daemon.serves();
}

#[test]
fn json_and_form_fields_have_limits_of_their_own() {
    let daemon = Daemon::start();
    daemon.upload("a.txt", b"named at length");
    let target = format!("/files/{}/names", sha256(b"named at length"));
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20));
    let fields = [("Content-Type", "application/json")];
    daemon.connect().ask("POST", &target, &fields, body.as_bytes()).expect(413);
    Form::of("a.txt", b"a").field("unknown", &"x".repeat(17_000)).send(&mut daemon.connect()).expect(413);
    daemon.serves();
}
