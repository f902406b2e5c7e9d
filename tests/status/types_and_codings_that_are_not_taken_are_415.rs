//! A body in a type or coding that an endpoint does not take is 415, from the head.

use crate::support::{Daemon, Form, sha256};

#[test]
fn content_codings_are_not_taken() {
    let daemon = Daemon::start();
    for coding in ["gzip", "br", "identity, gzip"] {
        let fields = [("Content-Encoding", coding), ("Expect", "100-continue")];
        let put = daemon.connect().ask("PUT", "/files/a.txt", &fields, b"a");
        assert_eq!((put.status, put.continued), (415, 0), "{coding}");
        let form = Form::of("a.txt", b"a").send_with(&mut daemon.connect(), &fields);
        assert_eq!((form.status, form.continued), (415, 0), "{coding}");
        assert!(!form.error().is_empty());
    }
    daemon.connect().ask("PUT", "/files/a.txt", &[("Content-Encoding", "identity")], b"a").expect(201);
    daemon.serves();
}

#[test]
fn names_are_taken_as_json_only() {
    let daemon = Daemon::start();
    daemon.upload("a.txt", b"to be named");
    let target = format!("/files/{}/names", sha256(b"to be named"));
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let fields = [("Content-Type", content_type)];
        daemon.connect().ask("POST", &target, &fields, b"{\"name\":\"b.txt\"}").expect(415);
    }
    daemon.connect().ask("POST", &target, &[], b"{\"name\":\"b.txt\"}").expect(415);
    let fields = [("Content-Type", "Application/JSON; charset=utf-8")];
    daemon.connect().ask("POST", &target, &fields, b"{\"name\":\"b.txt\"}").expect(201);
    daemon.serves();
}

#[test]
fn a_partial_put_is_not_taken_for_a_whole_one() {
    let daemon = Daemon::start();
    let fields = [("Content-Range", "bytes 0-0/2")];
    daemon.connect().ask("PUT", "/files/a.txt", &fields, b"a").expect(400);
    daemon.serves();
}
