//! What a client sends.

use bytes::Bytes;
use rhinobox::base::digest::Digest;

/// A file as a client sends it.
#[derive(Clone, Debug)]
pub(crate) struct ToSend {
    pub(crate) name: String,
    pub(crate) content: Bytes,
    pub(super) digest: Digest,
}

impl ToSend {
    pub(crate) fn new(name: &str, content: impl Into<Bytes>) -> ToSend {
        let content = content.into();
        ToSend { name: name.to_owned(), digest: Digest::of(&content), content }
    }
}

/// One upload.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) files: Vec<ToSend>,
    pub(crate) comment: String,
    /// Files are named as they are stored.
    pub(crate) streamed: bool,
    /// How the bytes are cut into pieces.
    pub(crate) seed: u64,
}

impl Request {
    pub(crate) fn of(files: Vec<ToSend>) -> Request {
        Request { files, comment: String::new(), streamed: false, seed: 0 }
    }
}
