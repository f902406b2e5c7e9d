//! Looking a list up: from where a page is read soonest, and the statement for it.
//!
//! Always: a page goes on behind a file's place in the list's order (keyset), so that files which arrive or vanish between
//! two pages move no other; what a client sends is a bound value or a quoted word, never a part of a statement.

use rusqlite::types::Value as Bound;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::cursor::{Cursor, Value};
use super::query::{Category, File, Order, Page, Query, Totals};
use super::schema::ZONE_SHIFT;
use super::words::Expression;
use super::write::{CONTENTS, media_number};
use crate::base::digest::Digest;
use crate::base::time::Wall;
use crate::limits::{CATALOGUE_FEW, CATALOGUE_QUERY_MS, LIST_BYTES_MAX};
use crate::media::table::MediaType;
use crate::runtime::clock;
use crate::store::format::Attributes;

/// Lets what is asked from now on end with an error when it takes too long.
pub(super) fn give_up_after(connection: &mut Connection) -> rusqlite::Result<()> {
    let until_ns = clock::now_ns() + CATALOGUE_QUERY_MS * 1_000_000;
    connection.progress_handler(STEPS_AT_ONCE, Some(move || clock::now_ns() > until_ns))
}

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS_AT_ONCE: i32 = 2_000;

/// What a list is read from, front to back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// All files, in the list's own order.
    Ordered,
    /// Those with the words; in the order of arrival they come in the list's order.
    Words,
    /// Those of the span of time; few.
    Time,
    /// Those of the sizes; few.
    Sizes,
}

/// The text of a statement in the making, with what is bound to it.
#[derive(Default)]
struct Conditions {
    sql: String,
    bound: Vec<Bound>,
}

impl Conditions {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Bound>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.bound.extend(values);
    }
}

/// One page.
pub(super) fn page(connection: &Connection, query: &Query) -> rusqlite::Result<Page> {
    let Some(span) = Span::of(connection, query)? else { return Ok(Page::default()) };
    let expression = query.expression();
    let source = choose(connection, query, &expression, span)?;
    let (sql, bound) = statement(query, &expression, span, source);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(bound))?;
    let mut page = Page::default();
    let (mut last, mut bytes) = (None, 0);
    while let Some(row) = rows.next()? {
        if page.files.len() == query.limit || bytes > LIST_BYTES_MAX {
            page.next = last;
            break;
        }
        let attributes: Vec<u8> = row.get(5)?;
        let hash: Vec<u8> = row.get(2)?;
        let name = row.get_ref(6)?.as_str().unwrap_or_default();
        let size: i64 = row.get(3)?;
        bytes += attributes.len();
        last = Some(Cursor {
            added: row.get(0)?,
            value: match query.order {
                Order::Newest | Order::Oldest => Value::None,
                Order::Largest | Order::Smallest => Value::Size(size),
                Order::Name | Order::NameDescending => Value::Name(name.to_owned()),
            },
        });
        page.files.push(File {
            path: row.get(1)?,
            digest: Digest(hash.try_into().map_err(|_| malformed(2))?),
            size: u64::try_from(size).unwrap_or_default(),
            time: Wall(row.get(4)?),
            attributes: Attributes::from_bytes(&attributes).map_err(|_| malformed(5))?,
        });
    }
    Ok(page)
}

fn malformed(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "files".to_owned(), rusqlite::types::Type::Blob)
}

/// Numbers in the order of arrival within which all files of the asked time are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    first: i64,
    last: i64,
}

