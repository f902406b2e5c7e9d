//! One connection, many requests: kept, answered in order, each body read to its end and no further.

use std::io::Write as _;

use crate::support::client::chunked;
use crate::support::{Daemon, Form, random_bytes, request, sha256};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let sizes = [100, 20_100, 40_100].into_iter().cycle();
    let contents: Vec<_> = (0..30).zip(sizes).map(|(seed, size)| random_bytes(seed, size)).collect();
    let mut all = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        all.extend(match number % 3 {
            0 => request("PUT", &format!("/files/{number}.bin"), &[], content),
            1 => Form::of(&format!("{number}.bin"), content).request(&[]),
            _ => {
                let framed = [("Transfer-Encoding", "chunked")];
                request("PUT", &format!("/files/{number}.bin"), &framed, &chunked(content, 777, ""))
            }
        });
        all.extend(request("GET", &format!("/files/{}", sha256(content)), &[], b""));
        all.extend(request("HEAD", "/healthz", &[], b""));
    }
    let mut writer = client.stream.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || writer.write_all(&all));
    for content in &contents {
        let stored = client.response();
        assert!(matches!(stored.status, 200 | 201), "{}", stored.text());
        assert!(stored.text().contains(&sha256(content)));
        assert_eq!(client.response().expect(200).body, *content);
        client.head_response().expect(200);
    }
    writing.join().expect("the writer ends").expect("all was sent");
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    for byte in Form::of("a.txt", b"drop by drop").field("category", "late").request(&[]) {
        client.send(&[byte]);
    }
    let stored = client.response().stored();
    assert_eq!(stored[0]["category"], "documents/txt/late");
}

#[test]
fn a_body_that_an_endpoint_does_not_need_is_passed_over() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    for _ in 0..3 {
        client.ask("GET", "/healthz", &[], &[b'x'; 100_000]).expect(200);
        let framed = [("Transfer-Encoding", "chunked")];
        client.ask("GET", "/readyz", &framed, &chunked(&[b'x'; 10_000], 99, "")).expect(200);
    }
}

#[test]
fn close_is_honoured_and_http_1_0_is_served() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let response = client.ask("GET", "/healthz", &[("Connection", "close")], b"").expect(200);
    assert!(response.closes() && client.is_closed());

    let mut client = daemon.connect();
    client.send(b"GET /healthz HTTP/1.0\r\n\r\n");
    let response = client.response().expect(200);
    assert_eq!(response.field("Transfer-Encoding"), None);
    assert!(client.is_closed());

    let mut client = daemon.connect();
    for _ in 0..2 {
        client.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response().expect(200);
        assert_eq!(response.field("Connection").map(str::to_ascii_lowercase).as_deref(), Some("keep-alive"));
    }

    // A long answer has no chunks for HTTP/1.0.
    let form = (0..300).fold(Form::new(), |form, n| form.file("n.txt", format!("ten {n}").as_bytes()));
    let body = form.bytes();
    let mut client = daemon.connect();
    let head = format!(
        "POST /ingest/media HTTP/1.0\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        Form::content_type(),
        body.len()
    );
    client.send(head.as_bytes());
    client.send(&body);
    let response = client.response();
    assert_eq!(response.field("Transfer-Encoding"), None);
    assert_eq!(response.stored().len(), 300);

    let mut client = daemon.connect();
    client.send(b"PUT /files/a.txt HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(client.response().status, 400, "HTTP/1.0 has no chunks");
    daemon.serves();
}

#[test]
fn a_client_that_has_said_all_and_closed_its_side_is_answered() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    client.send(&Form::of("a.txt", b"then silence").request(&[]));
    client.finish();
    client.response().expect(200);
    assert!(client.is_closed());
}
