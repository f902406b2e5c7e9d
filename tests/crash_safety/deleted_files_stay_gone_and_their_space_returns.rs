//! Uploads, deletes by hash and by path and compaction, all at once, cut at any moment: what was answered last of a
//! file holds, what was not is as before or as asked, and the space of what is gone returns.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rhinobox::base::digest::Digest;
use rhinobox::base::ids::LaneId;
use rhinobox::ingest::FileError;
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::{Mode, Terms, Upload};
use rhinobox::runtime::clock;
use rhinobox::runtime::core::spawn;
use rhinobox::runtime::sim::{Latency, Outcome, Rng, Sim, SimDisk};
use rhinobox::store::index::Location;
use rhinobox::store::{Lane, LaneStart, Room};

use crate::sim_store::{
    INLINE_BYTES_MAX, Ledger, Machine, Request, SEGMENT_BYTES, ToSend, View, choices, each_seed,
    recover_both_ways, start, start_with,
};

/// Contents, each of which has a client of its own; each content has this many names.
const CONTENTS: usize = 6;
const NAMES: usize = 2;
/// One life in so many is a long one.
const LONG_ONE_IN: u64 = 5;

/// What is known of a file.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Known {
    Present,
    Absent,
    /// A request about it has no answer: either is right.
    Either,
}

/// Content and name, to what is known. A client's own; it outlives the machine.
type Model = Arc<Mutex<BTreeMap<(usize, usize), Known>>>;

fn note(model: &Model, key: (usize, usize), known: Known) {
    model.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known);
}

/// Small ones, some that fill much of a segment together, one in a blob. The same in every run.
fn content(which: usize) -> Vec<u8> {
    let len = [300, 2_000, 5_500, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 3_000, 40][which];
    let mut bytes = vec![0; len];
    Rng::new(which as u64 + 77).fill(&mut bytes);
    bytes
}

fn path(which: usize, name: usize) -> String {
    let digest = Digest::of(&content(which)).hex();
    format!("storage/other/unknown/{}_name-{name}.bin", &digest.as_str()[..12])
}

/// One content's client: stores it under its names, deletes it by hash and by path, one request after the other.
async fn client(machine: Machine, model: Model, which: usize, turns: usize, mut rng: Rng, cores: usize) {
    for _ in 0..turns {
        let name = rng.index(NAMES);
        let core = rng.index(cores);
        match rng.below(5) {
            0..=2 => {
                note(&model, (which, name), Known::Either);
                let file = ToSend::new(&format!("name-{name}.bin"), content(which));
                let request =
                    Request { seed: rng.next_u64(), streamed: rng.one_in(2), ..Request::of(vec![file]) };
                let outcome = machine.upload(core, request).await.remove(0);
                assert_eq!(*outcome.expect("nothing is full").path, *path(which, name));
                note(&model, (which, name), Known::Present);
            }
            3 => {
                (0..NAMES).for_each(|name| note_if_present(&model, (which, name)));
                machine.delete(core, Digest::of(&content(which))).await.expect("nothing is full");
                (0..NAMES).for_each(|name| note(&model, (which, name), Known::Absent));
            }
            _ => {
                note_if_present(&model, (which, name));
                machine.delete_name(core, &path(which, name)).await.expect("nothing is full");
                note(&model, (which, name), Known::Absent);
            }
        }
        if rng.one_in(4) {
            clock::sleep(Duration::from_millis(rng.below(800))).await;
        }
    }
}

fn note_if_present(model: &Model, key: (usize, usize)) {
    let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
    let known = model.entry(key).or_insert(Known::Absent);
    if *known == Known::Present {
        *known = Known::Either;
    }
}

