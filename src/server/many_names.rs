//! `POST /names`: further names for many stored contents at once, without sending these.
//!
//! Always: each name is durable by itself before it is answered, or fails by itself; what the index showed of a content
//! stays in place until its name is durable.

use std::sync::Arc;

use serde::Deserialize;

use super::body::Body;
use super::conn::{Conn, Trouble, no_memory};
use super::json_body::{self, AtMost};
use super::names::{Look, check_terms, full_name};
use super::{answer, download};
use crate::base::digest::Digest;
use crate::http::error::HttpError;
use crate::http::head::Head;
use crate::http::response::Persistence;
use crate::ingest::naming::{self, Namings};
use crate::ingest::slice::Stored;
use crate::ingest::stages::Trace;
use crate::ingest::staging::Declared;
use crate::ingest::upload::{Outcome, Terms, TermsBody};
use crate::ingest::{FileError, Ingest};
use crate::limits::{FILE_NOTE_BYTES, NAMES_AT_ONCE, NAMES_BODY_BYTES_MAX, PARTS_MAX, READS_AT_ONCE};
use crate::media::name::Sent;
use crate::runtime::clock;
use crate::runtime::core::yield_now;

/// A list of names, and what goes with all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    #[serde(default)]
    category: String,
    #[serde(default)]
    comment: String,
    names: AtMost<OneName, PARTS_MAX>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneName {
    hash: String,
    name: String,
    #[serde(default)]
    folder: String,
}

/// Names each content. The answer is that of an upload of as many files.
///
/// # Errors
/// 415, 400 for what is no such list, 413 for one that is too long.
pub async fn add(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
    ingest: &Ingest,
) -> Result<Persistence, Trouble> {
    let text = json_body::read(conn, head, body, NAMES_BODY_BYTES_MAX).await?;
    let list: Names = json_body::parse(&text, "an object with a list of names")?;
    drop(text);
    check_terms(&list.category, &list.comment)?;
    let names = read_hashes(list.names.all("names were sent")?)?;
    let count = names.len();
    if !body.try_reserve_more(conn, count * FILE_NOTE_BYTES) {
        return Err(no_memory("uploads").into());
    }
    let terms = Arc::new(TermsBody { category: list.category, comment: list.comment });
    let mut outcomes = Vec::with_capacity(count);
    for some in names.chunks(NAMES_AT_ONCE) {
        name_some(ingest, some, &terms, &mut outcomes).await;
    }
    let sent: Vec<Arc<str>> = names.into_iter().map(|(_, name)| name).collect();
    answer::outcomes(conn, head, persistence, outcomes, &sent).await
}

/// The contents, and their names with folders in front.
fn read_hashes(list: Vec<OneName>) -> Result<Vec<(Digest, Arc<str>)>, HttpError> {
    let read = |(at, one): (usize, OneName)| match Digest::from_hex(&one.hash) {
        Some(digest) => Ok((digest, full_name(&one.folder, &one.name))),
        None => {
            let message = format!("names[{at}].hash is not a SHA-256: 64 hexadecimal digits");
            Err(HttpError::bad_request(message))
        }
    };
    list.into_iter().enumerate().map(read).collect()
}

/// Appends the outcomes, in order.
async fn name_some(ingest: &Ingest, some: &[(Digest, Arc<str>)], terms: &Terms, outcomes: &mut Vec<Outcome>) {
    let _active = ingest.lane.enter();
    let (first, time) = (outcomes.len(), clock::wall());
    let mut namings = Namings::with_capacity(some.len());
    some.iter().for_each(|(digest, _)| ingest.index.prefetch_content(digest));
    let mut last = None;
    for (at, (digest, name)) in some.iter().enumerate() {
        if at > 0 && at.is_multiple_of(READS_AT_ONCE) {
            yield_now().await;
        }
        let settled = match stored(ingest, digest, name, &mut last).await {
            Ok(stored) => namings.add(ingest, first + at, &stored, terms, time).await,
            Err(error) => Some(Err(error)),
        };
        // Those that wait for the flush have their places.
        outcomes.push(settled.unwrap_or(Err(FileError::Lost)));
    }
    for (at, outcome) in namings.commit(ingest, &mut Trace::default()).await {
        outcomes[at] = outcome;
    }
}

/// A stored content, as a name of it needs it. `last` is what was read for the name before: many may be of one content.
async fn stored(
    ingest: &Ingest,
    digest: &Digest,
    name: &Arc<str>,
    last: &mut Option<(Digest, Look)>,
) -> Result<Stored, FileError> {
    Sent::parse(name)?;
    let base = naming::base_name(name);
    if base.is_empty() {
        return Err(FileError::Nameless);
    }
    let content = download::live_content(ingest, digest).map_err(|_| FileError::NotStored)?;
    if content.damaged {
        return Err(FileError::NotStored);
    }
    let look = match last.take() {
        Some((of, look)) if of == *digest => look,
        _ => Look::at(ingest, &content).await.map_err(|error| {
            tracing::error!(%digest, %error, "a stored copy cannot be read");
            FileError::Unreadable
        })?,
    };
    let (file_type, len) = look.under(None, base);
    *last = Some((*digest, look));
    let declared = Declared { name: name.clone(), mime: None, digest: None, time: None };
    Ok(Stored { declared, digest: *digest, len, file_type, duplicate: true })
}
