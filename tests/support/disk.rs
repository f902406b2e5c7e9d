//! What lies on the disk: files of big contents, bytes of segments, damage.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of big contents.
pub(crate) fn blobs(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in fs::read_dir(data.join("blobs")).expect("a store has a folder of blobs").flatten() {
        for file in fs::read_dir(directory.path()).expect("blobs lie in folders").flatten() {
            found.push(file.path());
        }
    }
    found
}

/// The segment that holds `bytes`, and where.
pub(crate) fn find_in_segments(data: &Path, bytes: &[u8]) -> (PathBuf, usize) {
    for entry in fs::read_dir(data.join("segments")).expect("a store has segments").flatten() {
        let all = fs::read(entry.path()).expect("a segment can be read");
        if let Some(at) = memchr::memmem::find(&all, bytes) {
            return (entry.path(), at);
        }
    }
    panic!("no segment holds these bytes");
}

/// Flips a bit.
pub(crate) fn flip(path: &Path, at: usize) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("the file opens");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).expect("the byte is there");
    byte[0] ^= 1;
    file.write_all_at(&byte, at as u64).expect("the byte is written");
    file.sync_all().expect("the file is flushed");
}
