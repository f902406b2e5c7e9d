//! Names: the path that a file gets, and the record that says so.
//!
//! Always: a path once answered never changes its bytes. Should another content meet the same path (twelve
//! hex digits can be forged), the later file takes the full 64.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::amend::keeping;
use super::slice::Stored;
use super::stages::Trace;
use super::upload::Terms;
use super::{FileError, Ingest};
use crate::base::digest::Digest;
use crate::base::time::Wall;
use crate::limits::{AMEND_POLL_MS, APPEND_BYTES_MAX, LOOKUPS_AHEAD, NAMES_PER_APPEND};
use crate::media::name::{HASH_DIGITS_FULL, Sent, directory, stored_path};
use crate::media::table::MediaType;
use crate::runtime::clock;
use crate::store::commit::{NewBody, NewRecord, Size};
use crate::store::format::Attributes;
use crate::store::format::attributes::Kind;
use crate::store::index::{Bind, NAMESPACE, NameGuard, PathKey, Place};

/// Room for a path, so that few outgrow it.
const PATH_BYTES_USUAL: usize = 128;

/// A stored and named file: what the answer says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// `storage/...`
    pub path: Arc<str>,
    /// Its SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub len: u64,
    /// `type/subtype`.
    pub mime: Cow<'static, str>,
    /// Images, videos, ...
    pub media_type: MediaType,
    /// The name as it was sent, folder and all.
    pub sent: Arc<str>,
    /// The folder that stood before it; often empty.
    pub folder: String,
    /// The comment; often empty.
    pub comment: String,
    /// When.
    pub time: Wall,
    /// The content was stored before.
    pub duplicate: bool,
}

impl Named {
    /// The name as it was sent, without the folder.
    #[must_use]
    pub fn original_name(&self) -> &str {
        base_name(&self.sent)
    }

    /// The `category` of the record: the directory below `storage/`.
    #[must_use]
    pub fn category(&self) -> &str {
        directory(&self.path)
    }
}

/// What follows the last slash or backslash of a name as it was sent.
#[must_use]
pub fn base_name(sent: &str) -> &str {
    sent.rfind(['/', '\\']).map_or(sent, |at| &sent[at + 1..])
}

/// Names on their way to the log.
#[derive(Default)]
pub struct Namings {
    records: Vec<NewRecord>,
    pending: Vec<PendingName>,
    /// Where paths are made.
    scratch: String,
}

/// A name whose record is not flushed yet.
pub struct PendingName {
    index: usize,
    guard: NameGuard,
    named: Named,
}

impl PendingName {
    /// The number it was added under.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its record is flushed, at this place.
    pub fn publish(self, place: Place) -> (usize, Named) {
        self.guard.publish(place);
        (self.index, self.named)
    }
}

impl Namings {
    /// Room for so many names.
    #[must_use]
    pub fn with_capacity(names: usize) -> Namings {
        Namings {
            records: Vec::with_capacity(names),
            pending: Vec::with_capacity(names),
            scratch: String::with_capacity(PATH_BYTES_USUAL),
        }
    }

    /// Names a stored file. `Some` where nothing is to be written: the same name with the same attributes is
    /// durable already, or it cannot be named.
    pub async fn add(
        &mut self,
        ingest: &Ingest,
        index: usize,
        stored: &Stored,
        terms: &Terms,
        time: Wall,
    ) -> Option<Result<Named, FileError>> {
        let time = stored.declared.time.unwrap_or(time);
        let path = (&mut self.scratch, ingest.path_digits);
        let (mut named, mut attributes) = match prepare(path, stored, terms, time) {
            Ok(prepared) => prepared,
            Err(error) => return Some(Err(error)),
        };
        let bound = bind(ingest, &named.path, &stored.digest, &mut attributes).await;
        let bound = match bound {
            Bind::Taken | Bind::Different(_) => {
                let name = base_name(&stored.declared.name);
                let category = &terms.category;
                let (file_type, digest) = (&stored.file_type, &stored.digest);
                if let Err(error) =
                    stored_path(&mut self.scratch, file_type, category, digest, HASH_DIGITS_FULL, name)
                {
                    return Some(Err(error.into()));
                }
                named.path = self.scratch.as_str().into();
                bind(ingest, &named.path, &stored.digest, &mut attributes).await
            }
            bound => bound,
        };
        if named.comment.is_empty() {
            named.comment = attributes.text(Kind::Comment).into_owned();
        }
        match bound {
            Bind::Write(guard) => {
                let path = named.path.clone();
                let body = NewBody::Name { digest: stored.digest, path, attributes };
                self.records.push(NewRecord { lsn: guard.lsn(), time, body });
                self.pending.push(PendingName { index, guard, named });
                None
            }
            Bind::Same => Some(Ok(named)),
            // Two contents with one SHA-256 do not exist: a path with all 64 digits means one content.
            Bind::Different(_) | Bind::Taken | Bind::Busy => Some(Err(FileError::Lost)),
        }
    }

