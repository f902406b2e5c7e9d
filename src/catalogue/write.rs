//! Changing the catalogue: what its one writing thread does.
//!
//! Always: a transaction enters names together with how far the log was read for them, and never before it what they end or
//! follow; of one path the highest number wins, where the change says that there may be others. Sums and zones change with
//! the rows they are of.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OptionalExtension as _, Statement, Transaction, params};

use super::schema::{self, Trouble, ZONE_SHIFT};
use super::words;
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, Lsn, SegmentId, StoreId};
use crate::limits::{CATALOGUE_JOURNAL_TIMES, CATALOGUE_REMOVED_ROWS, CATALOGUE_SWEEP_ROWS};
use crate::media::table::MediaType;
use crate::runtime::clock;
use crate::store::format::attributes::Kind;
use crate::store::index::PathKey;
use crate::store::read::StoredName;
use crate::store::segment::Written;
use crate::store::tail::{Change, Taken};

/// How far each segment was read.
pub(super) type Positions = HashMap<SegmentId, Written>;

/// The state of the writing thread.
pub(super) struct Writer {
    path: PathBuf,
    store: StoreId,
    journal_bytes: u64,
    connection: Option<Connection>,
    /// Grows with every file that is made: who reads an older one opens it again.
    generation: Arc<AtomicU64>,
}

/// What an opened catalogue says of itself.
pub(super) struct Begun {
    pub(super) positions: Positions,
    /// It had once read all of the log.
    pub(super) is_complete: bool,
    /// The greatest number of a record that it has read.
    pub(super) greatest: Lsn,
}

/// A transaction's worth of following.
#[derive(Default)]
pub(super) struct Round {
    pub(super) changes: Vec<Change>,
    pub(super) reached: Positions,
    /// As far was read as well, and that is not kept: something could not be, and is tried again after the next start.
    pub(super) passed: Positions,
    /// The greatest number of a record that was read.
    pub(super) greatest: Lsn,
    /// Segments that are gone.
    pub(super) gone: Vec<SegmentId>,
    /// With this, all of the log has been read.
    pub(super) completes: bool,
}

impl Round {
    /// Some of a segment was read; its changes are added by who knows which are news.
    pub(super) fn add(&mut self, segment: SegmentId, taken: &Taken, is_kept: bool) {
        let positions = if is_kept { &mut self.reached } else { &mut self.passed };
        positions.insert(segment, taken.reached);
        self.greatest = self.greatest.max(taken.greatest);
    }

    /// Keeps how far the log was read.
    fn note(&self, on: &Transaction<'_>) -> Result<(), Trouble> {
        let mut reached = on.prepare("INSERT OR REPLACE INTO progress VALUES (?1, ?2, ?3)")?;
        for (segment, written) in &self.reached {
            reached.execute(params![segment.0, number(written.end), number(written.last_batch.0)])?;
        }
        let mut gone = on.prepare("DELETE FROM progress WHERE segment = ?1")?;
        for segment in &self.gone {
            gone.execute([segment.0])?;
        }
        if self.completes {
            on.execute("UPDATE about SET is_complete = 1", [])?;
        }
        Ok(())
    }
}

