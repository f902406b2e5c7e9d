//! SIGKILL at any moment under mixed load: what was answered is there, byte-exact and listed once; what was not is
//! absent or whole. `RHINOBOX_KILLS=1000` for more than the usual 30, `RHINOBOX_SEED` for the same again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::content::Random;
use crate::support::{Ledger, Setup, disk, load};

#[test]
fn kills_under_load_lose_nothing() {
    let kills: u64 = std::env::var("RHINOBOX_KILLS").map_or(30, |n| n.parse().expect("a number"));
    let mut random = Random::printed("kills under load");
    // Small segments, so that rolls are hit, too. A ledger for each store, and a new store now and then: checking
    // everything after each kill costs time.
    let mut kill = 0;
    while kill < kills {
        let ledger = Ledger::default();
        let setup = Setup::new().flag("--segment-mib", "4").flag("--max-upload-mb", "64");
        for _ in 0..(kills - kill).min(6) {
            let daemon = setup.start();
            ledger.check(&mut daemon.connect());
            let (address, seed) = (daemon.address(), random.next());
            // Most kills soon, when little is settled; some later.
            let wait = Duration::from_millis(random.below(if kill % 5 == 0 { 2_000 } else { 500 }));
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                let loading = scope.spawn(|| load::run(address, 6, seed, &ledger, &stop));
                let begun = Instant::now();
                thread::sleep(wait);
                let killed = daemon.kill();
                drop(killed);
                stop.store(true, Ordering::Relaxed);
                loading.join().expect("the load ends with the daemon");
                println!("kill {kill} after {:.0?}: {} answered so far", begun.elapsed(), ledger.answers());
            });
            kill += 1;
        }
        let daemon = setup.start();
        ledger.check(&mut daemon.connect());
        daemon.serves();
        let names = daemon.metric("rhinobox_names");
        let setup = daemon.stop();
        setup.verifies();
        // The sweep at the start left no file that no record names.
        let daemon = setup.start();
        assert_eq!(daemon.metric("rhinobox_names"), names);
        assert!(disk::blobs(daemon.data()).len() <= ledger.sent(), "abandoned files pile up");
    }
}

#[test]
fn a_start_that_is_killed_again_and_again_ends_well() {
    let mut random = Random::printed("killed starts");
    let setup = Setup::new().flag("--segment-mib", "4");
    let ledger = Ledger::default();
    let daemon = setup.start();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| load::run(daemon.address(), 3, random.next(), &ledger, &stop));
        thread::sleep(Duration::from_millis(700));
        daemon.signal("KILL");
        stop.store(true, Ordering::Relaxed);
    });
    let _killed = daemon.wait_for_exit();
    drop(daemon);
    for _ in 0..15 {
        let daemon = setup.start_unready();
        thread::sleep(Duration::from_millis(random.below(120)));
        daemon.kill();
    }
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    daemon.serves();
}
