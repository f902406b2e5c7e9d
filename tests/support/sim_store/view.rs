//! All that a store serves, byte by byte.

use std::collections::{BTreeMap, BTreeSet};

use rhinobox::base::digest::{Digest, Hasher};
use rhinobox::limits::BLOB_CHUNK_BYTES;
use rhinobox::runtime::buffer::Pool;
use rhinobox::store::format::attributes::Kind;
use rhinobox::store::index::{Content, Location, PathKey, Place};
use rhinobox::store::{ReadError, Store};

use super::ledger::{AllSent, TAG};

/// A file as it is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Served {
    pub(crate) digest: Digest,
    pub(crate) len: usize,
    pub(crate) name: String,
    pub(crate) comment: String,
    /// The number in its tag; 0 without one.
    pub(crate) tag: u64,
}

/// All that a store serves.
#[derive(Clone, Default, Debug)]
pub(crate) struct View {
    pub(crate) files: BTreeMap<String, Served>,
    /// What contradicts itself or cannot be read.
    pub(crate) problems: Vec<String>,
    /// Over all paths, digests and attributes.
    pub(crate) hash: Option<Digest>,
    /// Contents that no name means.
    pub(crate) nameless: usize,
    /// Blobs that a content names.
    pub(crate) blobs: BTreeSet<String>,
}

/// Reads everything.
pub(crate) async fn look(store: &Store, pool: &Pool) -> View {
    look_at_all(store, pool, &AllSent::new()).await
}

/// Reads everything. What was sent is compared with that byte by byte, anything else is hashed.
pub(super) async fn look_at_all(store: &Store, pool: &Pool, sent: &AllSent) -> View {
    let mut view = View::default();
    let mut contents: Vec<(Digest, Content)> = Vec::new();
    store.index.for_each_content(|digest, content| contents.push((*digest, content)));
    contents.sort_by_key(|(digest, _)| *digest);
    let mut attributes = BTreeMap::new();
    for (digest, content) in &contents {
        let len = match read(store, pool, content.location).await {
            Ok((bytes, blob)) => {
                view.blobs.extend(blob);
                let right = match sent.get(digest) {
                    Some(sent) => sent.bytes == bytes,
                    None => Digest::of(&bytes) == *digest,
                };
                if !right {
                    view.problems.push(format!("{digest} reads as {}", Digest::of(&bytes)));
                }
                bytes.len()
            }
            Err(error) => {
                view.problems.push(format!("{digest} cannot be read: {error}"));
                0
            }
        };
        view.nameless += usize::from(content.first_name.is_none());
        for place in store.index.names(digest) {
            look_at_name(store, pool, (digest, len), place, &mut view, &mut attributes).await;
        }
    }
    let usage = store.index.usage();
    if usage.names != view.files.len() as u64 {
        view.problems.push(format!("{} paths, and {} names read", usage.names, view.files.len()));
    }
    let mut hasher = Hasher::new();
    for (path, bytes) in &attributes {
        hasher.update(path);
        hasher.update(bytes);
    }
    view.hash = Some(hasher.finish());
    view
}

async fn look_at_name(
    store: &Store,
    pool: &Pool,
    (digest, len): (&Digest, usize),
    place: Place,
    view: &mut View,
    attributes: &mut BTreeMap<Vec<u8>, Vec<u8>>,
) {
    let name = match store.read_name(pool, place).await {
        Ok(name) => name,
        Err(error) => return view.problems.push(format!("a name of {digest} cannot be read: {error}")),
    };
    if name.digest != *digest {
        view.problems.push(format!("{} means {} and is linked to {digest}", name.path, name.digest));
    }
    if store.index.path(PathKey::new(0, name.path.as_bytes())) != Some(place) {
        view.problems.push(format!("{} is not where its content says", name.path));
    }
    let hashed = [name.digest.0.as_slice(), name.attributes.as_bytes()].concat();
    attributes.insert(name.path.clone().into_bytes(), hashed);
    let text = |kind| name.attributes.text(kind).into_owned();
    let tag = name
        .attributes
        .tags()
        .find(|(key, _)| key == TAG)
        .map_or(0, |(_, number)| number.parse().unwrap_or(u64::MAX));
    let (name_sent, comment) = (text(Kind::OriginalName), text(Kind::Comment));
    let served = Served { digest: *digest, len, name: name_sent, comment, tag };
    if view.files.insert(name.path.clone(), served).is_some() {
        view.problems.push(format!("{} is listed twice", name.path));
    }
}

/// The bytes of a content and, if it is a big one, the number of its blob.
pub(crate) async fn read(
    store: &Store,
    pool: &Pool,
    location: Location,
) -> Result<(Vec<u8>, Option<String>), ReadError> {
    match location {
        Location::Inline { .. } => Ok((store.read_inline(pool, location).await?.to_vec(), None)),
        Location::Large { record, entry_len, .. } => {
            let large = store.read_large(pool, record, entry_len).await?;
            let file = store.open_large(&large).await?;
            let mut bytes = Vec::new();
            for index in 0..large.chunk_crcs.len() {
                bytes.extend_from_slice(&store.read_chunk(pool, &file, &large, index).await?);
            }
            assert_eq!(bytes.len().div_ceil(BLOB_CHUNK_BYTES), large.chunk_crcs.len());
            Ok((bytes, Some(large.blob.to_string())))
        }
    }
}
