//! Power cuts under load, again and again on one store, with the ledger outside.
//!
//! `RHINOBOX_CUTS=100` for more than the usual five of each kind, `RHINOBOX_SEED` for the same again.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use crate::support::content::Random;
use crate::support::{Folder, Ledger, Setup, load};

/// Large enough for what the load of [`CUTS_PER_STORE`] cuts stores. The image is sparse.
pub(crate) const VOLUME_MIB: u64 = 4096;
/// Then a new store: checking everything after each cut costs time.
const CUTS_PER_STORE: u64 = 5;
const CONNECTIONS: u64 = 6;

/// Something to store on whose power can be cut.
pub(crate) trait Power {
    /// Where it is mounted.
    fn path(&self) -> &Path;
    /// The power fails.
    fn cut(&mut self);
    /// It comes back, after whoever used it is gone.
    fn restore(&mut self);
}

/// Cuts the power of stores under load, and holds what comes back to the ledger. `new` gives `None` where the test is
/// to be skipped, and has said so.
pub(crate) fn lose_nothing<P: Power>(what: &str, new: impl Fn(&Folder) -> Option<P>) {
    let cuts: u64 =
        std::env::var("RHINOBOX_CUTS").map_or(5, |n| n.parse().expect("RHINOBOX_CUTS is a number"));
    let mut random = Random::printed(what);
    let mut cut = 0;
    while cut < cuts {
        let folder = Folder::new();
        let Some(mut power) = new(&folder) else { return };
        let ledger = Ledger::default();
        // Small segments, so that rolls and new files of segments are hit, too.
        let data = power.path().join("data");
        let setup = Setup::new().data_dir(&data).flag("--segment-mib", "4").flag("--max-upload-mb", "64");
        let last = cuts.min(cut + CUTS_PER_STORE);
        while cut < last {
            // Some fall into a start: the making of the store, or recovery.
            if random.below(4) == 0 {
                cut_a_start(&setup, &mut power, &mut random);
            } else {
                cut_under_load(&setup, &mut power, &mut random, &ledger);
            }
            power.restore();
            if data.join("FORMAT").exists() {
                setup.verifies();
            }
            cut += 1;
            println!("{what}: cut {cut} of {cuts}, {} sent, {} answered", ledger.sent(), ledger.answers());
        }
        let daemon = setup.start();
        ledger.check(&mut daemon.connect());
        daemon.serves();
        daemon.stop().verifies();
    }
}

fn cut_a_start<P: Power>(setup: &Setup, power: &mut P, random: &mut Random) {
    let daemon = setup.start_unready();
    thread::sleep(Duration::from_millis(random.below(150)));
    power.cut();
    let (code, said) = daemon.end();
    // Killed, or it saw the failing disk first: refused to start, or ended in words.
    assert!(matches!(code, None | Some(1 | 70 | 72)), "{code:?}: {said}");
}

fn cut_under_load<P: Power>(setup: &Setup, power: &mut P, random: &mut Random, ledger: &Ledger) {
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    let (address, seed) = (daemon.address(), random.next());
    let wait = Duration::from_millis(random.below(1_000));
    // The daemon lives on for a moment on what is left of its disk, and must not answer by it.
    let lives_on = Duration::from_millis(random.below(30));
    let stop = AtomicBool::new(false);
    let (code, said) = thread::scope(|scope| {
        let loading = scope.spawn(|| load::run(address, CONNECTIONS, seed, ledger, &stop));
        let stopping = load::StopOnDrop(&stop);
        thread::sleep(wait);
        power.cut();
        thread::sleep(lives_on);
        let ended = daemon.end();
        drop(stopping);
        loading.join().expect("the load ends with the daemon");
        ended
    });
    assert!(matches!(code, None | Some(70)), "{code:?}: {said}");
    if code.is_some() {
        assert!(said.contains("(exit code 70)"), "it ended without a word: {said}");
    }
}
