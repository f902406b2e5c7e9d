//! Rounds in any order come to what the log holds.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use super::*;
use crate::base::time::Wall;
use crate::catalogue::lookup;
use crate::catalogue::query::{File, Order, Query};
use crate::catalogue::testing::{STORE, Scratch};
use crate::store::format::Attributes;

/// A catalogue as rounds leave it.
struct Entered {
    scratch: Scratch,
    writer: Writer,
}

impl Entered {
    fn new(called: &str) -> Entered {
        let scratch = Scratch::new(called);
        Entered { writer: scratch.writer(), scratch }
    }

    fn enter(&mut self, changes: &[Change]) -> &mut Entered {
        let round = Round { changes: changes.to_vec(), ..Round::default() };
        while self.writer.apply(&round, None).unwrap() == Applied::InPart {}
        self
    }

    /// Paths and comments, the oldest first, and what the sums say of files and of large contents.
    fn holds(&mut self, expected: &[(&str, &str)], large_bytes: u64) {
        let connection = self.scratch.connection();
        let query = Query { limit: 100, order: Order::Oldest, ..Query::default() };
        let page = lookup::page(&connection, &query).unwrap();
        let comment = |file: &File| file.attributes.text(Kind::Comment).into_owned();
        let listed: Vec<_> = page.files.iter().map(|file| (file.path.clone(), comment(file))).collect();
        let expected = expected
            .iter()
            .map(|(path, comment)| (format!("storage/other/bin/{path}"), (*comment).to_owned()));
        assert_eq!(listed, expected.collect::<Vec<_>>());
        let totals = lookup::totals(&connection).unwrap();
        let files: u64 = totals.media.iter().map(|(_, files, _)| files).sum();
        assert_eq!((files, totals.large_bytes), (listed.len() as u64, large_bytes));
        let zones = "SELECT (SELECT coalesce(sum(files), 0) FROM zones), (SELECT count(*) FROM zones WHERE files <= 0)";
        let zones: (i64, i64) =
            connection.query_row(zones, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(zones, (files.cast_signed(), 0), "files of all zones, and zones without any");
        for (path, _) in &listed {
            let found = Query { search: format!("{} ", path.rsplit('/').next().unwrap()), ..query.clone() };
            assert_eq!(lookup::page(&connection, &found).unwrap().files.len(), 1, "{path} is found once");
        }
    }
}

fn path_of(name: &str) -> String {
    format!("storage/other/bin/{name}")
}

fn key_of(name: &str) -> PathKey {
    PathKey::new(0, path_of(name).as_bytes())
}

fn content(of: u8) -> Digest {
    Digest([of; 32])
}

/// A name of 10 bytes; a large one if its content is above 100.
fn named(lsn: u64, name: &str, of: u8, comment: &str, added: Option<u64>) -> Change {
    let mut attributes = Attributes::default();
    attributes.push(Kind::OriginalName, name.as_bytes());
    attributes.push(Kind::Comment, comment.as_bytes());
    if let Some(added) = added {
        attributes.push(Kind::Added, &added.to_le_bytes());
    }
    let stored = StoredName {
        lsn: Lsn(lsn),
        time: Wall(i64::try_from(lsn).unwrap()),
        digest: content(of),
        path: path_of(name),
        attributes,
    };
    let (key, is_large) = (key_of(name), of > 100);
    Change::Named { key, name: Box::new(stored), size: 10, is_large, is_renewed: comment == "renewed" }
}

#[test]
fn a_newer_name_of_a_path_takes_the_place_of_the_older() {
    let (old, other) = (named(1, "a", 1, "", None), named(2, "b", 1, "", None));
    let new = named(5, "a", 1, "renewed", None);
    let mut apart = Entered::new("apart");
    apart.enter(&[old.clone(), other.clone()]).enter(std::slice::from_ref(&new));
    apart.holds(&[("b", ""), ("a", "renewed")], 0);
    apart.enter(&[old.clone(), new.clone()]).holds(&[("b", ""), ("a", "renewed")], 0);
    Entered::new("together").enter(&[new, old, other]).holds(&[("b", ""), ("a", "renewed")], 0);
}

#[test]
fn a_changed_name_keeps_its_place() {
    let mut entered = Entered::new("changed");
    entered.enter(&[named(1, "a", 1, "", None), named(2, "b", 1, "", None)]);
    let changed = named(7, "a", 1, "changed", Some(1));
    entered.enter(std::slice::from_ref(&changed)).holds(&[("a", "changed"), ("b", "")], 0);
    // A copy of what it said before, read late.
    entered.enter(&[named(1, "a", 1, "", None)]).holds(&[("a", "changed"), ("b", "")], 0);
    entered.enter(&[named(9, "a", 1, "again", Some(1)), changed]).holds(&[("a", "again"), ("b", "")], 0);
}

#[test]
fn a_delete_takes_what_is_older_in_any_round() {
    let mut entered = Entered::new("deletes");
    let (path, of) = (Change::PathDeleted(key_of("a"), Lsn(5)), Change::ContentDeleted(content(2), Lsn(6)));
    entered.enter(&[named(1, "a", 1, "", None), named(2, "b", 2, "", None), named(3, "c", 2, "", None)]);
    entered.enter(&[named(8, "b", 2, "new", None), path.clone(), named(4, "d", 2, "", None), of.clone()]);
    entered.holds(&[("b", "new")], 0);
    entered.enter(&[named(7, "a", 2, "new", None)]).enter(&[path, of]);
    entered.holds(&[("a", "new"), ("b", "new")], 0);
}

#[test]
fn what_only_shares_a_mark_stays() {
    let mut entered = Entered::new("marks");
    let mut bytes = key_of("a").to_bytes();
    bytes[9] ^= 1;
    let mut alike = content(1);
    alike.0[20] = 9;
    entered.enter(&[named(1, "a", 1, "", None)]);
    entered.enter(&[
        Change::PathDeleted(PathKey::from_bytes(bytes), Lsn(9)),
        Change::ContentDeleted(alike, Lsn(9)),
    ]);
    entered.holds(&[("a", "")], 0);
}

#[test]
fn a_large_content_counts_once_and_until_its_last_name_goes() {
    let mut entered = Entered::new("large");
    entered.enter(&[named(1, "a", 101, "", None), named(2, "b", 101, "", None), named(3, "c", 1, "", None)]);
    entered.holds(&[("a", ""), ("b", ""), ("c", "")], 10);
    entered.enter(&[Change::PathDeleted(key_of("a"), Lsn(4))]).holds(&[("b", ""), ("c", "")], 10);
    entered.enter(&[named(5, "b", 101, "changed", Some(2))]).holds(&[("b", "changed"), ("c", "")], 10);
    entered.enter(&[Change::ContentDeleted(content(101), Lsn(6))]).holds(&[("c", "")], 0);
}

#[test]
fn a_content_of_a_size_that_could_not_be_read_counts_once_it_is_known() {
    let mut entered = Entered::new("unread");
    let mut unread = named(1, "a", 101, "", None);
    if let Change::Named { size, .. } = &mut unread {
        *size = 0;
    }
    entered.enter(&[unread]).holds(&[("a", "")], 0);
    entered.enter(&[named(2, "b", 101, "", None)]).holds(&[("a", ""), ("b", "")], 10);
    entered.enter(&[Change::PathDeleted(key_of("a"), Lsn(3))]).holds(&[("b", "")], 10);
    entered.enter(&[Change::PathDeleted(key_of("b"), Lsn(4))]).holds(&[], 0);
}

#[test]
fn a_size_that_could_not_be_read_is_entered_when_it_is_read_again() {
    let mut entered = Entered::new("read-again");
    let mut unread = named(1, "a", 101, "", None);
    if let Change::Named { size, .. } = &mut unread {
        *size = 0;
    }
    entered.enter(&[unread.clone()]).holds(&[("a", "")], 0);
    // The same record, after a start.
    entered.enter(&[named(1, "a", 101, "", None)]).holds(&[("a", "")], 10);
    entered.enter(&[unread]).holds(&[("a", "")], 10);
}

#[test]
fn a_round_whose_time_is_over_changes_nothing_and_is_entered_again() {
    let mut entered = Entered::new("over");
    entered.enter(&[named(1, "a", 1, "", None), named(2, "b", 2, "", None)]);
    let contents = [1, 2].map(|number| Change::ContentDeleted(content(number), Lsn(3)));
    let paths = ["a", "b"].map(|path| Change::PathDeleted(key_of(path), Lsn(3)));
    for ends in [contents, paths] {
        let changes = ends.into_iter().chain([named(4, "c", 3, "", None)]).collect();
        let round = Round { changes, ..Round::default() };
        assert_eq!(entered.writer.apply(&round, Some(0)).unwrap(), Applied::GivenUp);
        entered.holds(&[("a", ""), ("b", "")], 0);
    }
    let gone = entered.writer.rows_after(0).unwrap();
    assert_eq!(entered.writer.remove(&gone, Some(0)).unwrap(), Applied::GivenUp);
    entered.holds(&[("a", ""), ("b", "")], 0);
    entered.enter(&[Change::ContentDeleted(content(1), Lsn(3)), named(4, "c", 3, "", None)]);
    entered.holds(&[("b", ""), ("c", "")], 0);
}

#[test]
fn another_path_that_has_the_number_of_a_new_one_shows_that_the_log_is_another() {
    let mut entered = Entered::new("number");
    entered.enter(&[named(1, "a", 1, "", None)]);
    let round = Round { changes: vec![named(1, "b", 1, "", None)], ..Round::default() };
    assert!(matches!(entered.writer.apply(&round, None), Err(Trouble::Damaged(_))));
    entered.holds(&[("a", "")], 0);
}

#[test]
fn more_names_of_a_content_than_a_transaction_removes_go_in_several() {
    let mut entered = Entered::new("many");
    let count = CATALOGUE_REMOVED_ROWS as u64 + 10;
    let changes: Vec<_> = (1..=count).map(|lsn| named(lsn, &format!("n{lsn}"), 1, "", None)).collect();
    entered.enter(&changes).enter(&[named(count + 1, "elsewhere", 2, "", None)]);
    let renewed = named(count + 3, "elsewhere", 2, "renewed", None);
    let changes = vec![renewed, Change::ContentDeleted(content(1), Lsn(count))];
    let read = SegmentId(3);
    let reached = Positions::from([(read, Written { end: 4_096, last_batch: BatchSeq(1) })]);
    let round = Round { changes, reached, greatest: Lsn(count), ..Round::default() };
    assert_eq!(entered.writer.apply(&round, None).unwrap(), Applied::InPart);
    let begun = entered.writer.open().unwrap();
    assert!(begun.positions.is_empty() && begun.greatest == Lsn(count), "it is to be read again");
    let other = Query { search: "elsewhere".to_owned(), limit: 10, ..Query::default() };
    let found = lookup::page(&entered.scratch.connection(), &other).unwrap().files.len();
    assert_eq!(found, 1, "what takes the place of another is not missing meanwhile");
    assert_eq!(entered.writer.apply(&round, None).unwrap(), Applied::Wholly);
    let begun = entered.writer.open().unwrap();
    assert!(begun.positions.contains_key(&read) && begun.greatest == Lsn(count));
    entered.holds(&[(&format!("n{count}"), ""), ("elsewhere", "renewed")], 0);
}

#[test]
fn the_journal_is_bounded_while_reads_overlap() {
    let scratch = Scratch::new("journal");
    let (path, journal_bytes) = (scratch.path().join(schema::FILE), 8 * 1_024);
    let mut writer = Writer::new(path.clone(), STORE, journal_bytes, Arc::default());
    writer.open().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (to_one, from_other) = mpsc::channel();
        let (to_other, from_one) = mpsc::channel();
        to_one.send(()).unwrap();
        for (turn, pass_on) in [(from_other, to_other), (from_one, to_one)] {
            let (over, scratch) = (&over, &scratch);
            scope.spawn(move || {
                let connection = scratch.connection();
                let mut _snapshot = None;
                // Each ends its read and begins another while the other has one.
                while turn.recv().is_ok() && !over.load(Ordering::Relaxed) {
                    _snapshot = None;
                    _snapshot = Some(connection.unchecked_transaction().unwrap());
                    lookup::totals(&connection).unwrap();
                    let _it_may_have_ended = pass_on.send(());
                }
            });
        }
        let most = (1..300).map(|round| {
            let names = (1..20).map(|n| named(round * 20 + n, &format!("{round}-{n}"), 1, "", None));
            writer.apply(&Round { changes: names.collect(), ..Round::default() }, None).unwrap();
            schema::journal_bytes(&path)
        });
        let most = most.max().unwrap();
        over.store(true, Ordering::Relaxed);
        // A round may write some hundred pages; without a bound these are tens of millions of bytes.
        assert!(most < 8 * CATALOGUE_JOURNAL_TIMES * journal_bytes, "{most} bytes");
    });
}
