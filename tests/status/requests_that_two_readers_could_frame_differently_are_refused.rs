//! No request smuggling: every way in which a message may seem to end in two places, over a real socket. Each is 400,
//! says that the connection closes, closes it, and what stands behind is never answered: there a whole good request
//! waits for a daemon that lost its place.

use crate::support::Daemon;

const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: rhinobox.test\r\n\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// Values that are no length, or more than one.
const LENGTHS: &[&str] = &[
    "",
    " ",
    "\t",
    "+4",
    "-4",
    "+0",
    "0x4",
    "0X4",
    "4h",
    "a",
    "4,4",
    "4, 4",
    "4,",
    ",4",
    ",",
    "4 4",
    "4\t4",
    "4.0",
    "4e0",
    "4;",
    "4;q=1",
    "\"4\"",
    "'4'",
    "(4)",
    "4_0",
    "0b1",
    "4%20",
    "18446744073709551616",
    "99999999999999999999999999",
    "\u{664}",
    "4\u{a0}",
    "\u{ff14}",
    "NaN",
    "Infinity",
    "null",
];

/// Values that are not exactly the one coding that is taken.
const CODINGS: &[&str] = &[
    "",
    " ",
    "identity",
    "gzip",
    "deflate",
    "compress",
    "trailers",
    "chunked, chunked",
    "chunked,chunked",
    "gzip, chunked",
    "chunked, gzip",
    "identity, chunked",
    "chunked, identity",
    "chunked,",
    ",chunked",
    ", chunked",
    "chunked;q=1",
    "chunked; a=b",
    "chunked ;a",
    "\"chunked\"",
    "'chunked'",
    "xchunked",
    "chunkedx",
    "x-chunked",
    "chunk",
    "chunked chunked",
    "chun ked",
    "chunked.",
    "chunked\u{a0}",
    "\u{a0}chunked",
    "chunked/1",
    "chunked=1",
    "null",
];

/// What stands where a chunk's line should.
const CHUNK_LINES: &[&str] = &[
    "",
    " ",
    "g",
    "x",
    "-1",
    "+1",
    "0x1",
    "0X1",
    " 1",
    "\t1",
    "1 ",
    "1\t",
    "1 1",
    "1,1",
    "1.0",
    "1_0",
    "1h",
    "\"1\"",
    "00000000000000001",
    "10000000000000000",
    "ffffffffffffffff0",
    "\u{661}",
    "1\u{a0}",
    "\u{b}1",
    "1;",
    "1; ",
    "1;;",
    "1;=",
    "1;=b",
    "1;a=",
    "1;a=;b",
    "1;a b",
    "1;a =b",
    "1;a= b",
    "1;a=\"b",
    "1;a=\"b\"c",
    "1;a=\"\u{1}\"",
    "1;a(",
    "1;\u{e4}",
    "1 ;a",
    "1\t;a",
    ";a",
];

/// Trailers that would frame, route or steer a message, or are malformed.
const TRAILERS: &[&str] = &[
    "Content-Length: 4",
    "content-length: 4",
    "Content-Length: 0",
    "Transfer-Encoding: chunked",
    "TRANSFER-ENCODING: x",
    "Host: other.test",
    "Connection: close",
    "Trailer: a",
    "Expect: 100-continue",
    "Content-Type: a/b",
    "Content-Encoding: gzip",
    "Content-Range: bytes 0-1/2",
    "Authorization: x",
    "TE: trailers",
    "Upgrade: x",
    "Keep-Alive: x",
    "A : b",
    " A: b",
    "A: b\r\n c",
    "A",
    ": b",
    "A(: b",
    "A: \u{1}",
    "GET /healthz HTTP/1.1",
];

