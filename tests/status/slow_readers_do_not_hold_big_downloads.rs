//! Who reads a little now and then holds no memory of an answer: others are served beside them, and the slow ones are cut
//! off, since they hold a connection.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Setup, random_bytes, request};

#[test]
fn trickling_readers_are_cut_off_and_others_served() {
    let daemon = Setup::new()
        .flag("--cores", "1")
        .flag("--buffer-mib", "16")
        .flag("--answer-timeout-s", "2")
        .flag("--body-rate-kib", "1024")
        .start();
    let content = random_bytes(1, 24_000_000);
    let record = daemon.upload("big.bin", &content);
    let target = format!("/files/{}", record["hash"].as_str().expect("a hash"));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..24 {
            let mut slow = daemon.connect();
            slow.send(&request("GET", &target, &[], b""));
            // What was on its way when it was cut off may come late; nobody waits for it.
            slow.stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time limit is set");
            let over = &over;
            scope.spawn(move || {
                let mut piece = [0; 4_000];
                while !over.load(Ordering::Relaxed)
                    && matches!(slow.stream.read(&mut piece), Ok(count) if count > 0)
                {
                    thread::sleep(Duration::from_millis(200));
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        daemon.serves();
        let begun = Instant::now();
        let mut served = 0;
        // Whoever is left trickles on; what the kernel has for them comes without the daemon.
        while daemon.metric("rhinobox_connections") > 1.0 || served < 3 {
            let response = daemon.get(&target).expect(200);
            assert!(response.is_whole && response.body == content);
            served += 1;
            assert!(begun.elapsed() < Duration::from_secs(45), "slow readers hold the daemon");
        }
        println!("served {served} times; all were cut off after {:.1?}", begun.elapsed());
        over.store(true, Ordering::Relaxed);
    });
}
