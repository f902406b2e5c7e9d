//! What the head of a part says: which field, which file, of what type, with which digest.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::parameter::{Parameter, parameters, split};
use crate::base::digest::Digest;
use crate::http::digest_field;
use crate::http::error::{HttpError, Status};
use crate::http::fields::{Values, lines};
use crate::http::target::{escaped, lossy};

/// The head of a part.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartHead {
    /// The form field's name, as sent but for its quotes; see [`PartHead::name`].
    name: Option<Bytes>,
    /// The file's name; present and not empty: the part is a file.
    pub filename: Option<FileName>,
    /// The declared Content-Type, as sent.
    pub content_type: Option<Bytes>,
    /// The SHA-256 in `Content-Digest`.
    pub content_digest: Option<Digest>,
    /// The SHA-256 in `Repr-Digest`. For a part it covers the same bytes as `Content-Digest`.
    pub repr_digest: Option<Digest>,
}

/// A file's name as sent, decoded: perhaps with a folder in front, as browsers send for a folder drop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileName {
    text: Arc<str>,
    /// Where the base name begins.
    base: usize,
}

impl FileName {
    /// The name `text`, decoded before.
    #[must_use]
    pub fn new(text: Arc<str>) -> FileName {
        // Old browsers send the whole path of a file on Windows; elsewhere a backslash is part of the name.
        let is_windows = matches!(text.as_bytes(), [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic())
            || text.starts_with("\\\\");
        let base = text.rfind(|c| c == '/' || (is_windows && c == '\\')).map_or(0, |at| at + 1);
        FileName { text, base }
    }

    /// The whole name.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The name without its folder.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.text[self.base..]
    }

    /// The folder, without the slash behind it.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        self.base.checked_sub(1).map(|end| &self.text[..end])
    }

    /// Whether nothing was sent: a form's file field without a file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl PartHead {
    /// Whether the part is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.filename.as_ref().is_some_and(|name| !name.is_empty())
    }

    /// The form field's name.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        self.name.as_deref().map(|name| decode_plain(Cow::Borrowed(name)))
    }

    /// Reads the field lines of a part, up to its empty line.
    ///
    /// # Errors
    /// 400 for malformed lines or digests and for a missing, repeated or malformed Content-Disposition; 415 for
    /// a transfer encoding that would have to be undone.
    pub fn parse(block: &Bytes) -> Result<PartHead, HttpError> {
        let mut head = PartHead::default();
        let mut disposed = false;
        let (mut content_digests, mut repr_digests) = (Vec::new(), Vec::new());
        for line in lines(block, Values::Lenient, "a part's head") {
            let (name, value) = line?;
            let is = |field: &str| name.eq_ignore_ascii_case(field.as_bytes());
            match name.len() {
                19 if is("content-disposition") => {
                    if disposed {
                        return Err(HttpError::bad_request("a part has more than one Content-Disposition"));
                    }
                    disposed = true;
                    (head.name, head.filename) = disposition(block, value)?;
                }
                12 if is("content-type") => head.content_type = Some(block.slice_ref(value)),
                14 if is("content-digest") => content_digests.push(value),
                11 if is("repr-digest") => repr_digests.push(value),
                25 if is("content-transfer-encoding") => refuse_encoding(value)?,
                _ => {}
            }
        }
        if !disposed {
            return Err(HttpError::bad_request("a part has no Content-Disposition"));
        }
        head.content_digest = digest_field::sha256(content_digests)?;
        head.repr_digest = digest_field::sha256(repr_digests)?;
        Ok(head)
    }
}

/// RFC 7578 section 4.7 deprecates the field; the values that change nothing are taken.
fn refuse_encoding(value: &[u8]) -> Result<(), HttpError> {
    let identity = ["binary", "8bit", "7bit"].iter().any(|e| value.eq_ignore_ascii_case(e.as_bytes()));
    let refusal =
        || HttpError::new(Status::UnsupportedMediaType, "parts are taken as they are: no transfer encoding");
    identity.then_some(()).ok_or_else(refusal)
}

/// The `name` and the file's name in a Content-Disposition within `block` (RFC 7578 section 4.2). `filename*`, if it can be
/// read, beats `filename` (RFC 6266 section 4.3).
fn disposition(block: &Bytes, value: &[u8]) -> Result<(Option<Bytes>, Option<FileName>), HttpError> {
    let malformed = || HttpError::bad_request("malformed Content-Disposition in a part's head");
    let (kind, rest) = split(value);
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Err(HttpError::bad_request("the Content-Disposition of a part is form-data"));
    }
    let (mut name, mut plain, mut extended) = (None, None, None);
    for parameter in parameters(rest) {
        let parameter = parameter.ok_or_else(malformed)?;
        let slot = match parameter.name.len() {
            4 if parameter.is("name") => &mut name,
            8 if parameter.is("filename") => &mut plain,
            9 if parameter.is("filename*") => &mut extended,
            _ => continue,
        };
        if slot.replace(parameter).is_some() {
            return Err(malformed());
        }
    }
    let filename = match extended.and_then(decode_extended) {
        Some(text) => Some(text),
        // The only name of a file must not get lost.
        None if extended.is_some() && plain.is_none() => return Err(malformed()),
        None => plain.map(|plain| decode_plain(plain.value())),
    };
    let name = name.map(|name| match name.value() {
        Cow::Borrowed(value) => block.slice_ref(value),
        Cow::Owned(value) => value.into(),
    });
    Ok((name, filename.map(|text| FileName::new(text.into()))))
}

