//! Changing the catalogue: what its one writing thread does.
//!
//! Always: a transaction enters changes together with how far the log was read for them; of one path the highest number
//! wins. Sums and zones change with the rows they are of.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OptionalExtension as _, Statement, Transaction, params};

use super::schema::{self, Trouble, ZONE_SHIFT};
use super::words;
use crate::base::ids::{BatchSeq, Lsn, SegmentId, StoreId};
use crate::limits::CATALOGUE_SWEEP_ROWS;
use crate::media::table::MediaType;
use crate::store::format::attributes::Kind;
use crate::store::index::PathKey;
use crate::store::read::StoredName;
use crate::store::segment::Written;
use crate::store::tail::Change;

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
}

/// A transaction's worth of following.
#[derive(Default)]
pub(super) struct Round {
    pub(super) changes: Vec<Change>,
    pub(super) reached: Positions,
    /// Segments that are gone.
    pub(super) gone: Vec<SegmentId>,
    /// With this, all of the log has been read.
    pub(super) completes: bool,
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
        let is_complete = connection.query_row("SELECT is_complete FROM about", [], |row| row.get(0))?;
        self.connection = Some(connection);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(Begun { positions, is_complete })
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

    /// Enters a round, all of it or nothing.
    pub(super) fn apply(&mut self, round: &Round) -> Result<(), Trouble> {
        let transaction = self.connection()?.transaction()?;
        {
            let mut sums = Sums::default();
            let mut rows = Rows::new(&transaction)?;
            for change in &round.changes {
                match change {
                    Change::Named { key, name, size } => rows.put(*key, name, *size, &mut sums)?,
                    Change::PathDeleted(key, lsn) => {
                        let found = rows.at_key(*key)?;
                        for row in found.into_iter().filter(|row| row.lsn < number(lsn.0)) {
                            rows.remove(&row, &mut sums)?;
                        }
                    }
                    Change::ContentDeleted(digest, lsn) => {
                        for row in rows.of_content(&digest.0, number(lsn.0))? {
                            rows.remove(&row, &mut sums)?;
                        }
                    }
                }
            }
            drop(rows);
            sums.write(&transaction)?;
            let mut reached = transaction.prepare("INSERT OR REPLACE INTO progress VALUES (?1, ?2, ?3)")?;
            for (segment, written) in &round.reached {
                reached.execute(params![segment.0, number(written.end), number(written.last_batch.0)])?;
            }
            let mut gone = transaction.prepare("DELETE FROM progress WHERE segment = ?1")?;
            for segment in &round.gone {
                gone.execute([segment.0])?;
            }
            if round.completes {
                transaction.execute("UPDATE about SET is_complete = 1", [])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// The next rows whose keys are behind this one (`None`: the first), by key.
    pub(super) fn rows_after(&mut self, after: Option<PathKey>) -> Result<Vec<(PathKey, Lsn)>, Trouble> {
        let mut select = self
            .connection()?
            .prepare("SELECT key, lsn FROM files INDEXED BY by_key WHERE key > ?1 ORDER BY key LIMIT ?2")?;
        // No key is empty.
        let after = after.map(|key| key.to_bytes().to_vec()).unwrap_or_default();
        let mut rows = select.query(params![after, number(CATALOGUE_SWEEP_ROWS as u64)])?;
        let mut found = Vec::with_capacity(CATALOGUE_SWEEP_ROWS);
        while let Some(row) = rows.next()? {
            let bytes = row.get::<_, Vec<u8>>(0)?.try_into();
            let bytes = bytes.map_err(|_| Trouble::Damaged("a key is not one".to_owned()))?;
            found.push((PathKey::from_bytes(bytes), Lsn(row.get::<_, i64>(1)?.cast_unsigned())));
        }
        Ok(found)
    }

    /// Removes the rows with these keys.
    pub(super) fn remove(&mut self, keys: &[PathKey]) -> Result<(), Trouble> {
        let transaction = self.connection()?.transaction()?;
        {
            let mut sums = Sums::default();
            let mut rows = Rows::new(&transaction)?;
            for key in keys {
                for row in rows.at_key(*key)? {
                    rows.remove(&row, &mut sums)?;
                }
            }
            drop(rows);
            sums.write(&transaction)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// As SQLite has it. Numbers of the log stay far below 2^63.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is known of a row that may be removed.
struct Found {
    added: i64,
    lsn: i64,
    hash: Vec<u8>,
    size: i64,
    media: i64,
}

/// The statements on rows of files.
struct Rows<'a> {
    at_key: Statement<'a>,
    of_content: Statement<'a>,
    has_content: Statement<'a>,
    insert: Statement<'a>,
    insert_words: Statement<'a>,
    delete: Statement<'a>,
    delete_words: Statement<'a>,
}

impl<'a> Rows<'a> {
    fn new(on: &'a Transaction<'_>) -> Result<Rows<'a>, Trouble> {
        Ok(Rows {
            at_key: on.prepare("SELECT added, lsn, hash, size, media FROM files WHERE key = ?1")?,
            of_content: on
                .prepare("SELECT added, lsn, hash, size, media FROM files WHERE hash = ?1 AND lsn < ?2")?,
            has_content: on.prepare("SELECT 1 FROM files WHERE hash = ?1 LIMIT 1")?,
            insert: on.prepare("INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?,
            insert_words: on.prepare("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?,
            delete: on.prepare("DELETE FROM files WHERE added = ?1")?,
            delete_words: on.prepare("DELETE FROM words WHERE rowid = ?1")?,
        })
    }

    fn at_key(&mut self, key: PathKey) -> Result<Vec<Found>, Trouble> {
        let rows = self.at_key.query_map([key.to_bytes().as_slice()], found)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn of_content(&mut self, hash: &[u8], before: i64) -> Result<Vec<Found>, Trouble> {
        let rows = self.of_content.query_map(params![hash, before], found)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn has_content(&mut self, hash: &[u8]) -> Result<bool, Trouble> {
        Ok(self.has_content.query_row([hash], |_| Ok(())).optional()?.is_some())
    }

    fn put(&mut self, key: PathKey, name: &StoredName, size: u64, sums: &mut Sums) -> Result<(), Trouble> {
        let lsn = number(name.lsn.0);
        for row in self.at_key(key)? {
            if row.lsn >= lsn {
                return Ok(());
            }
            self.remove(&row, sums)?;
        }
        let (size, media) = (number(size), media_of(&name.path));
        if !self.has_content(&name.digest.0)? {
            sums.add(CONTENTS, 1, size);
        }
        let added = name.attributes.get(Kind::Added).and_then(|bytes| bytes.try_into().ok());
        let added = added.map_or(lsn, |bytes| number(u64::from_le_bytes(bytes)));
        self.insert.execute(params![
            added,
            lsn,
            key.to_bytes().as_slice(),
            name.digest.0.as_slice(),
            size,
            name.time.0,
            media,
            name.path,
            name.attributes.text(Kind::OriginalName),
            name.attributes.as_bytes(),
        ])?;
        self.insert_words.execute(params![added, words::text_of(&name.path, &name.attributes)])?;
        sums.add(media, 1, size);
        let zone = sums.zones.entry(added >> ZONE_SHIFT).or_insert((name.time.0, name.time.0));
        *zone = (zone.0.min(name.time.0), zone.1.max(name.time.0));
        Ok(())
    }

    fn remove(&mut self, row: &Found, sums: &mut Sums) -> Result<(), Trouble> {
        self.delete.execute([row.added])?;
        self.delete_words.execute([row.added])?;
        sums.add(row.media, -1, -row.size);
        if !self.has_content(&row.hash)? {
            sums.add(CONTENTS, -1, -row.size);
        }
        Ok(())
    }
}

fn found(row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found {
        added: row.get(0)?,
        lsn: row.get(1)?,
        hash: row.get(2)?,
        size: row.get(3)?,
        media: row.get(4)?,
    })
}

/// Of the table of totals: distinct contents.
pub(super) const CONTENTS: i64 = -1;

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
    zones: HashMap<i64, (i64, i64)>,
}

impl Sums {
    fn add(&mut self, media: i64, files: i64, bytes: i64) {
        let sum = self.totals.entry(media).or_default();
        *sum = (sum.0 + files, sum.1.saturating_add(bytes));
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
            "INSERT INTO zones VALUES (?1, ?2, ?3)
             ON CONFLICT (zone) DO UPDATE SET
                 earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)",
        )?;
        for (zone, (earliest, latest)) in &self.zones {
            zones.execute(params![zone, earliest, latest])?;
        }
        Ok(())
    }
}
