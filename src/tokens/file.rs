//! The file of tokens, `state/tokens.json` of a data folder. What is here blocks: it is for commands and helper threads.
//!
//! Always: the file holds hashes and no secret; it is replaced whole, so that a reader sees it before a change or after it,
//! and a crash leaves one of the two; commands change it one after the other; what does not fit what is written here is
//! refused, never skipped.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::scope::Scope;
use crate::base::digest::Digest;
use crate::limits::{TOKEN_FILE_BYTES_MAX, TOKEN_NAME_BYTES_MAX, TOKENS_MAX};

const DIRECTORY: &str = "state";
const FILE: &str = "tokens.json";
const FILE_NEW: &str = "tokens.json.new";
const VERSION: u32 = 1;

/// The file in this data folder.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY).join(FILE)
}

/// A token as kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// One of a kind: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Of the secret.
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub sha256: Digest,
    /// At least one.
    pub scopes: Vec<Scope>,
    /// When it was made, in seconds since 1970.
    pub created_unix_s: i64,
    /// When it ends.
    pub expires_unix_s: Option<i64>,
    /// How often it may be used, at least once a second.
    pub requests_per_s: Option<u32>,
}

fn write_digest<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(digest)
}

fn read_digest<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(from)?;
    Digest::from_hex(&text).ok_or_else(|| D::Error::custom("a sha256 is 64 hexadecimal digits"))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    tokens: Vec<Record>,
}

/// Whether a token may be called this: nothing that a log, a header or a terminal could trip over.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=TOKEN_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

/// By what a change of the file is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    inode: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The stamp of a file; `None` where there is none.
///
/// # Errors
/// Why that cannot be told, in words.
pub fn stamp(path: &Path) -> Result<Option<Stamp>, String> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp {
            inode: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The tokens of a file.
///
/// # Errors
/// Why they cannot be had, in words. Nothing that the file holds stands in them.
pub fn read(path: &Path) -> Result<Vec<Record>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(
            "others than its owner may write to it: chmod 600 it, and look at what it holds".to_owned()
        );
    }
    let mut text = Vec::new();
    file.take(TOKEN_FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > TOKEN_FILE_BYTES_MAX {
        return Err(format!("it is longer than {TOKEN_FILE_BYTES_MAX} bytes"));
    }
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Vec<Record>, String> {
    let document: Document = serde_json::from_slice(text).map_err(|error| {
        // The error itself may quote what it found.
        format!("it is damaged, or not of this version: line {}, column {}", error.line(), error.column())
    })?;
    if document.version != VERSION {
        return Err(format!("it has version {}, and this rhinobox knows {VERSION}", document.version));
    }
    check(&document.tokens)?;
    Ok(document.tokens)
}

fn check(records: &[Record]) -> Result<(), String> {
    if records.len() > TOKENS_MAX {
        return Err(format!("there would be more than {TOKENS_MAX} tokens"));
    }
    let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
    for record in records {
        if !is_name(&record.name) || record.scopes.is_empty() || record.requests_per_s == Some(0) {
            return Err("a token in it has no name that may be, no scope, or a rate of 0".to_owned());
        }
        if !names.insert(record.name.as_str()) || !hashes.insert(record.sha256) {
            return Err("two tokens in it have one name or one secret".to_owned());
        }
    }
    Ok(())
}

/// Changes the tokens of a data folder. Where there is no file yet it is made, and the folder with it.
///
/// # Errors
/// Why that was not done, in words; `decide`'s own; then nothing was changed.
pub fn change<T>(
    data_dir: &Path,
    decide: impl FnOnce(&mut Vec<Record>) -> Result<T, String>,
) -> Result<T, String> {
    let folder = data_dir.join(DIRECTORY);
    let shown = folder.display();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(&folder)
        .map_err(|error| format!("the folder {shown} cannot be made: {error}"))?;
    let directory =
        File::open(&folder).map_err(|error| format!("the folder {shown} cannot be read: {error}"))?;
    // Held until this ends: the next command sees what this one has written.
    directory.lock().map_err(|error| format!("the folder {shown} cannot be locked: {error}"))?;
    let path = folder.join(FILE);
    let mut records = match stamp(&path) {
        Ok(None) => Vec::new(),
        Ok(Some(_)) => {
            read(&path).map_err(|why| format!("the tokens in {} cannot be used: {why}", path.display()))?
        }
        Err(why) => return Err(format!("the tokens in {} cannot be read: {why}", path.display())),
    };
    let outcome = decide(&mut records)?;
    check(&records)?;
    replace(&directory, &folder, records)
        .map_err(|error| format!("the tokens in {} cannot be written: {error}", path.display()))?;
    Ok(outcome)
}

/// Crash order: (1) the new file is flushed, (2) it takes the place of the old one, (3) the folder is flushed.
fn replace(directory: &File, folder: &Path, tokens: Vec<Record>) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(&Document { version: VERSION, tokens })?;
    let new = folder.join(FILE_NEW);
    // Of a command that died.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    // Made by root, it is to be read by the daemon, whose the folder is.
    let (owner, own) = (directory.metadata()?, file.metadata()?);
    if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.write_all(&text)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, folder.join(FILE))?;
    directory.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tokens: &str) -> String {
        format!("{{\"version\":1,\"tokens\":[{tokens}]}}")
    }

    fn token(name: &str, digit: char) -> String {
        let hash = String::from(digit).repeat(64);
        format!(
            "{{\"name\":\"{name}\",\"sha256\":\"{hash}\",\"scopes\":[\"read\",\"upload\"],\"created_unix_s\":1,\
             \"expires_unix_s\":null,\"requests_per_s\":5}}"
        )
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let records = parse(text(&[token("a", '1'), token("b.c-d_2", '2')].join(",")).as_bytes()).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!((records[0].name.as_str(), records[0].requests_per_s), ("a", Some(5)));
        let again = serde_json::to_vec(&Document { version: 1, tokens: records.clone() }).unwrap();
        assert_eq!(parse(&again).unwrap(), records);
        assert_eq!(parse(text("").as_bytes()), Ok(Vec::new()));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_refused_and_not_repeated() {
        let good = text(&token("secretive", '1'));
        for bad in [
            String::new(),
            good[..good.len() - 1].to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("read", "write"),
            good.replace("\"read\",\"upload\"", ""),
            good.replace(":5", ":0"),
            good.replace(":5", ":-1"),
            good.replace("\"name\"", "\"nick\":1,\"name\""),
            good.replace("secretive", "two words"),
            good.replace("secretive", ""),
            good.replace("1111\"", "111\""),
            text(&[token("a", '1'), token("a", '2')].join(",")),
            text(&[token("a", '1'), token("b", '1')].join(",")),
        ] {
            let why = parse(bad.as_bytes()).expect_err(&bad);
            assert!(!why.contains("secretive") && !why.contains("111"), "{why}");
        }
    }

    #[test]
    fn names_are_plain() {
        for name in ["a", "A-b_c.9", &"x".repeat(TOKEN_NAME_BYTES_MAX)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "a b", "a/b", "a\n", "\u{e4}", &"x".repeat(TOKEN_NAME_BYTES_MAX + 1)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
