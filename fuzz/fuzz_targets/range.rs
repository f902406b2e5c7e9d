//! Range and the conditional fields, with values of any bytes.
//!
//! What must hold of every input: ranges are not empty, lie within the content, and together are no longer than it;
//! a single plain range is what a second reading of RFC 9110 section 14.1.2 says; conditions that hold for nothing
//! never let a change through. The first two bytes are the content's size, the third chooses the field; the rest is
//! its value.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rhinobox::base::digest::Digest;
use rhinobox::base::time::Wall;
use rhinobox::http::conditional::{self, Selected, Verdict};
use rhinobox::http::head::Head;
use rhinobox::http::range::{self, ByteRange, Ranges};
use rhinobox::limits::RANGES_MAX;
use rhinobox_fuzz::Input;

const FIELDS: [&str; 6] =
    ["Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let size = input.number() as u64;
    let field = FIELDS[usize::from(input.byte()) % FIELDS.len()];
    let value = input.0;

    let ranges = range::parse(value, size);
    check(&ranges, size);
    if let Some(expected) = plainly(value, size) {
        assert_eq!(ranges, expected, "{} of {size}", value.escape_ascii());
    }

    for method in ["GET", "HEAD", "PUT"] {
        let head = [
            format!("{method} / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-\r\n{field}: ").as_bytes(),
            value,
            b"\r\n\r\n",
        ]
        .concat();
        let Ok(Some((head, _))) = Head::parse(&Bytes::from(head)) else { continue };
        let current = Selected { digest: Digest::of(b""), modified: Wall(784_111_777_000_000_000) };
        let there = conditional::evaluate(&head, Some(&current));
        let absent = conditional::evaluate(&head, None);
        if method == "PUT" {
            assert_ne!(there, Verdict::NotModified, "304 is for reads");
        }
        let must_match = head.header("if-match").is_some();
        assert_eq!(absent == Verdict::PreconditionFailed, must_match, "nothing matches nothing");
        let asked = conditional::range(&head, &current);
        assert!(asked.is_none() || method == "GET", "a range is of a GET");
    }
});

fn check(ranges: &Ranges, size: u64) {
    let holds = |range: &ByteRange| range.start < range.end && range.end <= size && range.len() > 0;
    match ranges {
        Ranges::Whole | Ranges::Unsatisfiable => {}
        Ranges::One(range) => assert!(holds(range), "{range:?} of {size}"),
        Ranges::Many(ranges) => {
            assert!((2..=RANGES_MAX).contains(&ranges.len()));
            assert!(ranges.iter().all(holds), "{ranges:?} of {size}");
            assert!(ranges.iter().map(|range| range.len()).sum::<u64>() <= size, "{ranges:?} of {size}");
        }
    }
}

/// What `bytes=a-b`, with a and b of few digits, says; `None` for any other value.
fn plainly(value: &[u8], size: u64) -> Option<Ranges> {
    let text = std::str::from_utf8(value).ok()?.strip_prefix("bytes=")?;
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| {
        let fits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (first, last) = (number(first)?, number(last)?);
    Some(match (first, last) {
        _ if first > last => Ranges::Whole,
        _ if first >= size => Ranges::Unsatisfiable,
        _ => Ranges::One(ByteRange { start: first, end: size.min(last + 1) }),
    })
}
