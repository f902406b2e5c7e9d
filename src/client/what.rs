//! What a command is about: a content by its hash, or a name by its stored path.

use super::form::write_encoded;
use super::http::{Answer, Content};
use super::retry::Retry;
use super::{Client, ClientError};
use crate::base::digest::Digest;
use crate::limits::PATH_BYTES_MAX;
use crate::media::name::ROOT;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// 64 hexadecimal digits.
    Hash(Digest),
    /// `storage/…`
    Path(String),
}

impl What {
    /// As it is typed; a slash in front of `storage/` does not count.
    ///
    /// # Errors
    /// What it may be.
    pub fn parse(text: &str) -> Result<What, String> {
        if let Some(digest) = Digest::from_hex(text) {
            return Ok(What::Hash(digest));
        }
        let path = text.strip_prefix('/').unwrap_or(text);
        if path.starts_with(ROOT) && path.len() > ROOT.len() && path.len() <= PATH_BYTES_MAX {
            return Ok(What::Path(path.to_owned()));
        }
        Err("give a hash (64 hexadecimal digits) or a stored path (storage/...)".to_owned())
    }

    /// The request's target.
    pub(super) fn target(&self) -> String {
        match self {
            What::Hash(digest) => format!("/files/{digest}"),
            What::Path(path) => {
                let mut target = Vec::with_capacity(path.len() + 1);
                for component in path.split('/') {
                    target.push(b'/');
                    write_encoded(&mut target, component);
                }
                String::from_utf8_lossy(&target).into_owned()
            }
        }
    }

    /// Asks for its head.
    ///
    /// # Errors
    /// Why there is none; 404 where there is no such thing, or no whole copy of it.
    pub(super) fn head(&self, client: &Client, retry: &Retry) -> Result<Head, ClientError> {
        let target = self.target();
        let answer = retry.run(|| client.ask("HEAD", &target, &[], Content::Nothing, &[]))?;
        let head = Head::read(&answer);
        let head = head.ok_or_else(|| client.stranger("its answer says neither hash nor size"))?;
        match self {
            What::Hash(digest) if *digest != head.digest => {
                Err(client.stranger("it answers with another content than was asked for"))
            }
            _ => Ok(head),
        }
    }
}

/// What an answer says of a content.
pub(super) struct Head {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// The name it was sent by, if any.
    pub(super) name: Option<String>,
}

impl Head {
    fn read(answer: &Answer) -> Option<Head> {
        let tag = answer.field("etag")?.strip_prefix('"')?.strip_suffix('"')?;
        let name = answer.field("content-disposition").and_then(file_name);
        Some(Head {
            digest: Digest::from_hex(tag)?,
            size: answer.field("content-length")?.parse().ok()?,
            name,
        })
    }
}

/// The file's name in a Content-Disposition as a rhinobox writes it (RFC 6266).
fn file_name(value: &str) -> Option<String> {
    if let Some((_, encoded)) = value.split_once("filename*=UTF-8''") {
        let encoded = encoded.split(';').next().unwrap_or_default();
        let bytes = crate::http::target::decode_path(encoded.as_bytes())?;
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let (_, quoted) = value.split_once("filename=\"")?;
    Some(quoted.split('"').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_stored_paths_are_told_apart() {
        let digest = Digest::of(b"");
        assert_eq!(What::parse(&digest.to_string()), Ok(What::Hash(digest)));
        assert_eq!(What::parse("/storage/a/b.c"), Ok(What::Path("storage/a/b.c".to_owned())));
        for text in ["", "storage/", "/etc/passwd", "12ab", "../storage/a"] {
            assert!(What::parse(text).is_err(), "{text}");
        }
        let path = What::Path("storage/a b/../%\u{e9}".to_owned());
        assert_eq!(path.target(), "/storage/a%20b/../%25%C3%A9");
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (value, name) in [
            ("inline; filename=\"a b.jpg\"", Some("a b.jpg")),
            ("attachment; filename=\"_.jpg\"; filename*=UTF-8''%C3%A9%2F..jpg", Some("\u{e9}/..jpg")),
            ("attachment", None),
        ] {
            assert_eq!(file_name(value).as_deref(), name, "{value}");
        }
    }
}
