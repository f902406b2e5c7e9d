//! RFC 9112 to the letter: what another parser might read otherwise is refused, and nothing behind it is read as a
//! request. A smuggled `GET /healthz` stands behind each case; it must never be answered.

use crate::support::Daemon;

/// What stands between the host and the end of the head, then the body.
const CASES: &[(&str, &str, u16)] = &[
    ("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n", 400),
    ("Content-Length: 4\r\nContent-Length: 5", "abcd", 400),
    ("Content-Length: 4, 5", "abcd", 400),
    ("Content-Length: +4", "abcd", 400),
    ("Content-Length: -4", "abcd", 400),
    ("Content-Length: 0x4", "abcd", 400),
    ("Content-Length: 4 ", "abcd", 0),
    ("Content-Length:", "abcd", 400),
    ("Content-Length: ,", "abcd", 400),
    ("Content-Length: 4a", "abcd", 400),
    ("Content-Length: 99999999999999999999", "abcd", 400),
    ("Content-Length : 4", "abcd", 400),
    ("Transfer-Encoding: identity", "", 400),
    ("Transfer-Encoding: gzip, chunked", "0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked, chunked", "0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n", 400),
    ("Transfer-Encoding: xchunked", "0\r\n\r\n", 400),
    ("Transfer-Encoding: \"chunked\"", "0\r\n\r\n", 400),
    ("Transfer-Encoding : chunked", "0\r\n\r\n", 400),
    ("X: a\r\n Content-Length: 4", "", 400),
    ("X: a\r\n\tb", "", 400),
    ("X: a\nContent-Length: 4", "abcd", 400),
    ("X: a\rb", "", 400),
    ("X: a\0b", "", 400),
    ("X a", "", 400),
    (": a", "", 400),
    ("X Y: a", "", 400),
    ("Host: rhinobox.test", "", 400),
    ("Host: other.test", "", 400),
    ("Transfer-Encoding: chunked", "g\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "-1\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "0x1\r\na\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "1 \r\na\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "1\na\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "1\r\nab\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "ffffffffffffffff1\r\na\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "1;a=\"\n\"\r\na\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "0\r\nContent-Length: 4\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("Transfer-Encoding: chunked", "0\r\nbad trailer\r\n\r\n", 400),
];

const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: rhinobox.test\r\n\r\n";

#[test]
fn doubtful_framing_is_refused_and_what_follows_is_never_a_request() {
    let daemon = Daemon::start();
    for (fields, body, status) in CASES {
        let head = format!("PUT /files/a.bin HTTP/1.1\r\nHost: rhinobox.test\r\n{fields}\r\n\r\n");
        let mut client = daemon.connect();
        let _closed_early = client.try_send(format!("{head}{body}{SMUGGLED}").as_bytes());
        let response = client.response();
        if *status == 0 {
            // Harmless: optional white space behind a value is no part of it.
            assert_eq!(response.status, 201, "{fields:?} {body:?}");
            assert_eq!(client.response().status, 200);
            continue;
        }
        assert_eq!(response.status, *status, "{fields:?} {body:?}: {}", response.text());
        assert!(response.closes(), "{fields:?} {body:?} keeps the connection");
        assert!(!response.error().is_empty());
        assert!(client.is_closed(), "{fields:?} {body:?}: something was answered behind the refusal");
    }
    daemon.serves();
}

#[test]
fn malformed_request_lines_and_other_versions_are_refused() {
    let daemon = Daemon::start();
    for (line, status) in [
        ("GET  /healthz HTTP/1.1", 400),
        ("GET /healthz", 400),
        ("GET /healthz HTTP/1.1 x", 400),
        ("G\u{1}T /healthz HTTP/1.1", 400),
        ("GET healthz HTTP/1.1", 400),
        ("\x16\x03\x01", 400),
        ("GET /healthz HTTP/2.0", 505),
        ("GET /healthz HTTP/1.2", 505),
        ("PRI * HTTP/2.0", 505),
    ] {
        let mut client = daemon.connect();
        let _closed_early =
            client.try_send(format!("{line}\r\nHost: rhinobox.test\r\n\r\n{SMUGGLED}").as_bytes());
        let response = client.response();
        assert_eq!(response.status, status, "{line:?}: {}", response.text());
        assert!(response.closes() && client.is_closed(), "{line:?}");
    }
    let mut client = daemon.connect();
    client.send(b"GET /healthz HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().status, 400, "HTTP/1.1 names a host");
    daemon.serves();
}
