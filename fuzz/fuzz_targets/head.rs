//! A request head of any bytes: read or refused, never half understood.
//!
//! What must hold of every input: a head that is read has the lines that it says and no other line ends, one framing
//! at most, and one host; bytes that came in pieces are read as those that came at once; what looks at a head further
//! on never panics. The first byte of an input is where it is cut.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rhinobox::base::digest::Digest;
use rhinobox::base::time::Wall;
use rhinobox::http::head::{BodyFraming, Head, Version};
use rhinobox::http::{conditional, digest_field, multipart, origin, route, target};
use rhinobox_fuzz::Input;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let at = usize::from(input.byte());
    let text = input.0;
    let whole = Head::parse(&Bytes::copy_from_slice(text));

    // A client that sends it in two pieces is told the same.
    let first = &text[..text.len() * at / 255];
    match (Head::parse(&Bytes::copy_from_slice(first)), &whole) {
        (Ok(None), _) => {}
        (Ok(Some((head, consumed))), Ok(Some((other, other_consumed)))) => {
            assert_eq!((head.path(), consumed), (other.path(), *other_consumed));
        }
        (Err(_), Err(_)) => {}
        (found, _) => panic!("the first {} bytes alone read as {found:?}, all as {whole:?}", first.len()),
    }

    let (head, consumed) = match whole {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => return assert!(error.close, "{error}: what follows could be taken for a request"),
    };
    check(&head, &text[..consumed]);
    look_at(&head);
});

fn check(head: &Head, text: &[u8]) {
    let text = text.strip_prefix(b"\r\n").unwrap_or(text);
    assert!(text.ends_with(b"\r\n\r\n"));
    let ends = text.windows(2).filter(|pair| pair == b"\r\n").count();
    let controls = text.iter().filter(|byte| matches!(byte, b'\r' | b'\n' | 0)).count();
    assert_eq!(controls, 2 * ends, "a line ends in CRLF and holds neither half of it, nor NUL");
    assert_eq!(ends, head.iter().count() + 2, "each line is a field");

    let count = |name: &str| head.all(name).count();
    assert!(count("host") <= 1 && count("content-length") <= 1 && count("transfer-encoding") <= 1);
    assert!(count("host") == 1 || head.version == Version::Http10);
    assert!(head.host().is_none_or(|host| !host.is_empty() && !host.contains(['@', '/', ' '])));
    match head.framing {
        BodyFraming::None => assert_eq!(count("content-length") + count("transfer-encoding"), 0),
        BodyFraming::Length(length) => {
            let digits = head.header("content-length").expect("a length came from somewhere");
            assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
            let digits = std::str::from_utf8(digits).expect("digits are text");
            assert_eq!(digits.parse(), Ok(length));
            assert_eq!(count("transfer-encoding"), 0);
        }
        BodyFraming::Chunked => {
            let coding = head.header("transfer-encoding").expect("the coding came from somewhere");
            assert!(coding.eq_ignore_ascii_case(b"chunked") && head.version == Version::Http11);
            assert_eq!(count("content-length"), 0);
        }
    }
    for (name, value) in head.iter() {
        assert!(!name.is_empty() && name.iter().all(u8::is_ascii_graphic) && !name.contains(&b':'));
        assert!(value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)));
    }
}

/// What the daemon does with a head.
fn look_at(head: &Head) {
    let _ = route::route(head.method, head.path());
    let hosts = origin::Hosts::new(([127, 0, 0, 1], 8090).into(), ["files.example"]);
    let _ = hosts.check(head);
    let current = conditional::Selected { digest: Digest::of(b""), modified: Wall(0) };
    for current in [None, Some(&current)] {
        let _ = conditional::evaluate(head, current);
    }
    for name in ["category", "comment"] {
        let _ = target::parameter(head.query(), name);
    }
    let _ = digest_field::sha256(head.all("content-digest").chain(head.all("repr-digest")));
    if let Some(content_type) = head.header("content-type") {
        let _ = multipart::Boundary::from_content_type(content_type);
    }
}
