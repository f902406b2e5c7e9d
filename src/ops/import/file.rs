//! One file of the predecessor: found within its folder, checked against its hash, stored and named.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::index::Entry;
use super::turn::Turns;
use crate::base::digest::Digest;
use crate::client::shown;
use crate::ingest::naming;
use crate::ingest::slice::Stored;
use crate::ingest::staging::Declared;
use crate::ingest::upload::{Mode, Terms, TermsBody, Upload};
use crate::ingest::{FileError, Ingest};
use crate::limits::{
    BLOB_CHUNK_BYTES, CATEGORY_BYTES_MAX, COMMENT_BYTES_MAX, IMPORT_STRAYS_LISTED_MAX, MIME_BYTES_MAX,
};
use crate::ops::offline::READ;
use crate::runtime::disk::Disk;
use crate::server::{download, names};

/// What became of it.
pub(super) enum Imported {
    /// Its content was stored: bytes.
    New(u64),
    /// Its content was there.
    Known,
}

/// Why it did not come in.
pub(super) enum Failed {
    /// Something is wrong with it alone.
    This(String),
    /// No other would fare better.
    Stopped(FileError),
}

impl From<FileError> for Failed {
    fn from(error: FileError) -> Failed {
        match error {
            FileError::NoSpace | FileError::Stopping | FileError::Unavailable => Failed::Stopped(error),
            error => Failed::This(error.to_string()),
        }
    }
}

/// Stores a file, if it is what the index says, and names it.
///
/// # Errors
/// Why not.
pub(super) async fn import(
    ingest: &Ingest,
    source: &Disk,
    from: &Path,
    entry: &Entry,
    turn: (&Turns, usize),
) -> Result<Imported, Failed> {
    let this = |why: &str| Failed::This(why.to_owned());
    let digest = Digest::from_hex(&entry.hash).ok_or_else(|| this("the index has no SHA-256 of it"))?;
    for (what, text, limit) in
        [("category", &entry.category, CATEGORY_BYTES_MAX), ("comment", &entry.comment, COMMENT_BYTES_MAX)]
    {
        if text.len() > limit {
            return Err(Failed::This(format!("the {what} has {} bytes; the limit is {limit}", text.len())));
        }
    }
    if naming::base_name(&entry.name).is_empty() {
        return Err(FileError::Nameless.into());
    }
    let terms = Arc::new(TermsBody { category: entry.category.clone(), comment: entry.comment.clone() });
    let declared = Declared {
        name: entry.name.as_str().into(),
        mime: entry.mime.clone().filter(|mime| mime.len() <= MIME_BYTES_MAX),
        digest: Some(digest),
        time: entry.time,
    };
    if let Some(named) = name_known(ingest, digest, &declared, &terms, turn).await {
        return named.map(|()| Imported::Known);
    }
    check_place(from, &entry.path).map_err(Failed::This)?;
    let named = send(ingest, source, (entry, declared), &terms, turn).await?;
    Ok(if named.duplicate { Imported::Known } else { Imported::New(named.len) })
}

/// Names a content that is there, without reading its file; `None` if it is not, or its copy does not check.
async fn name_known(
    ingest: &Ingest,
    digest: Digest,
    declared: &Declared,
    terms: &Terms,
    (turns, number): (&Turns, usize),
) -> Option<Result<(), Failed>> {
    let content = download::live_content(ingest, &digest).ok().filter(|content| !content.damaged)?;
    let _active = ingest.lane.enter();
    let (name, mime) = (naming::base_name(&declared.name), declared.mime.as_deref());
    let (file_type, len) = names::look_at(ingest, &content, mime, name).await.ok()?;
    let stored = Stored { declared: declared.clone(), digest, len, file_type, duplicate: true };
    let named = turns.name(number, naming::name_one(ingest, stored, terms)).await;
    Some(named.map(|_| ()).map_err(Failed::from))
}

