//! Contents that a seed gives again, and their digests.

use sha2::Digest as _;

/// SplitMix64: small, seeded, good enough for contents and choices.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The seed in `RHINOBOX_SEED`, else one of the clock; printed, so that a failure can be had again.
    pub(crate) fn printed(what: &str) -> Random {
        let seed = match std::env::var("RHINOBOX_SEED") {
            Ok(seed) => seed.parse().expect("RHINOBOX_SEED is a number"),
            Err(_) => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("the clock is past 1970")
                .as_secs(),
        };
        println!("{what}: RHINOBOX_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A size from 1 KiB to 8 MiB; every doubling is as likely as the next.
    pub(crate) fn file_size(&mut self) -> usize {
        let doubling = self.below(13);
        usize::try_from((1024 << doubling) + self.below(1024 << doubling)).expect("below 8 MiB")
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// `len` bytes that no file type begins with and no other seed gives.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Random(seed).bytes(len);
    if let Some(first) = bytes.first_mut() {
        // Neither text nor a signature that the type sniffer knows.
        *first = 0xfe;
    }
    bytes
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 as digest fields carry it: `sha-256=:…:`.
pub(crate) fn sha256_base64(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", base64(&sha2::Sha256::digest(bytes)))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from(bits >> shift & 63).expect("six bits");
            out.push(if place <= group.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    out
}

/// Files that begin as their types do.
pub(crate) mod samples {
    pub(crate) fn png(seed: u64) -> Vec<u8> {
        with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0", seed)
    }

    pub(crate) fn jpg(seed: u64) -> Vec<u8> {
        with(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", seed)
    }

    pub(crate) fn gif(seed: u64) -> Vec<u8> {
        with(b"GIF89a\x01\0\x01\0\x80\0\0", seed)
    }

    pub(crate) fn mp4(seed: u64) -> Vec<u8> {
        with(b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2avc1mp41", seed)
    }

    pub(crate) fn mp3(seed: u64) -> Vec<u8> {
        with(b"ID3\x03\0\0\0\0\0\0", seed)
    }

    pub(crate) fn pdf(seed: u64) -> Vec<u8> {
        with(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", seed)
    }

    pub(crate) fn zip(seed: u64) -> Vec<u8> {
        with(b"PK\x03\x04\x14\0\0\0\x08\0", seed)
    }

    fn with(signature: &[u8], seed: u64) -> Vec<u8> {
        let mut bytes = signature.to_vec();
        bytes.extend(super::Random(seed).bytes(500));
        bytes
    }
}
