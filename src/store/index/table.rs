//! A hash table for entries of which there are millions: dense, and without jumps in size.
//!
//! Entries stand one behind the other in chunks, in no order; a second table of 4-byte slots, kept at most three
//! quarters full, says where. So a table that has just grown has doubled its slots and not its entries: with entries
//! of 40 to 64 bytes a file's share of memory hardly depends on when one looks. A lookup that finds nothing touches
//! one cache line, as a slot holds 8 bits of the hash; one that finds something touches two. A new entry goes
//! behind the last one, which is in the cache.
//!
//! Always: entries 0 to `len` - 1 are in use; each is named by exactly one slot; the slots from an entry's home to
//! its own are all in use (linear probing, Knuth volume 3, section 6.4, algorithm L; removal by algorithm R).

use crate::limits::INDEX_SHARDS;
use crate::runtime::cache;

/// What a table needs to know of an entry.
pub(super) trait Keyed {
    /// The hash of its key. It must use all 64 bits. `secret` is the table's.
    fn hash(&self, secret: u64) -> u64;
}

/// Entries of a chunk: large enough to be few, small enough that the last, half empty, does not count.
const CHUNK_ENTRIES: usize = 1024;
const SLOTS_MIN: usize = 16;
const EMPTY: u32 = u32::MAX;
/// A slot: 24 bits of an entry's number, 8 bits of its hash.
const NUMBER_BITS: u32 = 24;
const NUMBER_MASK: u32 = (1 << NUMBER_BITS) - 1;
/// The greatest number is left out, so that no slot in use looks empty.
const ENTRIES_MAX: usize = NUMBER_MASK as usize;

/// The hash of a key of which `word` is a part that is as good as random. The secret keeps its place in a table
/// from being chosen by whoever chooses the files.
pub(super) fn mix(word: u64, secret: u64) -> u64 {
    let product = u128::from(word ^ secret) * u128::from(secret | 1);
    let (high, low) = ((product >> 64) & u128::from(u64::MAX), product & u128::from(u64::MAX));
    u64::try_from(high ^ low).expect("both halves have 64 bits")
}

/// See the module.
pub(super) struct Table<E> {
    chunks: Vec<Vec<E>>,
    len: usize,
    slots: Vec<u32>,
    secret: u64,
}

impl<E: Keyed> Table<E> {
    /// An empty table, which takes no memory.
    pub(super) fn new(secret: u64) -> Table<E> {
        Table { chunks: Vec::new(), len: 0, slots: Vec::new(), secret }
    }

    /// Makes slots for this many entries at once.
    pub(super) fn reserve(&mut self, entries: usize) {
        let slots = (entries * 4).div_ceil(3).next_power_of_two();
        if slots > self.slots.len() {
            self.set_slots(slots);
        }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory it takes. Of the last chunk only what is in use: the rest was never touched.
    pub(super) fn memory_bytes(&self) -> usize {
        self.len * size_of::<E>()
            + self.slots.len() * size_of::<u32>()
            + self.chunks.len() * size_of::<Vec<E>>()
    }

    /// The entry of this hash for which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&E) -> bool) -> Option<&E> {
        let slot = self.find_slot(hash, is)?;
        Some(self.entry(self.number_at(slot)))
    }

    /// Begins to load what a lookup of this hash will read first.
    pub(super) fn prefetch(&self, hash: u64) {
        if !self.slots.is_empty() {
            cache::prefetch(&self.slots[self.home(hash)]);
        }
    }

    /// As [`Table::find`]. The caller does not change the key.
    pub(super) fn find_mut(&mut self, hash: u64, is: impl Fn(&E) -> bool) -> Option<&mut E> {
        let slot = self.find_slot(hash, is)?;
        Some(self.entry_mut(self.number_at(slot)))
    }