/// What each client does while others fill and empty segments around it.
async fn use_it(machine: &Machine, model: &Model, seed: u64, cores: usize) {
    let left = Rc::new(Cell::new(CONTENTS));
    // Some go on until records of deletes pile up and are forgotten.
    let turns = if seed.is_multiple_of(LONG_ONE_IN) { 150 } else { 14 };
    for which in 0..CONTENTS {
        let (machine, model, left) = (machine.clone(), model.clone(), left.clone());
        let rng = Rng::new(seed * 100 + which as u64);
        spawn(async move {
            client(machine, model, which, turns, rng, cores).await;
            left.set(left.get() - 1);
        });
    }
    while left.get() > 0 {
        clock::sleep(Duration::from_millis(50)).await;
    }
    clock::sleep(Duration::from_secs(3)).await;
}

/// Gives the number of events, and of deletes forgotten.
fn run(seed: u64, disk: &SimDisk, model: &Model, stop_at: Option<u64>) -> (u64, u64) {
    let cores = 1 + usize::try_from(seed % 3).expect("one of three");
    let mut sim = Sim::new(seed, cores);
    if let Some(event) = stop_at {
        sim = sim.stop_at_event(event);
    }
    let end = sim.run(|| async {
        let (machine, opened) =
            start(disk, cores, &Ledger::shared()).await.expect("a store after a cut opens");
        assert!(opened.recovered.damage.is_empty(), "{:?}", opened.recovered.damage);
        use_it(&machine, model, seed, cores).await;
        machine.store.compaction.forgotten_deletes.load(Ordering::Relaxed)
    });
    let forgotten = match end {
        Outcome::Done(forgotten) => forgotten,
        Outcome::Cut => 0,
        _ => panic!("{end:?}"),
    };
    (sim.report().events, forgotten)
}

fn check(view: &View, model: &Model) -> Result<(), String> {
    if let Some(problem) = view.problems.first() {
        return Err(problem.clone());
    }
    let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, known) in model.iter_mut() {
        let served = view.files.get(&path(key.0, key.1));
        let right = match known {
            Known::Present => served.is_some(),
            Known::Absent => served.is_none(),
            Known::Either => true,
        };
        if !right {
            return Err(format!(
                "content {} under name {} was left {known:?} and is {served:?}",
                key.0, key.1
            ));
        }
        *known = if served.is_some() { Known::Present } else { Known::Absent };
    }
    Ok(())
}

#[test]
fn deletes_and_compaction_lose_nothing_and_bring_nothing_back() {
    let (states, retired) = (AtomicU64::new(0), AtomicU64::new(0));
    let (forgotten, seeds) = (AtomicU64::new(0), AtomicU64::new(0));
    each_seed(60, |seed| {
        seeds.fetch_add(1, Ordering::Relaxed);
        let (events, forgot) = run(seed, &SimDisk::new(), &Model::default(), None);
        forgotten.fetch_add(forgot, Ordering::Relaxed);
        let mut rng = Rng::new(seed);
        for _ in 0..6 {
            let (mut disk, model) = (SimDisk::new(), Model::default());
            // Cut, recovered and gone on with, three times over.
            for life in 0..3 {
                run(seed + life * 1_000, &disk, &model, Some(1 + rng.below(events)));
                let after =
                    if rng.one_in(4) { disk.kill(rng.next_u64()) } else { disk.power_cut(rng.next_u64()) };
                let served =
                    recover_both_ways(seed, &after).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
                assert!(
                    served.opened.recovered.damage.is_empty(),
                    "seed {seed}: {:?}",
                    served.opened.recovered.damage
                );
                check(&served.view, &model).unwrap_or_else(|why| panic!("seed {seed}, life {life}: {why}"));
                // Recovered once more, it is the same store.
                let again =
                    recover_both_ways(seed, &after.power_cut(rng.next_u64())).expect("it opens again");
                assert_eq!(again.view.hash, served.view.hash, "seed {seed}, life {life}");
                states.fetch_add(2, Ordering::Relaxed);
                disk = after;
            }
            let names: Vec<String> = disk.files().into_iter().map(|(path, _)| path).collect();
            let first = names.iter().any(|name| name == "segments/00000001.seg");
            retired.fetch_add(u64::from(!first), Ordering::Relaxed);
        }
    });
    let (states, retired) = (states.into_inner(), retired.into_inner());
    let (forgotten, seeds) = (forgotten.into_inner(), seeds.into_inner());
    eprintln!("{states} states; the first segment was retired in {retired} of {} histories", 6 * seeds);
    eprintln!("{forgotten} deletes were forgotten in the {seeds} of them that were not cut");
    assert!(seeds < LONG_ONE_IN || forgotten > 0, "the long lives forget some");
    assert!(retired > 20, "compaction was hardly ever part of it");
}

