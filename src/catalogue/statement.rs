//! The text of what SQLite is asked for a page, and what is bound to it.
//!
//! Always: what a client sends is a bound value or a quoted word, never a part of a statement.

use rusqlite::types::Value as Bound;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::cursor::{Cursor, Value};
use super::query::{Order, Query};
use super::schema::{PART_SHIFT, ZONE_SHIFT};
use super::words::Expression;
use crate::limits::CATALOGUE_FEW;

/// What a list is read from, front to back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// All files, in the list's own order; that of size or name is merged from parts (see [`Places`](super::sorted::Places)).
    Ordered,
    /// Those with the words, as FTS5 gives them: in the order of arrival.
    Words,
    /// Those with the words that do not go on, likewise.
    WholeWords,
    /// Those of the span of time; few.
    Time,
    /// Those of the sizes; few.
    Sizes,
}

impl Source {
    /// Whether SQLite gathers all of it to sort: numbers, of which files are read one by one.
    pub(super) fn is_gathered(self, order: Order) -> bool {
        match self {
            Source::Sizes | Source::Time => true,
            Source::Words => !order.is_by_arrival(),
            Source::Ordered | Source::WholeWords => false,
        }
    }
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

/// Numbers in the order of arrival within which all files of the asked time are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    first: i64,
    last: i64,
}

impl Span {
    pub(super) const ALL: Span = Span { first: 0, last: i64::MAX };

    /// `None` if there can be none.
    pub(super) fn of(connection: &Connection, query: &Query) -> rusqlite::Result<Option<Span>> {
        if query.since.is_none() && query.until.is_none() {
            return Ok(Some(Span::ALL));
        }
        let zones: (Option<i64>, Option<i64>) = connection.query_row(
            "SELECT min(zone), max(zone) FROM zones WHERE latest >= ?1 AND earliest < ?2",
            [query.since.map_or(i64::MIN, |time| time.0), query.until.map_or(i64::MAX, |time| time.0)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (Some(first), Some(last)) = zones else { return Ok(None) };
        Ok(Some(Span { first: first << ZONE_SHIFT, last: ((last + 1) << ZONE_SHIFT) - 1 }))
    }

    /// What of it is to come in the order of arrival.
    pub(super) fn ahead(self, query: &Query) -> Span {
        match (&query.behind, query.order) {
            (Some(cursor), Order::Newest) => Span { last: self.last.min(cursor.added), ..self },
            (Some(cursor), Order::Oldest) => Span { first: self.first.max(cursor.added), ..self },
            _ => self,
        }
    }

    /// The parts it touches that may have files, upwards.
    pub(super) fn parts(self, connection: &Connection) -> rusqlite::Result<Vec<i64>> {
        let sql = format!("SELECT part FROM {} WHERE part >= ?1 AND part <= ?2 ORDER BY part", parts());
        let mut parts = connection.prepare(&sql)?;
        parts.query_map([self.first >> PART_SHIFT, self.last >> PART_SHIFT], |row| row.get(0))?.collect()
    }
}

pub(super) fn are_few_sizes(connection: &Connection, query: &Query) -> rusqlite::Result<bool> {
    let mut conditions = Conditions::default();
    sizes(query, &mut conditions);
    are_few(connection, &sizes_of_parts(), &conditions)
}

pub(super) fn are_few_times(connection: &Connection, span: Span) -> rusqlite::Result<bool> {
    let mut conditions = Conditions::default();
    within(span, "added", &mut conditions);
    are_few(connection, "files NOT INDEXED", &conditions)
}

/// Whether no more than [`CATALOGUE_FEW`] rows meet the conditions. Counts no further.
fn are_few(connection: &Connection, table: &str, conditions: &Conditions) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM {table}{} LIMIT 1 OFFSET {CATALOGUE_FEW}", conditions.sql);
    let mut statement = connection.prepare(&sql)?;
    Ok(statement.query_row(params_from_iter(&conditions.bound), |_| Ok(())).optional()?.is_none())
}

/// What a file of a page is read from.
pub(super) const COLUMNS: &str =
    "files.added, files.path, files.hash, files.size, files.time, files.attributes, files.name";

/// The parts there may be files in, as a table.
fn parts() -> String {
    format!("(SELECT DISTINCT zone >> {} AS part FROM zones) AS parts", PART_SHIFT - ZONE_SHIFT)
}

/// Files by part and size.
fn sizes_of_parts() -> String {
    format!("{} CROSS JOIN files INDEXED BY by_size ON files.added >> {PART_SHIFT} = parts.part", parts())
}

/// Where the order of a part is read on. Behind a place in two steps, as SQLite would look for `(size, added) > (?, ?)` by its first half alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Resume {
    /// At its beginning.
    Start,
    /// Behind this place, among those of the same size or name.
    Within(Cursor),
    /// Behind those.
    Behind(Cursor),
}

