//! Any operation of the disk may fail, once or from then on: then an upload fails, or the process ends, and what was
//! answered is there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rhinobox::ingest::FileError;
use rhinobox::runtime::clock;
use rhinobox::runtime::sim::{Failure, Fault, Op, Outcome, Rng, Sim, SimDisk};
use rhinobox::store::index::Location;
use rhinobox::store::{FlushMethod, segment};

use crate::sim_store::{
    INLINE_BYTES_MAX, Ledger, Machine, Request, Shared, ToSend, content, each_seed, lock, look,
    recover_and_check, start,
};

const FAILURES: [Failure; 5] =
    [Failure::Eio, Failure::Enospc, Failure::Eintr, Failure::Short(512), Failure::Erofs];

/// Some files in segments, one in a blob, one twice, over two cores; then a clean stop.
async fn use_it(machine: &Machine, seed: u64) {
    let mut rng = Rng::new(seed);
    let big = vec![7; INLINE_BYTES_MAX + 1000];
    for turn in 0..4_usize {
        let files = (0..3).map(|n| ToSend::new(&format!("{turn}-{n}.bin"), content(&mut rng)));
        let other =
            vec![ToSend::new("big.bin", big.clone()), ToSend::new("big.bin", turn.to_string().repeat(90))];
        let requests =
            [machine.send(turn % 2, Request::of(files.collect())), machine.send(1, Request::of(other))];
        for outcomes in requests {
            outcomes.await.expect("a core answers");
        }
    }
    machine.stop().await;
}

/// Opens and uses a store while `fault` is in force. The process may end by itself, with the code for that.
fn run(seed: u64, disk: &SimDisk, ledger: &Shared, fault: Option<Fault>) {
    if let Some(fault) = fault {
        disk.set_faults(fault);
    }
    let end = Sim::new(seed, 2).run(|| async {
        if let Ok((machine, opened)) = start(disk, 2, ledger).await {
            assert!(opened.recovered.damage.is_empty(), "{:?}", opened.recovered.damage);
            use_it(&machine, seed).await;
        }
    });
    match end {
        Outcome::Done(()) => {}
        Outcome::Died(died) => assert_eq!(died.code, 70, "{}", died.why),
        Outcome::Cut => panic!("nobody cut"),
    }
}

