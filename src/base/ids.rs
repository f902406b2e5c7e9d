//! Identifiers. Each is a type of its own, so that a segment number is never taken for an offset.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty), $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }
    };
}

id! {
    /// The store-wide, ever-growing number of a mutation. It, not the clock, says what came later.
    Lsn(u64), "{}"
}
id! {
    /// A segment file. Never reused within a store.
    SegmentId(u32), "{:08x}"
}
id! {
    /// A lane: a sequence of segments written by one writer.
    LaneId(u32), "{}"
}
id! {
    /// A batch within its lane, counted from 1 without gaps. 0 means "none".
    BatchSeq(u64), "{}"
}
id! {
    /// A file of one big blob. Never reused within a store.
    BlobId(u64), "{:016x}"
}

/// The random number that tells one store from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
