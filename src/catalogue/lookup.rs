//! Looking a list up: from where a page is read soonest.
//!
//! Always: a page goes on behind a file's place in the list's order (keyset), so that files which arrive or vanish between
//! two pages move no other; from wherever it is read, a page holds the same files: each page of a list is looked up anew.

use rusqlite::{Connection, Row, Statement, params, params_from_iter};

use super::cursor::{Cursor, Value};
use super::query::{File, Order, Page, Query, Totals};
use super::sorted::{Next, Places};
use super::statement::{COLUMNS, Source, Span, are_few_sizes, are_few_times, sizes_of_part, statement};
use super::words::{Expression, Finder};
use super::write::{LARGE_CONTENTS, media_number};
use crate::base::digest::Digest;
use crate::base::time::Wall;
use crate::limits::{
    CATALOGUE_DESERT_TIMES, CATALOGUE_FOUND_MAX, CATALOGUE_ROW_PLACES, CATALOGUE_WALK_ROWS,
    CATALOGUE_WALK_SHARE, LIST_BYTES_MAX,
};
use crate::media::table::MediaType;
use crate::runtime::clock;
use crate::store::format::Attributes;

/// Lets what is asked of this connection next end with an error at this time.
pub(super) fn give_up_at(connection: &mut Connection, until_ns: u64) -> rusqlite::Result<()> {
    connection.progress_handler(STEPS_AT_ONCE, Some(move || clock::now_ns() > until_ns))
}

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds. While FTS5 gathers what begins with
/// some letters it takes none, and the clock is looked at when it is done.
const STEPS_AT_ONCE: i32 = 2_000;

/// One page, read from where it is had soonest; within one transaction. What few files match is looked up. What many match fills a page soon on the
/// way through the list, and is not gathered whole first, as FTS5 does with all words of one beginning, and SQLite to sort;
/// but a walk may come through a desert, so it is given up where it takes longer than gathering.
pub(super) fn page(connection: &Connection, query: &Query) -> rusqlite::Result<Page> {
    let Some(span) = Span::of(connection, query)? else { return Ok(Page::default()) };
    let expression = query.expression();
    let from = |source, rows_max| read(connection, query, &expression, (span, source), rows_max);
    let whole = |source| Ok(from(source, usize::MAX)?.unwrap_or_default());
    let by_arrival = query.order.is_by_arrival();
    if query.has_sizes() && !query.order.is_by_size() && are_few_sizes(connection, query)? {
        return whole(Source::Sizes);
    }
    if query.has_times() && !by_arrival && are_few_times(connection, span)? {
        return whole(Source::Time);
    }
    let first = CATALOGUE_WALK_ROWS.max(CATALOGUE_WALK_SHARE * query.limit);
    if expression.is_empty() {
        if by_arrival && query.has_sizes() {
            return match from(Source::Ordered, first)? {
                Some(page) => Ok(page),
                None => read_sizes_by_part(connection, query, span),
            };
        }
        return whole(Source::Ordered);
    }
    if by_arrival && !expression.has_beginning() {
        return whole(Source::Words);
    }
    let way =
        if by_arrival && expression.whole_words().is_some() { Source::WholeWords } else { Source::Ordered };
    if let Some(page) = from(way, first)? {
        return Ok(page);
    }
    if !by_arrival && let Some(page) = walk_among(connection, query, &expression, span)? {
        return Ok(page);
    }
    whole(Source::Words)
}

/// The page, read along the index of its order, past what FTS5 has not found: no row is looked at that is not in the page.
/// `None` where that takes longer than to look all of them up: where they are few, or not spread evenly.
fn walk_among(
    connection: &Connection,
    query: &Query,
    expression: &Expression,
    span: Span,
) -> rusqlite::Result<Option<Page>> {
    let found = found(connection, expression)?;
    let all: i64 =
        connection
            .query_row("SELECT coalesce(sum(files), 0) FROM totals WHERE media >= 0", [], |row| row.get(0))?;
    let even = usize::try_from(all).unwrap_or_default().saturating_mul(query.limit) / found.len().max(1);
    let rows_max =
        found.len().saturating_mul(CATALOGUE_ROW_PLACES).min(even.saturating_mul(CATALOGUE_DESERT_TIMES));
    if found.len() > CATALOGUE_FOUND_MAX {
        return read(connection, query, expression, (span, Source::Ordered), rows_max);
    }
    if even > rows_max {
        return Ok(None);
    }
    read_sorted(connection, query, expression, (span, Some(&found)), rows_max)
}

