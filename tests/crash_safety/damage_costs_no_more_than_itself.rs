//! Damage in the middle is not a torn tail: whatever bit or block of a batch is bad, the other batches are served,
//! the start says what is damaged, nothing is cut off or removed, and sending a damaged file again heals it.

use rhinobox::base::digest::Digest;
use rhinobox::ingest::upload::Outcome;
use rhinobox::limits::BLOCK_BYTES;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::disk::{Disk, Open};
use rhinobox::runtime::sim::{Rng, Sim, SimDisk};
use rhinobox::store::format::batch::{BATCH_HEADER_BYTES, Slot};
use rhinobox::store::format::{HEADER_COPY_OFFSET, SEAL_OFFSET};
use rhinobox::store::scan::{self, SegmentHead};
use rhinobox::store::{ReadError, Store, segment};

use crate::sim_store::{
    CHECKPOINT, INLINE_BYTES_MAX, Ledger, Request, Shared, ToSend, each_seed, lock, look, read, recover,
    start,
};

const FILES: usize = 6;

fn content(n: usize) -> Vec<u8> {
    let mut bytes = vec![0; if n == 3 { INLINE_BYTES_MAX + 3_000 } else { 1_500 + 800 * n }];
    Rng::new(n as u64).fill(&mut bytes);
    bytes
}

fn name(n: usize) -> String {
    format!("{n}.bin")
}

/// One of the batches of a file: where it is, where its slots, entries and payload are.
#[derive(Clone, Debug)]
struct Batch {
    start: u64,
    end: u64,
    entries: Vec<Slot>,
    table_bytes: u64,
    has_payload: bool,
    /// The file it belongs to.
    file: usize,
}

/// A store whose files were sent one after the other, by one core; sealed by a clean stop, or left open.
#[derive(Clone)]
struct Victim {
    disk: SimDisk,
    ledger: Shared,
    path: String,
    batches: Vec<Batch>,
}

fn victim(sealed: bool) -> Victim {
    victim_of(11, sealed)
}

fn victim_of(seed: u64, sealed: bool) -> Victim {
    let (disk, ledger) = (SimDisk::new(), Ledger::shared());
    let batches = Sim::new(seed, 1)
        .run(|| async {
            let (machine, _) = start(&disk, 1, &ledger).await.expect("a fresh store opens");
            for n in 0..FILES {
                let outcome = machine.upload(0, Request::of(vec![ToSend::new(&name(n), content(n))])).await;
                assert!(outcome[0].is_ok(), "{outcome:?}");
            }
            if sealed {
                machine.stop().await;
            }
            find_batches(&disk, &machine.store).await
        })
        .done();
    let path = segment::path(rhinobox::base::ids::SegmentId(1));
    let disk = disk.power_cut(1);
    // The log is read, not what a checkpoint knows of it.
    let _there_is_none_unless_it_was_sealed = disk.overwrite(CHECKPOINT, 0, &[0; 64]);
    Victim { disk, ledger, path, batches }
}

async fn find_batches(disk: &SimDisk, store: &Store) -> Vec<Batch> {
    let pool = Pool::new(1 << 20);
    let id = rhinobox::base::ids::SegmentId(1);
    let file = Disk::sim(disk.clone()).open(&segment::path(id), Open::default()).await.expect("it is there");
    let head = scan::read_head(&file, &pool, store.id, id).await.expect("it can be read");
    let SegmentHead::Open { header, .. } = head else { panic!("a segment in use") };
    let scanned = scan::scan(&file, &pool, &header, None).await.expect("it can be read");
    let mut file = 0;
    let found = scanned.batches.iter().map(|batch| {
        let slots = (0..batch.header.records).map(|n| Slot::decode(&batch.table, n).expect("it is whole"));
        let found = Batch {
            start: batch.header.offset,
            end: batch.header.end(),
            entries: slots.collect(),
            table_bytes: u64::from(batch.header.table_bytes),
            // The name of the blob comes in a batch of its own; its put has none either.
            has_payload: batch.header.records == 2,
            file,
        };
        // File 3 is a blob: its put and its name are in two batches.
        file += usize::from(!(file == 3 && found.entries[0].len < 150));
        found
    });
    found.collect()
}

/// What befalls a batch.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Blow {
    Header,
    Slot,
    Put,
    Name,
    Payload,
    FirstBlock,
}