/// A plain value: the escapes of browsers for quotes and line ends are undone (HTML section 4.10.21.8); all else
/// is as sent.
fn decode_plain(value: Cow<'_, [u8]>) -> Cow<'_, str> {
    if memchr::memchr(b'%', &value).is_none() {
        return lossy(value);
    }
    let mut text = Vec::with_capacity(value.len());
    let mut rest = &value[..];
    while let [byte, after @ ..] = rest {
        rest = after;
        match escaped(after) {
            Some(special @ (b'"' | b'\r' | b'\n')) if *byte == b'%' => {
                text.push(special);
                rest = &after[2..];
            }
            _ => text.push(*byte),
        }
    }
    lossy(text.into())
}

/// `charset'language'percent-encoded` (RFC 8187 section 3.2) of UTF-8 or ISO-8859-1.
fn decode_extended(parameter: Parameter<'_>) -> Option<Cow<'_, str>> {
    let value = parameter.value();
    let mut pieces = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _language, encoded) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let bytes = crate::http::target::decode_path(encoded)?;
    if charset.eq_ignore_ascii_case(b"utf-8") {
        Some(lossy(bytes).into_owned().into())
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(bytes.iter().map(|&byte| char::from(byte)).collect())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(block: &[u8]) -> Result<PartHead, HttpError> {
        PartHead::parse(&Bytes::copy_from_slice(block))
    }

    fn filename(parameters: &str) -> String {
        let block = format!("Content-Disposition: form-data; name=f; {parameters}\r\n\r\n");
        parse(block.as_bytes()).expect(parameters).filename.expect(parameters).text().to_string()
    }

    #[test]
    fn a_browsers_head_is_read() {
        let digest = Digest::of(b"");
        let mut text = b"content-disposition: form-data; name=\"file\"; filename=\"A.jpg\"\r\nContent-Type: image/jpeg\r\nX: y\r\nRepr-Digest: ".to_vec();
        digest_field::write(&mut text, &digest);
        text.extend_from_slice(b"\r\n\r\n");
        let head = parse(&text).unwrap();
        assert_eq!(head.name().as_deref(), Some("file"));
        assert_eq!(head.filename.as_ref().map(|name| &**name.text()), Some("A.jpg"));
        assert_eq!(head.content_type.as_deref(), Some(&b"image/jpeg"[..]));
        assert_eq!((head.content_digest, head.repr_digest), (None, Some(digest)));
        assert!(head.is_file());
    }

    #[test]
    fn names_are_decoded_by_the_rules_of_browsers_and_of_rfc_8187() {
        for (parameters, expected) in [
            ("filename=\"a b.jpg\"", "a b.jpg"),
            ("filename=a.jpg", "a.jpg"),
            ("filename=\"\"", ""),
            ("filename=\"a\\\"b\\\\c\\d.jpg\"", "a\"b\\c\\d.jpg"),
            ("filename=\"a%22b%0d%0A%41%\"", "a\"b\r\n%41%"),
            ("filename=\"ä.jpg\"", "ä.jpg"),
            ("filename=\"a;b=c\"", "a;b=c"),
            ("filename=\"x\"; filename*=UTF-8''%e2%82%ac%20rates", "€ rates"),
            ("filename*=utf-8'en'%C3%A4%25; filename=x", "ä%"),
            ("filename*=iso-8859-1''%e4", "ä"),
            ("filename*=UTF-8''%ff", "\u{fffd}"),
            ("filename*=koi8-r''%c1; filename=\"x\"", "x"),
            ("filename*=broken; filename=\"x\"", "x"),
            ("filename*=UTF-8''%zz; filename=\"x\"", "x"),
        ] {
            assert_eq!(filename(parameters), expected, "{parameters}");
        }
        let head =
            parse(b"Content-Disposition: form-data; name=\"n\"; filename=\"\xff\x01\"\r\n\r\n").unwrap();
        assert_eq!(&**head.filename.unwrap().text(), "\u{fffd}\u{1}");
    }

    #[test]
    fn a_folder_in_front_is_split_off() {
        for (text, folder, base) in [
            ("a.jpg", None, "a.jpg"),
            ("x/y/a.jpg", Some("x/y"), "a.jpg"),
            ("/a.jpg", Some(""), "a.jpg"),
            ("x/", Some("x"), ""),
            ("C:\\x\\a.jpg", Some("C:\\x"), "a.jpg"),
            ("\\\\host\\a.jpg", Some("\\\\host"), "a.jpg"),
            ("a\\b.jpg", None, "a\\b.jpg"),
            ("", None, ""),
        ] {
            let name = FileName::new(text.into());
            assert_eq!((name.folder(), name.base()), (folder, base), "{text}");
        }
    }

    #[test]
    fn malformed_heads_are_refused() {
        for (block, status) in [
            ("\r\n", 400),
            ("Content-Type: a/b\r\n\r\n", 400),
            ("Content-Disposition: form-data\r\nContent-Disposition: form-data\r\n\r\n", 400),
            ("Content-Disposition: attachment; filename=a\r\n\r\n", 400),
            ("Content-Disposition: form-data; filename=\"a\r\n\r\n", 400),
            ("Content-Disposition: form-data; filename=a; filename=b\r\n\r\n", 400),
            ("Content-Disposition: form-data; filename*=broken\r\n\r\n", 400),
            ("Content-Disposition : form-data\r\n\r\n", 400),
            ("Content-Disposition: form-data;\r\n name=a\r\n\r\n", 400),
            ("Content-Disposition: form-data; name=a\nX: y\r\n\r\n", 400),
            ("Content-Disposition: form-data; name=a\r\nContent-Digest: sha-256=:x:\r\n\r\n", 400),
            ("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n", 415),
        ] {
            assert_eq!(parse(block.as_bytes()).expect_err(block).status.code(), status, "{block}");
        }
    }
}