    /// Bytes and records they will take in a batch.
    #[must_use]
    pub fn size(&self) -> Size {
        Size::of_all(&self.records)
    }

    /// The records to append, and for each, in the same order, the name to publish when it is flushed.
    #[must_use]
    pub fn into_parts(self) -> (Vec<NewRecord>, Vec<PendingName>) {
        (self.records, self.pending)
    }

    /// Writes the records, in as few appends as hold them, and publishes the names. Gives an outcome for each,
    /// under the number it was added with.
    pub async fn commit(self, ingest: &Ingest, trace: &mut Trace) -> Vec<(usize, Result<Named, FileError>)> {
        let count = self.records.len();
        let mut appends = Vec::new();
        let room = count.min(NAMES_PER_APPEND);
        let (mut records, mut names) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut size = Size::default();
        for (record, name) in self.records.into_iter().zip(self.pending) {
            let with = size.plus(Size::of(&record.body));
            if with.batch_bytes() > APPEND_BYTES_MAX || with.records > NAMES_PER_APPEND {
                appends.push((ingest.lane.submit(std::mem::take(&mut records)), std::mem::take(&mut names)));
                size = Size::default();
            }
            size = size.plus(Size::of(&record.body));
            records.push(record);
            names.push(name);
        }
        appends.push((ingest.lane.submit(records), names));
        let mut outcomes = Vec::with_capacity(count);
        for (submitted, names) in appends {
            let outcome = submitted.outcome().await;
            if let Ok(committed) = &outcome {
                trace.committed(committed);
            }
            let mut names = names.into_iter();
            let mut at = 0;
            while let Some(name) = names.next() {
                if let Some(ahead) = names.as_slice().get(LOOKUPS_AHEAD) {
                    ahead.guard.prefetch();
                }
                outcomes.push(match &outcome {
                    Ok(committed) => {
                        let (index, named) = name.publish(committed.places[at].record);
                        (index, Ok(named))
                    }
                    Err(error) => (name.index(), Err((*error).into())),
                });
                at += 1;
            }
        }
        outcomes
    }
}

/// Binds a path. `Different` is answered only where another content (or an unreadable name) has it, `Busy` never. What was
/// said of the name since it was uploaded, and this upload does not say, is added to `attributes`.
async fn bind(ingest: &Ingest, path: &str, digest: &Digest, attributes: &mut Attributes) -> Bind {
    let index = &ingest.index;
    let key = PathKey::new(NAMESPACE, path.as_bytes());
    let fingerprint = index.fingerprint(digest, attributes.as_bytes());
    let mut bound = index.bind(key, *digest, fingerprint);
    let mut kept = None;
    loop {
        match bound {
            Bind::Different(place) => match ingest.store.read_name(&ingest.pool, place).await {
                // Unless another name has taken its place while it was read.
                Ok(name) if name.digest == *digest => {
                    let both = kept.insert(keeping(&name.attributes, attributes));
                    if name.attributes.without(&[Kind::Added]) == *both {
                        bound = Bind::Same;
                    } else {
                        let fingerprint = index.fingerprint(digest, both.as_bytes());
                        bound = index.rebind(key, *digest, fingerprint, place);
                    }
                }
                Ok(_) => return Bind::Different(place),
                Err(error) => {
                    tracing::error!(path, %error, "a stored name cannot be read; a new one is made beside it");
                    return Bind::Different(place);
                }
            },
            // It waits for its flush and for nobody else.
            Bind::Busy => {
                clock::sleep(Duration::from_millis(AMEND_POLL_MS)).await;
                kept = None;
                bound = index.bind(key, *digest, fingerprint);
            }
            Bind::Write(_) | Bind::Same => {
                if let Some(kept) = kept {
                    *attributes = kept;
                }
                return bound;
            }
            Bind::Taken => return bound,
        }
    }
}