impl Victim {
    fn strike(&self, batch: &Batch, blow: Blow, bit: u64) -> SimDisk {
        let disk = self.disk.power_cut(0);
        let slot = |n: usize| (u64::from(batch.entries[n].offset), u64::from(batch.entries[n].len));
        let (first, len) = match blow {
            Blow::Header => (0, BATCH_HEADER_BYTES as u64),
            Blow::Slot => (BATCH_HEADER_BYTES as u64, 8),
            Blow::Put => slot(0),
            Blow::Name => slot(batch.entries.len() - 1),
            Blow::Payload => (batch.table_bytes, 1_400),
            Blow::FirstBlock => {
                disk.zero(&self.path, batch.start..batch.start + BLOCK_BYTES as u64).expect("it is there");
                return disk;
            }
        };
        let bit = bit % (8 * len);
        let at = batch.start + first + bit / 8;
        disk.flip_bit(&self.path, at, u8::try_from(bit % 8).expect("below 8")).expect("it is there");
        disk
    }
}

fn len_of(disk: &SimDisk, path: &str) -> u64 {
    disk.files().into_iter().find(|(found, _)| found == path).map_or(0, |(_, len)| len)
}

/// The files a store serves whole, as the client finds them by content.
fn served(seed: u64, disk: &SimDisk) -> (Vec<usize>, usize) {
    let recovery = recover(seed, disk).expect("damage does not keep a store from opening");
    let whole = |n: &usize| {
        let bytes = content(*n);
        let digest = Digest::of(&bytes);
        let file = recovery.view.files.values().find(|file| file.digest == digest);
        file.is_some_and(|file| file.len == bytes.len() && file.name == name(*n))
            && !recovery.view.problems.iter().any(|problem| problem.contains(&digest.to_string()))
    };
    ((0..FILES).filter(whole).collect(), recovery.opened.recovered.damage.len())
}

#[test]
fn damage_of_any_batch_leaves_all_others_served_and_nothing_is_cut() {
    let blows = [Blow::Header, Blow::Slot, Blow::Put, Blow::Name, Blow::Payload, Blow::FirstBlock];
    for sealed in [true, false] {
        let victim = victim(sealed);
        let batches = victim.batches.len();
        assert_eq!(batches, FILES + 1);
        each_seed(4 * (batches * blows.len()) as u64, |seed| {
            let n = usize::try_from(seed).expect("a small number");
            let (which, blow) = (n % batches, blows[n / batches % blows.len()]);
            let batch = &victim.batches[which];
            // Nothing says of the last batch of an open segment that it was ever flushed.
            if !sealed && which == batches - 1 || blow == Blow::Payload && !batch.has_payload {
                return;
            }
            let disk = victim.strike(batch, blow, Rng::new(seed).next_u64());
            let blobs = disk.files().iter().filter(|(path, _)| path.starts_with("blobs/")).count();
            let what = format!("sealed: {sealed}, batch {which} of {batches}, {blow:?}, seed {seed}");
            for again in 0..2 {
                let (served, damage) = served(seed, &disk);
                for file in (0..FILES).filter(|file| *file != batch.file) {
                    assert!(served.contains(&file), "{what}, start {again}: file {file} is not served");
                }
                // A slot says where an entry is, and how long, which the entry says too: it may be found all the same.
                let unharmed = blow == Blow::Slot && served.contains(&batch.file);
                assert!(unharmed || !served.contains(&batch.file), "{what}: the damaged file is served");
                assert!(unharmed || (damage > 0) == (blow != Blow::Payload), "{what}: {damage} damages told");
                assert!(len_of(&disk, &victim.path) >= victim.batches[batches - 1].end, "{what}: it was cut");
                let left = disk.files().iter().filter(|(path, _)| path.starts_with("blobs/")).count();
                assert_eq!(left, blobs, "{what}: a blob was removed");
            }
            heal(seed, &disk, batch.file, &what);
        });
    }
}

