//! A multipart form (RFC 7578) that is read as it is sent: fields, then files, each with its name and digest in front.
//!
//! Always: its length is known before where all files' are; a name reaches the server as it is, whatever is in it
//! (RFC 8187).

use std::io::{self, Read};

use crate::base::digest::Digest;
use crate::http::digest_field;
use crate::runtime;

/// A form in the making.
pub(super) struct Form<'a> {
    boundary: String,
    pieces: Vec<Piece<'a>>,
    /// `None` once a file of unknown length is in it.
    length: Option<u64>,
}

enum Piece<'a> {
    Own(Vec<u8>),
    Bytes(&'a [u8]),
    /// So many bytes, or all there are.
    Stream(&'a mut dyn Read, Option<u64>),
}

impl<'a> Form<'a> {
    /// A form with what goes with all its files.
    pub(super) fn new(category: &str, comment: &str) -> Form<'a> {
        let [high, low] = [0, 8].map(|at| {
            let random = runtime::random();
            random[at..at + 8].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
        });
        let mut form =
            Form { boundary: format!("rhinobox-{high}{low}"), pieces: Vec::new(), length: Some(0) };
        for (field, value) in [("category", category), ("comment", comment)] {
            if !value.is_empty() {
                let boundary = &form.boundary;
                let head = format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
                );
                form.own(head.into_bytes());
            }
        }
        form
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Adds a file that is in memory.
    pub(super) fn bytes(&mut self, name: &str, digest: &Digest, content: &'a [u8]) {
        self.head(name, Some(digest));
        self.length = self.length.map(|length| length + content.len() as u64);
        self.pieces.push(Piece::Bytes(content));
        self.own(b"\r\n".to_vec());
    }

    /// Adds a file that is read when it is its turn.
    pub(super) fn stream(
        &mut self,
        name: &str,
        digest: Option<&Digest>,
        content: &'a mut dyn Read,
        len: Option<u64>,
    ) {
        self.head(name, digest);
        self.length = self.length.zip(len).map(|(length, len)| length + len);
        self.pieces.push(Piece::Stream(content, len));
        self.own(b"\r\n".to_vec());
    }

    /// The form, to be sent, and its length.
    pub(super) fn finish(mut self) -> (Sending<'a>, Option<u64>) {
        self.own(format!("--{}--\r\n", self.boundary).into_bytes());
        let length = self.length;
        (Sending { pieces: self.pieces.into_iter(), current: None, at: 0 }, length)
    }

    fn head(&mut self, name: &str, digest: Option<&Digest>) {
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(format!("--{}\r\n", self.boundary).as_bytes());
        head.extend_from_slice(b"Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''");
        write_encoded(&mut head, name);
        if let Some(digest) = digest {
            head.extend_from_slice(b"\r\nRepr-Digest: ");
            digest_field::write(&mut head, digest);
        }
        head.extend_from_slice(b"\r\n\r\n");
        self.own(head);
    }

    fn own(&mut self, bytes: Vec<u8>) {
        self.length = self.length.map(|length| length + bytes.len() as u64);
        match self.pieces.last_mut() {
            Some(Piece::Own(last)) => last.extend_from_slice(&bytes),
            _ => self.pieces.push(Piece::Own(bytes)),
        }
    }
}

/// Percent signs for everything but letters, digits and what never means anything (RFC 3986 section 2.3).
pub(super) fn write_encoded(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The bytes of a form.
pub(super) struct Sending<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    current: Option<Piece<'a>>,
    /// How far the current piece is read.
    at: u64,
}

impl Read for Sending<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let at = self.at;
            let copied = match self.current.as_mut() {
                None => 0,
                Some(Piece::Own(bytes)) => copy(bytes, at, into),
                Some(Piece::Bytes(bytes)) => copy(bytes, at, into),
                Some(Piece::Stream(reader, Some(len))) => {
                    let left = usize::try_from(*len - at).unwrap_or(usize::MAX).min(into.len());
                    match reader.read(&mut into[..left])? {
                        0 if left > 0 => {
                            return Err(io::Error::new(io::ErrorKind::InvalidData, super::local::CHANGED));
                        }
                        count => count,
                    }
                }
                Some(Piece::Stream(reader, None)) => reader.read(into)?,
            };
            if copied > 0 {
                self.at += copied as u64;
                return Ok(copied);
            }
            self.at = 0;
            self.current = self.pieces.next();
            if self.current.is_none() {
                return Ok(0);
            }
        }
    }
}

fn copy(bytes: &[u8], at: u64, into: &mut [u8]) -> usize {
    let rest = &bytes[usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len())..];
    let count = rest.len().min(into.len());
    into[..count].copy_from_slice(&rest[..count]);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_as_long_as_it_says_and_in_order() {
        let mut form = Form::new("c", "");
        let mut stream = &b"streamed"[..];
        form.bytes("a \"%22\r\n\u{e9}/b.txt", &Digest::of(b"x"), b"in memory");
        form.stream("s", Some(&Digest::of(b"streamed")), &mut stream, Some(8));
        let (mut sending, length) = form.finish();
        let mut text = Vec::new();
        sending.read_to_end(&mut text).unwrap();
        assert_eq!(length, Some(text.len() as u64));
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("filename*=UTF-8''a%20%22%2522%0D%0A%C3%A9%2Fb.txt\r\nRepr-Digest: sha-256=:"),
            "{text}"
        );
        assert!(text.find("in memory").unwrap() < text.find("streamed").unwrap(), "{text}");
        assert!(text.ends_with("\r\nstreamed\r\n".to_owned().as_str()) || text.ends_with("--\r\n"), "{text}");
    }

    #[test]
    fn a_file_that_became_shorter_is_said_to_have_changed() {
        let mut form = Form::new("", "");
        let mut short = &b"1234"[..];
        form.stream("s", None, &mut short, Some(5));
        let (mut sending, _) = form.finish();
        let error = sending.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
    }
}
