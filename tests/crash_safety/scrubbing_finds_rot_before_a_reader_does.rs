//! A cycle of scrubbing reads every byte: what rotted is marked, named nowhere as good, and healed by its next upload;
//! how far it came outlives a restart.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rhinobox::base::digest::Digest;
use rhinobox::runtime::clock;
use rhinobox::runtime::sim::{Rng, Sim, SimDisk};
use rhinobox::store::index::{Content, Location};
use rhinobox::store::{Lane, LaneStart, ScrubPace, Scrubber};

use crate::sim_store::{INLINE_BYTES_MAX, Ledger, Machine, Request, ToSend, each_seed, recover, start};

const FILES: u64 = 60;

fn bytes(n: u64) -> Vec<u8> {
    let len = if n.is_multiple_of(6) {
        3 * INLINE_BYTES_MAX
    } else {
        2_000 + 40 * usize::try_from(n).expect("small")
    };
    let mut bytes = vec![0; len];
    Rng::new(n + 1).fill(&mut bytes);
    bytes
}

fn digest(n: u64) -> Digest {
    Digest::of(&bytes(n))
}

fn content(machine: &Machine, n: u64) -> Content {
    machine.store.index.content(&digest(n)).expect("it was stored")
}

async fn store(machine: &Machine, n: u64) -> bool {
    let file = ToSend::new(&format!("{n}.bin"), bytes(n));
    machine.upload(0, Request::of(vec![file])).await.remove(0).expect("nothing is full").duplicate
}

/// Runs scrubbing for so long, on a lane that writes nothing.
async fn scrub(machine: &Machine, pace: ScrubPace, time: Duration) {
    let start = LaneStart { id: rhinobox::base::ids::LaneId(77), predecessor: None };
    let lane = Lane::start(&machine.store, &machine.pool, start);
    let scrubber = Scrubber::start(&machine.store, &machine.pool, &lane, pace);
    clock::sleep(time).await;
    scrubber.stop().await;
    lane.stop().await;
}

const FAST: ScrubPace = ScrubPace { cycle: Duration::from_secs(3_600), bytes_per_s: 50_000_000 };

/// Flips a bit in the middle of a stored content.
async fn rot(disk: &SimDisk, machine: &Machine, n: u64, bit: u8) {
    match content(machine, n).location {
        Location::Inline { segment, offset, len, .. } => {
            disk.flip_bit(&format!("segments/{segment}.seg"), u64::from(offset + len / 2), bit)
                .expect("it is there");
        }
        Location::Large { record, entry_len, .. } => {
            let large = machine.store.read_large(&machine.pool, record, entry_len).await.expect("it reads");
            let path = format!("blobs/{:02x}/{}", large.blob.0 & 0xff, large.blob);
            disk.flip_bit(&path, large.len / 2, bit).expect("it is there");
        }
    }
}

#[test]
fn rot_is_marked_and_healed_by_the_next_upload() {
    each_seed(20, |seed| {
        let disk = SimDisk::new();
        let mut rng = Rng::new(seed);
        let bad: Vec<u64> = (0..FILES).filter(|_| rng.one_in(5)).collect();
        Sim::new(seed, 1)
            .run(|| async {
                let (machine, _) = start(&disk, 1, &Ledger::shared()).await.expect("a fresh store opens");
                for n in 0..FILES {
                    assert!(!store(&machine, n).await);
                }
                machine.stop().await;
            })
            .done();
        Sim::new(seed, 1)
            .run(|| async {
                let (machine, _) = start(&disk, 1, &Ledger::shared()).await.expect("it opens");
                for n in &bad {
                    rot(&disk, &machine, *n, u8::try_from(n % 8).expect("below 8")).await;
                }
                assert!((0..FILES).all(|n| !content(&machine, n).damaged), "nobody has looked");
                scrub(&machine, FAST, Duration::from_secs(5)).await;
                let stats = &machine.store.scrub;
                assert_eq!(stats.cycles.load(Ordering::Relaxed), 1);
                assert_eq!(stats.damage.load(Ordering::Relaxed), bad.len() as u64);
                for n in 0..FILES {
                    assert_eq!(content(&machine, n).damaged, bad.contains(&n), "file {n}");
                }
                for n in &bad {
                    assert!(!store(&machine, *n).await, "what is damaged is no duplicate");
                    assert!(!content(&machine, *n).damaged);
                }
                machine.stop().await;
            })
            .done();
        let healed = recover(seed, &disk).expect("it opens");
        assert_eq!((healed.view.problems.len(), healed.view.files.len() as u64), (0, FILES), "seed {seed}");
    });
}

#[test]
fn a_cycle_goes_on_where_a_restart_cut_it_and_the_next_waits_until_it_is_due() {
    let disk = SimDisk::new();
    let slow = ScrubPace { cycle: Duration::from_secs(3_600), bytes_per_s: 40_000 };
    let run = |pace, time, expect_cycles| {
        Sim::new(9, 1)
            .run(|| async {
                let (machine, _) = start(&disk, 1, &Ledger::shared()).await.expect("it opens");
                if machine.store.index.usage().contents == 0 {
                    for n in 0..FILES {
                        store(&machine, n).await;
                    }
                    machine.stop().await;
                    return 0;
                }
                scrub(&machine, pace, time).await;
                machine.stop().await;
                let stats = &machine.store.scrub;
                assert_eq!(stats.cycles.load(Ordering::Relaxed), expect_cycles);
                assert!(stats.oldest_unverified_seconds() <= 3_700);
                stats.bytes.load(Ordering::Relaxed)
            })
            .done()
    };
    run(FAST, Duration::ZERO, 0);
    let whole = run(FAST, Duration::from_secs(5), 1);
    assert!(whole > 0);
    assert_eq!(run(FAST, Duration::from_secs(5), 0), 0, "not due");
    // A note that cannot be read begins a cycle anew.
    disk.flip_bit("state/scrub", 3, 1).expect("it is there");
    let begun = run(slow, Duration::from_secs(6), 0);
    assert!(begun > 0 && begun < whole, "{begun} of {whole}");
    let rest = run(FAST, Duration::from_secs(5), 1);
    assert!(rest < whole, "it did not begin anew: {rest} of {whole}");
    assert!(run(FAST, Duration::from_secs(3_610), 1) > 0, "it is due again");
}
