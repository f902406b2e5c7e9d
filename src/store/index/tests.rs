use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::base::ids::BlobId;

/// A file's worth of made-up facts.
fn digest(n: u32) -> Digest {
    Digest::of(&n.to_le_bytes())
}

fn key(path: &str) -> PathKey {
    PathKey::new(0, path.as_bytes())
}

fn place(offset: u32) -> Place {
    Place { segment: SegmentId(1), offset }
}

fn inline(offset: u32) -> Location {
    Location::Inline { segment: SegmentId(1), offset, len: 100, crc: 7 }
}

fn fresh(index: &Arc<Index>, digest: Digest) -> ClaimGuard {
    match index.claim(digest) {
        Claim::Fresh(guard) => guard,
        Claim::Stored(content) => panic!("stored: {content:?}"),
        Claim::Pending(_) => panic!("somebody has claimed it"),
    }
}

fn ticket(index: &Arc<Index>, digest: Digest) -> Ticket {
    match index.claim(digest) {
        Claim::Pending(ticket) => ticket,
        _ => panic!("nobody has claimed it"),
    }
}

/// Replays a name, and with it what it replaces.
fn name(index: &Index, path: &str, n: u32, content: &Digest) {
    let mut gone = HashSet::new();
    index.replay_name(key(path), Lsn(n.into()), place(n), content, n.into(), &mut gone);
    index.replay_deletes(&HashMap::new(), &HashMap::new(), gone);
}

/// Replays the delete of a path.
fn delete_path(index: &Index, path: &str, n: u64) {
    index.replay_deletes(&HashMap::new(), &HashMap::from([(key(path), Lsn(n))]), HashSet::new());
}

/// Counts wake-ups.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_highest_number_wins_in_whatever_order_puts_and_names_are_replayed() {
    let (old, new) = (digest(1), digest(2));
    // Two puts of one content, and a path that means first the one content and then the other.
    type Step = fn(&Index, Digest, Digest);
    let steps: [Step; 5] = [
        |index, old, _| index.replay_content(old, Lsn(1), inline(10)),
        |index, old, _| index.replay_content(old, Lsn(5), inline(50)),
        |index, _, new| index.replay_content(new, Lsn(3), inline(30)),
        |index, old, _| name(index, "a", 2, &old),
        |index, old, _| name(index, "a", 4, &old),
    ];
    for order in permutations(steps.len()) {
        let index = Index::new();
        order.iter().for_each(|step| steps[*step](&index, old, new));
        let content = index.content(&old).unwrap();
        assert_eq!(
            (content.lsn, content.location, content.damaged),
            (Lsn(5), inline(50), false),
            "{order:?}"
        );
        assert_eq!(index.path(key("a")), Some(place(4)), "{order:?}");
        assert_eq!(index.names(&old), [place(4)], "{order:?}");
        assert_eq!(index.names(&new), [], "{order:?}");
        index.drop_nameless();
        assert_eq!(index.content(&new), None, "{order:?}: nobody has named it");
        let usage = index.usage();
        assert_eq!((usage.contents, usage.names, usage.content_bytes), (1, 1, 100), "{order:?}");
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let with = |order: &Vec<usize>, at: usize| {
        let mut longer = order.clone();
        longer.insert(at, n - 1);
        longer
    };
    shorter.iter().flat_map(|order| (0..n).map(move |at| with(order, at))).collect()
}

#[test]
fn names_are_linked_and_unlinked_and_the_first_is_followed_by_the_next() {
    let index = Index::new();
    let content = digest(1);
    index.replay_content(content, Lsn(1), inline(0));
    for (n, path) in [(2, "a"), (3, "b"), (4, "c")] {
        name(&index, path, n, &content);
    }
    assert_eq!(index.names(&content), [place(2), place(3), place(4)]);
    name(&index, "b", 9, &content);
    name(&index, "b", 9, &content);
    assert_eq!(index.names(&content), [place(2), place(4), place(9)], "b has new attributes");
    delete_path(&index, "b", 8);
    assert_eq!(index.path(key("b")), Some(place(9)), "the record at 3 is not b's name any more");
    delete_path(&index, "a", 8);
    assert_eq!((index.path(key("a")), index.names(&content)), (None, vec![place(4), place(9)]));
    assert_eq!(index.content(&content).unwrap().first_name, Some(place(4)));
    index.replay_deletes(&HashMap::from([(content, Lsn(5))]), &HashMap::new(), HashSet::new());
    assert_eq!(index.names(&content), [place(9)], "b is younger than the delete of the content");
    index.replay_deletes(&HashMap::from([(content, Lsn(10))]), &HashMap::new(), HashSet::new());
    assert_eq!(index.names(&content), []);
    assert_eq!(index.usage().names, 0);
}

