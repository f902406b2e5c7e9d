//! Rounds in any order come to what the log holds.

use super::*;
use crate::base::time::Wall;
use crate::catalogue::lookup;
use crate::catalogue::query::{File, Order, Query};
use crate::catalogue::testing::Scratch;
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
        self.writer.apply(&Round { changes: changes.to_vec(), ..Round::default() }).unwrap();
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
fn more_names_of_a_content_than_are_read_at_a_time_are_removed() {
    let mut entered = Entered::new("many");
    let count = CATALOGUE_SWEEP_ROWS as u64 + 10;
    let changes: Vec<_> = (1..=count).map(|lsn| named(lsn, &format!("n{lsn}"), 1, "", None)).collect();
    entered.enter(&changes);
    entered.enter(&[Change::ContentDeleted(content(1), Lsn(count))]);
    entered.holds(&[(&format!("n{count}"), "")], 0);
}
