//! The catalogue's file: its tables, how it is opened, and when it is thrown away.
//!
//! Always: a file that is not whole, not of this version or not of this store is removed and made anew: all that it says
//! stands in the log. `synchronous = NORMAL` in WAL mode: a power cut may take the last transactions, never a part of
//! one, and each says how far it had read.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _};

use crate::base::ids::StoreId;
use crate::limits::{CATALOGUE_READER_CACHE_BYTES, CATALOGUE_WRITER_CACHE_BYTES};

/// The catalogue within the data folder.
pub const FILE: &str = "catalogue.sqlite";
/// What SQLite puts beside it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// "RHNO": whose file it is, for file(1) and for us.
const APPLICATION: i32 = 0x5248_4e4f;
/// Of the tables below and of what their columns mean. Another one is not migrated but made anew.
const VERSION: i32 = 5;
const PAGE_BYTES: i64 = 4_096;

/// A zone is so many numbers (a power of two, as a shift), with the earliest and latest time of its files: a block range
/// index. Times nearly follow numbers, so a span of time is a few zones, and where a clock jumped it is some more. Zones whose
/// files are gone are gone.
pub(super) const ZONE_SHIFT: u32 = 12;

/// A part is so many numbers, likewise. Each has an order by size and one by name of its own, some hundred pages; a list in
/// such an order is merged from those of all parts that have files.
pub(super) const PART_SHIFT: u32 = 16;
const _: () = assert!(PART_SHIFT > ZONE_SHIFT);

const TABLES: &str = "
    -- What it is of, whether all of the log was read once, and the greatest number of a record that was.
    CREATE TABLE about (store BLOB NOT NULL, is_complete INTEGER NOT NULL, greatest INTEGER NOT NULL);
    -- How far each segment of the log was read.
    CREATE TABLE progress (segment INTEGER PRIMARY KEY, end INTEGER NOT NULL, last_batch INTEGER NOT NULL);
    -- The names of the store. `added` is the number of the record that an upload gave the path, and the order of
    -- arrival; `lsn` that of the record that this row says. `key` stands for the path, as in the index.
    CREATE TABLE files (
        added INTEGER PRIMARY KEY,
        lsn INTEGER NOT NULL,
        key BLOB NOT NULL,
        hash BLOB NOT NULL,
        size INTEGER NOT NULL,
        time INTEGER NOT NULL,
        media INTEGER NOT NULL,
        is_large INTEGER NOT NULL,
        path TEXT NOT NULL,
        name TEXT NOT NULL COLLATE NOCASE,
        attributes BLOB NOT NULL
    );
    -- Contents with a file of their own, which are few. No other index is spread over all files: each new name would change a
    -- page of its own there. To the names of a path or a content lead words, below.
    CREATE INDEX by_hash ON files (hash) WHERE is_large AND size > 0;
    -- See PART_SHIFT.
    CREATE INDEX by_size ON files (added >> PART_SHIFT, size, added);
    CREATE INDEX by_name ON files (added >> PART_SHIFT, name, added);
    -- Their words and folders, cut and folded before they come here: to this tokenizer all but ASCII's signs is a part of
    -- words.
    CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'ascii');
    -- See ZONE_SHIFT.
    CREATE TABLE zones (
        zone INTEGER PRIMARY KEY, earliest INTEGER NOT NULL, latest INTEGER NOT NULL, files INTEGER NOT NULL
    );
    -- Sums over files by media type; -1 is distinct contents with a file of their own, those of a size that could not be
    -- read (0) left out. (One that is damaged and then stored again within the log still counts here.)
    CREATE TABLE totals (media INTEGER PRIMARY KEY, files INTEGER NOT NULL, bytes INTEGER NOT NULL);
";

/// Why something was not done with the catalogue's file.
#[derive(Debug)]
pub enum Trouble {
    /// It is not whole, or not what it should be: it is to be made anew.
    Damaged(String),
    /// It could not be read or written now: no space, no descriptor, an error of the disk.
    Refused(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Damaged(why) | Trouble::Refused(why) => f.write_str(why),
        }
    }
}

impl Trouble {
    /// As what it counts for one who only asks. What is asked cannot be wrong for everybody: only a file that is not whole is
    /// damaged.
    pub(super) fn of_reading(error: rusqlite::Error) -> Trouble {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => error.into(),
            Some(_) => Trouble::Refused(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        let passing = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::OutOfMemory
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::OperationAborted
                    | ErrorCode::PermissionDenied
                    | ErrorCode::ReadOnly
                    | ErrorCode::NoLargeFileSupport
            )
        );
        if passing { Trouble::Refused(error.to_string()) } else { Trouble::Damaged(error.to_string()) }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Refused(error.to_string())
    }
}

/// Opens the catalogue of this store to be written; makes one where there is none.
///
/// # Errors
/// `Damaged` where what is there is of no use.
pub(super) fn open(path: &Path, store: StoreId, journal_bytes: u64) -> Result<Connection, Trouble> {
    let journal_bytes = i64::try_from(journal_bytes).unwrap_or(i64::MAX);
    // SQLite gives what it puts beside it the same mode.
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(path)?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", journal_bytes / PAGE_BYTES)?;
    connection.pragma_update(None, "journal_size_limit", journal_bytes)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    tune(&connection, CATALOGUE_WRITER_CACHE_BYTES)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(&TABLES.replace(">> PART_SHIFT", &format!(">> {PART_SHIFT}")))?;
        transaction.execute("INSERT INTO about VALUES (?1, 0, 0)", [store.0.as_slice()])?;
        transaction.execute("INSERT INTO totals VALUES (-1, 0, 0)", [])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    check(&connection, store)?;
    Ok(connection)
}

fn check(connection: &Connection, store: StoreId) -> Result<(), Trouble> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    if (application, version) != (APPLICATION, VERSION) {
        return Err(Trouble::Damaged(format!("it is of version {version}, this is {VERSION}")));
    }
    let of: Option<Vec<u8>> =
        connection.query_row("SELECT store FROM about", [], |row| row.get(0)).optional()?;
    if of.as_deref() != Some(store.0.as_slice()) {
        return Err(Trouble::Damaged("it is of another store".to_owned()));
    }
    Ok(())
}

/// Whether it lists all that the log held at some moment.
pub(super) fn is_complete(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT is_complete FROM about", [], |row| row.get(0))
}

/// Bytes of the journal beside it.
pub(super) fn journal_bytes(path: &Path) -> u64 {
    std::fs::metadata(beside(path, COMPANIONS[0])).map_or(0, |journal| journal.len())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens the catalogue to be read, beside who writes it.
pub(super) fn open_to_read(path: &Path, store: StoreId) -> Result<Connection, Trouble> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    tune(&connection, CATALOGUE_READER_CACHE_BYTES)?;
    check(&connection, store)?;
    Ok(connection)
}

fn tune(connection: &Connection, cache_bytes: usize) -> Result<(), Trouble> {
    // A negative size is in KiB.
    connection.pragma_update(None, "cache_size", format!("-{}", cache_bytes / 1_024))?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.busy_timeout(std::time::Duration::from_millis(crate::limits::CATALOGUE_QUERY_MS))?;
    Ok(())
}

/// Removes the catalogue and what stands beside it.
///
/// # Errors
/// What the disk gave.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for file in std::iter::once(path.to_owned()).chain(COMPANIONS.map(|suffix| beside(path, suffix))) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}
