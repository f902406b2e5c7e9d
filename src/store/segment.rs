//! Segments as readers see them: which there are, what their checksums start from, and their open files.
//!
//! Always: a segment that is still written to is read past the page cache (a buffered read would leave
//! stale zeros there); a sealed one may be read through it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::base::crc::Seed;
use crate::base::ids::SegmentId;
use crate::runtime::disk::{Disk, File, Open};

/// The directory of segments.
pub const DIRECTORY: &str = "segments";

/// The file of a segment.
#[must_use]
pub fn path(segment: SegmentId) -> String {
    format!("{DIRECTORY}/{segment}.seg")
}

/// Where a segment's file is filled with zeros before it gets its name.
#[must_use]
pub fn unfinished_path(segment: SegmentId) -> String {
    format!("{DIRECTORY}/{segment}.new")
}

/// Whether a file of this name was being filled when its process ended.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".new").is_some_and(|digits| digits.len() == 8 && is_hex(digits))
}

/// The segment whose file has this name.
#[must_use]
pub fn parse_name(name: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 8 && is_hex(digits))?;
    u32::from_str_radix(digits, 16).ok().filter(|number| *number != 0).map(SegmentId)
}

/// Digits only: `from_str_radix` also takes a sign.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// One segment.
#[derive(Debug)]
pub struct Segment {
    /// Its number.
    pub id: SegmentId,
    /// What its checksums start from.
    pub seed: Seed,
    sealed: AtomicBool,
}

/// All segments of a store.
pub struct Segments {
    disk: Disk,
    direct: bool,
    open_max: usize,
    known: RwLock<HashMap<SegmentId, Arc<Segment>>>,
    open: Mutex<OpenFiles>,
}

#[derive(Default)]
struct OpenFiles {
    files: HashMap<(SegmentId, bool), File>,
    /// In the order of opening; the oldest is closed first.
    order: VecDeque<(SegmentId, bool)>,
}

impl Segments {
    /// No segments yet. `direct` says whether direct I/O works on this disk, `open_max` how many files are held open
    /// for readers.
    #[must_use]
    pub fn new(disk: Disk, direct: bool, open_max: usize) -> Segments {
        Segments { disk, direct, open_max, known: RwLock::default(), open: Mutex::default() }
    }

    /// Makes a segment known to readers.
    pub fn add(&self, id: SegmentId, seed: Seed, sealed: bool) {
        let segment = Arc::new(Segment { id, seed, sealed: AtomicBool::new(sealed) });
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, segment);
    }

    /// Nothing will be written to it any more.
    pub fn mark_sealed(&self, id: SegmentId) {
        if let Some(segment) = self.get(id) {
            segment.sealed.store(true, Ordering::Release);
        }
    }

    /// The segment of this number.
    #[must_use]
    pub fn get(&self, id: SegmentId) -> Option<Arc<Segment>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Number of segments.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Its file, open for reading.
    ///
    /// # Errors
    /// What opening it gave.
    pub async fn file(&self, segment: &Segment) -> io::Result<File> {
        let direct = self.direct && !segment.sealed.load(Ordering::Acquire);
        let key = (segment.id, direct);
        if let Some(file) = self.lock_open().files.get(&key) {
            return Ok(file.clone());
        }
        let how = Open { direct, ..Open::default() };
        let file = self.disk.open(&path(segment.id), how).await?;
        let mut open = self.lock_open();
        if open.files.insert(key, file.clone()).is_none() {
            open.order.push_back(key);
        }
        if open.order.len() > self.open_max
            && let Some(oldest) = open.order.pop_front()
        {
            open.files.remove(&oldest);
        }
        Ok(file)
    }

    fn lock_open(&self) -> std::sync::MutexGuard<'_, OpenFiles> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        assert_eq!(path(SegmentId(0x1a)), "segments/0000001a.seg");
        assert_eq!(parse_name("0000001a.seg"), Some(SegmentId(0x1a)));
        for name in ["1a.seg", "0000001a", "0000001g.seg", "00000000.seg", "+000001a.seg"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