#[test]
fn a_delete_takes_older_names_and_the_last_takes_the_content_unless_it_is_named_in_time() {
    let index = Index::new();
    let content = digest(1);
    assert_eq!(fresh(&index, content).publish(inline(0)), None);
    for (path, at) in [("a", 1), ("b", 2)] {
        let Bind::Write(name) = index.bind(key(path), content, 1) else { panic!("it is free") };
        name.publish(place(at));
    }
    let Bind::Write(early) = index.bind(key("c"), content, 1) else { panic!("it is free") };
    let deleted = index.begin_delete_content(&content).unwrap();
    let Bind::Write(late) = index.bind(key("d"), content, 1) else { panic!("it is free") };
    index.note_content_deleted(&content, deleted);
    early.publish(place(3));
    assert_eq!(index.path(key("c")), None, "deleted before it was there");
    assert_eq!(index.remove_name_before(key("a"), &content, deleted), None);
    let death = index.remove_name_before(key("b"), &content, deleted).expect("the last one");
    assert!(matches!(index.claim(content), Claim::Fresh(_)), "who sends it again stores it anew");
    assert!(index.begin_delete_content(&content).is_none());
    late.publish(place(4));
    assert_eq!(index.bury(&content, death), None, "it was named in time");
    assert_eq!((index.path(key("d")), index.names(&content)), (Some(place(4)), vec![place(4)]));

    let (again, at) = index.begin_delete_name(key("d")).unwrap();
    assert_eq!(at, place(4));
    index.note_path_deleted(key("d"), again);
    let second = index.remove_name_before(key("d"), &content, again).expect("the last one");
    assert_eq!(index.bury(&content, death), None, "that was another death");
    assert_eq!(index.bury(&content, second), Some(inline(0)));
    assert_eq!(
        (index.content(&content), index.usage()),
        (None, Usage { memory_bytes: index.usage().memory_bytes, ..Usage::default() })
    );
}

#[test]
fn a_copy_takes_the_place_of_what_it_was_copied_from_and_of_nothing_else() {
    let index = Index::new();
    let content = digest(1);
    assert_eq!(fresh(&index, content).publish(inline(1)), None);
    let Bind::Write(name) = index.bind(key("a"), content, 1) else { panic!("it is free") };
    name.publish(place(1));
    let Bind::Write(name) = index.bind(key("b"), content, 1) else { panic!("it is free") };
    name.publish(place(2));
    assert!(!index.relocate_content(&content, inline(7), inline(8)));
    assert!(index.relocate_content(&content, inline(1), inline(8)));
    assert_eq!(index.content(&content).unwrap().location, inline(8));
    assert!(!index.relocate_name(key("a"), &content, place(7), place(9)));
    assert!(index.relocate_name(key("a"), &content, place(1), place(11)));
    assert!(index.relocate_name(key("b"), &content, place(2), place(12)));
    assert_eq!(index.names(&content), [place(11), place(12)]);
    assert_eq!((index.path(key("a")), index.path(key("b"))), (Some(place(11)), Some(place(12))));
}

#[test]
fn a_deleted_name_is_unlinked_though_its_path_means_another_content_since() {
    for order in permutations(2) {
        let index = Index::new();
        let (old, new) = (digest(1), digest(2));
        index.replay_content(old, Lsn(1), inline(1));
        index.replay_content(new, Lsn(4), inline(2));
        for step in order {
            match step {
                0 => name(&index, "a", 2, &old),
                _ => name(&index, "a", 5, &new),
            }
        }
        delete_path(&index, "a", 3);
        index.drop_nameless();
        assert_eq!(index.content(&old), None);
        assert_eq!((index.path(key("a")), index.names(&new)), (Some(place(5)), vec![place(5)]));
    }
}

