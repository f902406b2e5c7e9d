//! Making a store and recovering one may be cut at any event, again and again: in the end there is what one clean
//! recovery finds, and what was answered in between survives.

use rhinobox::runtime::sim::{Outcome, Rng, Sim, SimDisk};
use rhinobox::store::Store;

use crate::sim_store::{
    Ledger, Request, Shared, ToSend, Workload, choices, each_seed, recover, recover_and_check, start,
};

/// Opens the store on `disk`, cut at an event.
fn cut_recovery(seed: u64, disk: &SimDisk, event: u64) {
    let end = Sim::new(seed, 1).stop_at_event(event).run(|| async {
        let pool = rhinobox::runtime::buffer::Pool::new(4 << 20);
        let disk = rhinobox::runtime::disk::Disk::sim(disk.clone());
        Store::open(disk, &pool, choices()).await.expect("a store after a cut opens");
    });
    assert!(matches!(end, Outcome::Cut | Outcome::Done(())), "{end:?}");
}

/// The disk of a workload that was stopped somewhere, at that moment.
fn leftovers(seed: u64, ledger: &Shared) -> SimDisk {
    let workload = Workload::draw(seed);
    let drive = |disk: &SimDisk, ledger: &Shared, stop_at: u64| {
        let mut sim = workload.sim(seed).stop_at_event(stop_at);
        sim.run(|| async {
            let (machine, _) = start(disk, workload.cores, ledger).await.expect("a fresh store opens");
            workload.run(&machine).await;
        });
        sim.report().events
    };
    let events = drive(&SimDisk::new(), &Ledger::shared(), u64::MAX);
    let disk = SimDisk::new();
    drive(&disk, ledger, events - Rng::new(seed).below(events / 4));
    disk
}

#[test]
fn recovery_cut_three_times_at_any_events_finds_what_one_clean_recovery_finds() {
    each_seed(2, |seed| {
        let ledger = Ledger::shared();
        let before = leftovers(seed, &ledger).power_cut(seed);
        // A disk after a power cut has nothing pending: a cut of it is a copy.
        let clean =
            recover_and_check(seed, &before.power_cut(0), &Ledger::fork(&ledger)).expect("a recovery");
        let mut rng = Rng::new(seed);
        for event in 1..=clean.events {
            let mut disk = before.power_cut(0);
            for depth in 0..3 {
                let at = if depth == 0 { event } else { 1 + rng.below(clean.events) };
                cut_recovery(rng.next_u64(), &disk, at);
                disk = if rng.one_in(2) { disk.kill(rng.next_u64()) } else { disk.power_cut(rng.next_u64()) };
                if depth == 0 && event % 4 != 0 {
                    break;
                }
            }
            let ledger = Ledger::fork(&ledger);
            let found = recover_and_check(rng.next_u64(), &disk, &ledger)
                .unwrap_or_else(|why| panic!("seed {seed}, recovery cut at event {event}: {why}"));
            assert_eq!(found.view.hash, clean.view.hash, "seed {seed}, recovery cut at event {event}");
        }
    });
}

#[test]
fn recovery_after_a_kill_may_be_cut_before_what_it_read_is_on_the_disk() {
    each_seed(40, |seed| {
        let ledger = Ledger::shared();
        let left = leftovers(seed, &ledger);
        let events =
            recover_and_check(seed, &left.kill(seed), &Ledger::fork(&ledger)).expect("a recovery").events;
        let mut rng = Rng::new(seed);
        for _ in 0..25 {
            // Segments are cut, flushed and sealed just before the 256 directories of blobs are listed.
            let killed = left.kill(rng.next_u64());
            cut_recovery(rng.next_u64(), &killed, events - 3 * 256 - rng.below(80));
            for _ in 0..2 {
                recover_and_check(seed, &killed.power_cut(rng.next_u64()), &Ledger::fork(&ledger))
                    .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            }
        }
    });
}

#[test]
fn a_store_cut_while_it_is_made_is_made_again_and_keeps_what_it_then_answers() {
    let made = recover(0, &SimDisk::new()).expect("a store can be made");
    assert!(made.opened.created);
    each_seed(made.events, |event| {
        let fresh = SimDisk::new();
        cut_recovery(event, &fresh, event);
        // Most events are hundreds of directories, one as the other. The few about FORMAT are all tried.
        let has = |disk: &SimDisk, name: &str| disk.files().iter().any(|(path, _)| path == name);
        let lost = || (0..8).any(|cut| !has(&fresh.power_cut(cut), "FORMAT"));
        if event % 16 != 0 && !has(&fresh, "FORMAT.new") && !(has(&fresh, "FORMAT") && lost()) {
            return;
        }
        for (draw, disk) in [fresh.kill(event), fresh.power_cut(event)].into_iter().enumerate() {
            let ledger = Ledger::shared();
            Sim::new(event, 1)
                .run(|| async {
                    let (machine, _) = start(&disk, 1, &ledger).await.expect("a half made store opens");
                    let file = ToSend::new("a.bin", format!("at event {event}"));
                    let outcomes = machine.upload(0, Request::of(vec![file])).await;
                    assert!(outcomes[0].is_ok(), "{outcomes:?}");
                })
                .done();
            recover_and_check(event, &disk.power_cut(event), &ledger)
                .unwrap_or_else(|why| panic!("cut at event {event}, draw {draw}: {why}"));
        }
    });
}