#[test]
fn the_space_of_what_is_deleted_returns() {
    let disk = SimDisk::new();
    let log_bytes = |disk: &SimDisk| -> u64 {
        disk.files().into_iter().filter(|(path, _)| path.ends_with(".seg")).map(|(_, len)| len).sum()
    };
    Sim::new(3, 2)
        .run(|| async {
            let (machine, _) = start(&disk, 2, &Ledger::shared()).await.expect("a fresh store opens");
            let mut kept = Vec::new();
            let mut stored_bytes = 0;
            for round in 0..12_u64 {
                let mut digests = Vec::new();
                for n in 0..40_u64 {
                    let mut bytes = vec![0; 4_000];
                    Rng::new(round * 1_000 + n).fill(&mut bytes);
                    digests.push(Digest::of(&bytes));
                    stored_bytes += bytes.len() as u64;
                    let request = Request::of(vec![ToSend::new(&format!("{round}-{n}.bin"), bytes)]);
                    assert!(machine.upload(usize::from(n % 2 == 1), request).await[0].is_ok());
                }
                for (n, digest) in digests.into_iter().enumerate() {
                    if n % 8 == 0 {
                        kept.push(digest);
                    } else {
                        assert!(machine.delete(n % 2, digest).await.expect("nothing is full"));
                        assert!(
                            !machine.delete(n % 2, digest).await.expect("nothing is full"),
                            "deleted twice"
                        );
                    }
                }
            }
            clock::sleep(Duration::from_secs(30)).await;
            machine.stop().await;
            assert!(machine.store.reused_segments() > 5, "files of retired segments are used again");
            let live = kept.len() as u64 * 4_400;
            let used = log_bytes(&disk);
            assert!(stored_bytes > 8 * SEGMENT_BYTES);
            // The last segment of each of the three lanes is left as it is.
            assert!(used < live * 13 / 10 + 3 * SEGMENT_BYTES, "{used} bytes of log for {live} that live");
            for digest in kept {
                assert!(machine.store.index.content(&digest).is_some());
            }
        })
        .done();
    let after = recover_both_ways(4, &disk.power_cut(1)).expect("it opens");
    assert_eq!((after.view.files.len(), after.view.problems.len()), (60, 0));
}

#[test]
fn deletes_are_forgotten_once_nothing_is_left_that_they_forbid() {
    let disk = SimDisk::new();
    let file = |n: u64| {
        let mut bytes = vec![0; 3_000];
        Rng::new(n).fill(&mut bytes);
        ToSend::new(&format!("{n}.bin"), bytes)
    };
    let (kept, gone) = (200_u64, 3_000);
    Sim::new(8, 2)
        .run(|| async {
            let (machine, _) = start(&disk, 2, &Ledger::shared()).await.expect("a fresh store opens");
            // Stays, on both cores: none of their segments would ever be worth compacting.
            for n in 0..kept {
                let core = usize::from(n % 2 == 1);
                assert!(machine.upload(core, Request::of(vec![file(n)])).await[0].is_ok());
            }
            // Comes and goes, on one core: the other writes nothing any more.
            for n in kept..kept + gone {
                let sent = file(n);
                let digest = Digest::of(&sent.content);
                assert!(machine.upload(0, Request::of(vec![sent])).await[0].is_ok());
                assert!(machine.delete(0, digest).await.expect("nothing is full"));
            }
            clock::sleep(Duration::from_secs(60)).await;
            let forgotten = machine.store.compaction.forgotten_deletes.load(Ordering::Relaxed);
            let left = machine.store.tombstone_bytes();
            assert!(forgotten > gone * 9 / 10, "{forgotten} of {gone} are forgotten, {left} bytes are left");
            assert!(left < 40_000, "{left} bytes are left; {forgotten} of {gone} are forgotten");
            machine.stop().await;
        })
        .done();
    let after = recover_both_ways(4, &disk.power_cut(1)).expect("it opens");
    assert_eq!((after.view.files.len() as u64, after.view.problems.len()), (kept, 0));
}