#[test]
fn a_content_that_is_stored_again_gives_the_blob_it_replaces() {
    let index = Index::new();
    let large = |blob| Location::Large {
        record: place(u32::try_from(blob).unwrap()),
        entry_len: 200,
        blob: BlobId(blob),
    };
    assert_eq!(fresh(&index, digest(1)).publish(large(7)), None);
    let lsn = index.content(&digest(1)).unwrap().lsn;
    index.mark_damaged(&digest(1), lsn);
    assert_eq!(fresh(&index, digest(1)).publish(large(8)), Some(BlobId(7)));
    let lsn = index.content(&digest(1)).unwrap().lsn;
    index.mark_damaged(&digest(1), lsn);
    assert_eq!(fresh(&index, digest(1)).publish(inline(1)), Some(BlobId(8)));
}

#[test]
fn a_nameless_blob_is_dropped() {
    let index = Index::new();
    let location = Location::Large { record: place(70), entry_len: 200, blob: BlobId(7) };
    index.replay_content(digest(1), Lsn(1), location);
    assert_eq!(index.content(&digest(1)).unwrap().location, location);
    index.drop_nameless();
    assert_eq!(index.content(&digest(1)), None);
}

#[test]
fn a_path_is_bound_once_is_the_same_again_and_never_changes_its_bytes() {
    let index = Index::new();
    let (one, other) = (digest(1), digest(2));
    let Bind::Write(first) = index.bind(key("a"), one, 11) else { panic!("it is free") };
    let Bind::Write(second) = index.bind(key("a"), one, 12) else { panic!("of the same content") };
    assert!(matches!(index.bind(key("a"), other, 13), Bind::Taken));
    assert!(first.lsn() < second.lsn());
    // The later wins, though it is flushed first.
    second.publish(place(20));
    first.publish(place(10));
    assert_eq!((index.path(key("a")), index.names(&one)), (Some(place(20)), vec![place(20)]));
    assert!(matches!(index.bind(key("a"), one, 12), Bind::Same));
    assert!(matches!(index.bind(key("a"), one, 99), Bind::Different(at) if at == place(20)));
    let Bind::Write(renewed) = index.rebind(key("a"), one, 99, place(20)) else {
        panic!("its attributes change")
    };
    renewed.publish(place(30));
    assert_eq!(index.names(&one), [place(30)]);
}

#[test]
fn nobody_binds_a_path_while_its_name_is_amended_and_nobody_amends_it_while_it_is_bound() {
    let index = Index::new();
    let Bind::Write(first) = index.bind(key("a"), digest(1), 11) else { panic!("it is free") };
    first.publish(place(10));
    let Amend::Write(amended) = index.handle().amend(key("a"), digest(1), 12, place(10)) else {
        panic!("it is there")
    };
    assert!(matches!(index.rebind(key("a"), digest(1), 99, place(10)), Bind::Busy));
    assert!(matches!(index.handle().amend(key("a"), digest(1), 99, place(10)), Amend::Busy));
    assert!(matches!(index.bind(key("a"), digest(1), 11), Bind::Same), "nothing is to be written");
    amended.publish(place(20));
    assert!(matches!(index.handle().amend(key("a"), digest(1), 99, place(10)), Amend::Changed));
    let Bind::Write(bound) = index.rebind(key("a"), digest(1), 99, place(20)) else { panic!("it is over") };
    assert!(matches!(index.handle().amend(key("a"), digest(1), 13, place(20)), Amend::Busy));
    drop(bound);
    let Amend::Write(dropped) = index.handle().amend(key("a"), digest(1), 13, place(20)) else {
        panic!("it is over")
    };
    drop(dropped);
    assert!(matches!(index.rebind(key("a"), digest(1), 99, place(20)), Bind::Write(_)));
}

#[test]
fn a_wish_that_is_dropped_is_forgotten() {
    let index = Index::new();
    let Bind::Write(guard) = index.bind(key("a"), digest(1), 1) else { panic!("it is free") };
    drop(guard);
    assert_eq!(index.path(key("a")), None);
    assert!(matches!(index.bind(key("a"), digest(2), 2), Bind::Write(_)));
}