/// How far a round was entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    Wholly,
    /// Only some of the names that it ends were removed, as these are many: it is to be entered again.
    InPart,
    /// Its time was over: nothing was changed.
    GivenUp,
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        store: StoreId,
        journal_bytes: u64,
        generation: Arc<AtomicU64>,
    ) -> Writer {
        Writer { path, store, journal_bytes, connection: None, generation }
    }

    /// Opens the file, or makes it.
    pub(super) fn open(&mut self) -> Result<Begun, Trouble> {
        self.connection = None;
        let connection = schema::open(&self.path, self.store, self.journal_bytes)?;
        let mut positions = Positions::new();
        {
            let mut statement = connection.prepare("SELECT segment, end, last_batch FROM progress")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.cast_unsigned());
                let written = Written { end: number(1)?, last_batch: BatchSeq(number(2)?) };
                positions.insert(SegmentId(row.get(0)?), written);
            }
        }
        let greatest: i64 = connection.query_row("SELECT greatest FROM about", [], |row| row.get(0))?;
        let is_complete = schema::is_complete(&connection)?;
        self.connection = Some(connection);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(Begun { positions, is_complete, greatest: Lsn(greatest.cast_unsigned()) })
    }

    /// Throws away what is there and makes an empty one.
    pub(super) fn remake(&mut self) -> Result<Begun, Trouble> {
        self.connection = None;
        schema::remove(&self.path)?;
        self.open()
    }

    /// Brings the journal into the file and closes it.
    pub(super) fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err((_, error)) = connection.close()
        {
            tracing::debug!(%error, "the catalogue was not closed; the next start does what is left");
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, Trouble> {
        self.connection.as_mut().ok_or_else(|| Trouble::Refused("it is not open".to_owned()))
    }

    /// Enters a round, unless its time is over before. What it ends may take several transactions; all else is one, with how
    /// far the log was read.
    pub(super) fn apply(&mut self, round: &Round, until_ns: Option<u64>) -> Result<Applied, Trouble> {
        let transaction = self.connection()?.transaction()?;
        let mut sums = Sums::default();
        // In this order: FTS5 writes what it was given so far before it looks for anything, and when numbers do not
        // ascend.
        let ends = Ends::of(&round.changes);
        let mut rows = Rows::new(&transaction, until_ns)?;
        let applied = rows.remove_ended(&ends, &mut sums)?;
        if applied == Applied::Wholly {
            for named in ends.outlived(&round.changes) {
                rows.put(&named, &mut sums)?;
                if rows.is_over() {
                    break;
                }
            }
            round.note(&transaction)?;
        }
        if rows.is_over {
            // What was begun is rolled back.
            return Ok(Applied::GivenUp);
        }
        drop(rows);
        let greatest = "UPDATE about SET greatest = ?1 WHERE greatest < ?1";
        transaction.execute(greatest, [number(round.greatest.0)])?;
        sums.write(&transaction)?;
        transaction.commit()?;
        self.bound_journal();
        Ok(applied)
    }

    /// Lets the journal begin again, once it is long: it does not while reads overlap, and would fill the volume. Those that
    /// begin meanwhile are not waited for.
    fn bound_journal(&mut self) {
        let most = CATALOGUE_JOURNAL_TIMES * self.journal_bytes;
        if schema::journal_bytes(&self.path) > most
            && let Some(connection) = &self.connection
            // What it answers is of no interest: if reads did not end in time, the next round tries it again.
            && let Err(error) = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the catalogue's journal could not be brought into it");
        }
    }

    /// The next rows behind this number, by number.
    pub(super) fn rows_after(&mut self, after: i64) -> Result<Vec<Found>, Trouble> {
        let select = format!("SELECT {FOUND} FROM files WHERE added > ?1 ORDER BY added LIMIT ?2");
        let mut select = self.connection()?.prepare(&select)?;
        let mut rows = select.query([after, number(CATALOGUE_SWEEP_ROWS as u64)])?;
        let mut all = Vec::with_capacity(CATALOGUE_SWEEP_ROWS);
        while let Some(row) = rows.next()? {
            all.push(found(row)?);
        }
        Ok(all)
    }

    /// Removes rows that were read since anything was entered, unless its time is over before.
    pub(super) fn remove(&mut self, gone: &[Found], until_ns: Option<u64>) -> Result<Applied, Trouble> {
        let transaction = self.connection()?.transaction()?;
        {
            let mut sums = Sums::default();
            let mut rows = Rows::new(&transaction, until_ns)?;
            for row in gone {
                rows.remove(row, &mut sums)?;
                if rows.is_over() {
                    return Ok(Applied::GivenUp);
                }
            }
            drop(rows);
            sums.write(&transaction)?;
        }
        transaction.commit()?;
        self.bound_journal();
        Ok(Applied::Wholly)
    }
}

/// Up to which number a round ends the names of some paths and contents.
#[derive(Default)]
struct Ends<'a> {
    paths: HashMap<PathKey, Lsn>,
    contents: HashMap<&'a Digest, Lsn>,
}

