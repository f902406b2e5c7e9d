//! Heads and bodies have a deadline, and a client that misses it sees 408.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::request;
use crate::support::{Daemon, Setup, random_bytes};

fn impatient() -> Daemon {
    Setup::new()
        .flag("--head-timeout-s", "1")
        .flag("--body-timeout-s", "1")
        .flag("--idle-timeout-s", "3")
        .flag("--body-rate-kib", "16")
        .start()
}

#[test]
fn a_head_that_does_not_end_is_408() {
    let daemon = impatient();
    let mut client = daemon.connect();
    client.send(b"GET /healthz HTTP/1.1\r\nHost: rhino");
    let response = client.response().expect(408);
    assert!(response.closes() && !response.error().is_empty());
    assert!(client.is_closed());
    daemon.serves();
}

#[test]
fn a_head_that_trickles_is_408_all_the_same() {
    let daemon = impatient();
    let mut client = daemon.connect();
    client.send(b"GET /healthz HTTP/1.1\r\nHost: rhinobox.test\r\nX: ");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) && client.try_send(b"x").is_ok() {
        sleep(Duration::from_millis(200));
    }
    assert_eq!(client.response().status, 408);
    daemon.serves();
}

#[test]
fn a_body_that_stops_or_trickles_is_408_and_leaves_nothing() {
    let daemon = impatient();
    for declared in ["1000", "4000000"] {
        for trickles in [false, true] {
            let mut client = daemon.connect();
            client.send(&request("PUT", "/files/slow.bin", &[("Content-Length", declared)], b"begin"));
            let begun = Instant::now();
            while trickles && begun.elapsed() < Duration::from_secs(3) && client.try_send(b"x").is_ok() {
                sleep(Duration::from_millis(200));
            }
            let response = client.response().expect(408);
            assert!(response.closes() && !response.error().is_empty(), "{declared} {trickles}");
        }
    }
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    daemon.serves();
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let daemon = impatient();
    let mut client = daemon.connect();
    client.get("/healthz").expect(200);
    assert!(client.is_closed());
    daemon.serves();
}

#[test]
fn a_body_that_keeps_the_rate_may_take_longer_than_the_grace() {
    let daemon = impatient();
    let content = random_bytes(7, 100_000);
    let mut client = daemon.connect();
    client.send(&request("PUT", "/files/steady.bin", &[("Content-Length", "100000")], b""));
    for piece in content.chunks(12_500) {
        client.send(piece);
        sleep(Duration::from_millis(300));
    }
    client.response().expect(201);
}