#[test]
fn a_claim_that_is_dropped_wakes_all_who_wait_and_the_next_one_claims() {
    let index = Index::new();
    let guard = fresh(&index, digest(1));
    let tickets = [ticket(&index, digest(1)), ticket(&index, digest(1))];
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let [one, two] = tickets;
    let (mut one, mut two) = (pin!(one.ended()), pin!(two.ended()));
    let mut cx = Context::from_waker(&waker);
    assert_eq!((one.as_mut().poll(&mut cx), two.as_mut().poll(&mut cx)), (Poll::Pending, Poll::Pending));
    let first = guard.lsn();
    drop(guard);
    assert_eq!(bell.0.load(Ordering::Relaxed), 2);
    assert_eq!((one.as_mut().poll(&mut cx), two.as_mut().poll(&mut cx)), (Poll::Ready(()), Poll::Ready(())));
    assert_eq!(index.content(&digest(1)), None);
    let next = fresh(&index, digest(1));
    assert!(next.lsn() > first, "a number is never drawn twice");
    let waiting = ticket(&index, digest(1));
    assert_eq!(next.publish(inline(5)), None);
    assert_eq!(pin!(waiting.ended()).poll(&mut cx), Poll::Ready(()));
    assert!(matches!(index.claim(digest(1)), Claim::Stored(content) if content.location == inline(5)));
}

#[test]
fn a_damaged_copy_is_claimed_anew_and_healed_and_a_late_mark_harms_nothing() {
    let index = Index::new();
    assert_eq!(fresh(&index, digest(1)).publish(inline(1)), None);
    let bad = index.content(&digest(1)).unwrap().lsn;
    index.mark_damaged(&digest(1), bad);
    assert!(index.content(&digest(1)).unwrap().damaged);
    assert_eq!(fresh(&index, digest(1)).publish(inline(2)), None);
    // A reader that began before noticed only now.
    index.mark_damaged(&digest(1), bad);
    let healed = index.content(&digest(1)).unwrap();
    assert_eq!((healed.damaged, healed.location), (false, inline(2)));
    assert_eq!(index.usage().content_bytes, 100);
}

#[test]
fn a_name_without_its_content_counts_as_damaged_until_that_is_sent_again() {
    let index = Index::new();
    index.replay_name(key("a"), Lsn(2), place(2), &digest(1), 1, &mut HashSet::new());
    index.drop_nameless();
    assert!(index.content(&digest(1)).unwrap().damaged);
    index.advance_past(Lsn(2));
    let guard = fresh(&index, digest(1));
    assert_eq!(guard.lsn(), Lsn(3));
    assert_eq!(guard.publish(inline(9)), None);
    let healed = index.content(&digest(1)).unwrap();
    assert_eq!((healed.damaged, healed.first_name), (false, Some(place(2))));
}

#[test]
fn a_copy_of_a_record_takes_the_place_of_the_original() {
    let index = Index::new();
    let content = digest(1);
    for n in [1, 2] {
        index.replay_content(content, Lsn(1), inline(n));
        index.replay_name(key("a"), Lsn(2), place(n), &content, 1, &mut HashSet::new());
        index.replay_name(key("b"), Lsn(3), place(10 + n), &content, 1, &mut HashSet::new());
    }
    assert_eq!(index.content(&content).unwrap().location, inline(2));
    assert_eq!(index.names(&content), [place(2), place(12)]);
    assert_eq!((index.path(key("a")), index.path(key("b"))), (Some(place(2)), Some(place(12))));
    assert_eq!(index.usage().content_bytes, 100);
}

#[test]
fn a_name_that_is_read_at_its_copys_place_and_again_at_its_own_is_there() {
    let index = Index::new();
    let content = digest(1);
    let mut gone = HashSet::new();
    index.replay_content(content, Lsn(1), inline(1));
    // As the checkpoint has it, the copy, and the original behind the checkpoint's position.
    for at in [1, 2, 1] {
        index.replay_name(key("a"), Lsn(2), place(at), &content, 1, &mut gone);
    }
    assert_eq!(gone, HashSet::from([place(2)]));
    index.replay_deletes(&HashMap::new(), &HashMap::new(), gone);
    index.drop_nameless();
    assert_eq!((index.path(key("a")), index.names(&content)), (Some(place(1)), vec![place(1)]));
    // A newer name's predecessor stays gone, wherever it is read again.
    let mut gone = HashSet::new();
    index.replay_name(key("a"), Lsn(5), place(5), &digest(2), 1, &mut gone);
    index.replay_name(key("a"), Lsn(2), place(1), &content, 1, &mut gone);
    assert_eq!(gone, HashSet::from([place(1)]));
}

/// All that an index shows, in order.
fn all_of(index: &Index) -> Vec<(Digest, Content, Vec<Place>)> {
    let mut all = Vec::new();
    index.for_each_content(|digest, content| all.push((*digest, content)));
    let mut all: Vec<_> =
        all.into_iter().map(|(digest, content)| (digest, content, index.names(&digest))).collect();
    all.sort_by_key(|(digest, ..)| *digest);
    all
}

