//! The reject table of RFC 9112, and what a good head says.

use super::*;

fn parse(text: &[u8]) -> Result<Option<(Head, usize)>, HttpError> {
    Head::parse(&Bytes::copy_from_slice(text))
}

fn good(text: &str) -> Head {
    let (head, consumed) = parse(text.as_bytes()).expect(text).expect(text);
    assert_eq!(consumed, text.len());
    head
}

/// Every row is a request that one parser may read otherwise than another.
const REJECTED: &[(&[u8], u16)] = &[
    // Request line.
    (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400),
    (b"GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /\r\nHost: h\r\n\r\n", 400),
    (b"GET HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET / \r\nHost: h\r\n\r\n", 400),
    (b"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"G\x00T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"G\xc3\xa4T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /a\x00b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /a\x01b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /a\x7fb HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /a\rb HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /?q#a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET ?a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET http:/h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    // Version.
    (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505),
    (b"GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505),
    (b"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505),
    (b"GET / http/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1.10\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1,1\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/11\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/+1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTPS/1.1\r\nHost: h\r\n\r\n", 400),
    // Line ends.
    (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    (b"GET / HTTP/1.1\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\rA: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\rHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\nContent-Length: 5\r\n\r\n", 400),
    (b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    // Field lines.
    (b"GET / HTTP/1.1\r\nHost: h\r\n A: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA\t: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA(: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA\x00: c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\xc3\xa4: c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\"A\": c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x00c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x01c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x0bc\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x7fc\r\n\r\n", 400),
    // Host.
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET http://h/ HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\r\nhost: i\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a,b\r\nHost: c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h/p\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h?\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h#\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h:x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h:1:2\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h:65536\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h%zz\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [zz]\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: h\\\r\n\r\n", 400),
    // Content-Length.
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: a\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5,\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5.0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1e3\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5;\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \"5\"\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1_0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \xd9\xa5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\ncontent-length: \r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    // Transfer-Encoding.
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \r\nContent-Length: 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunkedx\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked,\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n", 400),
    // Expect.
    (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\nContent-Length: 5\r\n\r\n", 417),
    (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue, x\r\nContent-Length: 5\r\n\r\n", 417),
    (b"POST / HTTP/1.1\r\nHost: h\r\nExpect:\r\nContent-Length: 5\r\n\r\n", 417),
    (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nExpect: x\r\nContent-Length: 5\r\n\r\n", 417),
];

#[test]
fn doubtful_heads_are_refused_and_the_connection_closes() {
    assert!(REJECTED.len() >= 130, "{}", REJECTED.len());
    for (text, status) in REJECTED {
        let shown = text.escape_ascii().to_string();
        let error = parse(text).expect_err(&shown);
        assert_eq!(error.status.code(), *status, "{shown}: {error}");
        assert!(error.close, "{shown}");
    }
}

#[test]
fn an_upload_is_read() {
    let head = good(
        "POST /ingest/media?category=a&b HTTP/1.1\r\nX-Empty:\r\nHost: localhost:8090\r\nUser-Agent: curl\r\nX-A: 1\r\n\
         Content-Length: 42 \r\nexpect: 100-Continue\r\nx-a:\t2\t\r\n\r\n",
    );
    assert_eq!(head.method, Method::Post);
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.path(), b"/ingest/media");
    assert_eq!(head.query(), Some(&b"category=a&b"[..]));
    assert_eq!(head.host(), Some("localhost:8090"));
    assert_eq!(head.framing, BodyFraming::Length(42));
    assert_eq!(head.expect, Expect::Continue);
    assert!(head.keep_alive);
    assert_eq!(head.header("user-agent"), Some(&b"curl"[..]));
    assert_eq!(head.all("X-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(head.header("accept"), None);
    assert_eq!(head.header("x-empty"), Some(&b""[..]));
    assert_eq!(head.iter().count(), 7);
}

#[test]
fn targets_are_split_into_path_and_query() {
    for (target, path, query, host) in [
        ("/", "/", None, "h"),
        ("/?", "/", Some(""), "h"),
        ("/a?b?c", "/a", Some("b?c"), "h"),
        ("//x/y", "//x/y", None, "h"),
        ("http://other:81/a?b", "/a", Some("b"), "other:81"),
        ("HTTP://other", "/", None, "other"),
        ("https://other?b", "/", Some("b"), "other"),
        ("http://[::1]:80/", "/", None, "[::1]:80"),
        ("/ä", "/ä", None, "h"),
    ] {
        let head = good(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(head.path(), path.as_bytes(), "{target}");
        assert_eq!(head.query(), query.map(str::as_bytes), "{target}");
        assert_eq!(head.host(), Some(host), "{target}");
    }
    assert_eq!(good("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path(), b"*");
}

#[test]
fn connections_persist_as_the_version_and_the_client_say() {
    for (version, fields, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = good(&format!("GET / HTTP/{version}\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(head.keep_alive, keep_alive, "{version} {fields}");
    }
}

#[test]
fn a_100_is_promised_only_for_a_body_of_http_1_1() {
    for (version, framing, expect) in [
        ("1.1", "Transfer-Encoding: Chunked", Expect::Continue),
        ("1.1", "Content-Length: 1", Expect::Continue),
        ("1.1", "Content-Length: 0", Expect::None),
        ("1.1", "X: y", Expect::None),
        ("1.0", "Content-Length: 1", Expect::None),
    ] {
        let head =
            good(&format!("POST / HTTP/{version}\r\nHost: h\r\n{framing}\r\nExpect: 100-continue\r\n\r\n"));
        assert_eq!(head.expect, expect, "{version} {framing}");
    }
}

#[test]
fn hosts_of_every_form_are_taken() {
    for host in
        ["h", "a.b-c_d", "127.0.0.1:8090", "[::1]", "[::1]:8090", "h:", "h%41", "localhost:65535", "H"]
    {
        assert_eq!(good(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).host(), Some(host));
    }
    assert_eq!(good("GET / HTTP/1.0\r\n\r\n").host(), None);
}

#[test]
fn a_head_is_nothing_until_it_is_whole_and_takes_no_more() {
    let text = b"\r\nGET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(parse(&text[..end]).map(|found| found.is_none()), Ok(true), "{end}");
    }
    let with_next = [&text[..], b"GET /b HTTP/1.1\r\n"].concat();
    let (head, consumed) = parse(&with_next).unwrap().unwrap();
    assert_eq!((head.path(), consumed), (&b"/a"[..], text.len()));
    assert_eq!(head.header("a"), Some(&b"b"[..]));
}

#[test]
fn limits_hold_before_the_end_arrives() {
    let status =
        |text: &str| parse(text.as_bytes()).map_err(|error| (error.status.code(), error.close)).err();
    let target = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    assert_eq!(status(&format!("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", target(TARGET_BYTES_MAX))), None);
    assert_eq!(status(&format!("GET {} HTTP/1.1\r\n", target(TARGET_BYTES_MAX + 1))), Some((414, true)));
    assert_eq!(status(&format!("GET {}", target(TARGET_BYTES_MAX + 100))), Some((414, true)));
    let endless = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}", "a".repeat(HEAD_BYTES_MAX));
    assert_eq!(status(&endless), Some((431, true)));
    assert_eq!(status(&format!("{endless}\r\n\r\n")), Some((431, true)));
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    assert_eq!(status(&fields(HEADERS_MAX)), None);
    assert_eq!(status(&fields(HEADERS_MAX + 1)), Some((431, true)));
    let filled = |bytes: usize| {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nA: \r\n\r\n";
        text.replace("A: ", &format!("A: {}", "a".repeat(bytes - text.len())))
    };
    assert_eq!(status(&filled(HEAD_BYTES_MAX)), None);
    assert_eq!(status(&filled(HEAD_BYTES_MAX + 1)), Some((431, true)));
}

#[test]
fn no_flipped_byte_makes_it_panic() {
    let text = b"POST http://h:80/a?b=c HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    for at in 0..text.len() {
        for byte in 0..=255 {
            let mut flipped = text.to_vec();
            flipped[at] = byte;
            if let Ok(Some((head, consumed))) = parse(&flipped) {
                assert!(consumed <= flipped.len());
                assert!(!head.path().is_empty() && head.host().is_some());
            }
        }
    }
}