#[test]
fn on_a_full_disk_deletes_work_and_uploads_go_on_when_they_have_freed_space() {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    disk.set_capacity(3 << 20, 1_000);
    Sim::new(6, 2)
        .run(|| async {
            let (machine, _) = start(&disk, 2, &ledger).await.expect("a fresh store opens");
            let file = |n: u64| {
                let mut bytes = vec![0; if n.is_multiple_of(7) { 3 * INLINE_BYTES_MAX } else { 4_000 }];
                Rng::new(n).fill(&mut bytes);
                ToSend::new(&format!("{n}.bin"), bytes)
            };
            let mut stored = Vec::new();
            let mut refused = 0;
            for n in 0..900_u64 {
                let sent = file(n);
                let digest = Digest::of(&sent.content);
                // As the daemon does before it reads a body.
                machine.store.refresh_space().await;
                if machine.store.room_for(sent.content.len() as u64) != Room::Enough {
                    refused += 1;
                    continue;
                }
                match machine.upload(usize::from(n % 2 == 1), Request::of(vec![sent])).await.remove(0) {
                    Ok(_) => stored.push(digest),
                    Err(error) => {
                        assert_eq!(error, FileError::NoSpace);
                        refused += 1;
                    }
                }
            }
            assert!(refused > 100, "the disk was never full");
            for (turn, digest) in stored.iter().enumerate() {
                assert!(machine.delete(turn % 2, *digest).await.expect("a full disk takes deletes"));
            }
            clock::sleep(Duration::from_secs(5)).await;
            for n in 1_000..1_050 {
                let outcome =
                    machine.upload(usize::from(n % 2 == 1), Request::of(vec![file(n)])).await.remove(0);
                assert!(outcome.is_ok(), "{outcome:?}");
            }
        })
        .done();
    let after = recover_both_ways(7, &disk.power_cut(5)).expect("it opens");
    assert!(after.view.problems.is_empty() && after.opened.recovered.damage.is_empty());
    assert!(after.view.files.len() >= 50);
}

#[test]
fn what_an_upload_has_found_stays_until_it_is_named() {
    let disk = SimDisk::new();
    Sim::new(9, 1)
        .run(|| async {
            let (machine, opened) =
                start_with(choices(), &disk, 1, &Ledger::shared()).await.expect("a fresh store opens");
            // A lane beside those of the machine, for an upload that is in our hands.
            let beside = LaneStart { id: LaneId(9), predecessor: None };
            assert!(opened.recovered.lanes.is_empty(), "nobody has that one");
            let lane = Lane::start(&machine.store, &machine.pool, beside);
            let ingest = machine.ingest(0, lane.clone(), &machine.pool);
            for len in [1_000, INLINE_BYTES_MAX + 3_000] {
                let mut content = vec![0; len];
                Rng::new(len as u64).fill(&mut content);
                let digest = Digest::of(&content);
                let stored = Request::of(vec![ToSend::new("first.bin", content.clone())]);
                assert!(machine.upload(0, stored).await[0].is_ok());
                let mut upload = Upload::new(&ingest, Mode::AtEnd);
                let declared = Declared { name: "again.bin".into(), ..Declared::default() };
                upload.begin(declared, None).await.expect("there is room");
                upload.data(content.into()).await.expect("there is room");
                upload.end(None).await.expect("there is room");
                // It is found to be there already; then it loses its only name.
                upload.settle().await;
                assert!(machine.delete(0, digest).await.expect("nothing is full"));
                clock::sleep(Duration::from_secs(5)).await;
                let named = upload.finish(&Terms::default()).await.remove(0).expect("it is stored");
                assert!(named.duplicate);
                clock::sleep(Duration::from_secs(5)).await;
                let content = machine.store.index.content(&digest).expect("it has a name");
                assert!(!content.damaged && content.first_name.is_some(), "{len} bytes: {content:?}");
            }
            lane.stop().await;
            machine.stop().await;
        })
        .done();
    let after = recover_both_ways(4, &disk.power_cut(1)).expect("it opens");
    assert_eq!((after.view.files.len(), after.view.problems.len()), (2, 0));
}

