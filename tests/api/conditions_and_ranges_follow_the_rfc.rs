//! RFC 9110 sections 13 and 14: conditions, single ranges, several ranges.

use crate::support::{Daemon, Response, random_bytes, sha256};

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

/// The parts of a `multipart/byteranges`: what each says of its place, and its bytes.
#[track_caller]
fn parts(response: &Response) -> Vec<(String, Vec<u8>)> {
    assert_eq!((response.status, response.is_whole), (206, true), "{}", response.text());
    assert_eq!(response.field("Content-Range"), None, "RFC 9110 section 15.3.7.2");
    let kind = response.field("Content-Type").expect("a type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect(kind);
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = &response.body[..];
    let mut parts = Vec::new();
    loop {
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("a delimiter");
        if rest == b"--\r\n" {
            return parts;
        }
        let head = memchr::memmem::find(rest, b"\r\n\r\n").expect("a part has a head");
        let text = std::str::from_utf8(&rest[..head]).expect("a part's head is text");
        let range = text.split("Content-Range: ").nth(1).expect("a part says its place");
        rest = &rest[head + 4..];
        let end = memchr::memmem::find(rest, delimiter.as_bytes()).expect("a delimiter");
        parts.push((range.to_owned(), rest[..end].to_vec()));
        rest = &rest[end..];
    }
}

#[test]
fn several_ranges_give_each_in_the_order_asked() {
    let daemon = Daemon::start();
    for size in [1_000, 2_000_000] {
        let content = random_bytes(2, size);
        let record = daemon.upload("a.txt", &content);
        let target = format!("/{}", record["path"].as_str().expect("a path"));
        let mut client = daemon.connect();
        let last = size - 1;
        let asked = format!("bytes=500-509, 0-9,{}-, -1, 300-300, 5000000-", size - 100);
        for _ in 0..2 {
            // The connection goes on behind it.
            let response = client.ask("GET", &target, &[("Range", &asked)], b"");
            let expected = [(500, 510), (0, 10), (size - 100, size), (last, size), (300, 301)];
            let expected = expected.map(|(start, end)| {
                (format!("bytes {start}-{}/{size}", end - 1), content[start..end].to_vec())
            });
            assert_eq!(parts(&response), expected);
        }
        let most = (0..16).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(",");
        let response = client.ask("GET", &target, &[("Range", &format!("bytes={most}"))], b"");
        assert_eq!(parts(&response).len(), 16);
        // More, or more bytes than there are: the whole.
        for all in [format!("bytes={most},20-20"), "bytes=0-, 0-".to_owned()] {
            let response = client.ask("GET", &target, &[("Range", &all)], b"").expect(200);
            assert_eq!(response.body, content, "{all}");
        }
    }
    // Across the chunks in which a big content is verified.
    let content = random_bytes(2, 2_000_000);
    let target = format!("/files/{}", sha256(&content));
    let response =
        daemon.connect().ask("GET", &target, &[("Range", "bytes=200000-1199999,1900000-1999999")], b"");
    let bytes: Vec<_> = parts(&response).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, [&content[200_000..1_200_000], &content[1_900_000..]]);
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
