//! `PUT /files/{name}`: one file as a raw body.

use super::admit::admit;
use super::answer;
use super::body::Body;
use super::conn::{Conn, Trouble};
use super::error::{check_room, refusal};
use super::upload::terms_from_query;
use crate::base::digest::Digest;
use crate::http::conditional;
use crate::http::digest_field;
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::response::Persistence;
use crate::ingest::staging::Declared;
use crate::ingest::upload::{Mode, Upload};
use crate::ingest::{Ingest, Stage};
use crate::limits::{BLOB_WRITE_BYTES_MIN, MIME_BYTES_MAX};
use crate::media::name::Sent;
use crate::runtime::clock;

/// Stores the body under `name`. A name of 64 hexadecimal digits is what the body must hash to.
///
/// # Errors
/// What is answered instead.
pub async fn file(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
    ingest: &Ingest,
    name: String,
) -> Result<Persistence, Trouble> {
    answer::refuse_coding(head)?;
    if head.header("content-range").is_some() {
        // RFC 9110 section 14.5: a partial PUT that is not understood must not be taken for a whole one.
        return Err(
            HttpError::bad_request("a PUT with Content-Range is not taken: send the whole file").into()
        );
    }
    let named_digest = Digest::from_hex(&name);
    if conditional::only_if_absent(head) {
        let Some(digest) = named_digest else {
            let message = "If-None-Match: * needs the content's hash as the name";
            return Err(HttpError::bad_request(message).into());
        };
        let stored = ingest.store.index.content(&digest);
        if stored.is_some_and(|content| content.first_name.is_some() && !content.damaged) {
            return Err(HttpError::new(Status::PreconditionFailed, "this content is stored already").into());
        }
    }
    let declared_digest = agree(digest_of(head, "content-digest")?, digest_of(head, "repr-digest")?)?;
    let expected = agree(named_digest, declared_digest)?;
    let terms = terms_from_query(head)?;
    Sent::parse(&name).map_err(|too_long| refusal(&too_long.into()))?;
    check_room(&ingest.store, body.declared().unwrap_or(0))?;
    let _place = admit(conn, body, ingest).await?;

    let mime = head.header("content-type").filter(|mime| mime.len() <= MIME_BYTES_MAX);
    let mime = mime.and_then(|mime| std::str::from_utf8(mime).ok()).map(str::to_owned);
    let declared = Declared { name: name.into(), mime, digest: expected, time: None };
    let mut upload = Upload::timed(ingest, Mode::AtEnd, conn.laps.clone());
    upload.begin(declared, body.declared()).await.map_err(|error| refusal(&error))?;
    upload.set_write_bytes(BLOB_WRITE_BYTES_MIN);
    loop {
        let Some(piece) = body.next_for(conn, Some(&mut upload), 0).await? else { break };
        if !piece.is_empty() {
            upload.data(piece).await.map_err(|error| refusal(&error))?;
        }
    }
    let behind = agree(
        digest_field::sha256(body.trailers("content-digest"))?,
        digest_field::sha256(body.trailers("repr-digest"))?,
    )?;
    upload.end(agree(expected, behind)?).await.map_err(|error| refusal(&error))?;
    conn.laps.lap(Stage::Parse, clock::now_ns());
    let mut outcomes = upload.finish(&terms).await;
    answer::count(conn, &outcomes);
    let named = match outcomes.pop() {
        Some(Ok(named)) => named,
        Some(Err(error)) => return Err(refusal(&error).into()),
        None => return Err(refusal(&crate::ingest::FileError::Lost).into()),
    };
    let status = if named.duplicate { Status::Ok } else { Status::Created };
    answer::record(conn, head, persistence, status, &named).await
}

fn digest_of(head: &Head, field: &'static str) -> Result<Option<Digest>, HttpError> {
    digest_field::sha256(head.all(field))
}

/// What two sources say the content hashes to, if any does.
fn agree(one: Option<Digest>, other: Option<Digest>) -> Result<Option<Digest>, HttpError> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            Err(HttpError::bad_request(format!("the request names two hashes, {one} and {other}")))
        }
        (one, other) => Ok(one.or(other)),
    }
}
