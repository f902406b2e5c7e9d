//! `rhinobox inspect`: shows what the files of a data folder say, as they say it.
//!
//! Always: nothing is changed; no byte of the log reaches the terminal unescaped; the nonce is never shown.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::base::ids::SegmentId;
use crate::ops::Failure;
use crate::ops::offline::{self, Failed, READ, is_closed_pipe};
use crate::runtime::buffer::Pool;
use crate::store::recovery::{self, Found, Heads};
use crate::store::{Store, scan, segment};

mod show;

/// Shows what a data folder holds: one segment or all, at most `limit` records.
///
/// # Errors
/// In one sentence, why it could not.
pub fn run(dir: &Path, segment: Option<&str>, limit: Option<u64>) -> Result<ExitCode, Failure> {
    let only = segment.map(parse_segment).transpose()?;
    let shown = offline::on_store(dir, move |store, pool| show(store, pool, only, limit.unwrap_or(u64::MAX)));
    match shown {
        Err(error) if !is_closed_pipe(&*error) => Err(error),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A segment's number as its file's name has it, with or without what stands around the digits that count.
fn parse_segment(text: &str) -> Result<SegmentId, String> {
    let digits = text.strip_suffix(".seg").unwrap_or(text);
    segment::parse_name(&format!("{digits:0>8}.seg"))
        .ok_or_else(|| format!("{text:?} is no segment: give the digits of its file's name, like 0000001a"))
}

async fn show(store: Arc<Store>, pool: Pool, only: Option<SegmentId>, limit: u64) -> Result<(), Failed> {
    let heads = recovery::read_heads(&store, &pool, READ).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if let Some(id) = only
        && !heads.segments.contains_key(&id)
        && !heads.blank.contains(&id)
        && heads.damage.iter().all(|damage| damage.segment != id)
    {
        return Err(format!("there is no segment {id}").into());
    }
    let is_shown = |id: SegmentId| only.is_none_or(|only| only == id);
    if only.is_none() {
        writeln!(out, "store {}, flush method {}", store.id, store.options.flush)?;
    }
    for damage in heads.damage.iter().filter(|damage| is_shown(damage.segment)) {
        writeln!(out, "damage: {damage}")?;
    }
    for id in heads.blank.iter().filter(|id| is_shown(**id)) {
        writeln!(out, "segment {id}: prepared, never used")?;
    }
    let mut left = limit;
    for (_, found) in heads.segments.iter().filter(|(id, _)| is_shown(**id)) {
        if left == 0 {
            break;
        }
        show_segment(&mut out, &pool, found, &heads, &mut left).await?;
    }
    if left == 0 {
        writeln!(out, "(not more than {limit} records are shown)")?;
    }
    out.flush()?;
    Ok(())
}

async fn show_segment(
    out: &mut impl Write,
    pool: &Pool,
    found: &Found,
    heads: &Heads,
    left: &mut u64,
) -> Result<(), Failed> {
    let id = found.header.segment;
    let known_end = heads.ends.get(&id).copied();
    let scanned = scan::scan(&found.file, pool, &found.header, known_end).await?;
    show::segment(out, &found.header, found.seal.as_ref())?;
    for damage in &scanned.damage {
        writeln!(out, "  damage at byte {}: {}", damage.offset, damage.what)?;
    }
    let seed = found.header.nonce.seed(id);
    for batch in &scanned.batches {
        show::batch(out, &batch.header)?;
        for (position, len, record) in batch.records(seed) {
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
            show::record(out, position, len, record.as_ref())?;
        }
    }
    if let Some(tail) = &scanned.tail {
        writeln!(out, "  tail at byte {}: {tail}", scanned.end)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_as_its_file_is() {
        for text in ["1a", "0000001a", "0000001a.seg"] {
            assert_eq!(parse_segment(text), Ok(SegmentId(0x1a)), "{text}");
        }
        for text in ["", "0", "1g", "+1", "000000001a", "../1"] {
            assert!(parse_segment(text).is_err(), "{text}");
        }
    }
}
