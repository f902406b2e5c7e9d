//! A checkpoint saves reading the log and says nothing that the log does not: a start with one finds what a start without
//! one finds, however old it is and whatever was stored, deleted and compacted since; one that is damaged is not used.
//! That a power cut while one is made harms nothing is shown by all tests that cut: their stores make them all the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rhinobox::base::digest::Digest;
use rhinobox::base::ids::LaneId;
use rhinobox::limits::BLOCK_BYTES;
use rhinobox::runtime::clock;
use rhinobox::runtime::sim::{Rng, Sim, SimDisk};
use rhinobox::store::commit::{NewBody, NewRecord, Payload};
use rhinobox::store::format::Attributes;
use rhinobox::store::index::{Bind, Claim, Location, PathKey};
use rhinobox::store::{CheckpointPace, Choices, Lane, LaneStart};

use crate::sim_store::{
    CHECKPOINT, INLINE_BYTES_MAX, Ledger, Machine, Recovery, Request, Shared, ToSend, Workload, choices,
    each_seed, recover, recover_and_check, recover_both_ways, start, start_with,
};

fn made(machine: &Machine) -> u64 {
    machine.store.checkpoint.made.load(Ordering::Relaxed)
}

/// Stores little things until another checkpoint was made.
async fn next_checkpoint(machine: &Machine) {
    let before = made(machine);
    for n in 0..200_u64 {
        clock::sleep(Duration::from_millis(50)).await;
        if made(machine) > before {
            return;
        }
        let content = [machine.store.index.next_lsn().0, n].map(u64::to_le_bytes).concat();
        machine.upload(0, Request::of(vec![ToSend::new("little", content)])).await;
    }
    panic!("no checkpoint was made in ten seconds");
}

#[test]
fn a_start_with_a_checkpoint_finds_what_the_log_alone_says() {
    let (with_tail, without_tail) = (AtomicU64::new(0), AtomicU64::new(0));
    each_seed(40, |seed| {
        let drawn = Workload::draw(seed);
        // What runs twice would store again what it has deleted.
        let deletes = if seed % 3 == 1 { 0 } else { drawn.deletes };
        let workload = Workload { stops: false, deletes, ..drawn };
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        workload
            .sim(seed)
            .run(|| async {
                let (machine, _) = start(&disk, workload.cores, &ledger).await.expect("a fresh store opens");
                workload.run(&machine).await;
                next_checkpoint(&machine).await;
                match seed % 3 {
                    0 => {}
                    1 => workload.run(&machine).await,
                    _ => machine.stop().await,
                }
            })
            .done();
        let after = if seed % 2 == 0 { disk.kill(seed) } else { disk.power_cut(seed) };
        let found = check_both_ways(seed, &after, &ledger);
        let recovered = found.opened.recovered;
        assert!(recovered.checkpoint.is_some(), "seed {seed}: the checkpoint was not used");
        let tail = if recovered.records > 0 { &with_tail } else { &without_tail };
        tail.fetch_add(1, Ordering::Relaxed);
        if seed % 3 == 2 {
            assert_eq!((recovered.records, recovered.segments_read), (0, 0), "seed {seed}: a clean stop");
        }
    });
    eprintln!(
        "{} starts from a checkpoint and the log behind it, {} from one alone",
        with_tail.into_inner(),
        without_tail.into_inner()
    );
}

fn check_both_ways(seed: u64, disk: &SimDisk, ledger: &Shared) -> Recovery {
    let both = recover_both_ways(seed, &disk.kill(0)).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    let checked = recover_and_check(seed, disk, ledger).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    assert_eq!(both.view.hash, checked.view.hash, "seed {seed}");
    checked
}

fn content(n: u64) -> Vec<u8> {
    let mut bytes = vec![
        0;
        if n % 9 == 4 {
            INLINE_BYTES_MAX + 2_000
        } else {
            700 + 150 * usize::try_from(n % 20).expect("below 20")
        }
    ];
    Rng::new(n).fill(&mut bytes);
    bytes
}

async fn store(machine: &Machine, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let file = ToSend::new(&format!("{n}.bin"), content(n));
        machine.upload(0, Request::of(vec![file])).await.remove(0).expect("there is room");
    }
}

#[test]
fn an_old_checkpoint_is_as_good_as_a_new_one() {
    each_seed(12, |seed| {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        Sim::new(seed, 2)
            .run(|| async {
                let (machine, _) = start(&disk, 2, &ledger).await.expect("a fresh store opens");
                store(&machine, 0..200).await;
                next_checkpoint(&machine).await;
            })
            .done();
        let disk = disk.power_cut(seed);
        let old = disk.contents(CHECKPOINT).expect("it was made");
        // In this life none is made, while most of what there was goes, and with it the segments that the old one names.
        let never = CheckpointPace { records_min: u64::MAX / 2, interval_ms: 1_000 };
        let never = Choices { checkpoint: never, ..choices() };
        let mut cuts = Vec::new();
        Sim::new(seed, 2)
            .run(|| async {
                let (machine, opened) = start_with(never, &disk, 2, &ledger).await.expect("it opens");
                assert!(opened.recovered.checkpoint.is_some(), "seed {seed}: it was not used");
                for round in 0..4 {
                    store(&machine, 200 + round * 50..250 + round * 50).await;
                    for n in (round * 100..round * 100 + 100).filter(|n| n % 8 != seed % 8) {
                        let core = usize::from(n % 2 == 0);
                        machine.delete(core, Digest::of(&content(n))).await.expect("there is room");
                    }
                    clock::sleep(Duration::from_millis(1_500)).await;
                    cuts.push((disk.power_cut(seed + round), Ledger::fork(&ledger)));
                }
                let removed = machine.store.compaction.segments.load(Ordering::Relaxed);
                assert!(removed > 5, "seed {seed}: {removed} segments were removed");
            })
            .done();
        assert_eq!(disk.contents(CHECKPOINT).expect("it is there"), old);
        for (after, ledger) in cuts {
            let found = check_both_ways(seed, &after, &ledger);
            assert!(found.opened.recovered.checkpoint.is_some(), "seed {seed}: it was not used");
        }
    });
}