impl Span {
    /// `None` if there can be none.
    fn of(connection: &Connection, query: &Query) -> rusqlite::Result<Option<Span>> {
        if query.since.is_none() && query.until.is_none() {
            return Ok(Some(Span { first: 0, last: i64::MAX }));
        }
        let zones: (Option<i64>, Option<i64>) = connection.query_row(
            "SELECT min(zone), max(zone) FROM zones WHERE latest >= ?1 AND earliest < ?2",
            [query.since.map_or(i64::MIN, |time| time.0), query.until.map_or(i64::MAX, |time| time.0)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (Some(first), Some(last)) = zones else { return Ok(None) };
        Ok(Some(Span { first: first << ZONE_SHIFT, last: ((last + 1) << ZONE_SHIFT) - 1 }))
    }
}

/// From where a page is read soonest. A condition that few files meet is looked up; one that many meet is soon met on the
/// way through the list.
fn choose(
    connection: &Connection,
    query: &Query,
    expression: &Expression,
    span: Span,
) -> rusqlite::Result<Source> {
    let by_arrival = matches!(query.order, Order::Newest | Order::Oldest);
    if query.has_words() && !by_arrival {
        return Ok(Source::Words);
    }
    if query.has_sizes() && !query.has_words() && (by_arrival || is_by_name(query.order)) {
        let mut conditions = Conditions::default();
        sizes(query, &mut conditions);
        if are_few(connection, "files INDEXED BY by_size", &conditions)? {
            return Ok(Source::Sizes);
        }
    }
    if by_arrival {
        return Ok(if expression.is_empty() { Source::Ordered } else { Source::Words });
    }
    if !expression.is_empty() {
        let mut conditions = Conditions::default();
        conditions.and("words MATCH ?", [Bound::Text(expression.as_str().to_owned())]);
        if are_few(connection, "words", &conditions)? {
            return Ok(Source::Words);
        }
    }
    if query.since.is_some() || query.until.is_some() {
        let mut conditions = Conditions::default();
        within(span, "added", &mut conditions);
        if are_few(connection, "files NOT INDEXED", &conditions)? {
            return Ok(Source::Time);
        }
    }
    Ok(Source::Ordered)
}

fn is_by_name(order: Order) -> bool {
    matches!(order, Order::Name | Order::NameDescending)
}

/// Whether no more than [`CATALOGUE_FEW`] rows meet the conditions. Counts no further.
fn are_few(connection: &Connection, table: &str, conditions: &Conditions) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM {table}{} LIMIT 1 OFFSET {CATALOGUE_FEW}", conditions.sql);
    let mut statement = connection.prepare(&sql)?;
    Ok(statement.query_row(params_from_iter(&conditions.bound), |_| Ok(())).optional()?.is_none())
}

/// The statement of a page.
fn statement(query: &Query, expression: &Expression, span: Span, source: Source) -> (String, Vec<Bound>) {
    let mut conditions = Conditions::default();
    let (table, number) = match source {
        Source::Words => {
            conditions.and("words MATCH ?", [Bound::Text(expression.as_str().to_owned())]);
            // In this order.
            ("words CROSS JOIN files ON files.added = words.rowid", "words.rowid")
        }
        Source::Time => ("files NOT INDEXED", "files.added"),
        Source::Sizes => ("files INDEXED BY by_size", "files.added"),
        Source::Ordered => match query.order {
            Order::Newest | Order::Oldest => ("files NOT INDEXED", "files.added"),
            Order::Largest | Order::Smallest => ("files INDEXED BY by_size", "files.added"),
            Order::Name | Order::NameDescending => ("files INDEXED BY by_name", "files.added"),
        },
    };
    if source != Source::Words {
        folders(query, &mut conditions);
    }
    if query.since.is_some() || query.until.is_some() {
        within(span, number, &mut conditions);
        if let Some(since) = query.since {
            conditions.and("files.time >= ?", [Bound::Integer(since.0)]);
        }
        if let Some(until) = query.until {
            conditions.and("files.time < ?", [Bound::Integer(until.0)]);
        }
    }
    sizes(query, &mut conditions);
    behind(query, number, &mut conditions);
    let order = match query.order {
        Order::Newest => format!("{number} DESC"),
        Order::Oldest => format!("{number} ASC"),
        Order::Largest => "files.size DESC, files.added DESC".to_owned(),
        Order::Smallest => "files.size ASC, files.added ASC".to_owned(),
        Order::Name => "files.name ASC, files.added ASC".to_owned(),
        Order::NameDescending => "files.name DESC, files.added DESC".to_owned(),
    };
    let sql = format!(
        "SELECT files.added, files.path, files.hash, files.size, files.time, files.attributes, files.name
         FROM {table}{} ORDER BY {order} LIMIT {}",
        conditions.sql,
        query.limit + 1
    );
    (sql, conditions.bound)
}

fn within(span: Span, number: &str, conditions: &mut Conditions) {
    let bounds = [Bound::Integer(span.first), Bound::Integer(span.last)];
    conditions.and(&format!("{number} >= ? AND {number} <= ?"), bounds);
}

fn sizes(query: &Query, conditions: &mut Conditions) {
    let number = |size: u64| Bound::Integer(i64::try_from(size).unwrap_or(i64::MAX));
    if let Some(least) = query.size_min {
        conditions.and("files.size >= ?", [number(least)]);
    }
    if let Some(most) = query.size_max {
        conditions.and("files.size <= ?", [number(most)]);
    }
}

/// Type and category, where files are not found by them.
fn folders(query: &Query, conditions: &mut Conditions) {
    if let Some(media) = query.media {
        conditions.and("files.media = ?", [Bound::Integer(media_number(media))]);
    }
    match &query.category {
        // What begins with the folder and a slash: the character behind the slash is the zero.
        Some(Category::Folder(folder)) => conditions.and(
            "files.path >= ? AND files.path < ?",
            [Bound::Text(format!("storage/{folder}/")), Bound::Text(format!("storage/{folder}0"))],
        ),
        // A category has no character that is of meaning here.
        Some(Category::Label(label)) => {
            conditions.and("files.path GLOB ?", [Bound::Text(format!("storage/*/*/{label}/*"))]);
        }
        None => {}
    }
}

fn behind(query: &Query, number: &str, conditions: &mut Conditions) {
    let Some(cursor) = &query.behind else { return };
    let sign = match query.order {
        Order::Newest | Order::Largest | Order::NameDescending => "<",
        Order::Oldest | Order::Smallest | Order::Name => ">",
    };
    let added = Bound::Integer(cursor.added);
    match &cursor.value {
        Value::None => conditions.and(&format!("{number} {sign} ?"), [added]),
        Value::Size(size) => {
            conditions
                .and(&format!("(files.size, files.added) {sign} (?, ?)"), [Bound::Integer(*size), added]);
        }
        Value::Name(name) => {
            conditions
                .and(&format!("(files.name, files.added) {sign} (?, ?)"), [Bound::Text(name.clone()), added]);
        }
    }
}

/// Sums over all files, which are kept.
pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    let mut statement = connection.prepare("SELECT media, files, bytes FROM totals")?;
    let mut rows = statement.query([])?;
    let mut totals = Totals::default();
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    while let Some(row) = rows.next()? {
        let (media, files, bytes): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if media == CONTENTS {
            totals.contents = (count(files), count(bytes));
        } else if let Some(media) = MediaType::ALL.into_iter().find(|other| media_number(*other) == media) {
            totals.media.push((media, count(files), count(bytes)));
        }
    }
    Ok(totals)
}
