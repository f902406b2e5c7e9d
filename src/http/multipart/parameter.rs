//! Parameters: `; name=value; name="value"`, as Content-Type and Content-Disposition have them.
//!
//! In a quoted value only `\"` and `\\` are escapes: browsers send other backslashes as they are.

use std::borrow::Cow;

use crate::http::chars::{is_token, trim_ows};

/// A parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter<'a> {
    /// The name, a token. Its case does not matter.
    pub name: &'a [u8],
    /// The value, without the quotes, its escapes not undone.
    raw: &'a [u8],
    quoted: bool,
}

impl<'a> Parameter<'a> {
    /// Whether it is called `name`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Cow<'a, [u8]> {
        if !self.quoted || memchr::memchr(b'\\', self.raw).is_none() {
            return Cow::Borrowed(self.raw);
        }
        let mut value = Vec::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let [byte, after @ ..] = rest {
            rest = after;
            match (byte, after) {
                (b'\\', [escaped @ (b'"' | b'\\'), after @ ..]) => {
                    value.push(*escaped);
                    rest = after;
                }
                _ => value.push(*byte),
            }
        }
        Cow::Owned(value)
    }
}

/// The text before the first `;`, trimmed, and what follows it.
#[must_use]
pub fn split(value: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b';', value) {
        Some(at) => (trim_ows(&value[..at]), &value[at + 1..]),
        None => (trim_ows(value), &[]),
    }
}

/// The parameters of `text`, what follows the first `;`. Empty ones are skipped; `None` stands for a malformed
/// one, behind which nothing comes.
pub fn parameters(text: &[u8]) -> impl Iterator<Item = Option<Parameter<'_>>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = trim_ows(rest);
            match rest {
                [] => return None,
                [b';', after @ ..] => rest = after,
                _ => break,
            }
        }
        let Some((parameter, after)) = next(rest) else {
            rest = &[];
            return Some(None);
        };
        rest = after;
        Some(Some(parameter))
    })
}

fn next(text: &[u8]) -> Option<(Parameter<'_>, &[u8])> {
    let equals = memchr::memchr(b'=', text)?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    if !is_token(name) {
        return None;
    }
    let (raw, quoted, after) = match value {
        [b'"', value @ ..] => {
            let end = closing_quote(value)?;
            (&value[..end], true, &value[end + 1..])
        }
        _ => {
            let end = memchr::memchr(b';', value).unwrap_or(value.len());
            (trim_ows(&value[..end]), false, &value[end..])
        }
    };
    let after = trim_ows(after);
    let ends = matches!(after, [] | [b';', ..]);
    ends.then_some((Parameter { name, raw, quoted }, after))
}

fn closing_quote(value: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &value[from..])?;
        if value[at] == b'"' {
            return Some(at);
        }
        let escapes = matches!(value.get(at + 1), Some(b'"' | b'\\'));
        from = at + 1 + usize::from(escapes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Option<Vec<(String, String)>> {
        let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        parameters(text.as_bytes()).map(|p| p.map(|p| (utf8(p.name), utf8(&p.value())))).collect()
    }

    #[test]
    fn values_are_tokens_or_quoted() {
        for (text, expected) in [
            ("a=1; b=\"2;3\" ;c=", &[("a", "1"), ("b", "2;3"), ("c", "")][..]),
            (" ; ;a=x y ;", &[("a", "x y")]),
            ("a=\"C:\\x\\\"y\\\\z\\\"", &[][..]),
            ("a=\"C:\\x\\\"y\\\\z\"", &[("a", "C:\\x\"y\\z")]),
            ("", &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
            assert_eq!(all(text).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn malformed_parameters_are_none() {
        for text in ["a", "a =1", "=1", "a=\"x", "a=\"x\"y", "a=\"x\\\"", "a=1; b", "a b=1"] {
            assert_eq!(all(text), None, "{text}");
        }
    }
}