/// Numbers of the files that have the words, upwards; one more than [`CATALOGUE_FOUND_MAX`] of more.
fn found(connection: &Connection, expression: &Expression) -> rusqlite::Result<Vec<i64>> {
    let mut statement =
        connection.prepare("SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid LIMIT ?2")?;
    let limit = i64::try_from(CATALOGUE_FOUND_MAX).unwrap_or(i64::MAX).saturating_add(1);
    statement.query_map(params![expression.to_match(), limit], |row| row.get(0))?.collect()
}

/// The page from this source; `None` if it takes more than so many rows.
fn read(
    connection: &Connection,
    query: &Query,
    expression: &Expression,
    (span, source): (Span, Source),
    rows_max: usize,
) -> rusqlite::Result<Option<Page>> {
    if source == Source::Ordered && !query.order.is_by_arrival() {
        return read_sorted(connection, query, expression, (span, None), rows_max);
    }
    let (sql, bound) = statement(query, expression, span, source);
    // What FTS5 was asked for it has found.
    let unchecked = Expression::default();
    let mut finder = if source == Source::Words { unchecked.finder() } else { expression.finder() };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(bound))?;
    let mut one = one(connection)?;
    let is_gathered = source.is_gathered(query.order);
    let mut filling = Filling::of(query);
    let mut passed = 0;
    while let Some(row) = rows.next()? {
        passed += 1;
        if passed > rows_max {
            return Ok(None);
        }
        let is_full = if is_gathered {
            one.query_row([row.get::<_, i64>(0)?], |row| filling.take(row, &mut finder))?
        } else {
            filling.take(row, &mut finder)?
        };
        if is_full {
            break;
        }
    }
    Ok(Some(filling.page))
}

/// The file of a number.
fn one(connection: &Connection) -> rusqlite::Result<Statement<'_>> {
    connection.prepare(&format!("SELECT {COLUMNS} FROM files WHERE files.added = ?1"))
}

/// The page in the order of arrival of files of some sizes, part by part: however many others have come since, they are not
/// looked at.
fn read_sizes_by_part(connection: &Connection, query: &Query, span: Span) -> rusqlite::Result<Page> {
    let mut one = one(connection)?;
    let mut filling = Filling::of(query);
    let unchecked = Expression::default();
    let mut finder = unchecked.finder();
    let mut parts = span.ahead(query).parts(connection)?;
    if query.order == Order::Newest {
        parts.reverse();
    }
    for part in parts {
        let (sql, bound) = sizes_of_part(query, span, part);
        let mut numbers = connection.prepare(&sql)?;
        let mut numbers = numbers.query(params_from_iter(bound))?;
        while let Some(row) = numbers.next()? {
            if one.query_row([row.get::<_, i64>(0)?], |row| filling.take(row, &mut finder))? {
                return Ok(filling.page);
            }
        }
    }
    Ok(filling.page)
}

/// As [`read`], along the orders of the span's parts, of which some are read ahead. `among` are the numbers of the files with
/// the words, upwards, if they are known.
fn read_sorted(
    connection: &Connection,
    query: &Query,
    expression: &Expression,
    (span, among): (Span, Option<&[i64]>),
    rows_max: usize,
) -> rusqlite::Result<Option<Page>> {
    let unchecked = Expression::default();
    let mut finder = if among.is_some() { unchecked.finder() } else { expression.finder() };
    let mut one = one(connection)?;
    let mut places = Places::of(connection, query, span, among, rows_max)?;
    let mut filling = Filling::of(query);
    loop {
        match places.next()? {
            Next::File(added) => {
                if one.query_row([added], |row| filling.take(row, &mut finder))? {
                    return Ok(Some(filling.page));
                }
            }
            Next::End => return Ok(Some(filling.page)),
            Next::TooFar => return Ok(None),
        }
    }
}