#[test]
fn a_checkpoint_waits_for_who_has_written_to_the_log_and_not_told_the_index() {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    let content = bytes::Bytes::from_static(b"flushed, and not in the index yet");
    let (digest, path) = (Digest::of(&content), "storage/other/unknown/slow.bin");
    Sim::new(4, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            let index = machine.store.index.clone();
            let lane = LaneStart { id: LaneId(9), predecessor: None };
            let lane = Lane::start(&machine.store, &machine.pool, lane);
            let active = lane.enter();
            let Claim::Fresh(put) = index.claim(digest) else { panic!("nobody has it") };
            let Bind::Write(name) = index.bind(PathKey::new(0, path.as_bytes()), digest, 1) else {
                panic!("it is free")
            };
            let len = u32::try_from(content.len()).expect("it is short");
            let record = |lsn, body| NewRecord { lsn, time: clock::wall(), body };
            let records = vec![
                record(
                    put.lsn(),
                    NewBody::Put { digest, payload: Payload::from_iter([content.clone()]), len },
                ),
                record(
                    name.lsn(),
                    NewBody::Name { digest, path: path.into(), attributes: Attributes::default() },
                ),
            ];
            let placed = lane.append(records).await.expect("there is room");
            let before = made(&machine);
            store(&machine, 0..60).await;
            clock::sleep(Duration::from_secs(3)).await;
            assert_eq!(
                made(&machine),
                before,
                "a checkpoint was made that does not have what was flushed before"
            );
            let location = Location::Inline {
                segment: placed[0].record.segment,
                offset: placed[0].payload_offset,
                len,
                crc: placed[0].payload_crc,
            };
            assert_eq!(put.publish(location), None);
            name.publish(placed[1].record);
            drop(active);
            next_checkpoint(&machine).await;
        })
        .done();
    let found = recover_both_ways(4, &disk.kill(4)).unwrap_or_else(|why| panic!("{why}"));
    assert!(found.opened.recovered.checkpoint.is_some());
    assert_eq!(found.view.files.get(path).map(|file| file.digest), Some(digest));
}

#[test]
fn a_damaged_checkpoint_is_not_used_and_costs_nothing() {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    Sim::new(5, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            store(&machine, 0..80).await;
            machine.stop().await;
        })
        .done();
    let disk = disk.power_cut(5);
    let good = recover_both_ways(5, &disk.power_cut(1)).expect("it opens");
    assert!(good.opened.recovered.checkpoint.is_some());
    let bytes = disk.contents(CHECKPOINT).expect("it was made");
    let pages = bytes.len() / BLOCK_BYTES;
    let page = |n: usize| bytes[n * BLOCK_BYTES..(n + 1) * BLOCK_BYTES].to_vec();
    each_seed(120, |seed| {
        let mut rng = Rng::new(seed);
        let hurt = disk.power_cut(1);
        let at = rng.index(pages);
        let offset = (at * BLOCK_BYTES) as u64;
        match seed % 4 {
            0 => hurt.zero(CHECKPOINT, offset..offset + BLOCK_BYTES as u64).expect("it is there"),
            1 => {
                let other = (at + 1 + rng.index(pages - 1)) % pages;
                hurt.overwrite(CHECKPOINT, offset, &page(other)).expect("it is there");
                hurt.overwrite(CHECKPOINT, (other * BLOCK_BYTES) as u64, &page(at)).expect("it is there");
            }
            // Of a page's head and first entry.
            2 => hurt.flip_bit(CHECKPOINT, offset + rng.below(68), 3).expect("it is there"),
            _ => hurt.put(CHECKPOINT, &bytes[..at * BLOCK_BYTES]).expect("there is room"),
        }
        let found = recover_and_check(seed, &hurt, &Ledger::fork(&ledger))
            .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert!(found.opened.recovered.checkpoint.is_none(), "seed {seed}: a damaged checkpoint was used");
        assert_eq!(found.view.hash, good.view.hash, "seed {seed}");
    });
}

#[test]
fn what_was_found_damaged_is_remembered_over_a_stop() {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    let digest = Digest::of(&content(3));
    let damaged = |machine: &Machine| machine.store.index.content(&digest).expect("it is stored").damaged;
    Sim::new(6, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            store(&machine, 0..10).await;
            machine.stop().await;
        })
        .done();
    Sim::new(7, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("it opens");
            assert!(!damaged(&machine));
            let lsn = machine.store.index.content(&digest).expect("it is stored").lsn;
            machine.store.index.mark_damaged(&digest, lsn);
            machine.stop().await;
        })
        .done();
    Sim::new(8, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("it opens");
            assert!(damaged(&machine), "it was forgotten");
            store(&machine, 3..4).await;
            assert!(!damaged(&machine), "the upload has healed it");
            machine.stop().await;
        })
        .done();
    let healed = recover(9, &disk).expect("it opens");
    assert_eq!(healed.view.problems, Vec::<String>::new());
}
