//! `category` and `comment` apply to all files, wherever they stand; the query wins, of repeats the first.

use crate::support::{Daemon, Form};

#[test]
fn fields_in_front_between_and_behind_apply_to_all_files() {
    let daemon = Daemon::start();
    let (a, b) = (("a.txt", b"first".as_slice()), ("b.txt", b"second".as_slice()));
    let category = |form: Form| form.field("category", "Trips").field("comment", "hello");
    for form in [
        category(Form::new()).file(a.0, a.1).file(b.0, b.1),
        category(Form::new().file(a.0, a.1)).file(b.0, b.1),
        category(Form::new().file(a.0, a.1).file(b.0, b.1)),
    ] {
        for record in form.send(&mut daemon.connect()).stored() {
            assert_eq!(record["category"], "documents/txt/trips");
            assert_eq!(record["comment"], "hello");
        }
    }
}

#[test]
fn the_query_wins_and_of_repeats_the_first() {
    let daemon = Daemon::start();
    let form =
        Form::of("a.txt", b"a").field("category", "first").field("category", "second").field("comment", "c");
    let record = form.send(&mut daemon.connect()).stored().remove(0);
    assert_eq!(record["category"], "documents/txt/first");
    let target = "/ingest/media?category=from%20the+query&category=later&x=y";
    let record = form.send_to(&mut daemon.connect(), target).stored().remove(0);
    assert_eq!(record["category"], "documents/txt/from-the-query");
    assert_eq!(record["comment"], "c");
}

#[test]
fn an_empty_category_is_none() {
    let daemon = Daemon::start();
    for category in ["", "  ", "///", "..", "-"] {
        let form = Form::of("a.txt", b"a").field("category", category);
        let record = form.send(&mut daemon.connect()).stored().remove(0);
        assert_eq!(record["category"], "documents/txt", "{category:?}");
    }
}