/// Some places of a part in the order of size or name: what that is, and the number.
pub(super) fn places_of_part(query: &Query, part: i64, at: &Resume, most: usize) -> (String, Vec<Bound>) {
    let column = if query.order.is_by_size() { "size" } else { "name" };
    let sign = sign(query.order);
    let mut conditions = Conditions::default();
    conditions.and(&format!("files.added >> {PART_SHIFT} = ?"), [Bound::Integer(part)]);
    match at {
        Resume::Start => {}
        Resume::Within(place) => {
            conditions.and(&format!("files.{column} = ?"), [value(place)]);
            conditions.and(&format!("files.added {sign} ?"), [Bound::Integer(place.added)]);
        }
        Resume::Behind(place) => conditions.and(&format!("files.{column} {sign} ?"), [value(place)]),
    }
    if query.order.is_by_size() && !matches!(at, Resume::Within(_)) {
        sizes(query, &mut conditions);
    }
    let order = sorted(query.order, "files.added");
    let Conditions { sql, mut bound } = conditions;
    bound.push(Bound::Integer(i64::try_from(most).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT files.{column}, files.added FROM files INDEXED BY by_{column}{sql} ORDER BY {order} LIMIT ?"
    );
    (sql, bound)
}

fn sorted(order: Order, number: &str) -> String {
    match order {
        Order::Newest => format!("{number} DESC"),
        Order::Oldest => format!("{number} ASC"),
        Order::Largest => "files.size DESC, files.added DESC".to_owned(),
        Order::Smallest => "files.size ASC, files.added ASC".to_owned(),
        Order::Name => "files.name ASC, files.added ASC".to_owned(),
        Order::NameDescending => "files.name DESC, files.added DESC".to_owned(),
    }
}

/// The statement of a page; of one in the order of size or name, from where all that may be in it is gathered.
pub(super) fn statement(
    query: &Query,
    expression: &Expression,
    span: Span,
    source: Source,
) -> (String, Vec<Bound>) {
    let mut conditions = Conditions::default();
    let by_size = sizes_of_parts();
    let (table, number) = match source {
        Source::Words | Source::WholeWords => {
            let whole = expression.whole_words().filter(|_| source == Source::WholeWords);
            let asked = whole.as_ref().unwrap_or(expression);
            conditions.and("words MATCH ?", [Bound::Text(asked.to_match())]);
            // In this order.
            ("words CROSS JOIN files ON files.added = words.rowid", "words.rowid")
        }
        Source::Sizes => (by_size.as_str(), "files.added"),
        Source::Time | Source::Ordered => ("files NOT INDEXED", "files.added"),
    };
    // The bounds of what it is read from. Of what is sorted, and so gathered whole, all of them; whatever else is asked for
    // is checked row by row, so that rows which are passed by are counted.
    if query.has_times() {
        within(span, number, &mut conditions);
    }
    if matches!(source, Source::Sizes | Source::Words) {
        sizes(query, &mut conditions);
    }
    if source == Source::Words {
        times(query, &mut conditions);
    }
    behind(query, number, &mut conditions);
    let order = sorted(query.order, number);
    // Of what is still to be checked, any number may be passed by.
    let is_checked =
        source != Source::Words && (query.has_times() || query.has_sizes() || !expression.is_empty());
    let limit = if is_checked { String::new() } else { format!(" LIMIT {}", query.limit + 1) };
    let columns = if source.is_gathered(query.order) { number } else { COLUMNS };
    let sql = format!("SELECT {columns} FROM {table}{} ORDER BY {order}{limit}", conditions.sql);
    (sql, conditions.bound)
}

/// The statement of the numbers of a part's files of the asked sizes and within the span, in the order of arrival and behind
/// the query's place.
pub(super) fn sizes_of_part(query: &Query, span: Span, part: i64) -> (String, Vec<Bound>) {
    let mut conditions = Conditions::default();
    conditions.and(&format!("files.added >> {PART_SHIFT} = ?"), [Bound::Integer(part)]);
    sizes(query, &mut conditions);
    if query.has_times() {
        within(span, "files.added", &mut conditions);
    }
    behind(query, "files.added", &mut conditions);
    let (sql, order) = (conditions.sql, sorted(query.order, "files.added"));
    (format!("SELECT files.added FROM files INDEXED BY by_size{sql} ORDER BY {order}"), conditions.bound)
}

fn within(span: Span, number: &str, conditions: &mut Conditions) {
    let bounds = [Bound::Integer(span.first), Bound::Integer(span.last)];
    conditions.and(&format!("{number} >= ? AND {number} <= ?"), bounds);
}

fn times(query: &Query, conditions: &mut Conditions) {
    if let Some(since) = query.since {
        conditions.and("files.time >= ?", [Bound::Integer(since.0)]);
    }
    if let Some(until) = query.until {
        conditions.and("files.time < ?", [Bound::Integer(until.0)]);
    }
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

fn behind(query: &Query, number: &str, conditions: &mut Conditions) {
    let Some(cursor) = &query.behind else { return };
    let (sign, added) = (sign(query.order), Bound::Integer(cursor.added));
    let column = match &cursor.value {
        Value::None => return conditions.and(&format!("{number} {sign} ?"), [added]),
        Value::Size(_) => "size",
        Value::Name(_) => "name",
    };
    conditions.and(&format!("(files.{column}, files.added) {sign} (?, ?)"), [value(cursor), added]);
}

fn value(cursor: &Cursor) -> Bound {
    match &cursor.value {
        Value::None => Bound::Null,
        Value::Size(size) => Bound::Integer(*size),
        Value::Name(name) => Bound::Text(name.clone()),
    }
}

/// How what comes later in a list compares with what comes before.
fn sign(order: Order) -> &'static str {
    match order {
        Order::Newest | Order::Largest | Order::NameDescending => "<",
        Order::Oldest | Order::Smallest | Order::Name => ">",
    }
}
