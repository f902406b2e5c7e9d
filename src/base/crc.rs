//! CRC32C (Castagnoli, RFC 3720 section B.4), seeded.
//!
//! A [`Seed`] stands for bytes that precede the data without being stored beside it. The store seeds
//! every checksum with the secret nonce of the segment and the position of the data in it, so that
//! bytes of another life of the file, or from another place, do not check.

/// What a checksum starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(u32);

impl Seed {
    /// The plain CRC32C.
    pub const PLAIN: Seed = Seed(0);

    /// A seed that stands for `prefix`.
    #[must_use]
    pub fn new(prefix: &[u8]) -> Seed {
        Seed(crc32c::crc32c(prefix))
    }

    /// This seed, followed by a position.
    #[must_use]
    pub fn at(self, position: u64) -> Seed {
        Seed(crc32c::crc32c_append(self.0, &position.to_le_bytes()))
    }

    /// The checksum of `data` behind this seed.
    #[must_use]
    pub fn sum(self, data: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, data)
    }

    /// A checksum over several pieces, begun here.
    #[must_use]
    pub fn begin(self) -> Crc {
        Crc(self.0)
    }
}

/// A checksum in the making.
#[derive(Clone, Copy, Debug)]
pub struct Crc(u32);

impl Crc {
    /// Takes in the next piece.
    pub fn update(&mut self, data: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, data);
    }

    /// The checksum of all pieces so far.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_sum_is_the_rfc_vector() {
        // RFC 3720 B.4: 32 bytes of zeroes.
        assert_eq!(Seed::PLAIN.sum(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn pieces_equal_the_whole_and_the_seed_matters() {
        let seed = Seed::new(b"nonce").at(4096);
        let mut crc = seed.begin();
        crc.update(b"rhino");
        crc.update(b"box");
        assert_eq!(crc.value(), seed.sum(b"rhinobox"));
        assert_ne!(crc.value(), Seed::new(b"nonce").at(8192).sum(b"rhinobox"));
        assert_ne!(crc.value(), Seed::new(b"other").at(4096).sum(b"rhinobox"));
    }
}