/// An index with the same keys, from images of its shards.
fn copy_of(index: &Index) -> Arc<Index> {
    let copy = Index::with_keys(index.keys());
    for shard in 0..crate::limits::INDEX_SHARDS {
        let sections = index.image_of_contents(shard).into_iter().chain(index.image_of_names(shard));
        for (section, bytes) in sections.filter(|(_, bytes)| !bytes.is_empty()) {
            copy.load_image(section, shard, bytes.len() / section.entry_bytes(), &bytes).unwrap();
        }
    }
    copy
}

#[test]
fn an_image_comes_back_with_blobs_names_and_marks_of_damage() {
    let index = Index::new();
    for n in 0..1_000_u32 {
        let content = digest(n);
        let large = Location::Large { record: place(n), entry_len: 200, blob: BlobId(n.into()) };
        index.replay_content(content, Lsn(1), if n % 7 == 0 { large } else { inline(n) });
        for more in 0..=n % 3 {
            name(&index, &format!("{n}-{more}"), 10_000 * more + n + 10, &content);
        }
        if n % 10 == 0 {
            index.mark_damaged(&content, Lsn(1));
        }
    }
    let copy = copy_of(&index);
    assert_eq!(all_of(&copy), all_of(&index));
    let sizes = |index: &Index| {
        let usage = index.usage();
        (usage.contents, usage.names, usage.content_bytes)
    };
    assert_eq!(sizes(&copy), sizes(&index));
    assert_eq!(copy.path(key("17-1")), index.path(key("17-1")));
    assert_eq!(copy.path(key("17-1")), Some(place(10_027)));
    assert_eq!(copy.fingerprint(&digest(1), b"x"), index.fingerprint(&digest(1), b"x"));
    copy.clear();
    assert_eq!(all_of(&copy), []);
    assert_eq!(copy.usage().names, 0);
    let others = Index::new();
    let (section, bytes) = index.image_of_names(3).into_iter().next().unwrap();
    assert!(others.load_image(section, 4, 1, &bytes).is_err(), "other keys, another shard");
}

#[test]
fn names_removed_while_an_image_is_made_are_noted() {
    let index = Index::new();
    let content = digest(1);
    index.replay_content(content, Lsn(1), inline(1));
    name(&index, "a", 2, &content);
    name(&index, "b", 3, &content);
    assert!(index.remove_name_before(key("b"), &content, Lsn(4)).is_none());
    index.begin_image();
    let copy = copy_of(&index);
    assert!(index.remove_name_before(key("a"), &content, Lsn(9)).is_some());
    let removed = index.end_image();
    assert_eq!(removed, [Removal { key: key("a"), digest: content, place: place(2) }]);
    removed.iter().for_each(|removal| copy.load_removal(removal));
    copy.drop_nameless();
    assert_eq!((copy.usage().names, copy.usage().contents), (0, 0));
}

#[test]
fn many_threads_that_claim_the_same_contents_store_each_once() {
    const THREADS: usize = 4;
    const CONTENTS: u32 = 2_000;
    let index = Index::new();
    let stored = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (index, stored) = (&index, &stored);
            scope.spawn(move || {
                for n in 0..CONTENTS {
                    let digest = Digest::of(&n.to_le_bytes());
                    loop {
                        match index.claim(digest) {
                            // Now and then a claimant dies.
                            Claim::Fresh(guard) if (n as usize + thread).is_multiple_of(7) => {
                                drop(guard);
                                std::thread::yield_now();
                                if thread > 0 {
                                    break;
                                }
                                let Claim::Fresh(guard) = index.claim(digest) else { continue };
                                stored.fetch_add(1, Ordering::Relaxed);
                                assert_eq!(guard.publish(inline(n)), None);
                            }
                            Claim::Fresh(guard) => {
                                stored.fetch_add(1, Ordering::Relaxed);
                                assert_eq!(guard.publish(inline(n)), None);
                            }
                            Claim::Stored(_) => break,
                            Claim::Pending(_) => std::thread::yield_now(),
                        }
                    }
                }
            });
        }
    });
    assert_eq!((stored.into_inner(), index.usage().contents), (CONTENTS, u64::from(CONTENTS)));
}
