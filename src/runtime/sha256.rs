//! Two messages hashed at once (FIPS 180-4). The SHA instructions of one message wait for each other: a processor that
//! begins one every cycle or two is idle for half of the time, which the other message's fill.
//!
//! What always holds: the digests are those of the two messages, whatever their lengths and wherever this runs. Without
//! the instructions each message is hashed by itself.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "loads, stores and features of the processor")
)]

use sha2::block_api::compress256;

use crate::base::digest::Digest;

const BLOCK: usize = 64;
/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The digests of two messages.
#[must_use]
pub fn digests_of_two(messages: [&[u8]; 2]) -> [Digest; 2] {
    with(messages, compress_two())
}

/// Takes the blocks of two messages, equally many, into their states.
type CompressTwo = fn(&mut [[u32; 8]; 2], [&[[u8; BLOCK]]; 2]);

fn compress_two() -> CompressTwo {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        return x86::compress_two;
    }
    one_by_one
}

fn one_by_one(states: &mut [[u32; 8]; 2], blocks: [&[[u8; BLOCK]]; 2]) {
    for (state, blocks) in states.iter_mut().zip(blocks) {
        compress256(state, blocks);
    }
}

fn with(messages: [&[u8]; 2], compress_two: CompressTwo) -> [Digest; 2] {
    let [(first, first_rest), (second, second_rest)] = messages.map(|message| message.as_chunks::<BLOCK>());
    let mut states = [INITIAL; 2];
    let both = first.len().min(second.len());
    compress_two(&mut states, [&first[..both], &second[..both]]);
    compress256(&mut states[0], &first[both..]);
    compress256(&mut states[1], &second[both..]);
    let tails = [Tail::new(first_rest, messages[0].len()), Tail::new(second_rest, messages[1].len())];
    let [first, second] = [tails[0].blocks(), tails[1].blocks()];
    let both = first.len().min(second.len());
    compress_two(&mut states, [&first[..both], &second[..both]]);
    compress256(&mut states[0], &first[both..]);
    compress256(&mut states[1], &second[both..]);
    states.map(|state| {
        let mut bytes = [0; 32];
        for (word, to) in state.iter().zip(bytes.as_chunks_mut().0) {
            *to = word.to_be_bytes();
        }
        Digest(bytes)
    })
}

/// The last bytes of a message, and the padding behind them (section 5.1.1).
struct Tail {
    blocks: [[u8; BLOCK]; 2],
    count: usize,
}

impl Tail {
    /// `rest` is what is left of a message of `len` bytes behind its whole blocks.
    fn new(rest: &[u8], len: usize) -> Tail {
        let mut blocks = [[0; BLOCK]; 2];
        let bytes = blocks.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        let count = if rest.len() + 9 <= BLOCK { 1 } else { 2 };
        bytes[count * BLOCK - 8..count * BLOCK].copy_from_slice(&(8 * len as u64).to_be_bytes());
        Tail { blocks, count }
    }

    fn blocks(&self) -> &[[u8; BLOCK]] {
        &self.blocks[..self.count]
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::is_x86_feature_detected;
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi32, _mm_set_epi64x,
        _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
        _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
    };

    use super::BLOCK;

    /// FIPS 180-4, section 4.2.2.
    #[rustfmt::skip]
    const K: [u32; 64] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ];

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1")
    }

    pub(super) fn compress_two(states: &mut [[u32; 8]; 2], blocks: [&[[u8; BLOCK]]; 2]) {
        assert!(is_available(), "asked for before");
        // SAFETY: the processor has what the function was compiled for.
        unsafe { compress(states, blocks) }
    }

    /// The rounds as Intel's paper on the SHA extensions (2013) lays them out, each step for both messages.
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn compress(states: &mut [[u32; 8]; 2], blocks: [&[[u8; BLOCK]]; 2]) {
        let mut abef = states.map(|s| words([s[0], s[1], s[4], s[5]]));
        let mut cdgh = states.map(|s| words([s[2], s[3], s[6], s[7]]));
        for (first, second) in blocks[0].iter().zip(blocks[1]) {
            let before = (abef, cdgh);
            let mut schedule = [load(first), load(second)];
            // Unrolled: the words of a message's schedule stay in registers.
            macro_rules! four_rounds {
                ($($n:literal)*) => { $({
                    let k = words([K[4 * $n + 3], K[4 * $n + 2], K[4 * $n + 1], K[4 * $n]]);
                    for m in 0..2 {
                        let words = _mm_add_epi32(schedule[m][$n % 4], k);
                        cdgh[m] = _mm_sha256rnds2_epu32(cdgh[m], abef[m], words);
                        abef[m] = _mm_sha256rnds2_epu32(abef[m], cdgh[m], _mm_shuffle_epi32::<0x0e>(words));
                    }
                    if $n < 12 {
                        for w in &mut schedule {
                            w[$n % 4] = next(w[$n % 4], w[($n + 1) % 4], w[($n + 2) % 4], w[($n + 3) % 4]);
                        }
                    }
                })* };
            }
            four_rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            for m in 0..2 {
                abef[m] = _mm_add_epi32(abef[m], before.0[m]);
                cdgh[m] = _mm_add_epi32(cdgh[m], before.1[m]);
            }
        }
        for (m, state) in states.iter_mut().enumerate() {
            let [f, e, b, a] = store(abef[m]);
            let [h, g, d, c] = store(cdgh[m]);
            *state = [a, b, c, d, e, f, g, h];
        }
    }

    /// The four words of the schedule that follow these sixteen (section 6.2.2, step 1).
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn next(w0: __m128i, w4: __m128i, w8: __m128i, w12: __m128i) -> __m128i {
        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8::<4>(w12, w8));
        _mm_sha256msg2_epu32(sum, w12)
    }

    /// The words of a block, in the order of the processor.
    #[inline]
    #[target_feature(enable = "ssse3")]
    fn load(block: &[u8; BLOCK]) -> [__m128i; 4] {
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let mut words = [_mm_setzero_si128(); 4];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<16>().0) {
            // SAFETY: the 16 bytes are there; their address need not be aligned.
            let loaded = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
            *word = _mm_shuffle_epi8(loaded, swap);
        }
        words
    }

    /// Four words, the last one in the lowest place.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn words(words: [u32; 4]) -> __m128i {
        let [a, b, c, d] = words.map(u32::cast_signed);
        _mm_set_epi32(a, b, c, d)
    }

    /// Four words, the lowest first.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn store(words: __m128i) -> [u32; 4] {
        let mut stored = [0; 4];
        // SAFETY: there is room for the 16 bytes; their address need not be aligned.
        unsafe { _mm_storeu_si128(stored.as_mut_ptr().cast(), words) };
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((at * 31 + at / 251 + seed * 7) % 256).unwrap()).collect()
    }

    fn check(compress_two: CompressTwo) {
        // All lengths at which padding changes, against each other, and unaligned.
        let lens = [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 191, 192, 1_000, 2_048, 4_099];
        for (n, &first) in lens.iter().enumerate() {
            for (m, &second) in lens.iter().enumerate() {
                let (a, b) = (message(first + 1, n), message(second + 3, m + 40));
                let messages = [&a[1..], &b[3..]];
                assert_eq!(
                    with(messages, compress_two),
                    messages.map(Digest::of),
                    "{first} and {second} bytes"
                );
            }
        }
    }

    #[test]
    fn two_at_once_are_as_each_by_itself() {
        check(compress_two());
    }

    #[test]
    fn so_they_are_where_the_instructions_are_missing() {
        check(one_by_one);
    }
}
