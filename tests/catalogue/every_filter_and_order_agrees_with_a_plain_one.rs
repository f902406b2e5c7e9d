//! Every filter, every order and many of their combinations, against a plain filter and sort over the upload answers.

use std::cmp::Ordering;

use serde_json::Value;

use super::list::{all, names, paths};
use crate::support::content::Random;
use crate::support::form::Form;
use crate::support::{Daemon, random_bytes};

const CATEGORIES: [&str; 3] = ["", "Holiday 2025", "work_stuff"];
const ENDINGS: [&str; 4] = ["txt", "jpg", "mp4", "zip"];
const NAMES: [&str; 5] = ["Alpha", "beta", "Gamma", "delta epsilon", "Ünder"];

/// Uploads of many kinds, sizes and categories; what was answered, in the order of arrival.
fn fill(daemon: &Daemon) -> Vec<Value> {
    let mut random = Random::printed("filters");
    let mut client = daemon.connect();
    let mut stored = Vec::new();
    for number in 0..120_u64 {
        let pick = |random: &mut Random, from: &[&'static str]| -> &'static str {
            from[usize::try_from(random.below(from.len() as u64)).expect("an index")]
        };
        let name = format!("{} {}.{}", pick(&mut random, &NAMES), number % 7, pick(&mut random, &ENDINGS));
        let category = pick(&mut random, &CATEGORIES);
        let comment = if number % 3 == 0 { "a rare remark" } else { "" };
        // Some sizes are shared by many.
        let size =
            if number % 4 == 0 { 500 } else { usize::try_from(random.below(3_000)).expect("small") + 100 };
        let content = random_bytes(1_000 + number, size);
        let form = Form::new().field("category", category).field("comment", comment).file(&name, &content);
        stored.extend(form.send(&mut client).stored());
    }
    stored
}

fn text<'a>(file: &'a Value, field: &str) -> &'a str {
    file[field].as_str().unwrap_or_default()
}

fn size(file: &Value) -> u64 {
    file["size"].as_u64().expect("a size is a number")
}

/// A condition as a query has it, and as a filter over answers has it.
type Condition = (&'static str, fn(&Value) -> bool);

const CONDITIONS: &[Condition] = &[
    ("", |_| true),
    ("type=images", |file| text(file, "media_type") == "images"),
    ("type=documents", |file| text(file, "media_type") == "documents"),
    ("type=audio", |_| false),
    ("category=Holiday+2025", |file| text(file, "category").ends_with("/holiday-2025")),
    ("category=work_stuff", |file| text(file, "category").ends_with("/work_stuff")),
    ("category=videos/mp4", |file| text(file, "category").starts_with("videos/mp4")),
    ("category=videos/mp", |_| false),
    ("category=images/jpg/holiday-2025", |file| text(file, "category") == "images/jpg/holiday-2025"),
    ("q=beta", |file| text(file, "original_name").starts_with("beta")),
    ("q=EPSILON", |file| text(file, "original_name").contains("epsilon")),
    ("q=under", |file| text(file, "original_name").starts_with("Ünder")),
    ("q=remark", |file| text(file, "comment").contains("remark")),
    ("q=rare+holiday", |file| {
        text(file, "comment").contains("rare") && text(file, "category").ends_with("holiday-2025")
    }),
    ("q=nowhere", |_| false),
    ("q=al", |file| text(file, "original_name").starts_with("Alpha")),
    ("q=al+", |_| false),
    ("q=holiday+al", |file| {
        text(file, "category").ends_with("holiday-2025") && text(file, "original_name").starts_with("Alpha")
    }),
    ("q=epsi&type=videos", |file| {
        text(file, "media_type") == "videos" && text(file, "original_name").contains("epsilon")
    }),
    ("min_size=1000", |file| size(file) >= 1_000),
    ("max_size=500", |file| size(file) <= 500),
    ("min_size=500&max_size=500", |file| size(file) == 500),
    ("since=2020-01-01", |_| true),
    ("since=2100-01-01T00:00:00Z", |_| false),
    ("until=2020-01-01", |_| false),
    ("until=2100-01-01", |_| true),
    ("type=images&q=alpha&min_size=300", |file| {
        text(file, "media_type") == "images"
            && text(file, "original_name").starts_with("Alpha")
            && size(file) >= 300
    }),
    ("type=videos&category=work_stuff&since=2020-01-01&max_size=2000", |file| {
        text(file, "media_type") == "videos"
            && text(file, "category").ends_with("/work_stuff")
            && size(file) <= 2_000
    }),
];

fn by_name(a: &Value, b: &Value) -> Ordering {
    text(a, "original_name").to_ascii_lowercase().cmp(&text(b, "original_name").to_ascii_lowercase())
}

/// An order, and the same over files that stand in the order of arrival, as a stable sort.
type Order = (&'static str, fn(&mut Vec<Value>));

const ORDERS: &[Order] = &[
    ("", |files| files.reverse()),
    ("sort=newest", |files| files.reverse()),
    ("sort=oldest", |_| {}),
    ("sort=largest", |files| {
        files.sort_by_key(size);
        files.reverse();
    }),
    ("sort=smallest", |files| files.sort_by_key(size)),
    ("sort=name", |files| files.sort_by(by_name)),
    ("sort=name_desc", |files| {
        files.sort_by(by_name);
        files.reverse();
    }),
];

#[test]
fn every_filter_and_order_agrees_with_a_plain_one() {
    let daemon = Daemon::start();
    let stored = fill(&daemon);
    daemon.wait_for_catalogue();
    let mut client = daemon.connect();
    for (condition, holds) in CONDITIONS {
        for (order, sort) in ORDERS {
            let mut expected: Vec<Value> = stored.iter().filter(|file| holds(file)).cloned().collect();
            sort(&mut expected);
            let query = format!("{condition}&{order}");
            for limit in [7, 1_000] {
                let listed = all(&mut client, &query, limit);
                assert_eq!(paths(&listed), paths(&expected), "{query}, {limit} at a time");
            }
        }
    }
    assert!(names(&all(&mut client, "q=alpha", 50)).len() > 5, "the comparison is of more than nothing");
}

#[test]
fn a_listed_file_is_what_its_upload_answered_and_head_says_the_same() {
    let daemon = Daemon::start();
    let form =
        Form::new().field("comment", "with a remark").field("category", "c").file("folder/x.txt", b"text");
    let stored = form.send(&mut daemon.connect()).stored().remove(0);
    daemon.wait_for_catalogue();
    let answer = daemon.get("/files").expect(200);
    assert_eq!(answer.json()["files"][0], stored);
    assert_eq!(answer.json()["next_cursor"], Value::Null);
    let mut client = daemon.connect();
    client.send(&crate::support::client::request("HEAD", "/files", &[], b""));
    let head = client.head_response().expect(200);
    assert_eq!(head.field("Content-Length"), answer.field("Content-Length"));
    let refused = client.ask("POST", "/files", &[], b"").expect(405);
    assert_eq!(refused.field("Allow"), Some("GET, HEAD"));
}
