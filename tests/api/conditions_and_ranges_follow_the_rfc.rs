//! RFC 9110 sections 13 and 14: conditions, single ranges, several ranges.

use crate::support::{Daemon, random_bytes, sha256};

#[test]
fn a_single_range_is_206_with_those_bytes() {
    let daemon = Daemon::start();
    for (seed, size) in [(1, 1_000), (2, 1_000_000)] {
        let content = random_bytes(seed, size);
        daemon.upload("a.bin", &content);
        let target = format!("/files/{}", sha256(&content));
        let mut client = daemon.connect();
        let last = size - 1;
        for (range, from, to) in [
            ("bytes=0-0".to_owned(), 0, 0),
            ("bytes=10-19".to_owned(), 10, 19),
            (format!("bytes={last}-"), last, last),
            (format!("bytes=5-{}", size * 2), 5, last),
            ("bytes=-7".to_owned(), size - 7, last),
            (format!("bytes=-{}", size * 2), 0, last),
            (format!("bytes={}-{}", size / 4 + 1, size / 4 * 3), size / 4 + 1, size / 4 * 3),
            ("BYTES=1-2".to_owned(), 1, 2),
        ] {
            let response = client.ask("GET", &target, &[("Range", &range)], b"").expect(206);
            assert_eq!(response.body, content[from..=to], "{range} of {size}");
            let content_range = format!("bytes {from}-{to}/{size}");
            assert_eq!(response.field("Content-Range"), Some(content_range.as_str()), "{range}");
            assert_eq!(response.field("ETag"), Some(format!("\"{}\"", sha256(&content)).as_str()));
        }
        for range in ["bytes=5-4", "bytes=a-b", "lines=1-2", "bytes=", "bytes=-"] {
            let response = client.ask("GET", &target, &[("Range", range)], b"").expect(200);
            assert_eq!(response.body, content, "{range} is no range");
        }
    }
}

#[test]
fn several_ranges_give_each_or_the_whole() {
    let daemon = Daemon::start();
    let content = random_bytes(1, 1_000);
    daemon.upload("a.bin", &content);
    let target = format!("/files/{}", sha256(&content));
    let response = daemon.connect().ask("GET", &target, &[("Range", "bytes=0-9, 500-509")], b"");
    if response.status == 206 {
        let kind = response.field("Content-Type").expect("a type");
        assert!(kind.starts_with("multipart/byteranges; boundary="), "{kind}");
        for part in [&content[..10], &content[500..510]] {
            assert!(memchr::memmem::find(&response.body, part).is_some());
        }
    } else {
        assert_eq!(response.expect(200).body, content);
    }
    let many: Vec<_> = (0..17).map(|n| format!("{}-{}", n * 20, n * 20 + 5)).collect();
    let many = format!("bytes={}", many.join(","));
    assert_eq!(daemon.connect().ask("GET", &target, &[("Range", &many)], b"").expect(200).body, content);
}

#[test]
fn conditions_save_what_the_client_has() {
    let daemon = Daemon::start();
    let content = random_bytes(3, 400_000);
    daemon.upload("a.bin", &content);
    let target = format!("/files/{}", sha256(&content));
    let tag = format!("\"{}\"", sha256(&content));
    let weak = format!("W/{tag}");
    let mut client = daemon.connect();
    let modified = client.get(&target).field("Last-Modified").expect("a date").to_owned();
    let list = format!("\"x\", {tag}");
    for (fields, status) in [
        (&[("If-None-Match", tag.as_str())][..], 304),
        (&[("If-None-Match", weak.as_str())], 304),
        (&[("If-None-Match", list.as_str())], 304),
        (&[("If-None-Match", "*")], 304),
        (&[("If-None-Match", "\"x\"")], 200),
        (&[("If-Match", tag.as_str())], 200),
        (&[("If-Match", "*")], 200),
        (&[("If-Match", weak.as_str())], 412),
        (&[("If-Modified-Since", modified.as_str())], 304),
        (&[("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], 200),
        (&[("If-Modified-Since", "nonsense")], 200),
        (&[("If-None-Match", "\"x\""), ("If-Modified-Since", modified.as_str())], 200),
        (&[("Range", "bytes=0-4"), ("If-Range", tag.as_str())], 206),
        (&[("Range", "bytes=0-4"), ("If-Range", weak.as_str())], 200),
        (&[("Range", "bytes=0-4"), ("If-Range", "\"x\"")], 200),
        (&[("Range", "bytes=0-4"), ("If-None-Match", tag.as_str())], 304),
    ] {
        let response = client.ask("GET", &target, fields, b"");
        assert_eq!(response.status, status, "{fields:?}");
        if status == 304 {
            assert_eq!(response.field("ETag"), Some(tag.as_str()));
        }
        let head = client.ask("HEAD", &target, fields, b"");
        // Ranges are GET's alone (RFC 9110 section 14.2).
        assert_eq!(head.status, if status == 206 { 200 } else { status }, "HEAD {fields:?}");
    }
}
