//! The bytes of one simulated file: copy-on-write pages, so that a snapshot of a disk costs a counter per file.
//!
//! Always: there are exactly as many pages as the length needs, and bytes behind the length are zero, except
//! between [`Content::put_sector`] and [`Content::trim`].

use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use super::rng::Rng;
use crate::base::digest::{Digest, Hasher};

/// Bytes of a page, the unit of sharing and of allocation.
pub(super) const PAGE: usize = 4096;
/// Bytes of a sector, the unit that a device writes whole.
pub(super) const SECTOR: usize = 512;
/// Sectors of a page.
pub(super) const PAGE_SECTORS: usize = PAGE / SECTOR;

type PageBytes = [u8; PAGE];

/// The bytes of a page, and their digest once somebody has asked for it.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: PageBytes,
    digest: OnceLock<Digest>,
}

impl Kept {
    fn new(bytes: PageBytes) -> Arc<Kept> {
        Arc::new(Kept { bytes, digest: OnceLock::new() })
    }

    fn digest(&self) -> &Digest {
        self.digest.get_or_init(|| Digest::of(&self.bytes))
    }
}

impl Clone for Kept {
    /// For who will change it: without the digest.
    fn clone(&self) -> Kept {
        Kept { bytes: self.bytes, digest: OnceLock::new() }
    }
}

static ZEROS: LazyLock<Arc<Kept>> = LazyLock::new(|| Kept::new([0; PAGE]));

/// One page of a file.
#[derive(Clone, Debug)]
pub(super) enum Page {
    /// Nothing allocated; reads as zeros.
    Hole,
    /// Allocated and written to, or allocated and full of what was there.
    Data(Arc<Kept>),
}

impl Page {
    fn bytes(&self) -> &PageBytes {
        match self {
            Page::Hole => &ZEROS.bytes,
            Page::Data(kept) => &kept.bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut PageBytes {
        if matches!(self, Page::Hole) {
            *self = Page::Data(Arc::clone(&ZEROS));
        }
        match self {
            Page::Data(kept) => {
                let kept = Arc::make_mut(kept);
                kept.digest.take();
                &mut kept.bytes
            }
            Page::Hole => unreachable!("replaced above"),
        }
    }

    fn digest(&self) -> &Digest {
        match self {
            Page::Hole => ZEROS.digest(),
            Page::Data(kept) => kept.digest(),
        }
    }

    fn is_hole(&self) -> bool {
        matches!(self, Page::Hole)
    }
}

/// The bytes of a file.
#[derive(Clone, Default, Debug)]
pub(super) struct Content {
    pages: Arc<Vec<Page>>,
    len: u64,
}

/// A `u64` as an index; the simulation runs on 64-bit machines only.
pub(super) fn index(n: u64) -> usize {
    usize::try_from(n).expect("simulated files are smaller than memory")
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Pages that take room.
    pub(super) fn allocated_pages(&self) -> u64 {
        self.pages.iter().filter(|page| !page.is_hole()).count() as u64
    }

    /// Pages that writing or allocating `range` would newly take.
    pub(super) fn holes_in(&self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let (first, end) = (index(range.start) / PAGE, index(range.end).div_ceil(PAGE));
        let known = &self.pages[first.min(self.pages.len())..end.min(self.pages.len())];
        let holes = known.iter().filter(|page| page.is_hole()).count();
        (holes + (end - first - known.len())) as u64
    }

    /// Cuts or extends (with a hole).
    pub(super) fn set_len(&mut self, len: u64) {
        self.len = len;
        self.trim();
    }

    /// Extends, if that is longer.
    pub(super) fn grow(&mut self, len: u64) {
        if len > self.len {
            self.set_len(len);
        }
    }

    /// Takes room for the first `len` bytes. New pages are zeros, or junk of the stream given.
    pub(super) fn allocate(&mut self, len: u64, junk: Option<&mut Rng>) {
        self.grow(len);
        let end = index(len).div_ceil(PAGE);
        let pages = Arc::make_mut(&mut self.pages);
        let holes = pages[..end].iter_mut().filter(|page| page.is_hole());
        match junk {
            None => holes.for_each(|page| *page = Page::Data(Arc::clone(&ZEROS))),
            Some(rng) => holes.for_each(|page| rng.fill(page.bytes_mut())),
        }
        self.trim();
    }

    /// Lets length and bytes count in a hash. What a page holds is hashed once, however many files and disks share it.
    pub(super) fn hash(&self, hasher: &mut Hasher) {
        hasher.update(&self.len.to_le_bytes());
        self.pages.iter().for_each(|page| hasher.update(&page.digest().0));
    }

    /// Copies out what lies at `offset`; less than asked for at the end.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let available = index(self.len.saturating_sub(offset));
        let len = into.len().min(available);
        let mut done = 0;
        while done < len {
            let at = index(offset) + done;
            let within = at % PAGE;
            let n = (PAGE - within).min(len - done);
            into[done..done + n].copy_from_slice(&self.pages[at / PAGE].bytes()[within..within + n]);
            done += n;
        }
        len
    }

    /// Writes, extending where needed.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        self.grow(offset + data.len() as u64);
        let pages = Arc::make_mut(&mut self.pages);
        let mut done = 0;
        while done < data.len() {
            let at = index(offset) + done;
            let within = at % PAGE;
            let n = (PAGE - within).min(data.len() - done);
            let piece = &data[done..done + n];
            let page = &mut pages[at / PAGE];
            match <&PageBytes>::try_from(piece) {
                Ok(whole) if *whole == ZEROS.bytes => *page = Page::Data(Arc::clone(&ZEROS)),
                Ok(whole) => *page = Page::Data(Kept::new(*whole)),
                Err(_) => page.bytes_mut()[within..within + n].copy_from_slice(piece),
            }
            done += n;
        }
    }