#[test]
fn a_record_where_another_belongs_is_damage_and_taken_for_neither() {
    for sealed in [true, false] {
        let victim = victim(sealed);
        let bytes = victim.disk.contents(&victim.path).expect("its segment");
        // File 3 is a blob and has batches of another form; the last may be a tail.
        for (from, to) in [(0, 1), (1, 0), (1, 2), (4, 2), (2, 4)] {
            let batch_of =
                |file: usize| victim.batches.iter().find(|batch| batch.file == file).expect("it has one");
            for record in 0..2 {
                // Misdirected: a whole record of the same life of the same segment, as long as the one it replaces.
                let (from_batch, to_batch) = (batch_of(from), batch_of(to));
                let (source, target) = (from_batch.entries[record], to_batch.entries[record]);
                assert_eq!((source.offset, source.len), (target.offset, target.len));
                let start =
                    usize::try_from(from_batch.start).expect("a small number") + source.offset as usize;
                let disk = victim.disk.power_cut(0);
                let at = to_batch.start + u64::from(target.offset);
                disk.overwrite(&victim.path, at, &bytes[start..start + source.len as usize])
                    .expect("it is there");
                let (served, damage) = served(1, &disk);
                let others: Vec<usize> = (0..FILES).filter(|file| *file != to).collect();
                let what =
                    format!("sealed: {sealed}, record {record} of file {from} where file {to}'s belongs");
                assert_eq!((served, damage > 0), (others, true), "{what}");
            }
        }
    }
}

/// Sends the damaged file again.
fn heal(seed: u64, disk: &SimDisk, file: usize, what: &str) {
    let ledger = Ledger::shared();
    let digest = Digest::of(&content(file));
    Sim::new(seed, 1)
        .run(|| async {
            let (machine, _) = start(disk, 1, &ledger).await.expect("it opened before");
            let index = &machine.store.index;
            if let Some(stored) = index.content(&digest)
                && !stored.damaged
                && let Err(error) = read(&machine.store, &machine.pool, stored.location).await
            {
                assert!(matches!(error, ReadError::Damaged(_)), "{what}: {error}");
                index.mark_damaged(&digest, stored.lsn);
            }
            let outcome: Vec<Outcome> =
                machine.upload(0, Request::of(vec![ToSend::new(&name(file), content(file))])).await;
            outcome.into_iter().for_each(|outcome| assert!(outcome.is_ok(), "{what}: {outcome:?}"));
            let view = look(&machine.store, &machine.pool).await;
            assert!(view.files.values().any(|file| file.digest == digest), "{what}: {:?}", view.problems);
            assert!(!view.problems.iter().any(|problem| problem.contains(&digest.to_string())), "{what}");
        })
        .done();
    assert_eq!(lock(&ledger).answered.len(), 1);
    let (served, _) = served(seed, &disk.power_cut(seed));
    assert_eq!(served, (0..FILES).collect::<Vec<_>>(), "{what}: not healed after a restart");
}

#[test]
fn what_recovery_has_served_is_known_to_have_been_durable() {
    // Of different seeds, so that batches are made durable either way.
    for seed in 11..17 {
        let victim = victim_of(seed, false);
        let last = victim.batches.last().expect("there are some");
        recover(1, &victim.disk).expect("it opens");
        for cut in 0..12 {
            let after = Victim { disk: victim.disk.power_cut(cut), ..victim.clone() };
            let (served, damage) = served(2, &after.strike(last, Blow::Header, cut));
            let told = (served.len(), damage);
            assert_eq!(told, (FILES - 1, 1), "seed {seed}, cut {cut}: the last batch was taken for a tail");
        }
    }
}

#[test]
fn a_copy_of_the_header_or_a_seal_may_be_lost_without_loss() {
    let victim = victim(true);
    for (block, told) in [(0, 1), (HEADER_COPY_OFFSET, 1), (SEAL_OFFSET, 1)] {
        let disk = victim.disk.power_cut(0);
        disk.flip_bit(&victim.path, block + 20, 3).expect("it is there");
        let (served, damage) = served(1, &disk);
        assert_eq!((served.len(), damage), (FILES, told), "block at {block}");
        let paths = lock(&victim.ledger).answered.len();
        assert_eq!(paths, FILES);
    }
}

#[test]
fn a_damaged_chunk_of_a_blob_is_refused_and_the_file_heals() {
    let victim = victim(true);
    let disk = victim.disk.power_cut(0);
    let (path, len) =
        disk.files().into_iter().find(|(path, _)| path.starts_with("blobs/")).expect("file 3 is a blob");
    for bit in [0, 8 * len - 1, 4 * len] {
        let disk = disk.power_cut(0);
        disk.flip_bit(&path, bit / 8, u8::try_from(bit % 8).expect("below 8")).expect("it is there");
        let (served, damage) = served(1, &disk);
        assert_eq!((served, damage), (vec![0, 1, 2, 4, 5], 0));
        heal(bit, &disk, 3, "a damaged blob");
    }
}
