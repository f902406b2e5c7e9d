//! Many connections at once, and the good client beside them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Client, Daemon, Form, random_bytes, request, sha256};

/// Gives this process as many descriptors as it may have; a thousand connections need more than the usual limit.
pub(crate) fn many_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a process may use all its descriptors");
}

/// The good client: does what clients do, a form of one file, a form of some, a big raw body, each read back. Every
/// answer must be a success. Other contents each time.
#[track_caller]
pub(crate) fn good_client(daemon: &Daemon) {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    let seed = NEXT.fetch_add(100, Ordering::Relaxed);
    let mut client = daemon.connect();
    client.get("/healthz").expect(200);
    let small = random_bytes(seed, 10_000);
    let record = Form::of("good.bin", &small).send(&mut client).stored().remove(0);
    let path = record["path"].as_str().expect("a path");
    assert_eq!(client.get(&format!("/{path}")).expect(200).body, small);
    let some = (1..20).fold(Form::new(), |form, n| form.file("some.bin", &random_bytes(seed + n, 3_000)));
    assert_eq!(some.send(&mut client).stored().len(), 19);
    let big = random_bytes(seed + 50, 1_500_000);
    client.send(&request("PUT", "/files/good-big.bin", &[], &big));
    client.response().expect(201);
    assert_eq!(client.get(&format!("/files/{}", sha256(&big))).expect(200).body, big);
}

/// The good client, again and again for so long; how often, and how long the slowest turn took.
#[track_caller]
pub(crate) fn good_client_for(daemon: &Daemon, time: Duration) -> (u32, Duration) {
    let begun = Instant::now();
    let (mut turns, mut slowest) = (0, Duration::ZERO);
    while begun.elapsed() < time || turns == 0 {
        let turn = Instant::now();
        good_client(daemon);
        slowest = slowest.max(turn.elapsed());
        turns += 1;
    }
    (turns, slowest)
}

/// So many connections, each of which has sent what `begin` makes of its number.
pub(crate) fn crowd(daemon: &Daemon, count: usize, begin: impl Fn(usize) -> Vec<u8>) -> Vec<Client> {
    (0..count)
        .map(|number| {
            let mut client = daemon.connect();
            client.send(&begin(number));
            client
        })
        .collect()
}
