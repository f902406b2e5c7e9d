//! SIGTERM and SIGINT: what is in flight is finished, answered and stored, then the exit is 0. A second signal ends
//! at once. Either way the next start is clean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::request;
use crate::support::content::Random;
use crate::support::{Client, Daemon, Form, Ledger, Setup, load, random_bytes, sha256};

#[test]
fn both_signals_under_load_end_with_0_and_lose_nothing() {
    let mut random = Random::printed("stops under load");
    for signal in ["TERM", "INT", "TERM", "INT"] {
        let ledger = Ledger::default();
        let daemon = Daemon::start();
        let stop = AtomicBool::new(false);
        let (address, seed) = (daemon.address(), random.next());
        thread::scope(|scope| {
            let loading = scope.spawn(|| load::run(address, 6, seed, &ledger, &stop));
            thread::sleep(Duration::from_millis(300 + random.below(500)));
            daemon.signal(signal);
            assert_eq!(daemon.wait_for_exit().code(), Some(0), "{}", daemon.said());
            stop.store(true, Ordering::Relaxed);
            loading.join().expect("the load ends");
        });
        assert!(daemon.said().contains("stopped"), "{}", daemon.said());
        let daemon = daemon.setup.start();
        let said = daemon.said();
        assert!(!said.contains("cut") && !said.contains("amage"), "the start after a clean stop: {said}");
        ledger.check(&mut daemon.connect());
        daemon.serves();
    }
}

#[test]
fn an_upload_that_had_begun_is_answered_and_the_connection_closed() {
    let daemon = Daemon::start();
    let content = random_bytes(1, 1_000_000);
    let upload = Form::of("late.bin", &content).request(&[]);
    let mut client = daemon.connect();
    let (front, back) = upload.split_at(600_000);
    client.send(front);
    daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
    let mut idle = daemon.connect();
    idle.get("/healthz").expect(200);
    daemon.signal("TERM");
    daemon.wait_until_said("stopping");
    assert!(idle.is_closed(), "an idle connection is no reason to wait");
    thread::sleep(Duration::from_millis(200));
    client.send(back);
    let response = client.response().expect(200);
    assert!(response.is_whole);
    assert_eq!(daemon.wait_for_exit().code(), Some(0));
    let daemon = daemon.setup.start();
    assert_eq!(daemon.content(&sha256(&content)), content);
}

#[test]
fn a_client_that_never_ends_is_cut_off_when_its_time_is_up() {
    let daemon = Setup::new().flag("--stop-timeout-s", "1").start();
    let mut client = daemon.connect();
    client.send(&request("PUT", "/files/a.bin", &[("Content-Length", "1000000")], &random_bytes(1, 400_000)));
    daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
    let begun = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait_for_exit().code(), Some(0), "{}", daemon.said());
    assert!(begun.elapsed() < Duration::from_secs(20));
    let daemon = daemon.setup.start();
    assert_eq!(daemon.metric("rhinobox_contents"), 0.0);
    daemon.serves();
}

#[test]
fn a_second_signal_ends_at_once_and_the_next_start_is_clean() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let daemon = Setup::new().flag("--stop-timeout-s", "60").start();
        let kept = daemon.upload("kept.txt", b"answered before");
        let mut client = daemon.connect();
        client.send(&request(
            "PUT",
            "/files/a.bin",
            &[("Content-Length", "1000000")],
            &random_bytes(1, 400_000),
        ));
        daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
        daemon.signal(first);
        daemon.wait_until_said("stopping");
        thread::sleep(Duration::from_millis(50));
        let begun = Instant::now();
        daemon.signal(second);
        assert_eq!(daemon.wait_for_exit().code(), Some(130), "{}", daemon.said());
        assert!(begun.elapsed() < Duration::from_secs(20));
        let daemon = daemon.setup.start();
        assert_eq!(daemon.content(kept["hash"].as_str().expect("a hash")), b"answered before");
        assert_eq!(daemon.metric("rhinobox_contents"), 1.0);
        daemon.serves();
    }
}

#[test]
fn nothing_is_taken_after_a_stop() {
    let daemon = Daemon::start();
    let address = daemon.address();
    daemon.upload("a.txt", b"before");
    let setup = daemon.stop();
    assert!(Client::try_connect(address).is_none(), "somebody still listens");
    setup.start().serves();
}

#[test]
fn a_raw_body_that_had_begun_is_taken_to_its_end() {
    let daemon = Setup::new().flag("--stop-timeout-s", "30").start();
    let mut busy = daemon.connect();
    busy.send(&request("PUT", "/files/a.bin", &[("Content-Length", "10")], b"12345"));
    daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
    daemon.signal("TERM");
    daemon.wait_until_said("stopping");
    busy.send(b"67890");
    let response = busy.response().expect(201);
    assert!(busy.is_closed(), "{:?}", response.fields);
    assert_eq!(daemon.wait_for_exit().code(), Some(0));
}
