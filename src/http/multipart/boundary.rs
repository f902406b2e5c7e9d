//! The boundary of a multipart body, as its Content-Type names it (RFC 2046 section 5.1.1).

use smallvec::SmallVec;

use super::parameter::{parameters, split};
use crate::http::error::{HttpError, Status};
use crate::limits::BOUNDARY_BYTES_MAX;

/// A boundary: 1 to 70 of the bytes RFC 2046 allows, the last no space. So it holds no CR: a delimiter begins
/// nowhere within itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boundary(SmallVec<[u8; BOUNDARY_BYTES_MAX]>);

impl Boundary {
    /// `bytes` as a boundary, if they can be one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Boundary> {
        let fits = (1..=BOUNDARY_BYTES_MAX).contains(&bytes.len());
        let holds = fits && bytes.iter().all(|&byte| is_boundary_byte(byte)) && bytes.last() != Some(&b' ');
        holds.then(|| Boundary(SmallVec::from_slice(bytes)))
    }

    /// The boundary that a request's Content-Type names.
    ///
    /// # Errors
    /// 415 for a type other than `multipart/form-data`, 400 for a missing or malformed boundary.
    pub fn from_content_type(value: &[u8]) -> Result<Boundary, HttpError> {
        let (media_type, rest) = split(value);
        if !media_type.eq_ignore_ascii_case(b"multipart/form-data") {
            let message = "the Content-Type of an upload is multipart/form-data";
            return Err(HttpError::new(Status::UnsupportedMediaType, message));
        }
        let mut boundary = None;
        for parameter in parameters(rest) {
            let parameter = parameter.ok_or_else(|| HttpError::bad_request("malformed Content-Type"))?;
            if !parameter.is("boundary") {
                continue;
            }
            let value = Boundary::new(&parameter.value());
            let value =
                value.ok_or_else(|| HttpError::bad_request("malformed boundary in the Content-Type"))?;
            if boundary.replace(value).is_some() {
                return Err(HttpError::bad_request("more than one boundary in the Content-Type"));
            }
        }
        boundary.ok_or_else(|| HttpError::bad_request("the Content-Type names no boundary"))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

const fn is_boundary_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'\'' | b'(' | b')' | b'+' | b'_' | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?' | b' '
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_come_plain_or_quoted() {
        let longest = "b".repeat(70);
        for (value, boundary) in [
            ("multipart/form-data; boundary=abc", "abc"),
            ("Multipart/Form-Data ;charset=utf-8;BOUNDARY=\"a b:c\"", "a b:c"),
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            ),
            (&format!("multipart/form-data; boundary={longest}"), &longest),
        ] {
            let found = Boundary::from_content_type(value.as_bytes()).unwrap();
            assert_eq!(found.as_bytes(), boundary.as_bytes(), "{value}");
        }
    }

    #[test]
    fn other_types_are_415_and_other_boundaries_400() {
        let too_long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        for (value, status) in [
            ("", 415),
            ("application/json", 415),
            ("multipart/mixed; boundary=a", 415),
            ("multipart/form-data", 400),
            ("multipart/form-data; boundary", 400),
            ("multipart/form-data; boundary=", 400),
            ("multipart/form-data; boundary=\"a", 400),
            ("multipart/form-data; boundary=\"a \"", 400),
            ("multipart/form-data; boundary=a*b", 400),
            ("multipart/form-data; boundary=a; boundary=b", 400),
            (&too_long, 400),
        ] {
            let error = Boundary::from_content_type(value.as_bytes()).expect_err(value);
            assert_eq!(error.status.code(), status, "{value}");
        }
    }
}
