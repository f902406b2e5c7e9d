//! A page is the same from wherever it is read.

use super::*;
use crate::base::ids::Lsn;
use crate::catalogue::query::Category;
use crate::catalogue::testing::Scratch;
use crate::catalogue::write::Round;
use crate::store::format::attributes::Kind;
use crate::store::index::PathKey;
use crate::store::read::StoredName;
use crate::store::tail::Change;

const WORDS: [&str; 12] = [
    "holiday",
    "Holi",
    "beach-photo",
    "beach",
    "Ünder",
    "cafe\u{301}",
    "日本語",
    "日本",
    "क्षत्रिय",
    "x1",
    "NEAR",
    "img_2025",
];

/// The same numbers at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

fn named_by_words(number: u64, numbers: &mut Numbers) -> Change {
    let name = format!("{} {} {number}.txt", numbers.of(&WORDS), numbers.of(&WORDS));
    named(number, numbers, &name)
}

fn named(number: u64, numbers: &mut Numbers, name: &str) -> Change {
    let mut attributes = Attributes::default();
    attributes.push(Kind::OriginalName, name.as_bytes());
    if numbers.below(3) == 0 {
        attributes.push(Kind::Comment, numbers.of(&WORDS).as_bytes());
    }
    let folder =
        numbers.of(&["images/jpg", "images/jpg/holiday-2025", "documents/txt", "documents/txt/v1.2"]);
    let path = format!("storage/{folder}/{number}.txt");
    let key = PathKey::new(0, path.as_bytes());
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    let name = StoredName {
        // So that they are of several parts.
        lsn: Lsn(number * 700),
        time: Wall(i64::try_from(numbers.below(1_000)).unwrap()),
        digest: Digest(hash),
        path,
        attributes,
    };
    let (name, size) = (Box::new(name), numbers.below(20));
    Change::Named { key, name, size, is_large: false, is_renewed: false }
}

fn filled(called: &str, files: u64) -> (Scratch, Connection) {
    let scratch = Scratch::new(called);
    let mut writer = scratch.writer();
    let mut numbers = Numbers(1);
    let changes = (1..=files).map(|number| named_by_words(number, &mut numbers)).collect();
    writer.apply(&Round { changes, ..Round::default() }, None).unwrap();
    let connection = scratch.connection();
    (scratch, connection)
}

/// All files of the list, some at a time, always from this source.
fn all(connection: &Connection, query: &Query, source: Source) -> Vec<String> {
    let mut query = query.clone();
    all_by(&mut query, |query| {
        let span = Span::of(connection, query).unwrap().expect("there are files of these times");
        let read = read(connection, query, &query.expression(), (span, source), usize::MAX);
        read.unwrap().expect("any number of rows may be passed by")
    })
}

/// All files of the list, a page at a time.
fn all_by(query: &mut Query, page_of: impl Fn(&Query) -> Page) -> Vec<String> {
    let mut paths = Vec::new();
    loop {
        let page = page_of(query);
        paths.extend(page.files.into_iter().map(|file| file.path));
        query.behind = page.next;
        if query.behind.is_none() {
            return paths;
        }
    }
}

#[test]
fn a_page_is_the_same_from_wherever_it_is_read() {
    let (_scratch, connection) = filled("same", 600);
    let typed = [
        "",
        "holi",
        "holi ",
        "HOLIDAY",
        "beach pho",
        "beach-pho",
        "photo beach",
        "b ",
        "caf",
        "CAFÉ ",
        "日本",
        "日本 ",
        "क्ष",
        "near",
        "img 2",
        "2025",
        "20",
        "1",
        "txt x",
        "txt x1 ",
        "none",
        "jpg holiday-2",
        "\u{e000}images",
        "v1.",
    ];
    let orders =
        [Order::Newest, Order::Oldest, Order::Largest, Order::Smallest, Order::Name, Order::NameDescending];
    let mut found = 0;
    for typed in typed {
        for order in orders {
            for (media, category) in [
                (None, None),
                (Some(MediaType::Images), None),
                (None, Some(Category::Folder("documents/txt/v1.2".to_owned()))),
                (None, Some(Category::Label("holiday-2025".to_owned()))),
            ] {
                for (since, until, size_max) in
                    [(None, None, None), (Some(Wall(300)), Some(Wall(800)), None), (None, None, Some(9))]
                {
                    let (search, category) = (typed.to_owned(), category.clone());
                    let query = Query { search, media, category, order, limit: 17, ..Query::default() };
                    let query = Query { since, until, size_max, ..query };
                    let ordered = all(&connection, &query, Source::Ordered);
                    found += ordered.len();
                    let mut sources = vec![Source::Time, Source::Sizes];
                    if !query.expression().is_empty() {
                        sources.extend([Source::Words, Source::WholeWords]);
                    }
                    for source in sources {
                        assert_eq!(all(&connection, &query, source), ordered, "{source:?} {query:?}");
                    }
                }
            }
        }
    }
    assert!(found > 10_000, "{found}: the comparison is of more than nothing");
}