#[test]
fn any_operation_may_fail_once_or_from_then_on() {
    let runs = AtomicU64::new(0);
    // A store that was used and cut: opening it has something to recover.
    let used = SimDisk::new();
    let known = Ledger::shared();
    let mut first = Sim::new(1, 2).stop_at_event(2_600);
    first.run(|| async {
        let (machine, _) = start(&used, 2, &known).await.expect("a fresh store opens");
        use_it(&machine, 1).await;
    });
    let used = used.power_cut(3);
    recover_and_check(0, &used.power_cut(0), &known).expect("nothing has failed so far");
    let trial = used.power_cut(0);
    run(2, &trial, &Ledger::fork(&known), None);
    let operations = trial.counters().total;
    each_seed(operations, |n| {
        for (which, failure) in (0..).zip(FAILURES) {
            for forever in [false, true] {
                // An operation that is interrupted for ever is tried for ever.
                if forever && failure == Failure::Eintr {
                    continue;
                }
                // While the store opens, most operations are alike: each fails in some way, not in all.
                if (n + 1) < operations / 2 && (n + which) % FAILURES.len() as u64 > 1 {
                    continue;
                }
                let what = format!("operation {} of {operations}, {failure:?}, forever: {forever}", n + 1);
                let (disk, ledger) = (used.power_cut(0), Ledger::fork(&known));
                let fault = Fault::nth(n + 1, failure);
                run(2, &disk, &ledger, Some(if forever { fault.forever() } else { fault }));
                let after = if forever { disk.power_cut(n) } else { disk.kill(n) };
                recover_and_check(n, &after, &ledger).unwrap_or_else(|why| panic!("{what}: {why}"));
                runs.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    eprintln!("{} runs with a fault", runs.into_inner());
}

/// The only segment that has batches, once the first upload is answered.
fn open_segment(disk: &SimDisk) -> String {
    let first = disk.files().into_iter().find(|(path, _)| path.starts_with("segments/"));
    first.expect("an upload was answered").0
}

fn file(name: &str) -> Request {
    Request::of(vec![ToSend::new(name, name.repeat(50))])
}

#[test]
fn a_failed_write_or_flush_of_a_batch_ends_the_process_and_is_never_answered() {
    for seed in 0..8 {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        let end = Sim::new(seed, 1).run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            assert!(machine.upload(0, file("a")).await[0].is_ok());
            let op = match machine.store.options.flush {
                FlushMethod::Fdatasync if seed % 2 == 0 => Op::Sync,
                _ => Op::Write,
            };
            disk.set_faults(Fault::nth(1, Failure::Eio).on(op).below(&open_segment(&disk)));
            machine.upload(0, file("b")).await;
        });
        assert!(matches!(&end, Outcome::Died(died) if died.code == 70), "seed {seed}: {end:?}");
        assert_eq!(lock(&ledger).answered.len(), 1);
        for cut in 0..10 {
            recover_and_check(seed, &disk.power_cut(cut), &Ledger::fork(&ledger)).expect("a is there");
        }
    }
}

#[test]
fn a_batch_that_finds_no_space_fails_alone_and_its_place_is_not_used_again() {
    for seed in 0..20 {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        Sim::new(seed, 1)
            .run(|| async {
                let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
                assert!(machine.upload(0, file("a")).await[0].is_ok());
                let used = open_segment(&disk);
                disk.set_faults(Fault::nth(1, Failure::Enospc).on(Op::Write).below(&used));
                let outcome = machine.upload(0, file("b")).await.remove(0);
                assert_eq!(outcome.unwrap_err(), FileError::NoSpace);
                let named = machine.upload(0, file("b")).await.remove(0).expect("there is space again");
                assert!(!named.duplicate);
                let stored = machine.store.index.content(&named.digest).expect("it was answered").location;
                let Location::Inline { segment, .. } = stored else { panic!("it is small") };
                assert_ne!(
                    segment::path(segment),
                    used,
                    "seed {seed}: the segment went on behind a failed write"
                );
            })
            .done();
        for cut in 0..10 {
            recover_and_check(seed, &disk.power_cut(cut), &Ledger::fork(&ledger)).expect("a and b are there");
        }
    }
}

#[test]
fn a_full_disk_refuses_uploads_serves_reads_and_goes_on_when_there_is_space() {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    disk.set_capacity(2 << 20, 1_000);
    Sim::new(4, 2)
        .run(|| async {
            let (machine, _) = start(&disk, 2, &ledger).await.expect("a fresh store opens");
            let mut refused = 0;
            for n in 0..400_usize {
                let len = if n % 5 == 0 { 3 * INLINE_BYTES_MAX } else { 4_000 };
                let mut bytes = vec![0; len];
                Rng::new(n as u64).fill(&mut bytes);
                let files = vec![ToSend::new(&format!("{n}.bin"), bytes)];
                match machine.upload(n % 2, Request::of(files)).await.remove(0) {
                    Ok(_) => {}
                    Err(error) => {
                        assert_eq!(error, FileError::NoSpace);
                        refused += 1;
                    }
                }
            }
            assert!(refused > 100, "the disk was never full");
            let view = look(&machine.store, &machine.pool).await;
            assert_eq!(view.problems, [] as [&str; 0]);
            assert_eq!(view.files.len(), lock(&ledger).answered.len());
            disk.set_capacity(8 << 20, 1_000);
            clock::sleep(Duration::from_secs(2)).await;
            for core in 0..2 {
                let outcome = machine.upload(core, file(&format!("after {core}"))).await.remove(0);
                assert!(outcome.is_ok(), "{outcome:?}");
            }
        })
        .done();
    recover_and_check(5, &disk.power_cut(5), &ledger).expect("all that was answered is there");
}
