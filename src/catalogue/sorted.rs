//! The places of files in an order of size or of name, merged from the parts of the catalogue.
//!
//! A new file stands anywhere in such an order. In one index of all files each would change a page of its own, and the more
//! files there are the fewer share one: that was nine tenths of what the catalogue wrote. So each part (see
//! [`schema::PART_SHIFT`](super::schema::PART_SHIFT)) has an order of its own, and new files change pages of the last part
//! only. Parts are never merged on the disk: a list reads a little of each, some microseconds a part.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Connection, Row, Statement, params_from_iter};

use super::cursor::{Cursor, Value};
use super::query::{Order, Query};
use super::schema::PART_SHIFT;
use super::statement::{Resume, Span, places_of_part};
use crate::limits::{CATALOGUE_PART_PLACES_MAX, CATALOGUE_PLACES_MAX};

/// Places behind the query's own, front to back. Within one transaction.
pub(super) struct Places<'a> {
    query: &'a Query,
    connection: &'a Connection,
    /// Of each text one.
    statements: Vec<(String, Statement<'a>)>,
    parts: Vec<Part<'a>>,
    /// The next of each part that has one.
    heads: BinaryHeap<Head>,
    is_descending: bool,
    /// How many of a part are read at a time, at most.
    at_once_max: usize,
    /// Places read so far, ...
    passed: usize,
    /// ... and how many may be.
    passed_max: usize,
}

struct Part<'a> {
    number: i64,
    /// The numbers that are looked for, if not all are.
    among: Option<&'a [i64]>,
    /// Read, and behind the head.
    read: VecDeque<Cursor>,
    /// How many are read at a time.
    at_once: usize,
    /// Where it goes on, if there may be more.
    resume: Option<Resume>,
}

struct Head {
    place: Cursor,
    /// Which of the parts.
    part: usize,
    is_descending: bool,
}

/// What comes next.
pub(super) enum Next {
    /// The file of this number.
    File(i64),
    /// Nothing.
    End,
    /// It would take more places than may be read.
    TooFar,
}