/// A name that a round enters.
struct Named<'a> {
    added: i64,
    key: PathKey,
    name: &'a StoredName,
    size: u64,
    is_large: bool,
}

impl<'a> Ends<'a> {
    fn of(changes: &'a [Change]) -> Ends<'a> {
        let mut ends = Ends::default();
        let mut path = |key, lsn: Lsn| {
            let end = ends.paths.entry(key).or_default();
            *end = lsn.max(*end);
        };
        for change in changes {
            match change {
                Change::PathDeleted(key, lsn) => path(*key, *lsn),
                // Of one path the highest number wins.
                Change::Named { key, name, is_renewed: true, .. } => path(*key, name.lsn),
                Change::Named { .. } => {}
                Change::ContentDeleted(digest, lsn) => {
                    let end = ends.contents.entry(digest).or_default();
                    *end = (*lsn).max(*end);
                }
            }
        }
        ends
    }

    fn is_over(&self, key: PathKey, digest: &Digest, lsn: Lsn) -> bool {
        let end = self.paths.get(&key).max(self.contents.get(digest));
        end.is_some_and(|end| lsn < *end)
    }

    /// The names that are left, by number.
    fn outlived(&self, changes: &'a [Change]) -> Vec<Named<'a>> {
        let mut left = Vec::with_capacity(changes.len());
        for change in changes {
            if let Change::Named { key, name, size, is_large, .. } = change
                && !self.is_over(*key, &name.digest, name.lsn)
            {
                left.push(Named {
                    added: added_of(name),
                    key: *key,
                    name: name.as_ref(),
                    size: *size,
                    is_large: *is_large,
                });
            }
        }
        left.sort_unstable_by_key(|named| (named.added, named.name.lsn));
        left
    }
}

/// The number of the record that gave the path its content.
fn added_of(name: &StoredName) -> i64 {
    let added = name.attributes.get(Kind::Added).and_then(|bytes| bytes.try_into().ok());
    number(added.map_or(name.lsn.0, u64::from_le_bytes))
}

fn key_of(row: &rusqlite::Row<'_>, column: usize) -> Result<PathKey, Trouble> {
    let bytes = row.get_ref(column)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(PathKey::from_bytes).ok_or_else(|| Trouble::Damaged("a key is not one".to_owned()))
}

/// As SQLite has it. Numbers of the log stay far below 2^63.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is known of a row that may be removed.
pub(super) struct Found {
    pub(super) added: i64,
    pub(super) lsn: Lsn,
    pub(super) key: PathKey,
    hash: Vec<u8>,
    size: i64,
    media: i64,
    is_large: bool,
}

const FOUND: &str = "files.added, lsn, key, hash, size, media, is_large";

/// The statements on rows of files.
struct Rows<'a> {
    at: Statement<'a>,
    marked: Statement<'a>,
    has_large: Statement<'a>,
    insert: Statement<'a>,
    insert_words: Statement<'a>,
    delete: Statement<'a>,
    delete_words: Statement<'a>,
    text: String,
    /// When they are given up, ...
    until_ns: Option<u64>,
    /// ... and whether that was.
    is_over: bool,
}

impl<'a> Rows<'a> {
    fn new(on: &'a Transaction<'_>, until_ns: Option<u64>) -> Result<Rows<'a>, Trouble> {
        let marked = format!(
            "SELECT {FOUND} FROM words CROSS JOIN files ON files.added = words.rowid
             WHERE words MATCH ?1 AND words.rowid > ?2 ORDER BY words.rowid LIMIT {CATALOGUE_SWEEP_ROWS}"
        );
        Ok(Rows {
            at: on.prepare(&format!("SELECT {FOUND} FROM files WHERE added = ?1"))?,
            marked: on.prepare(&marked)?,
            has_large: on.prepare(
                "SELECT 1 FROM files INDEXED BY by_hash WHERE hash = ?1 AND is_large AND size > 0 LIMIT 1",
            )?,
            insert: on.prepare(
                "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO NOTHING",
            )?,
            insert_words: on.prepare("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?,
            delete: on.prepare("DELETE FROM files WHERE added = ?1")?,
            delete_words: on.prepare("DELETE FROM words WHERE rowid = ?1")?,
            text: String::with_capacity(512),
            until_ns,
            is_over: false,
        })
    }