    /// Enters what is not there, which the caller has made sure of.
    pub(super) fn insert(&mut self, hash: u64, entry: E) -> &mut E {
        debug_assert_eq!(hash, entry.hash(self.secret));
        let number = self.len;
        assert!(number < ENTRIES_MAX, "a shard of the index holds at most {ENTRIES_MAX} entries");
        if (number + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let slot = self.free_slot(hash);
        self.slots[slot] = packed(number, hash);
        if number / CHUNK_ENTRIES == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK_ENTRIES));
        }
        self.len += 1;
        let chunk = &mut self.chunks[number / CHUNK_ENTRIES];
        chunk.push(entry);
        chunk.last_mut().expect("it was just pushed")
    }

    /// The entry of this hash for which `is` holds, made where there is none.
    pub(super) fn find_or_insert(
        &mut self,
        hash: u64,
        is: impl Fn(&E) -> bool,
        make: impl FnOnce() -> E,
    ) -> &mut E {
        match self.find_slot(hash, is) {
            Some(slot) => self.entry_mut(self.number_at(slot)),
            None => self.insert(hash, make()),
        }
    }

    /// Takes out the entry of this hash for which `is` holds.
    pub(super) fn remove(&mut self, hash: u64, is: impl Fn(&E) -> bool) -> Option<E> {
        let slot = self.find_slot(hash, is)?;
        let number = self.number_at(slot);
        self.close_gap(slot);
        let last = self.len - 1;
        if number != last {
            // The last entry moves into its place, and the slot that names it is told.
            let hash = self.entry(last).hash(self.secret);
            let mut at = self.home(hash);
            while self.number_at(at) != last {
                at = self.after(at);
            }
            self.slots[at] = packed(number, hash);
        }
        self.len = last;
        let moved = self.chunks[last / CHUNK_ENTRIES].pop().expect("the last chunk holds the last entry");
        let removed = if number == last { moved } else { std::mem::replace(self.entry_mut(number), moved) };
        // One empty chunk is kept, so that a table whose size wavers around a chunk's end does not allocate each time.
        if self.chunks.len() * CHUNK_ENTRIES > self.len + 2 * CHUNK_ENTRIES {
            self.chunks.pop();
        }
        Some(removed)
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.chunks.iter().flatten()
    }

    /// As [`Table::iter`]. The caller changes no key.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.chunks.iter_mut().flatten()
    }

    /// Takes out the entries for which `keep` does not hold.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&E) -> bool) {
        let mut number = 0;
        while number < self.len {
            if keep(self.entry(number)) {
                number += 1;
                continue;
            }
            let hash = self.entry(number).hash(self.secret);
            // By its address: the entry that was asked about and no other.
            let gone: *const E = self.entry(number);
            self.remove(hash, |entry| std::ptr::eq(entry, gone));
        }
    }

    fn entry(&self, number: usize) -> &E {
        &self.chunks[number / CHUNK_ENTRIES][number % CHUNK_ENTRIES]
    }

    fn entry_mut(&mut self, number: usize) -> &mut E {
        &mut self.chunks[number / CHUNK_ENTRIES][number % CHUNK_ENTRIES]
    }

    /// The number in a slot in use; beyond all numbers for an empty one.
    fn number_at(&self, slot: usize) -> usize {
        (self.slots[slot] & NUMBER_MASK) as usize
    }

    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash & (self.slots.len() as u64 - 1)).expect("masked to the number of slots")
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    fn find_slot(&self, hash: u64, is: impl Fn(&E) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = packed(0, hash);
        let mut slot = self.home(hash);
        loop {
            let found = self.slots[slot];
            if found == EMPTY {
                return None;
            }
            if found & !NUMBER_MASK == tag && is(self.entry((found & NUMBER_MASK) as usize)) {
                return Some(slot);
            }
            slot = self.after(slot);
        }
    }

    fn free_slot(&self, hash: u64) -> usize {
        let mut slot = self.home(hash);
        while self.slots[slot] != EMPTY {
            slot = self.after(slot);
        }
        slot
    }

    /// Empties a slot, and moves those behind it that may stand nearer to their home.
    fn close_gap(&mut self, slot: usize) {
        let mask = self.slots.len() - 1;
        let mut gap = slot;
        let mut at = slot;
        loop {
            at = self.after(at);
            if self.slots[at] == EMPTY {
                break;
            }
            let home = self.home(self.entry(self.number_at(at)).hash(self.secret));
            // Its way from home passes the gap: it may stand there.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
        }
        self.slots[gap] = EMPTY;
    }

    #[cold]
    fn grow(&mut self) {
        self.set_slots((self.slots.len() * 2).max(SLOTS_MIN));
    }

    fn set_slots(&mut self, count: usize) {
        // The old ones go first: what they say is made anew from the entries.
        self.slots = Vec::new();
        self.slots = vec![EMPTY; count];
        for number in 0..self.len {
            let hash = self.entry(number).hash(self.secret);
            let slot = self.free_slot(hash);
            self.slots[slot] = packed(number, hash);
        }
    }
}

