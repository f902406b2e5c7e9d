//! `Expect: 100-continue`: 100 comes for what will be read, and never after a refusal or an answer.

use crate::support::client::request;
use crate::support::{Daemon, Form, sha256};

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    for _ in 0..2 {
        let fields = [("Expect", "100-continue"), ("Content-Length", "5")];
        client.send(&request("PUT", "/files/a.txt", &fields, b""));
        assert_eq!(client.head().expect("an answer").status, 100);
        client.send(b"hello");
        let response = client.response();
        assert!(matches!(response.status, 200 | 201), "{}", response.text());
        assert_eq!(response.continued, 0);
    }
    let form = Form::of("b.txt", b"a form").request(&[("Expect", "100-continue")]);
    let head = form.len() - Form::of("b.txt", b"a form").bytes().len();
    client.send(&form[..head]);
    assert_eq!(client.head().expect("an answer").status, 100);
    client.send(&form[head..]);
    client.response().expect(200);
}

#[test]
fn a_body_that_came_unasked_gets_no_100() {
    let daemon = Daemon::start();
    let response = daemon.connect().ask("PUT", "/files/a.txt", &[("Expect", "100-continue")], b"hello");
    assert_eq!((response.status, response.continued), (201, 0));
}

#[test]
fn what_the_head_decides_is_answered_without_100() {
    let daemon = Daemon::start();
    let body = [("Expect", "100-continue"), ("Content-Length", "5")];
    let hash = sha256(b"absent");
    for (method, target, more, status) in [
        ("PUT", "/files/a.txt", ("Host", "evil.test"), 421),
        ("PUT", "/files/a.txt", ("Origin", "http://evil.test"), 403),
        ("PUT", "/nowhere", ("X", ""), 404),
        ("PUT", "/healthz", ("X", ""), 405),
        ("PUT", "/files/a.txt", ("Content-Encoding", "gzip"), 415),
        ("PUT", "/files/a.txt", ("Content-Range", "bytes 0-4/9"), 400),
        ("PUT", "/files/a.txt", ("Content-Digest", "sha-256=:broken:"), 400),
        ("PUT", &format!("/files/{}", "n".repeat(1_025)), ("X", ""), 400),
        ("POST", "/ingest/media", ("X", ""), 415),
        ("POST", "/ingest/json", ("X", ""), 501),
        ("POST", &format!("/files/{hash}/names"), ("Content-Type", "application/json"), 404),
    ] {
        let mut client = daemon.connect();
        client.send(&request(method, target, &[body[0], body[1], more], b""));
        let response = client.response();
        assert_eq!(
            (response.status, response.continued),
            (status, 0),
            "{method} {target}: {}",
            response.text()
        );
        assert!(response.closes(), "{method} {target}: the body may come or not, so the connection must end");
        assert!(client.is_closed(), "{method} {target}");
    }
    daemon.serves();
}

#[test]
fn an_answer_that_needs_no_body_is_not_followed_by_100() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    client.send(&request("GET", "/healthz", &[("Expect", "100-continue"), ("Content-Length", "5")], b""));
    client.response().expect(200);
    let rest = client.read_to_end();
    assert!(rest.is_empty(), "behind the answer came {:?}", String::from_utf8_lossy(&rest));
}
