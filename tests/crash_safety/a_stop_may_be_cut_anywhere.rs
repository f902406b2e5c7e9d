//! A stop while uploads are under way, and the power fails in its middle: what was answered is there, what was not is
//! absent or whole; and after a stop that came to its end nothing of the log is read again.

use std::sync::atomic::{AtomicU64, Ordering};

use rhinobox::runtime::sim::{Outcome, Rng, SimDisk};

use crate::sim_store::{Ledger, Shared, Workload, each_seed, recover_and_check, start};

const CUTS: u64 = 8;

/// Sends everything at once, and stops while it is under way. Gives the events until the stop began, and all.
fn run(seed: u64, disk: &SimDisk, ledger: &Shared, stop_at: Option<u64>) -> (u64, u64) {
    let workload = Workload::draw(seed);
    let mut sim = workload.sim(seed);
    if let Some(event) = stop_at {
        sim = sim.stop_at_event(event);
    }
    let before = disk.counters().total;
    let begun = AtomicU64::new(0);
    let end = sim.run(|| async {
        let (machine, _) = start(disk, workload.cores, ledger).await.expect("a fresh store opens");
        let sent: Vec<_> = workload
            .requests
            .iter()
            .map(|(core, request)| machine.send(core % workload.cores, request.clone()))
            .collect();
        rhinobox::runtime::clock::sleep(std::time::Duration::from_micros(seed % 13 * 200)).await;
        begun.store(3 * (disk.counters().total - before), Ordering::Relaxed);
        // As the daemon does it: what is under way comes to its end, then compaction and lanes stop, then a checkpoint
        // is made.
        for outcomes in sent {
            outcomes.await.expect("a core answers");
        }
        machine.stop().await;
    });
    assert!(matches!(end, Outcome::Done(()) | Outcome::Cut), "seed {seed}: {end:?}");
    (begun.into_inner(), sim.report().events)
}

#[test]
fn a_stop_may_be_cut_anywhere() {
    each_seed(30, |seed| {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        let (begun, events) = run(seed, &disk, &ledger, None);
        let stopped = recover_and_check(seed, &disk.power_cut(seed), &ledger);
        let stopped = stopped.unwrap_or_else(|why| panic!("seed {seed}, after a whole stop: {why}"));
        assert_eq!(stopped.opened.recovered.records, 0, "seed {seed}: the checkpoint has it all");
        let mut rng = Rng::new(seed);
        for cut in 0..CUTS {
            let (disk, ledger) = (SimDisk::new(), Ledger::shared());
            let at = begun + 1 + rng.below(events.saturating_sub(begun).max(1));
            run(seed, &disk, &ledger, Some(at));
            let after = if cut % 4 == 0 { disk.kill(cut) } else { disk.power_cut(seed + cut) };
            recover_and_check(seed, &after, &ledger)
                .unwrap_or_else(|why| panic!("seed {seed}, event {at}: {why}"));
        }
    });
}
