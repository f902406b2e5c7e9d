//! From a request's head to its endpoint. Whatever the head alone decides is answered here, before the
//! body is asked for.

use super::body::{Body, too_large};
use super::conn::{Conn, Trouble};
use super::{
    amend, authorize, dedup, delete, download, error, files, health, many_names, names, openapi, page, put,
    stats, upload,
};
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::response::Persistence;
use crate::http::route::{Route, route};

/// Answers a request, and says whether the connection goes on.
///
/// # Errors
/// What is answered instead, or that nobody is there to be answered.
pub async fn answer(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
) -> Result<Persistence, Trouble> {
    let shared = conn.core.shared.clone();
    shared.hosts.check(head)?;
    let route = route(head.method, head.path());
    authorize::check(conn, head, route.as_ref())?;
    let route = route?;
    let limit = shared.settings.upload_bytes_max;
    if body.declared().is_some_and(|length| length > limit) {
        return Err(too_large(limit).into());
    }
    match route {
        Route::Healthz => return health::healthz(conn, head, persistence).await,
        Route::Readyz => return health::readyz(conn, head, persistence).await,
        Route::Metrics => return health::metrics(conn, head, persistence).await,
        Route::Root => return page::root(conn, head, persistence).await,
        Route::Part { name } => return page::part(conn, head, persistence, &name).await,
        Route::OpenApi => return openapi::document(conn, head, persistence).await,
        Route::Gone => {
            let message = "this endpoint of the predecessor is gone: use POST /ingest/media";
            return Err(HttpError::new(Status::NotImplemented, message).into());
        }
        _ => {}
    }
    let Some(ingest) = conn.core.ingest().filter(|_| shared.is_ready()) else {
        return Err(error::not_ready(shared.is_draining()).into());
    };
    match route {
        Route::Ingest => return upload::ingest_media(conn, head, body, persistence, &ingest).await,
        Route::PutFile { name } => return put::file(conn, head, body, persistence, &ingest, name).await,
        // Reads nothing of what the index shows.
        Route::Dedup => return dedup::missing(conn, head, body, persistence, &ingest).await,
        // Waits for a body, before it looks at anything that may be moved.
        Route::ManyNames => return many_names::add(conn, head, body, persistence, &ingest).await,
        Route::Names { hash } => return names::add(conn, head, body, persistence, &ingest, hash).await,
        Route::Amend { path } => return amend::name(conn, head, body, persistence, &ingest, &path).await,
        // Waits for the catalogue, and holds up nothing that frees space.
        Route::Files => return files::list(conn, head, persistence).await,
        Route::Stats => return stats::stats(conn, head, persistence, &ingest).await,
        // See to it themselves that what they look at stays, and not until their answer is read.
        Route::DeleteFile { hash } => return delete::content(conn, head, persistence, &ingest, &hash).await,
        Route::DeleteStored { path } => return delete::name(conn, head, persistence, &ingest, &path).await,
        _ => {}
    }
    // What the index shows to this request stays where it is. Uploads see to that themselves, once their bytes are here.
    let active = ingest.lane.enter();
    match route {
        Route::Meta { hash } => names::meta(conn, head, persistence, (&ingest, active), hash).await,
        Route::File { hash } => {
            download::file(conn, head, persistence, (&ingest, active), download::Target::Content(hash)).await
        }
        Route::Stored { path } => {
            download::file(conn, head, persistence, (&ingest, active), download::Target::Path(&path)).await
        }
        Route::Healthz
        | Route::Readyz
        | Route::Metrics
        | Route::Root
        | Route::Part { .. }
        | Route::OpenApi
        | Route::Gone
        | Route::Ingest
        | Route::Dedup
        | Route::ManyNames
        | Route::Files
        | Route::Stats
        | Route::Amend { .. }
        | Route::Names { .. }
        | Route::DeleteFile { .. }
        | Route::DeleteStored { .. }
        | Route::PutFile { .. } => Err(HttpError::not_found("no such resource").into()),
    }
}
