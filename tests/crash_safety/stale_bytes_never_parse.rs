//! Whatever a segment's blocks held before, and whatever a client sends, it never passes for a batch.

use rhinobox::base::ids::SegmentId;
use rhinobox::limits::BLOCK_BYTES;
use rhinobox::runtime::sim::{Outcome, Rng, Sim, SimDisk};
use rhinobox::store::format::FIRST_BATCH_OFFSET;
use rhinobox::store::format::batch::Slot;
use rhinobox::store::index::Location;
use rhinobox::store::segment;

use crate::sim_store::{
    Ledger, Request, Shared, ToSend, Workload, each_seed, recover, recover_and_check, start,
};

#[test]
fn junk_in_new_room_is_never_taken_for_anything() {
    each_seed(25, |seed| {
        let workload = Workload::draw(seed);
        let run = |disk: &SimDisk, ledger: &Shared, stop_at: u64| {
            disk.fill_new_room_with_junk(seed);
            let mut sim = workload.sim(seed).stop_at_event(stop_at);
            let end = sim.run(|| async {
                let (machine, _) = start(disk, workload.cores, ledger).await.expect("a fresh store opens");
                workload.run(&machine).await;
            });
            assert!(matches!(end, Outcome::Cut | Outcome::Done(())));
            sim.report().events
        };
        let events = run(&SimDisk::new(), &Ledger::shared(), u64::MAX);
        let mut rng = Rng::new(seed);
        for _ in 0..6 {
            let (disk, ledger) = (SimDisk::new(), Ledger::shared());
            run(&disk, &ledger, events - rng.below(events / 3));
            for _ in 0..4 {
                let after = disk.power_cut(rng.next_u64());
                recover_and_check(seed, &after, &Ledger::fork(&ledger))
                    .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            }
        }
    });
}

/// A store whose first segment holds `batches` batches, of files that `life` names; left open.
fn life(life: u8, batches: usize) -> (SimDisk, Shared) {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    Sim::new(u64::from(life), 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            for n in 0..batches {
                // Several records a batch, so that some whole entries lie beyond its first sector.
                let files = (0..8).map(|k| ToSend::new("same.bin", format!("{life} {n:04} {k}")));
                let outcomes = machine.upload(0, Request::of(files.collect())).await;
                assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            }
        })
        .done();
    (disk.power_cut(1), ledger)
}

#[test]
fn batches_of_a_segments_earlier_life_do_not_parse_not_even_behind_a_torn_header_of_this_one() {
    let path = segment::path(SegmentId(1));
    let (past, _) = life(1, 6);
    let stale = past.contents(&path).expect("its first segment");
    for kept in 0..4_usize {
        let (now, ledger) = life(2, 3);
        let batch = 4_096_u64;
        let tail = FIRST_BATCH_OFFSET + 3 * batch;
        // Behind the end, or, in the last batch, behind its first sectors: what the blocks held before.
        let from = if kept == 0 { tail } else { tail - batch + 512 * kept as u64 };
        let from_index = usize::try_from(from).expect("a small number");
        now.overwrite(&path, from, &stale[from_index..]).expect("it is there");
        let recovery = recover(3, &now).expect("it opens");
        assert_eq!(recovery.view.problems, [] as [String; 0]);
        assert_eq!(recovery.opened.recovered.damage, []);
        let whole = if kept == 0 { 24 } else { 16 };
        assert_eq!(recovery.view.files.len(), whole, "{kept} sectors kept");
        let sent = ledger.lock().expect("no panic").answered.clone();
        for (path, file) in &recovery.view.files {
            assert_eq!(sent.get(path), Some(&file.digest), "{path} is of the earlier life");
        }
    }
}

#[test]
fn a_record_of_a_segments_earlier_life_does_not_parse_in_a_batch_of_this_one() {
    let path = segment::path(SegmentId(1));
    let (past, _) = life(1, 3);
    let stale = past.contents(&path).expect("its first segment");
    let last = usize::try_from(FIRST_BATCH_OFFSET).expect("a small number") + 2 * BLOCK_BYTES;
    // Eight puts, then eight names, each of the same length in both lives.
    for record in 8..16 {
        let (now, ledger) = life(2, 3);
        let slot = Slot::decode(&stale[last..last + BLOCK_BYTES], record).expect("it is whole");
        let (start, end) = (last + slot.offset as usize, last + (slot.offset + slot.len) as usize);
        now.overwrite(&path, start as u64, &stale[start..end]).expect("it is there");
        let recovery = recover(4, &now).expect("it opens");
        let sent = ledger.lock().expect("no panic").answered.clone();
        assert_eq!((recovery.view.files.len(), recovery.view.problems.len()), (16, 0), "record {record}");
        assert!(recovery.view.files.keys().all(|path| sent.contains_key(path)), "record {record}");
    }
}

#[test]
fn an_upload_that_is_an_image_of_batches_is_stored_as_any_other() {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    let path = segment::path(SegmentId(1));
    Sim::new(5, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            let send = |content: Vec<u8>| machine.upload(0, Request::of(vec![ToSend::new("a.bin", content)]));
            let first = send(b"the batch to imitate".to_vec()).await.remove(0).expect("stored");
            let image = disk.contents(&path).expect("its segment");
            let first_batch = usize::try_from(FIRST_BATCH_OFFSET).expect("a small number");
            let batch = &image[first_batch..first_batch + BLOCK_BYTES];
            // Where in its block a payload begins depends on the names alone; then the image falls on a block.
            let location = machine.store.index.content(&first.digest).expect("stored").location;
            let Location::Inline { offset, .. } = location else { panic!("it is small") };
            let lead = BLOCK_BYTES - usize::try_from(offset).expect("a small number") % BLOCK_BYTES;
            let mut inline = vec![0; lead];
            inline.extend_from_slice(&batch[..1024]);
            assert!(send(inline).await.remove(0).is_ok());
            // And as a blob, whole.
            assert!(send(image).await.remove(0).is_ok());
            assert!(send(b"the last".to_vec()).await.remove(0).is_ok());
        })
        .done();
    let whole = disk.power_cut(1);
    recover_and_check(6, &whole, &ledger).expect("all four are there");
    // With its header gone a batch is searched through block by block for the next: the image is met then.
    let second = FIRST_BATCH_OFFSET + BLOCK_BYTES as u64;
    whole.zero(&path, second..second + 128).expect("it is there");
    let recovery = recover(7, &whole).expect("it opens");
    assert_eq!(recovery.view.files.len(), 3, "{:?}", recovery.opened.recovered.damage);
    assert_eq!(recovery.view.problems, [] as [String; 0]);
    assert!(!recovery.opened.recovered.damage.is_empty());
}
