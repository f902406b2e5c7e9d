//! `GET /files/{hash}/meta` and `POST /files/{hash}/names`: the names of a content.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::body::Body;
use super::conn::{Conn, Trouble};
use super::error::{refusal, unreadable};
use super::{answer, described, download, json_body};
use crate::base::digest::Digest;
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::json::{write_number, write_string};
use crate::http::response::Persistence;
use crate::ingest::Ingest;
use crate::ingest::naming::{self, Named};
use crate::ingest::staging::Declared;
use crate::ingest::upload::TermsBody;
use crate::limits::{
    CATEGORY_BYTES_MAX, COMMENT_BYTES_MAX, JSON_BODY_BYTES_MAX, META_BYTES_MAX, META_NAMES_MAX,
    READ_BYTES_AT_ONCE, READS_AT_ONCE, SNIFF_BYTES_MAX,
};
use crate::media::classify::{FileType, classify};
use crate::runtime::core::yield_now;
use crate::store::index::Content;
use crate::store::read::StoredName;
use crate::store::{Active, ReadError};

/// The content and all its names.
///
/// # Errors
/// 404 for what is not stored, 500 for what is damaged.
pub async fn meta(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    (ingest, active): (&Ingest, Active),
    digest: Digest,
) -> Result<Persistence, Trouble> {
    let content = download::live_content(ingest, &digest)?;
    let size = download::size_of(ingest, &content).await.map_err(|error| unreadable(&error))?;
    let (count, places) = ingest.store.index.some_names(&digest, META_NAMES_MAX);
    let mut body = Vec::with_capacity(512);
    body.extend_from_slice(b"{\"hash\":\"");
    body.extend_from_slice(digest.hex().as_str().as_bytes());
    body.extend_from_slice(b"\",\"size\":");
    write_number(&mut body, size);
    body.extend_from_slice(b",\"damaged\":");
    body.extend_from_slice(if content.damaged { b"true" } else { b"false" });
    body.extend_from_slice(b",\"names_total\":");
    write_number(&mut body, count as u64);
    body.extend_from_slice(b",\"names\":[");
    for (at, place) in places.into_iter().enumerate() {
        if body.len() > META_BYTES_MAX {
            break;
        }
        if at > 0 && at.is_multiple_of(READS_AT_ONCE) {
            yield_now().await;
        }
        let name = ingest.store.read_name(&conn.core.pool, place).await;
        let name = name.map_err(|error| unreadable(&error))?;
        if at > 0 {
            body.push(b',');
        }
        write_name(&mut body, &name);
    }
    body.extend_from_slice(b"]}");
    // Nothing that frees space waits for the reader.
    drop(active);
    answer::long_json(conn, head, persistence, body).await
}

fn write_name(out: &mut Vec<u8>, name: &StoredName) {
    out.extend_from_slice(b"{\"path\":");
    write_string(out, &name.path);
    out.push(b',');
    described::write(out, &name.path, &name.attributes, name.time);
    out.push(b'}');
}

/// What a client says of a further name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    folder: String,
}

/// Gives a stored content another name.
///
/// # Errors
/// 404 for what is not stored: the client sends it then. 400 for a body that is not such an object.
pub async fn add(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
    ingest: &Ingest,
    digest: Digest,
) -> Result<Persistence, Trouble> {
    stored(ingest, &digest)?;
    let text = json_body::read(conn, head, body, JSON_BODY_BYTES_MAX).await?;
    let new: NewName = json_body::parse(&text, "a name object")?;
    check(&new)?;
    // What the index shows now stays where it is until this is named.
    let active = ingest.lane.enter();
    let content = stored(ingest, &digest)?;
    let (file_type, size) =
        look_at(ingest, &content, None, &new.name).await.map_err(|error| unreadable(&error))?;
    let declared = Declared { name: full_name(&new.folder, &new.name), mime: None, digest: None, time: None };
    let stored = crate::ingest::slice::Stored { declared, digest, len: size, file_type, duplicate: true };
    let terms = Arc::new(TermsBody { category: new.category, comment: new.comment });
    let named: Named = naming::name_one(ingest, stored, &terms).await.map_err(|error| refusal(&error))?;
    drop(active);
    answer::record(conn, head, persistence, Status::Created, &named).await
}

/// A name with its folder in front.
pub(super) fn full_name(folder: &str, name: &str) -> Arc<str> {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}").into() }
}

/// What is stored under a digest, and whole.
///
/// # Errors
/// 404: the client sends it then.
fn stored(ingest: &Ingest, digest: &Digest) -> Result<Content, HttpError> {
    let content = download::live_content(ingest, digest)?;
    if content.damaged {
        return Err(HttpError::not_found("the stored copy is damaged: send the content again"));
    }
    Ok(content)
}

/// Holds a name to its limits.
fn check(new: &NewName) -> Result<(), HttpError> {
    check_terms(&new.category, &new.comment)?;
    if naming::base_name(&new.name).is_empty() {
        return Err(HttpError::bad_request("the name is empty"));
    }
    Ok(())
}

/// Holds what goes with names to its limits.
///
/// # Errors
/// 400.
pub(super) fn check_terms(category: &str, comment: &str) -> Result<(), HttpError> {
    for (field, text, limit) in
        [("category", category, CATEGORY_BYTES_MAX), ("comment", comment, COMMENT_BYTES_MAX)]
    {
        if text.len() > limit {
            let message = format!("the {field} has {} bytes; the limit is {limit}", text.len());
            return Err(HttpError::bad_request(message));
        }
    }
    Ok(())
}

/// The type of a stored content under another name, and its size.
pub async fn look_at(
    ingest: &Ingest,
    content: &Content,
    mime: Option<&str>,
    name: &str,
) -> Result<(FileType, u64), ReadError> {
    Ok(Look::at(ingest, content).await?.under(mime, name))
}

/// What of a stored content its type under any name follows from.
pub(super) struct Look {
    size: u64,
    first: Bytes,
}

impl Look {
    /// Reads it.
    ///
    /// # Errors
    /// If it cannot be read or does not check.
    pub(super) async fn at(ingest: &Ingest, content: &Content) -> Result<Look, ReadError> {
        let size = download::size_of(ingest, content).await?;
        let read = download::first_bytes(ingest, content).await?;
        // A copy: what was read may be much more.
        let first = Bytes::copy_from_slice(&read[..read.len().min(SNIFF_BYTES_MAX)]);
        if read.len() > READ_BYTES_AT_ONCE {
            // It was checked whole, and the next may be as long.
            drop(read);
            yield_now().await;
        }
        Ok(Look { size, first })
    }

    /// The type under a name, and the size.
    pub(super) fn under(&self, mime: Option<&str>, name: &str) -> (FileType, u64) {
        (classify(&self.first, mime, naming::base_name(name)), self.size)
    }
}
