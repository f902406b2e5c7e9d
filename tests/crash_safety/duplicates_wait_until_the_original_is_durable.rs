//! The same bytes sent twice are stored once, and neither is answered before they are durable. Whoever claims them
//! and dies leaves nobody waiting.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rhinobox::base::digest::Digest;
use rhinobox::ingest::FileError;
use rhinobox::ingest::upload::Outcome;
use rhinobox::runtime::clock;
use rhinobox::runtime::sim::{Failure, Fault, Op, Rng, Sim, SimDisk};
use rhinobox::store::index::Claim;

use crate::sim_store::{
    INLINE_BYTES_MAX, Ledger, Request, Shared, ToSend, Uploading, each_seed, look, recover_and_check, start,
};

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Rng::new(seed).fill(&mut bytes);
    bytes
}

/// The same bytes on two cores at once, three times over; cut at an event if there is one.
fn twice(seed: u64, disk: &SimDisk, ledger: &Shared, len: usize, stop_at: u64) -> u64 {
    let mut sim = Sim::new(seed, 2).stalls(50, 5_000_000).stop_at_event(stop_at);
    sim.run(|| async {
        let (machine, _) = start(disk, 2, ledger).await.expect("a fresh store opens");
        for round in 0..3 {
            let send = |core: usize| {
                let file = ToSend::new(&format!("core-{core}.bin"), bytes(round, len));
                machine.send(core, Request::of(vec![file]))
            };
            let both = [send(0), send(1)];
            let mut duplicates = 0;
            for outcomes in both {
                let outcome = outcomes.await.expect("a core answers").remove(0);
                duplicates += u32::from(outcome.expect("nothing fails").duplicate);
            }
            assert_eq!(duplicates, 1, "one stored it, the other had it stored");
        }
    });
    sim.report().events
}

#[test]
fn a_duplicate_is_answered_only_when_the_original_survives_a_cut() {
    each_seed(30, |seed| {
        let len = if seed % 3 == 0 { INLINE_BYTES_MAX + 100 } else { 700 };
        let events = twice(seed, &SimDisk::new(), &Ledger::shared(), len, u64::MAX);
        let mut rng = Rng::new(seed);
        for _ in 0..12 {
            let (disk, ledger) = (SimDisk::new(), Ledger::shared());
            // The store takes most of the events to open.
            twice(seed, &disk, &ledger, len, events - rng.below(events / 8));
            for draw in 0..4 {
                let after = disk.power_cut(rng.next_u64());
                recover_and_check(seed, &after, &Ledger::fork(&ledger))
                    .unwrap_or_else(|why| panic!("seed {seed}, draw {draw}: {why}"));
            }
        }
    });
}

#[test]
fn a_duplicate_waits_for_the_claim_before_it_and_stores_the_bytes_itself_if_that_fails() {
    for len in [700, INLINE_BYTES_MAX + 100] {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        Sim::new(7, 2)
            .run(|| async {
                let (machine, _) = start(&disk, 2, &ledger).await.expect("a fresh store opens");
                let digest = Digest::of(&bytes(1, len));
                let Claim::Fresh(guard) = machine.store.index.claim(digest) else { panic!("it is new") };
                let files = || vec![ToSend::new("a.bin", bytes(1, len))];
                let waiting: Vec<_> = (0..4).map(|n| machine.send(n % 2, Request::of(files()))).collect();
                clock::sleep(Duration::from_secs(5)).await;
                assert_eq!(ledger.lock().unwrap().answered.len(), 0, "the claim is still held");
                drop(guard);
                let mut fresh = 0;
                for outcomes in waiting {
                    let named = outcomes.await.expect("a core answers").remove(0).expect("it is stored");
                    fresh += u32::from(!named.duplicate);
                }
                assert_eq!(fresh, 1, "the first in line stored it, the others had it stored");
            })
            .done();
        recover_and_check(8, &disk.power_cut(8), &ledger).expect("it is there");
    }
}

/// A future that is dropped before its n-th poll.
struct Dropped {
    inner: Option<Uploading>,
    polls_left: u64,
}