/// A page in the making.
struct Filling<'a> {
    query: &'a Query,
    page: Page,
    last: Option<Cursor>,
    bytes: usize,
}

impl<'a> Filling<'a> {
    fn of(query: &'a Query) -> Filling<'a> {
        Filling { query, page: Page::default(), last: None, bytes: 0 }
    }

    /// The file of a row of [`COLUMNS`], if it is meant; `true` if there is no room for it, and the page ends before it.
    fn take(&mut self, row: &Row<'_>, finder: &mut Finder<'_>) -> rusqlite::Result<bool> {
        let path = path(row)?;
        let raw = row.get_ref(5)?.as_blob().map_err(|_| malformed(5))?;
        if !is_of_times_and_sizes(self.query, row)? || !finder.might_find(path, raw) {
            return Ok(false);
        }
        let attributes = attributes(row)?;
        Ok(finder.finds(path, &attributes) && self.add(row, path, attributes)?)
    }

    /// One file more; `true` if there is no room for it.
    fn add(&mut self, row: &Row<'_>, path: &str, attributes: Attributes) -> rusqlite::Result<bool> {
        if self.page.files.len() == self.query.limit || self.bytes > LIST_BYTES_MAX {
            self.page.next = self.last.take();
            return Ok(true);
        }
        self.bytes += attributes.as_bytes().len();
        self.last = Some(place(row, self.query.order)?);
        self.page.files.push(file(row, path, attributes)?);
        Ok(false)
    }
}

fn path<'a>(row: &'a Row<'_>) -> rusqlite::Result<&'a str> {
    row.get_ref(1)?.as_str().map_err(|_| malformed(1))
}

fn attributes(row: &Row<'_>) -> rusqlite::Result<Attributes> {
    let raw = row.get_ref(5)?.as_blob().map_err(|_| malformed(5))?;
    Attributes::from_bytes(raw).map_err(|_| malformed(5))
}

fn is_of_times_and_sizes(query: &Query, row: &Row<'_>) -> rusqlite::Result<bool> {
    let time: i64 = row.get(4)?;
    let size = u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
    Ok(query.since.is_none_or(|since| time >= since.0)
        && query.until.is_none_or(|until| time < until.0)
        && query.size_min.is_none_or(|least| size >= least)
        && query.size_max.is_none_or(|most| size <= most))
}

fn file(row: &Row<'_>, path: &str, attributes: Attributes) -> rusqlite::Result<File> {
    let hash: Vec<u8> = row.get(2)?;
    Ok(File {
        path: path.to_owned(),
        digest: Digest(hash.try_into().map_err(|_| malformed(2))?),
        size: u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
        time: Wall(row.get(4)?),
        attributes,
    })
}

/// Where the list goes on behind this row.
fn place(row: &Row<'_>, order: Order) -> rusqlite::Result<Cursor> {
    let value = match order {
        Order::Newest | Order::Oldest => Value::None,
        Order::Largest | Order::Smallest => Value::Size(row.get(3)?),
        Order::Name | Order::NameDescending => {
            Value::Name(row.get_ref(6)?.as_str().unwrap_or_default().to_owned())
        }
    };
    Ok(Cursor { added: row.get(0)?, value })
}

fn malformed(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "files".to_owned(), rusqlite::types::Type::Blob)
}

/// Sums over all files, which are kept; within one transaction.
pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    let mut statement = connection.prepare("SELECT media, files, bytes FROM totals")?;
    let mut rows = statement.query([])?;
    let mut totals = Totals::default();
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    while let Some(row) = rows.next()? {
        let (media, files, bytes): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if media == LARGE_CONTENTS {
            totals.large_bytes = count(bytes);
        } else if let Some(media) = MediaType::ALL.into_iter().find(|other| media_number(*other) == media) {
            totals.media.push((media, count(files), count(bytes)));
        }
    }
    Ok(totals)
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
