//! Who asks for a big content and does not read it holds no memory: a thousand of them are no reason to refuse anybody,
//! and when they read on they get what they asked for.

use std::thread;
use std::time::{Duration, Instant};

use super::crowd::{crowd, good_client, many_descriptors};
use super::memory_stays_within_what_the_start_says::check;
use crate::support::{Client, Setup, random_bytes, request};

#[test]
fn a_thousand_that_do_not_read_leave_a_good_client_served_and_may_read_on() {
    many_descriptors();
    // The memory is the default; the time is not, for a slow machine.
    let daemon = Setup::new().flag("--answer-timeout-s", "120").start();
    let content = random_bytes(1, 3_000_000);
    let record = daemon.upload("read.bin", &content);
    let target = format!("/files/{}", record["hash"].as_str().expect("a hash"));
    let mut silent = crowd(&daemon, 1_000, |_| request("GET", &target, &[], b""));
    let begun = Instant::now();
    let (mut turns, mut slowest) = (0, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(5) {
        let turn = Instant::now();
        good_client(&daemon);
        let whole = daemon.get(&target).expect(200);
        assert!(whole.is_whole && whole.body == content);
        (turns, slowest) = (turns + 1, slowest.max(turn.elapsed()));
    }
    println!("{turns} turns of a good client, the slowest {slowest:.0?}");
    assert!(daemon.metric("rhinobox_connections") > 1_000.0, "those that do not read are still there");
    check(&daemon, "a thousand that do not read");
    // Some go, the others read on, each at its own pace.
    silent.truncate(200);
    let share = silent.len() / 8;
    thread::scope(|scope| {
        for readers in silent.chunks_mut(share) {
            let content = &content;
            scope.spawn(move || readers.iter_mut().for_each(|client| read_on(client, content)));
        }
    });
    drop(silent);
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    good_client(&daemon);
}

fn read_on(client: &mut Client, content: &[u8]) {
    let response = client.response().expect(200);
    assert!(response.is_whole, "it ended after {} bytes", response.body.len());
    assert!(response.body == content, "other bytes than were stored");
    // It is as good as any.
    client.get("/healthz").expect(200);
}

#[test]
fn ranges_and_small_contents_come_back_right_to_who_pauses() {
    many_descriptors();
    // Memory for sending: 4 MiB, of which 3 for big contents.
    let daemon = Setup::new().flag("--cores", "1").flag("--buffer-mib", "16").start();
    let big = random_bytes(2, 5_000_000);
    let small = random_bytes(3, 250_000);
    let hash = |record: &serde_json::Value| record["hash"].as_str().expect("a hash").to_owned();
    let big_target = format!("/files/{}", hash(&daemon.upload("big.bin", &big)));
    let small_target = format!("/files/{}", hash(&daemon.upload("small.bin", &small)));
    // Each connection asks for several answers at once, so that the small ones wait behind unread bytes, too.
    let mut readers = crowd(&daemon, 60, |number| {
        let range = format!("bytes={}-{}", 1_000 + number, 4_900_000 + number);
        let mut asked = request("GET", &big_target, &[("Range", &range)], b"");
        asked.extend((0..4).flat_map(|_| request("GET", &small_target, &[], b"")));
        asked
    });
    thread::sleep(Duration::from_millis(500));
    daemon.serves();
    good_client(&daemon);
    for (number, client) in readers.iter_mut().enumerate() {
        let part = client.response().expect(206);
        assert!(part.is_whole && part.body == big[1_000 + number..=4_900_000 + number], "{number}");
        for _ in 0..4 {
            let whole = client.response().expect(200);
            assert!(whole.is_whole && whole.body == small, "{number}");
        }
    }
}
