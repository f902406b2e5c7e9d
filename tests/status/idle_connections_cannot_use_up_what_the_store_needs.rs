//! Descriptors are few: idle connections may make others wait, they may not take the store's. A commit that could
//! not open its file would end the process.

use std::fs;

use crate::support::{Client, Daemon, Setup, random_bytes, sha256};

fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("Linux lists them").count()
}

#[test]
fn big_uploads_go_on_while_every_place_is_taken() {
    let daemon = Setup::new().descriptors(64).flag("--cores", "1").flag("--idle-timeout-s", "2").start();
    let mut good = daemon.connect();
    good.get("/healthz").expect(200);
    daemon.wait_for_catalogue();
    let base = descriptors(&daemon);
    let idle: Vec<Client> = (0..100).map(|_| daemon.connect()).collect();
    for seed in 0..20 {
        let content = random_bytes(seed, 400_000);
        good.ask("PUT", "/files/a.bin", &[], &content).expect(201);
        let hash = sha256(&content);
        assert_eq!(good.get(&format!("/files/{hash}")).expect(200).body, content);
    }
    drop(idle);
    drop(good);
    daemon.serves();
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    // The open blobs of readers are kept for the next; no connection is.
    assert!(descriptors(&daemon) <= base + 25, "{} of {base} are left open", descriptors(&daemon));
}

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    let daemon = Daemon::start();
    daemon.serves();
    daemon.wait_for_catalogue();
    let base = descriptors(&daemon);
    for _ in 0..20 {
        let clients: Vec<Client> = (0..500).map(|_| daemon.connect()).collect();
        drop(clients);
    }
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    assert!(descriptors(&daemon) <= base + 2, "{} of {base}", descriptors(&daemon));
    daemon.serves();
}