/// What the answer and the log will say of a file. Its path is made in a scratch string, with so many digits.
fn prepare(
    (path, digits): (&mut String, usize),
    stored: &Stored,
    terms: &Terms,
    time: Wall,
) -> Result<(Named, Attributes), FileError> {
    let sent = Sent::parse(&stored.declared.name)?;
    stored_path(path, &stored.file_type, &terms.category, &stored.digest, digits, sent.name)?;
    let mime = &stored.file_type.mime;
    let lens = [sent.name.len(), sent.folder.len(), mime.len(), terms.category.len(), terms.comment.len()];
    let mut attributes = Attributes::with_capacity(lens.iter().sum::<usize>() + 4 * lens.len());
    attributes.push(Kind::OriginalName, sent.name.as_bytes());
    attributes.push(Kind::Folder, sent.folder.as_bytes());
    attributes.push(Kind::Mime, mime.as_bytes());
    attributes.push(Kind::Category, terms.category.as_bytes());
    attributes.push(Kind::Comment, terms.comment.as_bytes());
    let named = Named {
        path: path.as_str().into(),
        digest: stored.digest,
        len: stored.len,
        mime: mime.clone(),
        media_type: stored.file_type.media_type,
        sent: stored.declared.name.clone(),
        folder: sent.folder.into_owned(),
        comment: terms.comment.clone(),
        time,
        duplicate: stored.duplicate,
    };
    Ok((named, attributes))
}

/// Names one stored content.
///
/// # Errors
/// Why it was not named.
pub async fn name_one(ingest: &Ingest, stored: Stored, terms: &Terms) -> Result<Named, FileError> {
    let mut namings = Namings::default();
    if let Some(outcome) = namings.add(ingest, 0, &stored, terms, clock::wall()).await {
        return outcome;
    }
    namings
        .commit(ingest, &mut Trace::default())
        .await
        .pop()
        .map_or(Err(FileError::Lost), |(_, outcome)| outcome)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ingest::staging::Declared;
    use crate::ingest::testing::ingest;
    use crate::ingest::upload::{Mode, TermsBody, Upload};
    use crate::runtime::sim::Sim;

    /// An upload of one file under this name.
    async fn send(ingest: &Ingest, name: &str, content: &[u8]) -> Named {
        let mut upload = Upload::new(ingest, Mode::AtEnd);
        let declared = Declared { name: name.into(), ..Declared::default() };
        upload.begin(declared, None).await.unwrap();
        upload.data(bytes::Bytes::copy_from_slice(content)).await.unwrap();
        upload.end(None).await.unwrap();
        upload.finish(&Arc::new(TermsBody::default())).await.remove(0).unwrap()
    }

    /// What is served at a path.
    async fn served(ingest: &Ingest, path: &str) -> Digest {
        let place = ingest.store.index.path(PathKey::new(NAMESPACE, path.as_bytes())).unwrap();
        ingest.store.read_name(&ingest.pool, place).await.unwrap().digest
    }

    #[test]
    fn a_path_that_another_content_has_is_left_to_it_and_the_later_file_takes_all_digits() {
        // With one digit of the hash in the path, two of these contents share it.
        let contents: Vec<Vec<u8>> = (0..17_u8).map(|n| vec![n; 100]).collect();
        let work = async move {
            let ingest = ingest(1).await;
            let mut clashes = 0;
            let mut paths = Vec::new();
            for content in &contents {
                let named = send(&ingest, "same.txt", content).await;
                let hex = named.digest.hex();
                if named.path.contains(hex.as_str()) {
                    clashes += 1;
                } else {
                    assert!(
                        named.path.ends_with(&format!("/{}_same.txt", &hex.as_str()[..1])),
                        "{}",
                        named.path
                    );
                }
                paths.push((named.path, named.digest));
            }
            assert!(clashes >= 1, "seventeen contents have sixteen first digits");
            for (path, digest) in &paths {
                assert_eq!(served(&ingest, path).await, *digest, "{path} never changes its bytes");
            }
            // Sent again, each keeps its path.
            for (content, (path, _)) in contents.iter().zip(&paths) {
                let again = send(&ingest, "same.txt", content).await;
                assert!(again.duplicate && again.path == *path, "{} and {path}", again.path);
            }
        };
        Sim::new(7, 1).run(|| work).done();
    }
}
