//! `PATCH /storage/...`: another comment or other tags for a stored name. 200 means that the change is on the disk.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::body::Body;
use super::conn::{Conn, Trouble};
use super::error::{extra_of, status_of, unreadable};
use super::{answer, described, download, json_body};
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::json::{write_number, write_string};
use crate::http::response::Persistence;
use crate::ingest::Ingest;
use crate::ingest::amend::{self, AmendError, Amendment};
use crate::limits::{COMMENT_BYTES_MAX, JSON_BODY_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX};

/// As a client says it: what is not named stays, null takes away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    #[serde(default, deserialize_with = "named")]
    comment: Option<Option<String>>,
    #[serde(default)]
    tags: BTreeMap<String, Option<String>>,
}

/// Tells null from absent.
fn named<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Changes the name at a path.
///
/// # Errors
/// 404 if nothing is stored there, 400 for a body that is not such an object, 413, 415, 507.
pub async fn name(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
    ingest: &Ingest,
    path: &str,
) -> Result<Persistence, Trouble> {
    let text = json_body::read(conn, head, body, JSON_BODY_BYTES_MAX).await?;
    // A list of values would be taken for the members in their order.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(HttpError::bad_request("the body is not an object of changes").into());
    }
    let patch: Patch = json_body::parse(&text, "an object of changes")?;
    let amendment = Amendment { comment: patch.comment.map(Option::unwrap_or_default), tags: patch.tags };
    check(&amendment)?;
    // What the index shows stays where it is, until the size is known too.
    let active = ingest.lane.enter();
    let name = amend::amend(ingest, path, &amendment, TAGS_MAX).await.map_err(refusal)?;
    let content = download::live_content(ingest, &name.digest)?;
    let size = download::size_of(ingest, &content).await.map_err(|error| unreadable(&error))?;
    drop(active);
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"{\"path\":");
    write_string(&mut out, &name.path);
    out.extend_from_slice(b",\"hash\":\"");
    out.extend_from_slice(name.digest.hex().as_str().as_bytes());
    out.extend_from_slice(b"\",\"size\":");
    write_number(&mut out, size);
    out.push(b',');
    described::write(&mut out, &name.path, &name.attributes, name.time);
    out.push(b'}');
    answer::json(conn, head, persistence, Status::Ok, out).await
}

fn check(amendment: &Amendment) -> Result<(), HttpError> {
    let refuse = |message: String| Err(HttpError::bad_request(message));
    let comment_bytes = amendment.comment.as_ref().map_or(0, String::len);
    if comment_bytes > COMMENT_BYTES_MAX {
        return refuse(format!("the comment has {comment_bytes} bytes; the limit is {COMMENT_BYTES_MAX}"));
    }
    for (key, value) in &amendment.tags {
        if key.is_empty() || key.contains('\0') {
            return refuse("a tag's key has at least one byte, and no NUL".to_owned());
        }
        let bytes = key.len() + value.as_ref().map_or(0, String::len);
        if bytes > TAG_BYTES_MAX {
            return refuse(format!("a tag has {bytes} bytes, key and value; the limit is {TAG_BYTES_MAX}"));
        }
    }
    Ok(())
}

fn refusal(error: AmendError) -> HttpError {
    match error {
        AmendError::Absent => HttpError::not_found("nothing is stored at this path"),
        AmendError::TooManyTags(limit) => {
            HttpError::bad_request(format!("the name would have more than {limit} tags, the limit"))
        }
        AmendError::Unreadable(error) => unreadable(&error),
        AmendError::Failed(error) => {
            let status = status_of(&error);
            HttpError::new(status, format!("nothing was changed: {error}")).with(extra_of(status))
        }
    }
}