    /// Whether to give up what is being done. Asked for each row, which takes far longer.
    fn is_over(&mut self) -> bool {
        self.is_over = self.is_over || self.until_ns.is_some_and(|until_ns| clock::now_ns() > until_ns);
        self.is_over
    }

    fn at(&mut self, added: i64) -> Result<Option<Found>, Trouble> {
        let mut rows = self.at.query([added])?;
        rows.next()?.map(found).transpose()
    }

    /// Rows behind this number whose words have the mark, by number; no more than [`CATALOGUE_SWEEP_ROWS`].
    fn marked(&mut self, mark: &str, after: i64) -> Result<Vec<Found>, Trouble> {
        let mut rows = self.marked.query(params![mark, after])?;
        let mut marked = Vec::new();
        while let Some(row) = rows.next()? {
            marked.push(found(row)?);
        }
        Ok(marked)
    }

    fn has_large(&mut self, hash: &[u8]) -> Result<bool, Trouble> {
        Ok(self.has_large.query_row([hash], |_| Ok(())).optional()?.is_some())
    }

    fn remove_ended(&mut self, ends: &Ends<'_>, sums: &mut Sums) -> Result<Applied, Trouble> {
        let mut removed = 0;
        for (digest, end) in &ends.contents {
            let is_meant = |row: &Found| row.hash == digest.0 && row.lsn < *end;
            removed += self.remove_marked(&words::mark_of_content(digest), removed, sums, is_meant)?;
            if self.is_over() {
                return Ok(Applied::GivenUp);
            }
        }
        if removed >= CATALOGUE_REMOVED_ROWS {
            return Ok(Applied::InPart);
        }
        // With what takes their place, so that no path is missing meanwhile.
        for (key, end) in &ends.paths {
            let is_meant = |row: &Found| row.key == *key && row.lsn < *end;
            self.remove_marked(&words::mark_of_path(*key), 0, sums, is_meant)?;
            if self.is_over() {
                return Ok(Applied::GivenUp);
            }
        }
        Ok(Applied::Wholly)
    }

    /// Removes what is meant of those with a mark, unless `before` are enough for a transaction; says how many. A mark is a
    /// part of what it stands for: others may have it as well.
    fn remove_marked(
        &mut self,
        mark: &str,
        before: usize,
        sums: &mut Sums,
        is_meant: impl Fn(&Found) -> bool,
    ) -> Result<usize, Trouble> {
        let (mut after, mut removed) = (i64::MIN, 0);
        while before + removed < CATALOGUE_REMOVED_ROWS {
            let marked = self.marked(mark, after)?;
            for row in marked.iter().filter(|row| is_meant(row)) {
                self.remove(row, sums)?;
                removed += 1;
                if self.is_over() {
                    return Ok(removed);
                }
            }
            match marked.last() {
                Some(last) if marked.len() == CATALOGUE_SWEEP_ROWS => after = last.added,
                _ => break,
            }
        }
        Ok(removed)
    }

    fn put(&mut self, named: &Named<'_>, sums: &mut Sums) -> Result<(), Trouble> {
        let name = named.name;
        let (size, media) = (number(named.size), media_of(&name.path));
        let is_new_content = named.is_large && size > 0 && !self.has_large(&name.digest.0)?;
        if !self.insert(named, size, media)? {
            // What is there is older, the same, or said by a later record.
            match self.at(named.added)? {
                Some(row) if row.key != named.key => {
                    return Err(Trouble::Damaged("another path has the number of a new one".to_owned()));
                }
                Some(row) if row.lsn < name.lsn => self.remove(&row, sums)?,
                // Its size could not be read then.
                Some(row) if row.lsn == name.lsn && row.size == 0 && size > 0 => self.remove(&row, sums)?,
                _ => return Ok(()),
            }
            return self.put(named, sums);
        }
        self.text.clear();
        words::push_text(&mut self.text, &name.path, &name.attributes);
        words::push_marks(&mut self.text, named.key, &name.digest);
        self.insert_words.execute(params![named.added, self.text])?;
        if is_new_content {
            sums.add(LARGE_CONTENTS, 1, size);
        }
        sums.add(media, 1, size);
        let zone = sums.zone(named.added);
        zone.earliest = zone.earliest.min(name.time.0);
        zone.latest = zone.latest.max(name.time.0);
        zone.files += 1;
        Ok(())
    }

