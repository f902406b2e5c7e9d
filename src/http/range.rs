//! The Range field (RFC 9110 section 14).
//!
//! A field that is malformed, of another unit, or greedy (too many ranges, or ranges that overlap so far that
//! together they exceed the content) is ignored, as the RFC allows: the whole is always a right answer.

use smallvec::SmallVec;

use super::chars::{decimal, list};
use super::json::write_number;
use crate::limits::RANGES_MAX;

/// Some bytes of a content. Not empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset behind the last byte.
    pub end: u64,
}

impl ByteRange {
    /// Bytes in it, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> u64 {
        self.end - self.start
    }
}

/// Up to [`RANGES_MAX`] ranges.
pub type RangeList = SmallVec<[ByteRange; 4]>;

/// What a Range field asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ranges {
    /// Ignore the field: 200 with the whole.
    Whole,
    /// 206 with these bytes.
    One(ByteRange),
    /// 206 with `multipart/byteranges`, in the order asked for. At least two.
    Many(RangeList),
    /// 416.
    Unsatisfiable,
}

/// Reads the value of a Range field for a content of `size` bytes.
#[must_use]
pub fn parse(value: &[u8], size: u64) -> Ranges {
    match collect(value, size) {
        None => Ranges::Whole,
        Some(ranges) => match ranges[..] {
            [] => Ranges::Unsatisfiable,
            [range] => Ranges::One(range),
            _ => Ranges::Many(ranges),
        },
    }
}

/// The satisfiable ranges; `None` when the field is to be ignored.
fn collect(value: &[u8], size: u64) -> Option<RangeList> {
    let equals = memchr::memchr(b'=', value)?;
    if !value[..equals].eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut ranges = RangeList::new();
    let (mut specs, mut total) = (0, 0u64);
    for spec in list(&value[equals + 1..]) {
        specs += 1;
        if specs > RANGES_MAX {
            return None;
        }
        match parse_spec(spec, size)? {
            Spec::Range(range) => {
                total = total.checked_add(range.len()).filter(|&total| total <= size)?;
                ranges.push(range);
            }
            Spec::Nothing => {}
        }
    }
    (specs > 0).then_some(ranges)
}

enum Spec {
    Range(ByteRange),
    /// Well formed, but no byte of the content is in it.
    Nothing,
}

fn parse_spec(spec: &[u8], size: u64) -> Option<Spec> {
    let dash = memchr::memchr(b'-', spec)?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        return match number(last)? {
            0 => Some(Spec::Nothing),
            // The last bytes of nothing are the whole of it, and no Content-Range can say so.
            _ if size == 0 => None,
            suffix => Some(Spec::Range(ByteRange { start: size.saturating_sub(suffix), end: size })),
        };
    }
    let start = number(first)?;
    let end = match last {
        [] => size,
        last => {
            let last = number(last)?;
            if last < start {
                return None;
            }
            last.saturating_add(1).min(size)
        }
    };
    Some(if start < size { Spec::Range(ByteRange { start, end }) } else { Spec::Nothing })
}

/// Digits, however many: beyond `u64` is as good as its end.
fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| decimal(digits).unwrap_or(u64::MAX))
}

/// Appends `bytes 0-499/1234`, the Content-Range of a part.
pub fn write_content_range(out: &mut Vec<u8>, range: ByteRange, size: u64) {
    out.extend_from_slice(b"bytes ");
    write_number(out, range.start);
    out.push(b'-');
    write_number(out, range.end - 1);
    out.push(b'/');
    write_number(out, size);
}

/// Appends `bytes */1234`, the Content-Range of a 416.
pub fn write_unsatisfied(out: &mut Vec<u8>, size: u64) {
    out.extend_from_slice(b"bytes */");
    write_number(out, size);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(start: u64, end: u64) -> Ranges {
        Ranges::One(ByteRange { start, end })
    }

    #[test]
    fn single_ranges_are_cut_to_the_size() {
        for (value, expected) in [
            ("bytes=0-0", one(0, 1)),
            ("bytes=0-499", one(0, 500)),
            ("bytes=500-", one(500, 1000)),
            ("bytes=-1", one(999, 1000)),
            ("bytes=-5000", one(0, 1000)),
            ("bytes=999-5000", one(999, 1000)),
            ("Bytes= 1-2 ,", one(1, 3)),
            ("bytes=0-18446744073709551615", one(0, 1000)),
            ("bytes=0-99999999999999999999999", one(0, 1000)),
            ("bytes=5-6,2000-", one(5, 7)),
        ] {
            assert_eq!(parse(value.as_bytes(), 1000), expected, "{value}");
        }
    }

    #[test]
    fn malformed_and_greedy_fields_are_ignored() {
        let many = format!("bytes={}", "0-0,".repeat(RANGES_MAX + 1));
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=2-1",
            "bytes=+1-2",
            "bytes=1 -2",
            "bytes=1-2-3",
            "bytes =0-1",
            "items=0-1",
            "bytes=0-1;",
            "bytes=--1",
            "bytes=0x1-2",
            "bytes=0-0,x",
            "bytes=0-,0-",
            "bytes=0-1,2-1",
            &many,
        ] {
            assert_eq!(parse(value.as_bytes(), 1000), Ranges::Whole, "{value}");
        }
    }

    #[test]
    fn ranges_that_miss_are_unsatisfiable() {
        for (value, size) in
            [("bytes=1000-", 1000), ("bytes=-0", 1000), ("bytes=5000-6000,-0", 1000), ("bytes=0-", 0)]
        {
            assert_eq!(parse(value.as_bytes(), size), Ranges::Unsatisfiable, "{value}");
        }
        assert_eq!(parse(b"bytes=-5", 0), Ranges::Whole);
    }

    #[test]
    fn several_ranges_keep_their_order() {
        let Ranges::Many(ranges) = parse(b"bytes=10-19, 0-4 ,-5", 1000) else { panic!("not many") };
        let spans: Vec<_> = ranges.iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(spans, [(10, 20), (0, 5), (995, 1000)]);
        let most = format!("bytes={}", "0-0,".repeat(RANGES_MAX));
        assert!(matches!(parse(most.as_bytes(), 1000), Ranges::Many(ranges) if ranges.len() == RANGES_MAX));
    }

    #[test]
    fn content_ranges_name_the_last_byte() {
        let mut out = Vec::new();
        write_content_range(&mut out, ByteRange { start: 0, end: 500 }, 1234);
        assert_eq!(out, b"bytes 0-499/1234");
        out.clear();
        write_unsatisfied(&mut out, 0);
        assert_eq!(out, b"bytes */0");
    }
}