#[test]
fn a_page_along_an_index_past_what_was_not_found_is_the_same() {
    let (_scratch, connection) = filled("among", 600);
    let (mut walked, mut given_up) = (0, 0);
    for typed in ["holi", "beach", "2025", "cafe ", "日本", "x1 ", "near b", "none"] {
        for order in [Order::Largest, Order::Smallest, Order::Name, Order::NameDescending] {
            for (since, size_max) in [(None, None), (Some(Wall(300)), None), (None, Some(9))] {
                let search = typed.to_owned();
                let mut query = Query { search, order, since, size_max, limit: 7, ..Query::default() };
                loop {
                    let expression = query.expression();
                    let span = Span::of(&connection, &query).unwrap().unwrap();
                    let page = read(&connection, &query, &expression, (span, Source::Ordered), usize::MAX);
                    let page = page.unwrap().unwrap();
                    match walk_among(&connection, &query, &expression, span).unwrap() {
                        Some(among) => {
                            assert_eq!(among, page, "{query:?}");
                            walked += 1;
                        }
                        None => given_up += 1,
                    }
                    query.behind = page.next;
                    if query.behind.is_none() {
                        break;
                    }
                }
            }
        }
    }
    assert!(walked > 300 && given_up > 10, "{walked} and {given_up}");
}

#[test]
fn files_of_some_sizes_are_the_same_read_part_by_part() {
    let (_scratch, connection) = filled("parts", 600);
    let mut found = 0;
    for order in [Order::Newest, Order::Oldest] {
        for (size_min, size_max) in [(Some(3), Some(5)), (Some(18), None), (None, Some(0)), (Some(30), None)]
        {
            for (since, until) in [(None, None), (Some(Wall(300)), Some(Wall(800)))] {
                let mut query =
                    Query { order, size_min, size_max, since, until, limit: 7, ..Query::default() };
                let ordered = all(&connection, &query, Source::Ordered);
                let by_part = all_by(&mut query, |query| {
                    let span = Span::of(&connection, query).unwrap().unwrap();
                    read_sizes_by_part(&connection, query, span).unwrap()
                });
                assert_eq!(by_part, ordered, "{query:?}");
                found += ordered.len();
            }
        }
    }
    assert!(found > 300, "{found}");
}

#[test]
fn names_with_a_nul_are_listed_page_by_page() {
    let scratch = Scratch::new("nul");
    let mut changes = Vec::new();
    for (lsn, name) in [(1, "a\0c"), (2, "a\0b"), (3, "A"), (70_000, "a\0a"), (70_001, "a"), (140_000, "a\0")]
    {
        let Change::Named { key, mut name, size, is_large, is_renewed } = named(lsn, &mut Numbers(1), name)
        else {
            unreachable!("it is a name");
        };
        name.lsn = Lsn(lsn);
        changes.push(Change::Named { key, name, size, is_large, is_renewed });
    }
    scratch.writer().apply(&Round { changes, ..Round::default() }, None).unwrap();
    let connection = scratch.connection();
    for order in [Order::Name, Order::NameDescending] {
        let query = Query { order, limit: 100, ..Query::default() };
        let at_once = all(&connection, &query, Source::Ordered);
        assert_eq!(at_once.len(), 6);
        assert_eq!(all(&connection, &Query { limit: 1, ..query }, Source::Ordered), at_once);
    }
}

#[test]
fn a_walk_that_finds_little_is_given_up() {
    let (_scratch, connection) = filled("walk", 600);
    let query = Query { search: "holi".to_owned(), limit: 10, ..Query::default() };
    let walk = |search: &str, rows_max| {
        let query = Query { search: search.to_owned(), ..query.clone() };
        let span = Span::of(&connection, &query).unwrap().unwrap();
        read(&connection, &query, &query.expression(), (span, Source::Ordered), rows_max).unwrap()
    };
    assert!(walk("holi", 300).is_some_and(|page| page.files.len() == 10), "there are many");
    assert!(walk("none", 300).is_none(), "more rows than it may pass by");
    assert!(walk("none", 600).is_some_and(|page| page.next.is_none()), "it came to the end");
}

#[test]
fn a_list_that_is_merged_from_parts_is_given_up_when_its_time_is_over() {
    let (_scratch, mut connection) = filled("late", 2_000);
    let query = Query { order: Order::Name, limit: 1_000, ..Query::default() };
    give_up_at(&mut connection, u64::MAX).unwrap();
    assert_eq!(page(&connection, &query).unwrap().files.len(), 1_000);
    give_up_at(&mut connection, 0).unwrap();
    assert_eq!(page(&connection, &query).unwrap_err().to_string(), "interrupted");
}