impl<'a> Places<'a> {
    /// Those of all files in the parts of a span, or of the ones with these numbers, which ascend. No more than `passed_max`
    /// places are read beyond the first of each part.
    pub(super) fn of(
        connection: &'a Connection,
        query: &'a Query,
        span: Span,
        among: Option<&'a [i64]>,
        passed_max: usize,
    ) -> rusqlite::Result<Places<'a>> {
        let numbers = span.parts(connection)?;
        let share = |of: usize| of / numbers.len().max(1);
        let at_once_max = share(CATALOGUE_PLACES_MAX).clamp(1, CATALOGUE_PART_PLACES_MAX);
        let at_once = share(2 * query.limit).max(PLACES_MIN).min(at_once_max);
        let part = |number| {
            let among = among.map(|all| {
                let at = |part: i64| all.partition_point(|added| added >> PART_SHIFT < part);
                &all[at(number)..at(number + 1)]
            });
            let may_have = among.is_none_or(|among| !among.is_empty());
            let resume = query.behind.clone().map_or(Resume::Start, Resume::Within);
            Part { number, among, read: VecDeque::new(), at_once, resume: may_have.then_some(resume) }
        };
        let mut places = Places {
            query,
            connection,
            statements: Vec::new(),
            parts: numbers.iter().copied().map(part).collect(),
            heads: BinaryHeap::new(),
            is_descending: matches!(query.order, Order::Newest | Order::Largest | Order::NameDescending),
            at_once_max,
            passed: 0,
            passed_max: passed_max.saturating_add(numbers.len() * at_once),
        };
        for part in 0..places.parts.len() {
            if let Some(head) = places.head_of(part)? {
                places.heads.push(head);
            }
        }
        Ok(places)
    }

    /// The next one.
    pub(super) fn next(&mut self) -> rusqlite::Result<Next> {
        if self.passed > self.passed_max {
            return Ok(Next::TooFar);
        }
        let Some(Head { place, part, .. }) = self.heads.pop() else { return Ok(Next::End) };
        if let Some(head) = self.head_of(part)? {
            self.heads.push(head);
        }
        Ok(Next::File(place.added))
    }

    /// The next of a part; `None` at its end, or when too many were read.
    fn head_of(&mut self, part: usize) -> rusqlite::Result<Option<Head>> {
        while self.parts[part].read.is_empty()
            && self.passed <= self.passed_max
            && let Some(resume) = self.parts[part].resume.take()
        {
            self.read_on(part, resume)?;
        }
        let is_descending = self.is_descending;
        Ok(self.parts[part].read.pop_front().map(|place| Head { place, part, is_descending }))
    }

    /// Some more of a part.
    fn read_on(&mut self, part: usize, resume: Resume) -> rusqlite::Result<()> {
        let (part, query) = (&mut self.parts[part], self.query);
        let (sql, bound) = places_of_part(query, part.number, &resume, part.at_once);
        let known = self.statements.iter().position(|(known, _)| *known == sql);
        let known = known.unwrap_or(self.statements.len());
        if known == self.statements.len() {
            let statement = self.connection.prepare(&sql)?;
            self.statements.push((sql, statement));
        }
        let place = |row: &Row<'_>, added| {
            let by_size = query.order.is_by_size();
            let value = if by_size { Value::Size(row.get(0)?) } else { Value::Name(row.get(0)?) };
            Ok::<_, rusqlite::Error>(Cursor { added, value })
        };
        let mut rows = self.statements[known].1.query(params_from_iter(bound))?;
        let mut came = 0;
        while let Some(row) = rows.next()? {
            came += 1;
            let added = row.get(1)?;
            if part.among.is_none_or(|among| among.binary_search(&added).is_ok()) {
                part.read.push_back(place(row, added)?);
            }
            if came == part.at_once {
                part.resume = Some(Resume::Within(place(row, added)?));
            }
        }
        if came < part.at_once
            && let Resume::Within(behind) = resume
        {
            part.resume = Some(Resume::Behind(behind));
        }
        self.passed += came;
        // A part of which much is passed by is read faster.
        part.at_once = (2 * part.at_once).min(self.at_once_max);
        Ok(())
    }
}

/// Places of a part that are read at first, at least, where there is room for as many.
const PLACES_MIN: usize = 4;

/// As SQLite compares: numbers, and texts under NOCASE.
fn compare(one: &Cursor, other: &Cursor) -> Ordering {
    let values = match (&one.value, &other.value) {
        (Value::Size(one), Value::Size(other)) => one.cmp(other),
        (Value::Name(one), Value::Name(other)) => compare_names(one, other),
        _ => Ordering::Equal,
    };
    values.then(one.added.cmp(&other.added))
}

/// SQLite's NOCASE: ASCII's letters are alike, and behind a NUL that both have only lengths count.
fn compare_names(one: &str, other: &str) -> Ordering {
    let bytes = one.bytes().zip(other.bytes());
    let mut bytes = bytes.map(|(one, other)| (one.to_ascii_lowercase(), other.to_ascii_lowercase()));
    match bytes.find(|(one, other)| *one == 0 || one != other) {
        Some((one, other)) if one != other => one.cmp(&other),
        _ => one.len().cmp(&other.len()),
    }
}

impl Ord for Head {
    /// The greatest is the next of the list.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = compare(&self.place, &other.place);
        if self.is_descending { order } else { order.reverse() }
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_sqlite_does() {
        let connection = Connection::open_in_memory().unwrap();
        let mut less =
            connection.prepare("SELECT (?1 < ?2 COLLATE NOCASE) - (?1 > ?2 COLLATE NOCASE)").unwrap();
        let names = [
            "", "a", "A", "ab", "aB", "b", "a\0", "a\0c", "A\0b", "a\0bc", "\0", "[", "Z", "z", "ä", "Ä",
            "a b", "_",
        ];
        for one in names {
            for other in names {
                let sign: i64 = less.query_row([one, other], |row| row.get(0)).unwrap();
                assert_eq!(compare_names(one, other), 0.cmp(&sign), "{one:?} and {other:?}");
            }
        }
    }
}
