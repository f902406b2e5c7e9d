//! `DELETE /files/{hash}`, a content with all its names, and `DELETE /storage/...`, one name, and the content with its
//! last. 204 means that it is gone for good: the record that says so is on the disk.

use super::conn::{Conn, Trouble};
use super::error::{extra_of, status_of, unreadable};
use crate::base::digest::Digest;
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::response::{HeadWriter, Persistence};
use crate::ingest::{FileError, Ingest};
use crate::store::delete::DeleteError;

/// Deletes a content with all its names.
///
/// # Errors
/// 404 if nothing is stored under the hash, 507 if the disk has no room even for that.
pub async fn content(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    ingest: &Ingest,
    digest: &Digest,
) -> Result<Persistence, Trouble> {
    let deleted = ingest.store.delete_content(&ingest.lane, &ingest.pool, digest).await;
    answer(conn, head, persistence, deleted, "nothing is stored under this hash").await
}

/// Deletes the name at a path.
///
/// # Errors
/// As [`content`].
pub async fn name(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    ingest: &Ingest,
    path: &str,
) -> Result<Persistence, Trouble> {
    let deleted = ingest.store.delete_name(&ingest.lane, &ingest.pool, path).await;
    answer(conn, head, persistence, deleted, "nothing is stored at this path").await
}

async fn answer(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    deleted: Result<bool, DeleteError>,
    absent: &'static str,
) -> Result<Persistence, Trouble> {
    match deleted {
        Ok(true) => {}
        Ok(false) => return Err(HttpError::not_found(absent).into()),
        Err(DeleteError::Read(error)) => return Err(unreadable(&error).into()),
        Err(DeleteError::Commit(error)) => {
            let error = FileError::from(error);
            let status = status_of(&error);
            let message = format!("nothing was deleted: {error}");
            return Err(HttpError::new(status, message).with(extra_of(status)).into());
        }
    }
    let mut out = Vec::with_capacity(128);
    HeadWriter::begin(&mut out, Status::NoContent, &conn.core.date())
        .connection(head.version, persistence)
        .end();
    conn.count_status(Status::NoContent);
    conn.send(vec![out.into()]).await?;
    Ok(persistence)
}
