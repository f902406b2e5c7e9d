//! The start prints the most memory that the daemon will use. A thousand greedy connections, the largest counts, and a
//! body of gigabytes do not make it use more.

use std::fs;
use std::io::Write as _;
use std::thread;

use super::crowd::{crowd, good_client, many_descriptors};
use crate::support::{Client, Daemon, Form, Setup, random_bytes, request};

/// Of the program, its threads and rings, the allocator's slack, and a few KiB for each of a thousand connections.
const PROCESS_BYTES: u64 = 48 << 20;

/// The most that was resident at any time so far.
fn peak_bytes(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") << 10
}

/// What the start says, and the index as it is now.
fn bound_bytes(daemon: &Daemon) -> u64 {
    let said = daemon.wait_until_said("memory: at most ");
    let mib: u64 = said.split(' ').next().expect("a word").parse().expect("a number");
    // A whole number of a metric that is far below 2^53.
    #[expect(clippy::cast_possible_truncation, reason = "as the comment says")]
    let index = daemon.metric("rhinobox_index_bytes") as u64;
    (mib << 20) + index + PROCESS_BYTES
}

/// Fails if more was resident at any time than the start said.
#[track_caller]
pub(crate) fn check(daemon: &Daemon, after: &str) {
    let (peak, bound) = (peak_bytes(daemon), bound_bytes(daemon));
    println!("after {after}: at most {} MiB were resident, {} MiB may be", peak >> 20, bound >> 20);
    assert!(peak <= bound, "after {after}");
}

/// Sends what the daemon takes without waiting for it.
fn push(client: &mut Client, bytes: &[u8]) {
    client.stream.set_nonblocking(true).expect("a mode is set");
    let mut rest = bytes;
    while let Ok(sent @ 1..) = client.stream.write(rest) {
        rest = &rest[sent..];
    }
    client.stream.set_nonblocking(false).expect("a mode is set");
}

fn daemon() -> Daemon {
    many_descriptors();
    Setup::new().flag("--cores", "2").flag("--buffer-mib", "64").flag("--max-upload-mb", "4096").start()
}

#[test]
fn a_thousand_greedy_connections() {
    let daemon = daemon();
    // Raw bodies and forms that stop short of their end, of every size, sent as fast as can be.
    let contents: Vec<Vec<u8>> =
        [3_000_000, 250_000, 60_000].iter().map(|len| random_bytes(7, *len)).collect();
    let mut greedy = crowd(&daemon, 1_000, |_| Vec::new());
    for (number, client) in greedy.iter_mut().enumerate() {
        let content = &contents[number % 3];
        let request = match number % 2 {
            0 => request("PUT", "/files/greedy.bin", &[], content),
            _ => Form::of("greedy.bin", content).request(&[]),
        };
        push(client, &request[..request.len() - 1]);
    }
    check(&daemon, "a thousand bodies that stop short of their end");
    drop(greedy);
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    good_client(&daemon);
}

#[test]
fn the_largest_counts() {
    let daemon = daemon();
    // Ten thousand files of a byte, under names as long as they may be, with a long comment: from 40 clients at once,
    // in lines or not, and few of them read. The form never ends, so that everything known of the files is kept.
    let name = "n".repeat(900);
    let form =
        (0..9_999_u32).fold(Form::new(), |form, n| form.file(&format!("{name}{n}"), &[n.to_le_bytes()[0]]));
    let body = form.unfinished();
    thread::scope(|scope| {
        for number in 0..40 {
            let (mut client, body) = (daemon.connect(), &body);
            scope.spawn(move || {
                let mut fields =
                    vec![("Content-Type", Form::content_type()), ("Content-Length", "20000000".to_owned())];
                if number % 2 == 0 {
                    fields.push(("Accept", "application/x-ndjson".to_owned()));
                }
                let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                // Some are refused for want of memory, and cut off.
                let _refused = client.try_send(&request("POST", "/ingest/media?comment=c", &fields, body));
                thread::sleep(std::time::Duration::from_millis(500));
            });
        }
    });
    check(&daemon, "40 forms of 10,000 files");
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    good_client(&daemon);
}

#[test]
fn a_body_of_two_gigabytes() {
    let daemon = daemon();
    let mut client = daemon.connect();
    let piece = random_bytes(3, 1 << 20);
    client.send(&request("PUT", "/files/long.bin", &[("Content-Length", "2147483648")], b""));
    for _ in 0..2_048 {
        client.send(&piece);
    }
    let response = client.response().expect(201);
    assert_eq!(response.json()["size"], 2_147_483_648_u64);
    check(&daemon, "a body of 2 GiB");
    good_client(&daemon);
}

#[test]
fn bodies_that_were_fast_and_come_in_drops() {
    // Memory for six that are fast at a time, and no more.
    let daemon = Setup::new().flag("--cores", "1").flag("--buffer-mib", "128").start();
    let (burst, some) = (random_bytes(5, 8 << 20), random_bytes(6, 70_000));
    let mut clients: Vec<_> = (0..6).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        client.send(&request("PUT", "/files/drops.bin", &[("Content-Length", "67108864")], &burst));
    }
    let before = daemon.metric("rhinobox_resident_bytes");
    // Fewer than a fast one is looked at after, and brisk still.
    for _ in 0..14 {
        // Longer than the daemon waits for what is worth a wake.
        thread::sleep(std::time::Duration::from_millis(60));
        clients.iter_mut().for_each(|client| client.send(&some));
    }
    thread::sleep(std::time::Duration::from_millis(60));
    let grown = daemon.metric("rhinobox_resident_bytes") - before;
    println!("{:.1} MB more for {:.1} MB that came", grown / 1e6, 6.0 * 14.0 * 0.07);
    assert!(grown < 24e6, "what came in drops holds {:.1} MB", grown / 1e6);
    check(&daemon, "six bodies that were fast and come in drops");
    drop(clients);
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    good_client(&daemon);
}