/// Fields, with a placeholder for what goes wrong behind the name.
const FIELDS: &[&str] = &["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "X"];

fn put(fields: &str, body: &str) -> Vec<u8> {
    format!("PUT /files/a.bin HTTP/1.1\r\nHost: rhinobox.test\r\n{fields}\r\n{body}{SMUGGLED}").into_bytes()
}

/// A good request with one byte put in behind `mark`.
fn with_byte(mark: &str, byte: u8) -> Vec<u8> {
    let mut request = put("X-Name: value\r\nContent-Length: 4\r\n", "abcd");
    let at = memchr::memmem::find(&request, mark.as_bytes()).expect("the mark is there") + mark.len();
    request.insert(at, byte);
    request
}

fn cases() -> Vec<Vec<u8>> {
    let mut cases = Vec::new();
    for length in LENGTHS {
        cases.push(put(&format!("Content-Length: {length}\r\n"), "abcd"));
        cases.push(put(&format!("Content-Length: 4\r\nContent-Length: {length}\r\n"), "abcd"));
        cases.push(put(&format!("{CHUNKED}Content-Length: {length}\r\n"), "0\r\n\r\n"));
    }
    for length in ["0", "4", "5", "04"] {
        cases.push(put(&format!("Content-Length: 4\r\nContent-Length: {length}\r\n"), "abcd"));
        cases.push(put(&format!("Content-Length: 4\r\nA: b\r\ncontent-LENGTH: {length}\r\n"), "abcd"));
        cases.push(put(&format!("Content-Length: {length}\r\n{CHUNKED}"), "0\r\n\r\n"));
        cases.push(put(&format!("{CHUNKED}Content-Length: {length}\r\n"), "0\r\n\r\n"));
    }
    for coding in CODINGS {
        cases.push(put(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n"));
        cases.push(put(&format!("{CHUNKED}Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n"));
        cases.push(put(&format!("Transfer-Encoding: {coding}\r\nContent-Length: 4\r\n"), "abcd"));
    }
    for field in FIELDS {
        for space in [" ", "\t", "  "] {
            // In front of the colon, and a line that goes on in the next.
            cases.push(put(&format!("{field}{space}: 4\r\nContent-Length: 4\r\n"), "abcd"));
            cases.push(put(&format!("X: y\r\n{space}{field}: 4\r\n"), "abcd"));
            cases.push(put(&format!("{field}:\r\n{space}4\r\n"), "abcd"));
        }
    }
    for byte in [b'\0', b'\r', b'\n'] {
        for mark in [
            "PU",
            "PUT /fil",
            "PUT /files/a.bin HT",
            "HTTP/1.1\r\nHo",
            "Host: rhino",
            "X-Na",
            "X-Name: ",
            "X-Name: val",
            "value",
        ] {
            cases.push(with_byte(mark, byte));
        }
        cases.push(with_byte("X-Name: value\r", byte));
    }
    for host in ["rhinobox.test", "other.test", "", "RHINOBOX.TEST", "rhinobox.test:80"] {
        cases.push(put(&format!("Host: {host}\r\n"), ""));
    }
    for line in CHUNK_LINES {
        cases.push(put(CHUNKED, &format!("{line}\r\na\r\n0\r\n\r\n")));
        // And behind a good one, where bytes have been taken already.
        cases.push(put(CHUNKED, &format!("2\r\nab\r\n{line}\r\na\r\n0\r\n\r\n")));
    }
    for end in ["\n", "\r", "\r\r\n", "\n\r", "\0\r\n", ";a\n", ";a\r", ";a\0\r\n"] {
        cases.push(put(CHUNKED, &format!("1{end}a\r\n0\r\n\r\n")));
    }
    for behind in ["", "b", "\n", "\r", "\r\r\n", "\n\r\n", "bc\r\n", " \r\n", "\0\r\n"] {
        cases.push(put(CHUNKED, &format!("1\r\na{behind}0\r\n\r\n")));
    }
    for last in [
        "0\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\nx",
        "0\r\n \r\n",
        "0\r\nx\r\n\r\n",
        "0\r\n\0\r\n",
        "00\r\n0\r\n\r\n",
        "0\r0\r\n\r\n",
    ] {
        cases.push(put(CHUNKED, &format!("1\r\na\r\n{last}")));
    }
    for trailer in TRAILERS {
        cases.push(put(CHUNKED, &format!("1\r\na\r\n0\r\n{trailer}\r\n\r\n")));
        cases.push(put(CHUNKED, &format!("1\r\na\r\n0\r\nA: b\r\n{trailer}\r\n\r\n")));
    }
    cases
}

#[test]
fn each_is_400_and_closes_and_nothing_behind_it_is_answered() {
    let daemon = Daemon::start();
    let cases = cases();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    println!("{} cases", cases.len());
    for request in &cases {
        let shown = request.escape_ascii().to_string();
        let mut client = daemon.connect();
        let _closed_early = client.try_send(request);
        let response = client.try_response().unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(response.status, 400, "{shown}: {}", response.text());
        assert!(response.closes(), "{shown}: the connection is kept");
        assert!(!response.error().is_empty(), "{shown}");
        assert!(client.is_closed(), "{shown}: something was answered behind the refusal");
    }
    daemon.serves();
}

/// The same, a byte at a time: what a reader decides must not depend on what it has seen so far.
#[test]
fn each_is_400_however_it_arrives() {
    let daemon = Daemon::start();
    for request in cases().iter().step_by(29) {
        let shown = request.escape_ascii().to_string();
        let mut client = daemon.connect();
        for byte in request {
            if client.try_send(&[*byte]).is_err() {
                break;
            }
        }
        let response = client.try_response().unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!((response.status, response.closes()), (400, true), "{shown}: {}", response.text());
        assert!(client.is_closed(), "{shown}");
    }
    daemon.serves();
}

/// A body that ended takes no byte of what follows: that is the next request, and is judged as one.
#[test]
fn bytes_behind_the_last_chunk_are_the_next_request() {
    let daemon = Daemon::start();
    for junk in ["x\r\n\r\n", "0\r\n\r\n", "\0", "abcd\r\n", "\r\n\r\n\r\n", " GET / HTTP/1.1\r\n\r\n"] {
        let mut client = daemon.connect();
        let request = "PUT /files/a.bin HTTP/1.1\r\nHost: rhinobox.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let _closed_early = client.try_send(format!("{request}{junk}{SMUGGLED}").as_bytes());
        let first = client.response();
        assert!(matches!(first.status, 200 | 201), "{junk:?}: {}", first.text());
        let second = client.response();
        assert_eq!((second.status, second.closes()), (400, true), "{junk:?}: {}", second.text());
        assert!(client.is_closed(), "{junk:?}");
    }
    daemon.serves();
}
