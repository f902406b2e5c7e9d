//! SHA-256 as slices and streams use it, and the checksum of the log.

use std::hint::black_box;

use rhinobox::base::crc::Seed;
use rhinobox::base::digest::Digest;
use rhinobox::runtime::sha256::digests_of_two;

use crate::support::random::Random;
use crate::support::text::size;
use crate::support::timing::{Effort, ns_per_call};
use crate::{Result, Row};

/// A file of a large batch, an image, an upload of its own.
const SIZES: [usize; 4] = [2_048, 10_240, 262_144, 1 << 20];

/// Measures them.
///
/// # Errors
/// If two ways to one digest do not agree.
pub(crate) fn measure(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for bytes in SIZES {
        let mut contents = [vec![0; bytes], vec![0; bytes]];
        contents.iter_mut().zip([11, 12]).for_each(|(content, seed)| Random(seed).fill(content));
        let [one, two] = [&contents[0][..], &contents[1][..]];
        if digests_of_two([one, two]) != [Digest::of(one), Digest::of(two)] {
            return Err("two messages hashed at once have other digests than each by itself".into());
        }
        rows.push(Row {
            stage: "SHA-256",
            case: format!("{}, one message", size(bytes)),
            ns_per_file: ns_per_call(effort, || Digest::of(black_box(one))),
            file_bytes: Some(bytes),
        });
        let both = ns_per_call(effort, || digests_of_two(black_box([one, two])));
        rows.push(Row {
            stage: "SHA-256",
            case: format!("{}, two messages at once", size(bytes)),
            ns_per_file: both.map(|ns| ns / 2.0),
            file_bytes: Some(bytes),
        });
        let seed = Seed::new(b"stages");
        rows.push(Row {
            stage: "CRC32C",
            case: size(bytes),
            ns_per_file: ns_per_call(effort, || seed.sum(black_box(one))),
            file_bytes: Some(bytes),
        });
    }
    rows.sort_by_key(|row| row.stage != "SHA-256");
    Ok(rows)
}
