//! What a list cannot be asked: one clear sentence, and nothing else happens.

use super::list::page;
use crate::support::Daemon;

#[test]
fn values_that_do_not_parse_are_400_and_say_what_is_expected() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let long = format!("q={}", "a".repeat(1_025));
    let wordy = format!("q={}", "a+".repeat(33));
    for (query, says) in [
        ("type=pictures", "type is one of images, videos"),
        ("category=%2F", "category is a category"),
        (long.as_str(), "q has at most 1024 bytes and 32 words"),
        (wordy.as_str(), "q has at most"),
        ("since=yesterday", "since is a day or a time such as 2025-11-15"),
        ("until=2025-02-30", "until is a day or a time"),
        ("min_size=1k", "min_size is a number of bytes"),
        ("max_size=-1", "max_size is a number of bytes"),
        ("sort=size", "sort is one of newest, oldest, largest, smallest, name, name_desc"),
        ("limit=0", "limit is a number of files from 1 to 1000"),
        ("limit=1001", "limit is a number"),
        ("min-size=1", "a list has no parameter `min-size`; it has type, category, q"),
    ] {
        let refused = client.get(&format!("/files?{query}")).expect(400);
        assert!(refused.error().contains(says), "{query}: {}", refused.error());
    }
    daemon.wait_for_catalogue();
    // Empty values are none, as forms send them.
    assert_eq!(page(&mut client, "type=&q=&since=&limit=&cursor=&sort=").0.len(), 0);
    daemon.serves();
}

#[test]
fn a_cursor_that_is_altered_or_of_another_list_or_store_is_400() {
    let daemon = Daemon::start();
    let other = Daemon::start();
    for daemon in [&daemon, &other] {
        for n in 0..3 {
            daemon.upload(&format!("{n}.txt"), format!("content {n}").as_bytes());
        }
        daemon.wait_for_catalogue();
    }
    let mut client = daemon.connect();
    for order in ["newest", "smallest", "name"] {
        let (_, cursor) = page(&mut client, &format!("limit=1&sort={order}"));
        let cursor = cursor.expect("there is more");
        assert_eq!(page(&mut client, &format!("limit=2&sort={order}&cursor={cursor}")).0.len(), 2);
        let altered =
            format!("{}{}", &cursor[..cursor.len() - 1], if cursor.ends_with('0') { "1" } else { "0" });
        for query in [
            format!("sort={order}&cursor={altered}"),
            format!("sort={order}&cursor={}", &cursor[2..]),
            format!("sort={order}&cursor={cursor}00"),
            format!("sort={order}&cursor={}", cursor.to_uppercase() + "%00"),
            format!("sort=oldest&cursor={cursor}"),
            format!("sort={order}&q=txt&cursor={cursor}"),
            format!("sort={order}&cursor=1"),
            format!("sort={order}&cursor=hello"),
            format!("sort={order}&cursor=%F0%9F%A6%8F"),
        ] {
            let refused = client.get(&format!("/files?{query}")).expect(400);
            assert!(refused.error().starts_with("the cursor is none of this list"), "{query}");
        }
        let elsewhere = other.get(&format!("/files?sort={order}&cursor={cursor}")).expect(400);
        assert!(elsewhere.error().starts_with("the cursor is none of this list"));
    }
}
