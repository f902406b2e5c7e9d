//! Rounds in any order come to what the log holds.

use std::path::PathBuf;

use super::*;
use crate::base::time::Wall;
use crate::catalogue::lookup;
use crate::catalogue::query::{File, Order, Query};
use crate::store::format::Attributes;

const STORE: StoreId = StoreId([7; 16]);

/// A catalogue of its own, removed with its folder.
struct Scratch {
    folder: PathBuf,
    writer: Writer,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.writer.close();
        let _best_effort = std::fs::remove_dir_all(&self.folder);
    }
}

impl Scratch {
    fn new(called: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("rhinobox-write-{called}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut writer = Writer::new(folder.join(schema::FILE), STORE, 1 << 20, Arc::default());
        writer.open().unwrap();
        Scratch { folder, writer }
    }

    fn enter(&mut self, changes: &[Change]) -> &mut Scratch {
        self.writer.apply(&Round { changes: changes.to_vec(), ..Round::default() }).unwrap();
        self
    }

    /// Paths and comments, the oldest first, and what the sums say of files and of large contents.
    fn holds(&mut self, expected: &[(&str, &str)], large: (u64, u64)) {
        let connection = schema::open_to_read(&self.folder.join(schema::FILE), STORE).unwrap();
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
        assert_eq!((files, totals.large_contents), (listed.len() as u64, large));
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
    let mut apart = Scratch::new("apart");
    apart.enter(&[old.clone(), other.clone()]).enter(std::slice::from_ref(&new));
    apart.holds(&[("b", ""), ("a", "renewed")], (0, 0));
    apart.enter(&[old.clone(), new.clone()]).holds(&[("b", ""), ("a", "renewed")], (0, 0));
    Scratch::new("together").enter(&[new, old, other]).holds(&[("b", ""), ("a", "renewed")], (0, 0));
}

#[test]
fn a_changed_name_keeps_its_place() {
    let mut scratch = Scratch::new("changed");
    scratch.enter(&[named(1, "a", 1, "", None), named(2, "b", 1, "", None)]);
    let changed = named(7, "a", 1, "changed", Some(1));
    scratch.enter(std::slice::from_ref(&changed)).holds(&[("a", "changed"), ("b", "")], (0, 0));
    // A copy of what it said before, read late.
    scratch.enter(&[named(1, "a", 1, "", None)]).holds(&[("a", "changed"), ("b", "")], (0, 0));
    scratch.enter(&[named(9, "a", 1, "again", Some(1)), changed]).holds(&[("a", "again"), ("b", "")], (0, 0));
}

#[test]
fn a_delete_takes_what_is_older_in_any_round() {
    let mut scratch = Scratch::new("deletes");
    let (path, of) = (Change::PathDeleted(key_of("a"), Lsn(5)), Change::ContentDeleted(content(2), Lsn(6)));
    scratch.enter(&[named(1, "a", 1, "", None), named(2, "b", 2, "", None), named(3, "c", 2, "", None)]);
    scratch.enter(&[named(8, "b", 2, "new", None), path.clone(), named(4, "d", 2, "", None), of.clone()]);
    scratch.holds(&[("b", "new")], (0, 0));
    scratch.enter(&[named(7, "a", 2, "new", None)]).enter(&[path, of]);
    scratch.holds(&[("a", "new"), ("b", "new")], (0, 0));
}

#[test]
fn what_only_shares_a_mark_stays() {
    let mut scratch = Scratch::new("marks");
    let mut bytes = key_of("a").to_bytes();
    bytes[9] ^= 1;
    let mut alike = content(1);
    alike.0[20] = 9;
    scratch.enter(&[named(1, "a", 1, "", None)]);
    scratch.enter(&[
        Change::PathDeleted(PathKey::from_bytes(bytes), Lsn(9)),
        Change::ContentDeleted(alike, Lsn(9)),
    ]);
    scratch.holds(&[("a", "")], (0, 0));
}

#[test]
fn a_large_content_counts_once_and_until_its_last_name_goes() {
    let mut scratch = Scratch::new("large");
    scratch.enter(&[named(1, "a", 101, "", None), named(2, "b", 101, "", None), named(3, "c", 1, "", None)]);
    scratch.holds(&[("a", ""), ("b", ""), ("c", "")], (1, 10));
    scratch.enter(&[Change::PathDeleted(key_of("a"), Lsn(4))]).holds(&[("b", ""), ("c", "")], (1, 10));
    scratch.enter(&[named(5, "b", 101, "changed", Some(2))]).holds(&[("b", "changed"), ("c", "")], (1, 10));
    scratch.enter(&[Change::ContentDeleted(content(101), Lsn(6))]).holds(&[("c", "")], (0, 0));
}

#[test]
fn more_names_of_a_content_than_are_read_at_a_time_are_removed() {
    let mut scratch = Scratch::new("many");
    let count = CATALOGUE_SWEEP_ROWS as u64 + 10;
    let changes: Vec<_> = (1..=count).map(|lsn| named(lsn, &format!("n{lsn}"), 1, "", None)).collect();
    scratch.enter(&changes);
    scratch.enter(&[Change::ContentDeleted(content(1), Lsn(count))]);
    scratch.holds(&[(&format!("n{count}"), "")], (0, 0));
}
