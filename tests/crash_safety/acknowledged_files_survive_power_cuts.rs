//! What was answered is there after the power failed, whole and listed once; what was not is absent or whole; what
//! was deleted is gone; nothing is called damaged.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rhinobox::runtime::sim::{Outcome, Rng, SimDisk};

use crate::sim_store::{Ledger, Shared, Workload, each_seed, recover_and_check, start};

/// Moments at which each workload is cut.
const MOMENTS: u64 = 7;
/// Disks drawn from each moment.
const DRAWS: u64 = 10;

/// Runs the workload on `disk` until event `stop_at`, and gives the events it took, those of opening first.
fn run(seed: u64, disk: &SimDisk, ledger: &Shared, stop_at: Option<u64>) -> (u64, u64) {
    let workload = Workload::draw(seed);
    let mut sim = workload.sim(seed);
    if let Some(event) = stop_at {
        sim = sim.stop_at_event(event);
    }
    let opened_at = Cell::new(0);
    let before = disk.counters().total;
    let end = sim.run(|| async {
        let (machine, opened) = start(disk, workload.cores, ledger).await.expect("a store after a cut opens");
        assert!(opened.recovered.damage.is_empty(), "{:?}", opened.recovered.damage);
        opened_at.set(3 * (disk.counters().total - before));
        workload.run(&machine).await;
    });
    assert!(matches!(end, Outcome::Done(()) | Outcome::Cut), "{end:?}");
    (opened_at.get(), sim.report().events)
}

/// Checks disks drawn from one moment; on some of them life goes on, and is cut again.
fn check_moment(seed: u64, disk: &SimDisk, ledger: &Shared, depth: u64, states: &AtomicU64) {
    for draw in 0..DRAWS {
        let drawn = seed.wrapping_mul(31) + draw;
        let after = if draw < 2 { disk.kill(drawn) } else { disk.power_cut(drawn) };
        let ledger = Ledger::fork(ledger);
        let what = || format!("seed {seed}, draw {draw}, depth {depth}");
        let checked = |disk: &SimDisk| {
            let found = recover_and_check(seed, disk, &ledger);
            states.fetch_add(1, Ordering::Relaxed);
            found.unwrap_or_else(|why| panic!("{}: {why}", what())).view.hash
        };
        let served = checked(&after);
        // What recovery has served survives another cut, answered or not, be it after a kill.
        let again = after.power_cut(drawn + 1);
        if draw < 3 {
            assert_eq!(checked(&again), served, "{}: served, and gone after a power cut", what());
        }
        if depth < 2 && draw % 5 == 2 {
            let seed = seed + 1_000_000 + draw;
            let mut rng = Rng::new(seed);
            let trial = again.power_cut(0);
            let ledger = Ledger::fork(&ledger);
            let (_, events) = run(seed, &trial, &Ledger::fork(&ledger), None);
            let trial = again.power_cut(0);
            run(seed, &trial, &ledger, Some(1 + rng.below(events)));
            check_moment(seed, &trial, &ledger, depth + 1, states);
        }
    }
}

#[test]
fn acknowledged_files_survive_power_cuts() {
    let states = AtomicU64::new(0);
    let begun = Instant::now();
    each_seed(36, |seed| {
        let (opened_at, events) = run(seed, &SimDisk::new(), &Ledger::shared(), None);
        let mut rng = Rng::new(seed);
        for moment in 0..MOMENTS {
            // One moment in the making of the store, the others in its use.
            let stop_at = match moment {
                0 => 1 + rng.below(opened_at),
                _ => opened_at + 1 + rng.below(events - opened_at),
            };
            let (disk, ledger) = (SimDisk::new(), Ledger::shared());
            run(seed, &disk, &ledger, Some(stop_at));
            check_moment(seed, &disk, &ledger, 0, &states);
        }
    });
    let (states, seconds) = (states.into_inner(), begun.elapsed().as_secs_f64());
    eprintln!("{states} states in {seconds:.1} s, {:.0} a second", states as f64 / seconds);
}
