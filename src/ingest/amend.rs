//! Changing what is known of a name: its comment and its tags. The name is recorded again, with a number of its own.
//!
//! Always: a change is durable before it is told; of two that come together one is made on top of the other; a name that
//! is being deleted is not changed, as the change would outlive the delete.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FileError, Ingest};
use crate::limits::{AMEND_POLL_MS, QUEUE_WAIT_MS};
use crate::runtime::clock;
use crate::store::ReadError;
use crate::store::commit::{NewBody, NewRecord};
use crate::store::format::Attributes;
use crate::store::format::attributes::Kind;
use crate::store::index::{Amend, NAMESPACE, PathKey};
use crate::store::read::StoredName;

/// What is to change. What is not named stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Amendment {
    /// The new comment.
    pub comment: Option<String>,
    /// Tags to set, and, without a value, to take away.
    pub tags: BTreeMap<String, Option<String>>,
}

/// Why a name was not changed.
#[derive(Debug)]
pub enum AmendError {
    /// Nothing is stored at the path.
    Absent,
    /// It would have more tags than this.
    TooManyTags(usize),
    /// The name cannot be read.
    Unreadable(ReadError),
    /// The change could not be made durable, or others came first for too long.
    Failed(FileError),
}

/// Changes the name at a path; gives it as it is then. Whoever asks is active ([`Lane::enter`](crate::store::Lane::enter)):
/// what the index shows stays where it is.
///
/// # Errors
/// See [`AmendError`]. Nothing has changed then.
pub async fn amend(
    ingest: &Ingest,
    path: &str,
    amendment: &Amendment,
    tags_max: usize,
) -> Result<StoredName, AmendError> {
    let key = PathKey::new(NAMESPACE, path.as_bytes());
    let until_ns = clock::now_ns() + QUEUE_WAIT_MS * 1_000_000;
    while clock::now_ns() < until_ns {
        let place = ingest.index.path(key).ok_or(AmendError::Absent)?;
        let mut name = match ingest.store.read_name(&ingest.pool, place).await {
            Ok(name) => name,
            // It was moved while it was read.
            Err(_) if ingest.index.path(key) != Some(place) => continue,
            Err(error) => return Err(AmendError::Unreadable(error)),
        };
        let amended = amended(&name, amendment);
        if amended.tags().count() > tags_max {
            return Err(AmendError::TooManyTags(tags_max));
        }
        if amended.without(&[Kind::Added]) == name.attributes.without(&[Kind::Added]) {
            return Ok(name);
        }
        let fingerprint = ingest.index.fingerprint(&name.digest, amended.as_bytes());
        match ingest.index.amend(key, name.digest, fingerprint, place) {
            Amend::Changed => {}
            Amend::Busy => clock::sleep(Duration::from_millis(AMEND_POLL_MS)).await,
            Amend::Write(guard) => {
                let body =
                    NewBody::Name { digest: name.digest, path: path.into(), attributes: amended.clone() };
                // It was uploaded when it was.
                let record = NewRecord { lsn: guard.lsn(), time: name.time, body };
                let placed = ingest.lane.append(vec![record]).await;
                let placed = placed.map_err(|error| AmendError::Failed(error.into()))?;
                name.lsn = guard.lsn();
                name.attributes = amended;
                guard.publish(placed[0].record);
                return Ok(name);
            }
        }
    }
    Err(AmendError::Failed(FileError::Overloaded))
}

/// What will be known of the name: all that is, but for what changes.
fn amended(name: &StoredName, amendment: &Amendment) -> Attributes {
    let mut attributes = name.attributes.without(&[Kind::Comment, Kind::Tag, Kind::Added]);
    let comment = name.attributes.text(Kind::Comment);
    attributes.push(Kind::Comment, amendment.comment.as_deref().unwrap_or(&comment).as_bytes());
    let mut tags: BTreeMap<String, String> = name.attributes.tags().map(owned).collect();
    for (key, value) in &amendment.tags {
        match value {
            Some(value) => tags.insert(key.clone(), value.clone()),
            None => tags.remove(key),
        };
    }
    for (key, value) in tags {
        attributes.push(Kind::Tag, format!("{key}\0{value}").as_bytes());
    }
    let first = name.lsn.0.to_le_bytes();
    attributes.push(Kind::Added, name.attributes.get(Kind::Added).unwrap_or(&first));
    attributes
}

fn owned((key, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (key.into_owned(), value.into_owned())
}

/// The attributes of an upload for a name that is there: with the tags that it has got since, and with its comment where
/// the upload has none.
pub(super) fn keeping(there: &Attributes, uploaded: &Attributes) -> Attributes {
    let mut attributes = uploaded.clone();
    if there.get(Kind::Added).is_none() && there.tags().next().is_none() {
        return attributes;
    }
    if uploaded.get(Kind::Comment).is_none() {
        attributes.push(Kind::Comment, there.get(Kind::Comment).unwrap_or_default());
    }
    for (_, tag) in there.iter().filter(|(kind, _)| *kind == Kind::Tag as u16) {
        attributes.push(Kind::Tag, tag);
    }
    attributes
}
