//! Conditional requests (RFC 9110 section 13), decided in the order of section 13.2.2.
//!
//! The entity tag of a content is its SHA-256 between quotes: always strong, never reused. Conditions that
//! cannot be read do not hold (If-Match) or are ignored (dates), so that doubt never loses an update.

use super::chars::is_ows;
use super::head::{Head, Method};
use crate::base::digest::Digest;
use crate::base::time::Wall;

/// What the target stands for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Selected {
    /// The content; its entity tag.
    pub digest: Digest,
    /// `Last-Modified`. Counts in whole seconds.
    pub modified: Wall,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Do what the method says.
    Proceed,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
}

/// Judges the conditions of `head`; `current` is `None` when there is nothing at the target yet.
#[must_use]
pub fn evaluate(head: &Head, current: Option<&Selected>) -> Verdict {
    let reads = matches!(head.method, Method::Get | Method::Head);
    if head.header("if-match").is_some() {
        if !any_tag_matches(head, "if-match", current, Comparison::Strong) {
            return Verdict::PreconditionFailed;
        }
    } else if let (Some(date), Some(current)) = (date(head, "if-unmodified-since"), current)
        && current.modified.seconds() > date.seconds()
    {
        return Verdict::PreconditionFailed;
    }
    if head.header("if-none-match").is_some() {
        if any_tag_matches(head, "if-none-match", current, Comparison::Weak) {
            return if reads { Verdict::NotModified } else { Verdict::PreconditionFailed };
        }
    } else if let (true, Some(date), Some(current)) = (reads, date(head, "if-modified-since"), current)
        && current.modified.seconds() <= date.seconds()
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// The Range field, if it is to be looked at: of a GET, and If-Range, if there is one, names the content. A date
/// in If-Range never does: the tag is what says that bytes are the same.
#[must_use]
pub fn range<'a>(head: &'a Head, current: &Selected) -> Option<&'a [u8]> {
    let mut conditions = head.all("if-range");
    let holds = match (conditions.next(), conditions.next()) {
        (None, _) => true,
        (Some(tag), None) => tag == entity_tag(&current.digest),
        (Some(_), Some(_)) => false,
    };
    let mut ranges = head.all("range");
    match (ranges.next(), ranges.next()) {
        (Some(range), None) if holds && head.method == Method::Get => Some(range),
        _ => None,
    }
}

/// Whether the request says `If-None-Match: *`: only if there is nothing yet.
#[must_use]
pub fn only_if_absent(head: &Head) -> bool {
    head.all("if-none-match").any(|value| value == b"*")
}

/// The entity tag of a content: 64 hexadecimal digits between quotes.
#[must_use]
pub fn entity_tag(digest: &Digest) -> [u8; 66] {
    let mut tag = [b'"'; 66];
    tag[1..65].copy_from_slice(digest.hex().as_str().as_bytes());
    tag
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// `W/` never matches.
    Strong,
    /// `W/` does not count.
    Weak,
}

fn any_tag_matches(head: &Head, name: &str, current: Option<&Selected>, comparison: Comparison) -> bool {
    let Some(current) = current else { return false };
    let wanted = entity_tag(&current.digest);
    head.all(name).any(|value| {
        value == b"*"
            || Tags(value).any(|(weak, tag)| tag == wanted && (comparison == Comparison::Weak || !weak))
    })
}

/// The entity tags of a list, each with whether it is weak; ends at the first malformed one.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = (bool, &'a [u8]);

    fn next(&mut self) -> Option<(bool, &'a [u8])> {
        while let [byte, rest @ ..] = self.0
            && (is_ows(*byte) || *byte == b',')
        {
            self.0 = rest;
        }
        let (weak, tag) = match self.0.strip_prefix(b"W/") {
            Some(tag) => (true, tag),
            None => (false, self.0),
        };
        let end = memchr::memchr(b'"', tag.strip_prefix(b"\"")?)? + 2;
        self.0 = &tag[end..];
        Some((weak, &tag[..end]))
    }
}