/// Reads the file as an upload.
async fn send(
    ingest: &Ingest,
    source: &Disk,
    (entry, declared): (&Entry, Declared),
    terms: &Terms,
    (turns, number): (&Turns, usize),
) -> Result<naming::Named, Failed> {
    let cannot =
        |error: io::Error| Failed::This(format!("its file {:?} cannot be read: {error}", entry.path));
    let file = source.open(&entry.path, READ).await.map_err(cannot)?;
    let len = file.len().await.map_err(cannot)?;
    if let Some(size) = entry.size.filter(|size| *size != len) {
        return Err(Failed::This(format!(
            "its file was altered: it has {len} bytes, and the index says {size}"
        )));
    }
    let mut upload = Upload::new(ingest, Mode::AtEnd);
    upload.begin(declared, Some(len)).await?;
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(BLOB_CHUNK_BYTES).min(BLOB_CHUNK_BYTES);
        let (read, buffer) = file.read_at(ingest.pool.take(wanted), wanted, at).await;
        match read.map_err(cannot)? {
            0 => break,
            count => at += count as u64,
        }
        upload.data(buffer.freeze()).await?;
    }
    upload.end(None).await?;
    match turns.name(number, upload.finish(terms)).await.pop() {
        Some(Err(FileError::Mismatch { found, .. })) => {
            Err(Failed::This(format!("its file was altered: it hashes to {found}")))
        }
        Some(outcome) => Ok(outcome?),
        None => Err(FileError::Lost.into()),
    }
}

/// An index may say anything: only files that lie in the folder are read, and no link is followed out of it.
fn check_place(from: &Path, path: &str) -> Result<(), String> {
    let plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    if path.is_empty() || path.contains('\0') || !Path::new(path).components().all(plain) {
        return Err(format!("its place {path:?} is not in the folder"));
    }
    let mut at = from.to_owned();
    for component in Path::new(path).components() {
        at.push(component);
        match fs::symlink_metadata(&at) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(format!("its place {path:?} leads through a symbolic link"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("its file {path:?} is missing"));
            }
            Err(error) => return Err(format!("its file {path:?} cannot be read: {error}")),
        }
    }
    if at.is_file() { Ok(()) } else { Err(format!("its place {path:?} is no file")) }
}

/// Says of a file why it did not come in.
pub(super) fn tell(entry: &Entry, why: &str) {
    // Nothing is left to do if standard error is closed: the status says it too.
    let _ = writeln!(io::stderr(), "failed: {}: {}", shown(&entry.name), shown(why));
}

/// What lies in the folder and will not come in, in words: files that the index does not name, and JSON documents.
pub(super) fn strays(from: &Path, entries: &[Entry]) -> Vec<String> {
    let known: HashSet<PathBuf> = entries.iter().map(|entry| from.join(&entry.path)).collect();
    let mut strays = Vec::new();
    let (mut unnamed, mut documents) = (0_u64, 0_u64);
    visit(&from.join("storage"), &mut |path| {
        // What an upload that broke off left behind.
        let is_temporary = path.components().any(|component| component.as_os_str() == ".tmp");
        if !is_temporary && !known.contains(path) {
            unnamed += 1;
            if unnamed <= IMPORT_STRAYS_LISTED_MAX {
                strays.push(format!("{}: the index does not name it", shown(&path.to_string_lossy())));
            }
        }
    });
    if unnamed > IMPORT_STRAYS_LISTED_MAX {
        strays
            .push(format!("{} more files that the index does not name", unnamed - IMPORT_STRAYS_LISTED_MAX));
    }
    visit(&from.join("json"), &mut |_| documents += 1);
    if documents > 0 {
        strays
            .push(format!("{documents} files of JSON documents below json/, which rhinobox does not store"));
    }
    strays
}

/// Every regular file below a folder. What cannot be listed is passed over.
fn visit(folder: &Path, found: &mut impl FnMut(&Path)) {
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(entry.path()),
                Ok(kind) if kind.is_file() => found(&entry.path()),
                _ => {}
            }
        }
    }
}