/// The shard that a hash belongs to, by bits that a table does not use.
pub(super) fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> 48).expect("masked to 16 bits") % INDEX_SHARDS
}

/// A slot's bits. The tag is of the upper half of the hash, the home of the lower.
fn packed(number: usize, hash: u64) -> u32 {
    let number = u32::try_from(number).expect("below the most entries");
    let tag = u32::try_from(hash >> 32 & 0xff).expect("masked to 8 bits");
    number | tag << NUMBER_BITS
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Few hashes, so that long runs of equal homes and tags occur.
    #[derive(Clone, PartialEq, Debug)]
    struct Pair(u32, u32);

    fn hash_of(key: u32) -> u64 {
        u64::from(key % 7) << 32 | u64::from(key % 97)
    }

    impl Keyed for Pair {
        fn hash(&self, _secret: u64) -> u64 {
            hash_of(self.0)
        }
    }

    fn get(table: &Table<Pair>, key: u32) -> Option<u32> {
        table.find(hash_of(key), |pair| pair.0 == key).map(|pair| pair.1)
    }

    fn check(table: &Table<Pair>, model: &HashMap<u32, u32>, keys: std::ops::Range<u32>) {
        assert_eq!(table.len(), model.len());
        for key in keys {
            assert_eq!(get(table, key), model.get(&key).copied(), "key {key}");
        }
        let all: HashMap<u32, u32> = table.iter().map(|pair| (pair.0, pair.1)).collect();
        assert_eq!(&all, model);
    }

    proptest! {
        #[test]
        fn it_does_what_a_map_does(steps in proptest::collection::vec((0_u32..400, 0_u32..10), 1..1500)) {
            let mut table = Table::new(0);
            let mut model = HashMap::new();
            for (value, (key, what)) in (0..).zip(steps) {
                match what {
                    0..=5 => {
                        let same = |pair: &Pair| pair.0 == key;
                        table.find_or_insert(hash_of(key), same, || Pair(key, 0)).1 = value;
                        model.insert(key, value);
                    }
                    6..=8 => {
                        let removed = table.remove(hash_of(key), |pair| pair.0 == key);
                        prop_assert_eq!(removed.map(|pair| pair.1), model.remove(&key));
                    }
                    _ => {
                        table.retain(|pair| pair.0 % 5 != key % 5);
                        model.retain(|other, _| other % 5 != key % 5);
                    }
                }
            }
            check(&table, &model, 0..400);
        }
    }

    struct Spread(u64);

    impl Keyed for Spread {
        fn hash(&self, secret: u64) -> u64 {
            self.0.wrapping_mul(secret)
        }
    }

    #[test]
    fn many_entries_are_found_and_their_memory_has_no_jumps() {
        const SECRET: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut table = Table::new(SECRET);
        for n in 1..=200_000_u64 {
            table.insert(n.wrapping_mul(SECRET), Spread(n));
            if n > 10_000 {
                let bytes = table.memory_bytes() as u64;
                // Slots are between 3/8 and 3/4 full.
                assert!(bytes > n * 13 && bytes < n * 19, "{bytes} bytes at {n} entries of 8");
            }
        }
        for n in 1..=200_000_u64 {
            let hash = n.wrapping_mul(SECRET);
            assert_eq!(table.find(hash, |entry| entry.0 == n).map(|entry| entry.0), Some(n));
            assert!(table.find(hash, |_| false).is_none());
        }
        for n in 1..=199_000_u64 {
            assert!(table.remove(n.wrapping_mul(SECRET), |entry| entry.0 == n).is_some());
        }
        assert_eq!(table.len(), 1_000);
        assert!(table.iter().all(|entry| entry.0 > 199_000));
    }
}
