//! 64 descriptors, load from eight connections and a hundred that are idle: slower, not dead. What was answered is there,
//! also after a kill in mid-work.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::content::Random;
use crate::support::{Client, Ledger, Setup, load};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until so many more contents were answered.
fn wait_for_more(ledger: &Ledger, count: usize) {
    let (wanted, begun) = (ledger.answers() + count, Instant::now());
    while ledger.answers() < wanted {
        assert!(begun.elapsed() < PATIENCE, "nothing is stored while descriptors are few");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn load_on_sixty_four_descriptors_loses_nothing() {
    let mut random = Random::printed("64 descriptors");
    let setup = Setup::new()
        .descriptors(64)
        .flag("--cores", "1")
        .flag("--segment-mib", "4")
        .flag("--max-upload-mb", "64")
        .flag("--idle-timeout-s", "1");
    let ledger = Ledger::default();
    for round in 0..3 {
        let daemon = setup.start();
        ledger.check(&mut daemon.connect());
        let (address, seed) = (daemon.address(), random.next());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let loading = scope.spawn(|| load::keep_running(address, 8, seed, &ledger, &stop));
            let stopping = load::StopOnDrop(&stop);
            wait_for_more(&ledger, 10);
            // More than there are descriptors for: they wait in the kernel, and are closed when they have idled.
            let idle: Vec<Client> = (0..100).map(|_| daemon.connect()).collect();
            wait_for_more(&ledger, 20);
            if round < 2 {
                daemon.signal("KILL");
            } else {
                // Behind the idle ones, in its turn.
                daemon.serves();
            }
            drop(stopping);
            loading.join().expect("the load ends when it is told to, or with the daemon");
            drop(idle);
        });
        if round == 2 {
            ledger.check(&mut daemon.connect());
            daemon.stop().verifies();
        }
    }
    println!("64 descriptors: {} answered, {} refused", ledger.answers(), ledger.refusals());
}
