//! Stores changed byte by byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::offline_support::contents_of;

/// The first segment file that holds `bytes`, and where they begin.
pub(crate) fn find(dir: &Path, bytes: &[u8]) -> (PathBuf, usize) {
    let mut segments: Vec<_> =
        fs::read_dir(dir.join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    for path in segments {
        let all = fs::read(&path).unwrap();
        if let Some(at) = all.windows(bytes.len()).position(|window| window == bytes) {
            return (path, at);
        }
    }
    panic!("no segment holds these bytes");
}

/// The only blob file.
pub(crate) fn only_blob(dir: &Path) -> PathBuf {
    let blobs = contents_of(&dir.join("blobs"));
    let mut files = blobs.into_iter().filter(|(_, bytes)| bytes.is_some());
    let (path, _) = files.next().expect("there is a blob");
    assert!(files.next().is_none(), "there is one blob");
    dir.join("blobs").join(path)
}

/// Flips the lowest bit of a byte of a file.
pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}
