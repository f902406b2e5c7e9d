//! The predecessor's index: `metadata/files.json`, a list with an object for each content.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::base::time::Wall;
use crate::ops::Failure;

/// Below the predecessor's folder.
const FILE: &str = "metadata/files.json";

/// The first components of the predecessor's own categories; what an operator's rules made is other.
const MEDIA_TYPES: [&str; 9] =
    ["images", "videos", "audio", "documents", "spreadsheets", "presentations", "archives", "code", "other"];

/// What it says of a content, under the only name that it keeps.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) hash: String,
    pub(super) name: String,
    /// Below the folder.
    pub(super) path: String,
    pub(super) mime: Option<String>,
    pub(super) size: Option<u64>,
    /// What was sent as the category.
    pub(super) category: String,
    pub(super) comment: String,
    /// When it was uploaded, as far as that is said.
    pub(super) time: Option<Wall>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    hash: String,
    #[serde(default)]
    original_name: String,
    #[serde(default)]
    stored_path: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    mime_type: String,
    #[serde(default)]
    size: Option<i64>,
    #[serde(default)]
    uploaded_at: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, Value>>,
}

/// Reads it.
///
/// # Errors
/// In one sentence, why it cannot be read.
pub(super) fn read(from: &Path) -> Result<Vec<Entry>, Failure> {
    let path = from.join(FILE);
    let file = File::open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{} is no folder of the Go RhinoBox: it has no {FILE}", from.display())
        }
        _ => format!("cannot read {}: {error}", path.display()),
    })?;
    let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    if is_empty {
        return Ok(Vec::new());
    }
    let raw: Vec<Raw> = serde_json::from_reader(BufReader::new(file))
        .map_err(|error| format!("{} is not the index of a Go RhinoBox: {error}", path.display()))?;
    Ok(raw.into_iter().map(entry).collect())
}

fn entry(raw: Raw) -> Entry {
    let comment = raw.metadata.and_then(|mut metadata| metadata.remove("comment"));
    let name = if raw.original_name.is_empty() {
        raw.stored_path.rsplit('/').next().unwrap_or_default().to_owned()
    } else {
        raw.original_name
    };
    Entry {
        hash: raw.hash,
        name,
        path: raw.stored_path,
        mime: Some(raw.mime_type).filter(|mime| !mime.is_empty()),
        size: raw.size.and_then(|size| u64::try_from(size).ok()),
        category: sent_category(&raw.category).to_owned(),
        comment: comment.map_or_else(String::new, |comment| match comment {
            Value::String(text) => text,
            other => other.to_string(),
        }),
        time: Wall::from_rfc3339(&raw.uploaded_at),
    }
}

/// The predecessor puts `images/jpg` in front of the category that was sent. What begins otherwise was made by rules of its
/// operator's, and is kept whole.
fn sent_category(stored: &str) -> &str {
    let mut parts = stored.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(first), Some(_), rest) if MEDIA_TYPES.contains(&first) => rest.unwrap_or_default(),
        (Some(first), None, None) if MEDIA_TYPES.contains(&first) => "",
        _ => stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_category_that_was_sent_is_behind_type_and_kind() {
        for (stored, sent) in [
            ("images/jpg/holiday-2025", "holiday-2025"),
            ("images/jpg", ""),
            ("other/unknown/x", "x"),
            ("documents", ""),
            ("art/paintings/x", "art/paintings/x"),
            ("", ""),
        ] {
            assert_eq!(sent_category(stored), sent, "{stored}");
        }
    }
}