impl Future for Dropped {
    type Output = Option<Vec<Outcome>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            self.inner = None;
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        match &mut self.inner {
            Some(inner) => inner.as_mut().poll(cx).map(Some),
            None => Poll::Ready(None),
        }
    }
}

#[test]
fn a_claimant_whose_upload_is_dropped_leaves_nobody_waiting() {
    let mut dropped = 0;
    for seed in 0..60 {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        Sim::new(seed, 2)
            .run(|| async {
                let (machine, _) = start(&disk, 2, &ledger).await.expect("a fresh store opens");
                let files = || Request::of((0..5).map(|n| ToSend::new("a.bin", bytes(n, 300))).collect());
                // Nothing of an upload of small files is the kernel's: it may be dropped wherever it waits.
                let polls_left = seed % 6;
                let abandoned = machine.abandon(0, files(), move |upload| {
                    Box::pin(async move { Dropped { inner: Some(upload), polls_left }.await.is_none() })
                });
                let whole = machine.send(1, files());
                for outcome in whole.await.expect("nobody hangs") {
                    assert!(outcome.is_ok(), "{outcome:?}");
                }
                dropped += u32::from(abandoned.await.expect("a core answers"));
            })
            .done();
        recover_and_check(seed, &disk.power_cut(seed), &ledger).expect("the whole upload is there");
    }
    assert!(dropped > 10, "only {dropped} uploads were dropped before their end");
}

#[test]
fn a_claimant_that_finds_no_space_hands_the_claim_on() {
    for seed in 0..20 {
        let (disk, ledger) = (SimDisk::new(), Ledger::shared());
        Sim::new(seed, 2)
            .run(|| async {
                let (machine, _) = start(&disk, 2, &ledger).await.expect("a fresh store opens");
                clock::sleep(Duration::from_secs(1)).await;
                disk.set_faults(Fault::nth(1, Failure::Enospc).on(Op::Write).below("segments"));
                let send =
                    |core| machine.send(core, Request::of(vec![ToSend::new("a.bin", bytes(seed, 300))]));
                let mut stored = 0;
                for outcomes in [send(0), send(1)] {
                    match outcomes.await.expect("nobody hangs").remove(0) {
                        Ok(_) => stored += 1,
                        Err(error) => assert_eq!(error, FileError::NoSpace),
                    }
                }
                assert!(stored >= 1, "one of the two met the full disk, the other did not");
            })
            .done();
        recover_and_check(seed, &disk.power_cut(seed), &ledger).expect("what was answered is there");
    }
}

#[test]
fn one_content_many_times_in_a_request_is_stored_once_and_named_each_time() {
    for (seed, cores) in [(0, 1), (1, 2), (2, 3), (3, 3)] {
        for streamed in [false, true] {
            let (disk, ledger) = (SimDisk::new(), Ledger::shared());
            Sim::new(seed, cores)
                .run(|| async {
                    let (machine, _) = start(&disk, cores, &ledger).await.expect("a fresh store opens");
                    // Three contents, one of them a blob, over several slices and within each.
                    let files = (0..300_usize).map(|n| {
                        let which = if n % 100 == 50 { 2 } else { n % 2 };
                        let len = [0, 400, INLINE_BYTES_MAX + 5][which];
                        ToSend::new(&format!("{n}.bin"), bytes(which as u64, len))
                    });
                    let request = Request { streamed, ..Request::of(files.collect()) };
                    let outcomes = machine.upload(0, request).await;
                    let fresh = outcomes.iter().filter(|o| !o.as_ref().expect("stored").duplicate).count();
                    assert_eq!((outcomes.len(), fresh), (300, 3));
                    assert_eq!(machine.store.index.usage().contents, 3);
                    assert_eq!(look(&machine.store, &machine.pool).await.files.len(), 300);
                })
                .done();
            let found = recover_and_check(seed, &disk.power_cut(seed), &ledger).expect("all are there");
            assert_eq!(found.view.files.len(), 300);
        }
    }
}