#[test]
fn a_segment_that_turns_out_to_be_damaged_stays_and_leaves_no_copy_on_its_way() {
    let bytes = |n: u64| {
        let mut bytes = vec![0; 4_000];
        Rng::new(n + 1).fill(&mut bytes);
        bytes
    };
    let digest = |n: u64| Digest::of(&bytes(n));
    each_seed(10, |seed| {
        let disk = SimDisk::new();
        Sim::new(seed, 1)
            .run(|| async {
                let (machine, _) = start(&disk, 1, &Ledger::shared()).await.expect("a fresh store opens");
                // Together, so that what lives in a segment is more than one append of copies.
                for first in (0..150_u64).step_by(5) {
                    let files = (first..first + 5).map(|n| ToSend::new(&format!("{n}.bin"), bytes(n)));
                    let outcomes = machine.upload(0, Request::of(files.collect())).await;
                    assert!(outcomes.iter().all(Result::is_ok));
                }
                let location = |n| machine.store.index.content(&digest(n)).expect("it is there").location;
                let place = |n| match location(n) {
                    Location::Inline { segment, offset, .. } => (segment, offset),
                    Location::Large { .. } => panic!("it is small"),
                };
                // The last file of the first segment rots: what is in front of it is copied before that is found.
                let (segment, _) = place(0);
                let of_segment: Vec<u64> = (0..150).filter(|n| place(*n).0 == segment).collect();
                let bad = *of_segment.last().expect("some");
                let path = format!("segments/{segment}.seg");
                disk.flip_bit(&path, u64::from(place(bad).1) + 2_000, 3).expect("it is there");
                // The longer a write takes, the likelier it is still on its way when the damage is found.
                disk.set_latency(Latency { write_ns: (1_000_000, 30_000_000), ..Latency::default() });
                // Of that segment a third is deleted, of the others a quarter: it is the first to be compacted.
                let share = |n: &u64| if of_segment.contains(n) { 3 } else { 4 };
                let gone: Vec<u64> = (0..150).filter(|n| n % share(n) == 0 && *n != bad).collect();
                for n in &gone {
                    assert!(machine.delete(0, digest(*n)).await.expect("nothing is full"));
                }
                clock::sleep(Duration::from_secs(30)).await;
                assert!(disk.files().iter().any(|(file, _)| *file == path), "what holds damage stays");
                let left: Vec<u64> = (0..150).filter(|n| *n != bad && !gone.contains(n)).collect();
                let copied = of_segment.iter().filter(|n| left.contains(n) && place(**n).0 != segment);
                let copied = copied.count();
                assert!(copied > 3, "{copied} in front of the damage were copied");
                for n in left {
                    let read = machine.store.read_inline(&machine.pool, location(n)).await;
                    assert_eq!(read.expect("it reads")[..], bytes(n)[..]);
                }
                machine.stop().await;
            })
            .done();
        let after = recover_both_ways(seed, &disk.power_cut(seed)).expect("it opens");
        assert_eq!(after.view.problems.len(), 1, "the one that rotted");
    });
}