    /// `false` if there is a row of this number.
    fn insert(&mut self, named: &Named<'_>, size: i64, media: i64) -> Result<bool, Trouble> {
        let name = named.name;
        let inserted = self.insert.execute(params![
            named.added,
            number(name.lsn.0),
            named.key.to_bytes().as_slice(),
            name.digest.0.as_slice(),
            size,
            name.time.0,
            media,
            named.is_large,
            name.path,
            name.attributes.text(Kind::OriginalName),
            name.attributes.as_bytes(),
        ])?;
        Ok(inserted > 0)
    }

    fn remove(&mut self, row: &Found, sums: &mut Sums) -> Result<(), Trouble> {
        self.delete.execute([row.added])?;
        self.delete_words.execute([row.added])?;
        sums.add(row.media, -1, -row.size);
        sums.zone(row.added).files -= 1;
        if row.is_large && row.size > 0 && !self.has_large(&row.hash)? {
            sums.add(LARGE_CONTENTS, -1, -row.size);
        }
        Ok(())
    }
}

fn found(row: &rusqlite::Row<'_>) -> Result<Found, Trouble> {
    Ok(Found {
        added: row.get(0)?,
        lsn: Lsn(row.get::<_, i64>(1)?.cast_unsigned()),
        key: key_of(row, 2)?,
        hash: row.get(3)?,
        size: row.get(4)?,
        media: row.get(5)?,
        is_large: row.get(6)?,
    })
}

/// Of the table of totals: distinct contents with a file of their own. How many others there are the index knows.
pub(super) const LARGE_CONTENTS: i64 = -1;

/// The media type of a stored path, by its place in [`MediaType::ALL`].
fn media_of(path: &str) -> i64 {
    let folder = path.split('/').nth(1).unwrap_or_default();
    let media = folder.parse().unwrap_or(MediaType::Other);
    media_number(media)
}

/// As it stands in the table.
pub(super) fn media_number(media: MediaType) -> i64 {
    let place = MediaType::ALL.iter().position(|other| *other == media);
    place.and_then(|place| i64::try_from(place).ok()).unwrap_or_default()
}

/// What a transaction changes of sums and zones.
#[derive(Default)]
struct Sums {
    totals: HashMap<i64, (i64, i64)>,
    zones: HashMap<i64, Zone>,
}

/// What is new of a zone: times of files that came, and how many more there are.
struct Zone {
    earliest: i64,
    latest: i64,
    files: i64,
}

impl Sums {
    fn add(&mut self, media: i64, files: i64, bytes: i64) {
        let sum = self.totals.entry(media).or_default();
        *sum = (sum.0 + files, sum.1.saturating_add(bytes));
    }

    fn zone(&mut self, added: i64) -> &mut Zone {
        let none = Zone { earliest: i64::MAX, latest: i64::MIN, files: 0 };
        self.zones.entry(added >> ZONE_SHIFT).or_insert(none)
    }

    fn write(&self, to: &Transaction<'_>) -> Result<(), Trouble> {
        let mut totals = to.prepare(
            "INSERT INTO totals VALUES (?1, ?2, ?3)
             ON CONFLICT (media) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes",
        )?;
        for (media, (files, bytes)) in &self.totals {
            totals.execute(params![media, files, bytes])?;
        }
        let mut zones = to.prepare(
            "INSERT INTO zones VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (zone) DO UPDATE SET
                 earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest),
                 files = files + excluded.files",
        )?;
        let mut emptied = to.prepare("DELETE FROM zones WHERE zone = ?1 AND files <= 0")?;
        for (number, zone) in &self.zones {
            zones.execute(params![number, zone.earliest, zone.latest, zone.files])?;
            if zone.files <= 0 {
                emptied.execute([number])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
