//! With 64 descriptors a crowd waits its turn: the acceptor rests instead of spinning, nobody is dropped, and what was
//! open is closed again.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::crowd::many_descriptors;
use crate::support::{Client, Daemon, Setup};

fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("Linux lists them").count()
}

/// Processor time of the daemon so far, from its own counts.
fn cpu_seconds(client: &mut Client) -> f64 {
    let page = client.get("/metrics").expect(200).text();
    let lines = page.lines().filter_map(|line| line.strip_prefix("rhinobox_cpu_seconds_total{"));
    lines.map(|line| line.split_once(' ').expect("a value").1.parse::<f64>().expect("a number")).sum()
}

#[test]
fn a_crowd_beyond_the_descriptors_is_served_in_turns() {
    many_descriptors();
    let daemon = Setup::new().descriptors(64).flag("--cores", "1").flag("--idle-timeout-s", "2").start();
    let mut good = daemon.connect();
    good.get("/healthz").expect(200);
    daemon.wait_for_catalogue();
    let base = descriptors(&daemon);
    // 200 more than have a place. Each asks something: who waits to be accepted is answered in the end.
    let mut crowd: Vec<Client> = (0..200).map(|_| daemon.connect()).collect();
    let before = cpu_seconds(&mut good);
    let begun = Instant::now();
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(250));
        good.get("/healthz").expect(200);
    }
    let (used, passed) = (cpu_seconds(&mut good) - before, begun.elapsed().as_secs_f64());
    println!("{used:.3} s of a processor in {passed:.1} s of waiting, {} descriptors", descriptors(&daemon));
    assert!(used < passed / 2.0, "the acceptor spins: {used} s in {passed} s");
    assert!(descriptors(&daemon) <= 64);
    // Who had a place and said nothing for two seconds may have lost it by now.
    let ask = b"GET /healthz HTTP/1.1\r\nHost: rhinobox.test\r\nConnection: close\r\n\r\n";
    crowd.retain_mut(|client| client.try_send(ask).is_ok());
    let mut answered = 0;
    for mut client in crowd {
        if client.try_response().is_ok_and(|response| response.status == 200) {
            answered += 1;
        }
        good.get("/healthz").expect(200);
    }
    println!("{answered} of 200 were answered");
    assert!(answered >= 100, "those that waited in the kernel are answered when it is their turn");
    good.get("/healthz").expect(200);
    drop(good);
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    assert!(descriptors(&daemon) <= base + 2, "{} of {base}", descriptors(&daemon));
}

#[test]
fn ten_thousand_connections_with_64_descriptors_leave_nothing_behind() {
    let daemon = Setup::new().descriptors(64).flag("--cores", "1").start();
    daemon.serves();
    daemon.wait_for_catalogue();
    let base = descriptors(&daemon);
    for wave in 0..200 {
        let clients: Vec<Client> = (0..50).map(|_| daemon.connect()).collect();
        drop(clients);
        if wave % 50 == 0 {
            daemon.serves();
        }
    }
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    assert!(descriptors(&daemon) <= base + 2, "{} of {base}", descriptors(&daemon));
    daemon.serves();
}
