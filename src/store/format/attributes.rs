//! Attributes of a name: type-length-value fields. Types this build does not know are kept as they are
//! whenever a record is copied.

use super::FormatError;

/// What an attribute says. The numbers are part of the format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u16)]
pub enum Kind {
    /// The file's name as it was sent, UTF-8.
    OriginalName = 1,
    /// The folder that stood before the name, UTF-8.
    Folder = 2,
    /// `type/subtype`.
    Mime = 3,
    /// The category as it was sent, UTF-8.
    Category = 4,
    /// UTF-8.
    Comment = 5,
    /// `key`, a zero byte, `value`; may repeat.
    Tag = 6,
    /// The number of the record that first gave the path its content, 8 bytes, where this is a later one that only changed
    /// attributes: the order of arrival is by that.
    Added = 7,
}

/// An encoded list of attributes: for each its type (u16), its length (u16), its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes(Vec<u8>);

/// Bytes before each value.
const FIELD_HEAD_BYTES: usize = 4;

impl Attributes {
    /// An empty list with room for `bytes` of fields.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Attributes {
        Attributes(Vec::with_capacity(bytes))
    }

    /// Appends an attribute; an empty value is left out. Panics if the value is longer than 65,535
    /// bytes: callers check against `limits` first.
    pub fn push(&mut self, kind: Kind, value: &[u8]) {
        if !value.is_empty() {
            self.push_number(kind as u16, value);
        }
    }

    fn push_number(&mut self, number: u16, value: &[u8]) {
        let len = u16::try_from(value.len()).expect("attribute values are bounded by limits.rs");
        self.0.extend_from_slice(&number.to_le_bytes());
        self.0.extend_from_slice(&len.to_le_bytes());
        self.0.extend_from_slice(value);
    }

    /// A copy without attributes of these kinds.
    #[must_use]
    pub fn without(&self, kinds: &[Kind]) -> Attributes {
        let mut rest = Attributes::with_capacity(self.0.len());
        for (number, value) in
            self.iter().filter(|(number, _)| kinds.iter().all(|kind| *kind as u16 != *number))
        {
            rest.push_number(number, value);
        }
        rest
    }

    /// Takes over encoded bytes after checking that they are a whole list.
    ///
    /// # Errors
    /// `Short` where a field reaches beyond the end.
    pub fn from_bytes(bytes: &[u8]) -> Result<Attributes, FormatError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (_, _, after) = split_field(rest).ok_or(FormatError::Short)?;
            rest = after;
        }
        Ok(Attributes(bytes.to_vec()))
    }

    /// The first value of this kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&[u8]> {
        let mut rest = self.0.as_slice();
        while let Some((number, value, after)) = split_field(rest) {
            if number == kind as u16 {
                return Some(value);
            }
            rest = after;
        }
        None
    }

    /// The first value of this kind as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn text(&self, kind: Kind) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.get(kind).unwrap_or_default())
    }

    /// Key and value of each tag, in order; what is not UTF-8 becomes U+FFFD.
    pub fn tags(&self) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)> {
        let tags = self.iter().filter(|(kind, _)| *kind == Kind::Tag as u16);
        tags.map(|(_, tag)| {
            let end = memchr::memchr(0, tag).unwrap_or(tag.len());
            let value = tag.get(end + 1..).unwrap_or_default();
            (String::from_utf8_lossy(&tag[..end]), String::from_utf8_lossy(value))
        })
    }

    /// Every attribute in order, its type as a number: it may be one this build does not know.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (number, value, after) = split_field(rest)?;
            rest = after;
            Some((number, value))
        })
    }

    /// The encoded list.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn split_field(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<FIELD_HEAD_BYTES>()?;
    let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let (value, rest) = rest.split_at_checked(len)?;
    Some((u16::from_le_bytes([head[0], head[1]]), value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_by_kind_and_unknown_kinds_stay() {
        let mut attributes = Attributes::default();
        attributes.push(Kind::OriginalName, b"Beach.JPG");
        attributes.push(Kind::Comment, b"");
        let mut bytes = attributes.as_bytes().to_vec();
        bytes.extend_from_slice(&[0xff, 0x7f, 2, 0, b'h', b'i']);
        let read = Attributes::from_bytes(&bytes).unwrap();
        assert_eq!(read.get(Kind::OriginalName), Some(b"Beach.JPG".as_slice()));
        assert_eq!(read.get(Kind::Comment), None);
        assert_eq!(read.as_bytes(), bytes);
    }

    #[test]
    fn a_field_beyond_the_end_is_short() {
        assert_eq!(Attributes::from_bytes(&[1, 0, 5, 0, b'a']), Err(FormatError::Short));
        assert_eq!(Attributes::from_bytes(&[1, 0, 5]), Err(FormatError::Short));
    }
}
