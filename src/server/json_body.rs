//! Request bodies that are one JSON text: taken as `application/json` only, whole, within a bound.
//!
//! Always: twice the memory that the text takes is reserved while it is read, and until the request ends: what is made of
//! it, and the answer, have room in that.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::body::Body;
use super::conn::{Conn, Trouble};
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::limits::JSON_REASON_BYTES_MAX;

/// Lets only bodies in that are declared to be JSON. A page of another site cannot declare that without being asked first.
fn expect(head: &Head) -> Result<(), HttpError> {
    let content_type = head.header("content-type").unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    if media_type.trim_ascii().eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    Err(HttpError::new(Status::UnsupportedMediaType, "the body is taken as application/json only"))
}

/// Reads all of it, of which there may be `most` bytes.
///
/// # Errors
/// 415 for what is not declared to be JSON, 413 beyond the bound, and those of [`Body::next_for`].
pub(super) async fn read(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    most: usize,
) -> Result<Vec<u8>, Trouble> {
    expect(head)?;
    if body.declared().is_some_and(|length| length > most as u64) {
        return Err(too_large(most).into());
    }
    body.reserve(conn).await?;
    let mut text = Vec::new();
    loop {
        let Some(piece) = body.next_for(conn, None, 2 * text.capacity()).await? else { return Ok(text) };
        if text.len() + piece.len() > most {
            return Err(too_large(most).into());
        }
        text.extend_from_slice(&piece);
    }
}

/// What the text says.
///
/// # Errors
/// 400: that it is not `what`, and why. A name that a client sent is in that as far as it is short.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8], what: &str) -> Result<T, HttpError> {
    serde_json::from_slice(text).map_err(|error| {
        let mut why = error.to_string();
        if why.len() > JSON_REASON_BYTES_MAX {
            why.truncate(why.floor_char_boundary(JSON_REASON_BYTES_MAX));
            why.push('…');
        }
        HttpError::bad_request(format!("the body is not {what}: {why}"))
    })
}

/// A list as it is read: no more of it is kept than may be sent.
pub(super) struct AtMost<T, const MAX: usize> {
    /// The first of them.
    pub(super) kept: Vec<T>,
    /// How many there were.
    pub(super) total: usize,
}

impl<T, const MAX: usize> AtMost<T, MAX> {
    /// All of them.
    ///
    /// # Errors
    /// 413 if there were more; `what` follows how many.
    pub(super) fn all(self, what: &str) -> Result<Vec<T>, HttpError> {
        if self.total > MAX {
            let message = format!("{} {what}; the limit is {MAX}", self.total);
            return Err(HttpError::new(Status::ContentTooLarge, message));
        }
        Ok(self.kept)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = AtMost<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut read = AtMost { kept: Vec::new(), total: 0 };
                while let Some(element) = list.next_element()? {
                    read.total += 1;
                    if read.total <= MAX {
                        read.kept.push(element);
                    }
                }
                Ok(read)
            }
        }

        deserializer.deserialize_seq(List(PhantomData))
    }
}

fn too_large(most: usize) -> HttpError {
    let message = format!("the JSON body is larger than {most} bytes, the limit");
    HttpError::new(Status::ContentTooLarge, message).closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    #[test]
    fn what_a_client_sent_is_repeated_as_far_as_it_is_short() {
        let refusal = |text: &str| parse::<Nothing>(text.as_bytes(), "nothing").expect_err(text).message;
        assert!(refusal("{\"some\":1}").contains("unknown field `some`"));
        let long = refusal(&format!("{{\"{}\":1}}", "ü".repeat(100_000)));
        assert!(long.len() < 300 && long.ends_with('…'), "{} bytes", long.len());
    }
}