    /// Shares the pages that cover a range of sectors.
    pub(super) fn share(&self, sectors: Range<u64>) -> Vec<Page> {
        let pages = index(sectors.start) / PAGE_SECTORS..index(sectors.end).div_ceil(PAGE_SECTORS);
        self.pages[pages].to_vec()
    }

    /// Puts one sector of `page` in its place, without a change of the length. [`Content::trim`] must follow.
    pub(super) fn put_sector(&mut self, sector: u64, page: &Page) {
        let at = index(sector);
        let within = at % PAGE_SECTORS * SECTOR..(at % PAGE_SECTORS + 1) * SECTOR;
        self.page_for_put(at / PAGE_SECTORS).bytes_mut()[within.clone()]
            .copy_from_slice(&page.bytes()[within]);
    }

    /// Puts a whole page in its place, without a change of the length. [`Content::trim`] must follow.
    pub(super) fn put_page(&mut self, number: usize, page: &Page) {
        *self.page_for_put(number) = page.clone();
    }

    fn page_for_put(&mut self, number: usize) -> &mut Page {
        let pages = Arc::make_mut(&mut self.pages);
        if number >= pages.len() {
            pages.resize(number + 1, Page::Hole);
        }
        &mut pages[number]
    }

    /// Makes the pages agree with the length again.
    pub(super) fn trim(&mut self) {
        let needed = index(self.len).div_ceil(PAGE);
        if self.pages.len() != needed {
            Arc::make_mut(&mut self.pages).resize(needed, Page::Hole);
        }
        let tail = index(self.len) % PAGE;
        if tail > 0 && self.pages[needed - 1].bytes()[tail..] != ZEROS.bytes[tail..] {
            Arc::make_mut(&mut self.pages)[needed - 1].bytes_mut()[tail..].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_what_a_vector_would_be() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let mut model: Vec<u8> = Vec::new();
            let mut content = Content::default();
            for _ in 0..30 {
                let at = rng.index(20_000);
                if rng.one_in(4) {
                    model.resize(at, 0);
                    content.set_len(at as u64);
                } else {
                    let mut data = vec![0; 1 + rng.index(10_000)];
                    rng.fill(&mut data);
                    model.resize(model.len().max(at + data.len()), 0);
                    model[at..at + data.len()].copy_from_slice(&data);
                    content.write(at as u64, &data);
                }
                let mut read = vec![1; model.len() + 10];
                assert_eq!(content.read(0, &mut read), model.len(), "seed {seed}");
                assert_eq!(read[..model.len()], model[..], "seed {seed}");
            }
        }
    }

    #[test]
    fn holes_take_no_room_until_written() {
        let mut content = Content::default();
        content.set_len(40_960);
        assert_eq!((content.allocated_pages(), content.holes_in(4_000..5_000)), (0, 2));
        content.write(4_096, &[1]);
        assert_eq!((content.allocated_pages(), content.holes_in(4_000..50_000)), (1, 12));
        content.allocate(40_960, None);
        assert_eq!(content.allocated_pages(), 10);
    }
}
