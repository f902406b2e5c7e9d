//! What a follower sees while others write, copy, and the disk fails.

use std::collections::HashSet;

use super::*;
use crate::runtime::clock;
use crate::runtime::disk::Disk;
use crate::runtime::sim::{Failure, Fault, FaultPlan, Op, Sim, SimDisk};
use crate::store::commit::{NewBody, NewRecord};
use crate::store::format::Attributes;
use crate::store::{Choices, Lane};

/// A store with this many names, each in a batch of its own, and none of them in memory.
async fn named(disk: &SimDisk, pool: &Pool, names: u64) -> (Arc<Store>, Rc<Lane>) {
    let (store, opened) = Store::open(Disk::sim(disk.clone()), pool, Choices::small()).await.unwrap();
    let lane = Lane::start(&store, pool, store.lane_starts(&opened.recovered, 1)[0]);
    let digest = Digest([3; 32]);
    for lsn in 1..=names {
        let lsn = Lsn(lsn);
        let path: Arc<str> = format!("storage/other/bin/{}", lsn.0).into();
        let key = PathKey::new(0, path.as_bytes());
        let body = NewBody::Name { digest, path, attributes: Attributes::default() };
        let placed = lane.append(vec![NewRecord { lsn, time: clock::wall(), body }]).await.unwrap();
        let segment = placed[0].record.segment;
        let location = Location::Inline { segment, offset: 0, len: 9, crc: 0 };
        store.index.replay_content(digest, Lsn(1), location);
        store.index.replay_name(key, lsn, placed[0].record, &digest, lsn.0, &mut HashSet::new());
        store.index.advance_past(lsn);
    }
    (store, lane)
}

#[test]
fn what_has_ended_stays_so_while_old_records_are_copied() {
    let work = async {
        let (disk, pool) = (SimDisk::new(), Pool::new(4 << 20));
        let (store, lane) = named(&disk, &pool, 3).await;
        let tail = Tail::new(&store, &pool);
        assert_eq!(tail.settled(), Lsn(4));
        // As the lane of copies does.
        let copying = store.epochs.join();
        let copying = copying.enter(Lsn(2));
        assert_eq!(tail.settled(), Lsn(4));
        drop(copying);
        lane.stop().await;
    };
    Sim::new(1, 1).run(|| work).done();
}

#[test]
fn what_cannot_be_read_fails_or_is_passed_over_and_the_rest_is_handed_over() {
    let (mut lost_some, mut lost_all, mut failed) = (0, 0, 0);
    for nth in 1.. {
        let work = async move {
            let (disk, pool) = (SimDisk::new(), Pool::new(4 << 20));
            let (store, lane) = named(&disk, &pool, 5).await;
            let read = async |unreadable| {
                let tail = Tail::new(&store, &pool);
                let end = tail.ends(|_| true)[0];
                disk.set_faults(Fault::nth(nth, Failure::Eio).on(Op::Read));
                let taken = tail.take(end.segment, None, end.written, 1 << 20, unreadable).await;
                disk.set_faults(FaultPlan::none());
                taken.map(|taken| {
                    let taken = taken.expect("it is there");
                    assert_eq!(taken.reached, end.written, "read {nth}");
                    assert_eq!(taken.has_passed, taken.changes.len() < 5, "read {nth}");
                    taken.changes.len()
                })
            };
            let passed = read(Unreadable::Passed).await.expect("nothing fails");
            let fails = read(Unreadable::Fails).await;
            lane.stop().await;
            (passed, fails.is_err())
        };
        let (handed_over, has_failed) = Sim::new(1, 1).run(|| work).done();
        failed += u32::from(has_failed);
        match handed_over {
            5 => break,
            4 => lost_some += 1,
            0 => lost_all += 1,
            other => panic!("{other} of 5 when read {nth} fails"),
        }
    }
    assert!(
        lost_some == 5 && lost_all > 0 && failed > 0,
        "{lost_some} batches, {lost_all} heads, {failed} failures"
    );
}
