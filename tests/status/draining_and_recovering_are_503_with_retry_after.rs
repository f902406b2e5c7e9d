//! While the daemon stops it finishes what it has begun and begins nothing; while it reads its store it says so. Both
//! are 503 with Retry-After, and `/readyz` is the same.

use std::net::TcpListener;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::request;
use crate::support::{Client, Form, Setup, random_bytes, sha256};

#[test]
fn a_request_that_comes_while_the_daemon_stops_is_503() {
    let daemon = Setup::new().flag("--stop-timeout-s", "30").start();
    let content = random_bytes(1, 300_000);
    let slow = request("PUT", "/files/slow.bin", &[], &content);
    let mut busy = daemon.connect();
    busy.send(&slow[..100_000]);
    daemon.wait_for_metric("rhinobox_queue_depth", 1.0);
    let upload = Form::of("late.bin", b"too late").request(&[]);
    let read = request("GET", &format!("/files/{}", "0".repeat(64)), &[], b"");
    let requests = [upload, request("GET", "/readyz", &[], b""), read];
    let mut late: Vec<Client> = requests.iter().map(|_| daemon.connect()).collect();
    // A head that has begun is no idle connection: it is not closed at once.
    for (client, request) in late.iter_mut().zip(&requests) {
        client.send(&request[..20]);
    }
    daemon.wait_for_metric("rhinobox_connections", 5.0);
    sleep(Duration::from_millis(200));
    daemon.signal("TERM");
    daemon.wait_until_said("stopping");
    sleep(Duration::from_millis(200));
    for (client, request) in late.iter_mut().zip(&requests) {
        client.send(&request[20..]);
        let response = client.response().expect(503);
        assert_eq!(response.field("Retry-After"), Some("1"));
        assert!(response.closes() && response.error().contains("stopping"));
    }
    busy.send(&slow[100_000..]);
    busy.response().expect(201);
    assert_eq!(daemon.wait_for_exit().code(), Some(0), "{}", daemon.said());
    let daemon = daemon.setup.start();
    assert_eq!(daemon.content(&sha256(&content)), content);
    assert_eq!(daemon.metric("rhinobox_contents"), 1.0);
}

#[test]
fn requests_are_503_while_the_store_is_read_and_served_when_it_is() {
    if !Command::new("strace").args(["-D", "true"]).output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: strace is missing or may not trace");
    }
    let setup = Setup::new();
    let daemon = setup.start();
    let record = daemon.upload("kept.bin", &random_bytes(2, 5_000));
    let setup = daemon.stop();
    // The port must be known before the daemon says it.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("bound").port();
    let address = format!("127.0.0.1:{port}");
    // Listing the folders of big contents takes a while on a slow disk. Only the helper threads list.
    let slow = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getdents64"];
    let slow = [&slow[..], &["-e", "inject=getdents64:delay_enter=20000"]].concat();
    let daemon = setup.addr(Some(&address)).through(&slow).start_unready();
    let address = address.parse().expect("an address");
    let begun = Instant::now();
    let mut client = loop {
        match Client::try_connect(address) {
            Some(client) => break client,
            None => sleep(Duration::from_millis(5)),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody listens:\n{}", daemon.said());
    };
    client.get("/healthz").expect(200);
    let hash = record["hash"].as_str().expect("a hash");
    let upload = Form::of("early.bin", b"too early");
    for target in ["/readyz", &format!("/files/{hash}")] {
        let response = client.get(target).expect(503);
        assert_eq!(response.field("Retry-After"), Some("1"), "{target}");
        assert!(response.error().contains("reading its store"));
    }
    let response = upload.send(&mut Client::connect(address)).expect(503);
    assert_eq!(response.field("Retry-After"), Some("1"));
    client.get("/metrics").expect(200);
    assert!(!daemon.said().contains("listening"), "it was ready before it was asked: {}", daemon.said());
    daemon.wait_until_said("listening on ");
    println!("ready after {:.1?}", begun.elapsed());
    client.get("/readyz").expect(200);
    assert_eq!(client.get(&format!("/files/{hash}")).expect(200).body, random_bytes(2, 5_000));
    upload.send(&mut client).expect(200);
    daemon.stop();
}