/// The date in a field; none when it is repeated or malformed.
fn date(head: &Head, name: &str) -> Option<Wall> {
    let mut values = head.all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Wall::from_http_date(std::str::from_utf8(value).ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn head(method: &str, fields: &str) -> Head {
        let text = format!("{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        Head::parse(&Bytes::from(text)).unwrap().unwrap().0
    }

    fn selected() -> Selected {
        Selected {
            digest: Digest::of(b""),
            modified: Wall(Wall::from_http_date(NOW).unwrap().0 + 999_999_999),
        }
    }

    #[test]
    fn conditions_are_judged_in_the_order_of_the_rfc() {
        use Verdict::{NotModified, PreconditionFailed, Proceed};
        let tag = format!("\"{}\"", Digest::of(b""));
        let other = "\"x\"";
        for (method, fields, expected) in [
            ("GET", String::new(), Proceed),
            ("GET", format!("If-Match: {tag}\r\n"), Proceed),
            ("GET", "If-Match: *\r\n".to_owned(), Proceed),
            ("GET", format!("If-Match: W/{tag}\r\n"), PreconditionFailed),
            ("GET", format!("If-Match: {other}\r\n"), PreconditionFailed),
            ("GET", format!("If-Match: {other}, {tag}\r\n"), Proceed),
            ("GET", format!("If-Match: {other}\r\nIf-Match: {tag}\r\n"), Proceed),
            ("GET", format!("If-Match: junk, {tag}\r\n"), PreconditionFailed),
            ("GET", format!("If-Match: {tag}\r\nIf-Unmodified-Since: {EARLIER}\r\n"), Proceed),
            ("GET", format!("If-Unmodified-Since: {EARLIER}\r\n"), PreconditionFailed),
            ("GET", format!("If-Unmodified-Since: {NOW}\r\n"), Proceed),
            ("GET", "If-Unmodified-Since: yesterday\r\n".to_owned(), Proceed),
            ("GET", format!("If-None-Match: {tag}\r\n"), NotModified),
            ("HEAD", format!("If-None-Match: \"a,b\", W/{tag}\r\n"), NotModified),
            ("PUT", format!("If-None-Match: {tag}\r\n"), PreconditionFailed),
            ("PUT", "If-None-Match: *\r\n".to_owned(), PreconditionFailed),
            ("GET", format!("If-None-Match: {other}\r\nIf-Modified-Since: {NOW}\r\n"), Proceed),
            ("GET", format!("If-Modified-Since: {NOW}\r\n"), NotModified),
            ("GET", format!("If-Modified-Since: {EARLIER}\r\n"), Proceed),
            ("PUT", format!("If-Modified-Since: {NOW}\r\n"), Proceed),
            ("GET", format!("If-Match: {other}\r\nIf-None-Match: {tag}\r\n"), PreconditionFailed),
            ("GET", format!("If-Unmodified-Since: {NOW}\r\nIf-None-Match: {tag}\r\n"), NotModified),
        ] {
            assert_eq!(evaluate(&head(method, &fields), Some(&selected())), expected, "{method} {fields}");
        }
    }

    #[test]
    fn with_nothing_there_only_if_match_fails() {
        let verdict = |fields| evaluate(&head("PUT", fields), None);
        assert_eq!(verdict("If-None-Match: *\r\n"), Verdict::Proceed);
        assert_eq!(verdict("If-Match: *\r\n"), Verdict::PreconditionFailed);
        assert!(only_if_absent(&head("PUT", "If-None-Match: *\r\n")));
        assert!(!only_if_absent(&head("PUT", "If-None-Match: \"*\"\r\n")));
    }

    #[test]
    fn a_range_counts_only_for_the_same_content() {
        let tag = format!("\"{}\"", Digest::of(b""));
        for (method, fields, expected) in [
            ("GET", "Range: bytes=0-\r\n".to_owned(), true),
            ("HEAD", "Range: bytes=0-\r\n".to_owned(), false),
            ("GET", String::new(), false),
            ("GET", format!("Range: bytes=0-\r\nIf-Range: {tag}\r\n"), true),
            ("GET", format!("Range: bytes=0-\r\nIf-Range: W/{tag}\r\n"), false),
            ("GET", "Range: bytes=0-\r\nIf-Range: \"x\"\r\n".to_owned(), false),
            ("GET", format!("Range: bytes=0-\r\nIf-Range: {NOW}\r\n"), false),
            ("GET", "Range: bytes=0-\r\nRange: bytes=1-\r\n".to_owned(), false),
        ] {
            let head = head(method, &fields);
            assert_eq!(range(&head, &selected()).is_some(), expected, "{method} {fields}");
        }
    }
}
