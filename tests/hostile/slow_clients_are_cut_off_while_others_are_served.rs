//! Connections that are silent, trickle, or do not read: a good client is served beside a thousand of them, and each is
//! told or cut off when its time is up.

use std::thread;
use std::time::{Duration, Instant};

use super::crowd::{crowd, good_client, good_client_for, many_descriptors};
use crate::support::{Client, Setup, random_bytes, request};

const OF_EACH: usize = 200;

/// One more byte to each that still takes one.
fn trickle(clients: &mut [Client]) {
    for client in clients {
        let _cut_off = client.try_send(b"x");
    }
}

/// How many were answered with this status before they were closed. An answer may be lost to the client's own bytes
/// that cross it; nobody is left open.
fn told(clients: Vec<Client>, status: u16) -> usize {
    clients
        .into_iter()
        .filter_map(|mut client| client.try_response().ok())
        .inspect(|response| assert_eq!(response.status, status, "{}", response.text()))
        .count()
}

#[test]
fn a_thousand_of_them_leave_a_good_client_served_and_have_deadlines() {
    many_descriptors();
    let daemon = Setup::new()
        .flag("--head-timeout-s", "4")
        .flag("--body-timeout-s", "4")
        .flag("--idle-timeout-s", "8")
        .flag("--answer-timeout-s", "4")
        .start();
    let big = random_bytes(1, 9_000_000);
    let record = daemon.upload("unread.bin", &big);
    let unread = request("GET", &format!("/files/{}", record["hash"].as_str().expect("a hash")), &[], b"");
    let body = request("PUT", "/files/a.bin", &[("Content-Length", "3000000")], &[7; 5_000]);
    let idle = crowd(&daemon, OF_EACH, |_| Vec::new());
    let kept = crowd(&daemon, OF_EACH, |_| request("GET", "/healthz", &[], b""));
    let mut heads =
        crowd(&daemon, OF_EACH, |_| b"GET /healthz HTTP/1.1\r\nHost: rhinobox.test\r\nX: ".to_vec());
    let mut bodies = crowd(&daemon, OF_EACH, |_| body.clone());
    let stopped = crowd(&daemon, OF_EACH / 2, |_| body.clone());
    let silent = crowd(&daemon, OF_EACH, |_| unread.clone());
    let begun = Instant::now();
    let (mut turns, mut slowest) = (0, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(7) {
        trickle(&mut heads);
        trickle(&mut bodies);
        let (some, slow) = good_client_for(&daemon, Duration::from_millis(200));
        (turns, slowest) = (turns + some, slowest.max(slow));
    }
    println!("{turns} turns of a good client, the slowest {slowest:.0?}");
    // Everybody is gone in the end, without having said another word.
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    for mut client in idle {
        assert!(client.is_closed(), "an idle connection is closed without a word");
    }
    for mut client in kept {
        client.response().expect(200);
        assert!(client.is_closed());
    }
    let (heads, bodies) = (told(heads, 408), told(bodies, 408));
    println!("{heads} of {OF_EACH} heads and {bodies} of {OF_EACH} bodies read their 408");
    assert!(heads > 0 && bodies > 0);
    for mut client in stopped {
        client.response().expect(408);
    }
    for mut client in silent {
        // What the kernel had taken is there, and then nothing.
        assert!(client.read_to_end().len() < big.len(), "it was given all the time it wanted");
    }
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    good_client(&daemon);
}

#[test]
fn heads_in_the_making_are_bounded_by_the_memory_for_requests() {
    many_descriptors();
    // 8 MiB for receiving: 512 heads.
    let daemon = Setup::new().flag("--cores", "1").flag("--buffer-mib", "16").start();
    let begun = format!("GET / HTTP/1.1\r\nHost: rhinobox.test\r\nX: {}", "x".repeat(10_000)).into_bytes();
    let mut heads = crowd(&daemon, 600, |_| begun.clone());
    let mut refused = 0;
    for client in &mut heads[512..] {
        let response = client.response().expect(503);
        assert_eq!(response.field("Retry-After"), Some("1"));
        refused += 1;
    }
    assert_eq!(refused, 88);
    heads[0].send(b"\r\n\r\n");
    heads[0].response().expect(200);
    drop(heads);
    thread::sleep(Duration::from_millis(100));
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    good_client(&daemon);
}
