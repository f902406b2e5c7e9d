//! What `verify` checks in a segment beyond what a scan does: every payload of every put, and the tail.

use std::io;

use super::{Records, Report};
use crate::base::digest::Digest;
use crate::base::ids::Lsn;
use crate::limits::SCAN_WINDOW_BYTES;
use crate::runtime::buffer::Pool;
use crate::store::OpenError;
use crate::store::format::{BatchHeader, Body, PutBody};
use crate::store::recovery::{Found, Heads};
use crate::store::scan::{Scanned, Window};

/// A payload that does not check.
pub(super) struct BadPayload {
    pub(super) digest: Digest,
    pub(super) lsn: Lsn,
    /// Where it is and what is wrong.
    pub(super) place: String,
}

/// Checks a scanned segment.
pub(super) async fn check(
    pool: &Pool,
    found: &Found,
    scanned: &Scanned,
    heads: &Heads,
    report: &mut Report,
    bad: &mut Vec<BadPayload>,
) -> Result<(), OpenError> {
    let id = found.header.segment;
    let doing = || format!("read segment {id}");
    scanned.damage.iter().for_each(|damage| report.damage.add(damage));
    report.batches += scanned.batches.len() as u64;
    let seed = found.header.nonce.seed(id);
    let mut window = Window::new(&found.file, pool);
    let mut records = 0;
    for batch in &scanned.batches {
        for (_, _, record) in batch.records(seed) {
            records += 1;
            // The scan has told of those that cannot be read.
            let Ok(record) = record else { continue };
            report.records.count(&record.body);
            let Body::Put(put) = record.body else { continue };
            let at = batch.header.offset + u64::from(put.offset);
            let fault = if is_within(&batch.header, &put) {
                let payload = window.get(at, put.len as usize).await;
                let payload = payload.map_err(|error| OpenError::Io { doing: doing(), error })?;
                fault(&payload, &put, seed.at(at).sum(&payload))
            } else {
                Some("the put points outside its batch")
            };
            if let Some(fault) = fault {
                let place = format!("segment {id} at byte {at}: a payload of {} bytes: {fault}", put.len);
                bad.push(BadPayload { digest: put.digest, lsn: record.lsn, place });
            }
        }
    }
    if let Some(seal) = found.seal.as_ref().filter(|_| scanned.damage.is_empty()) {
        let (batches, said) = (scanned.batches.len() as u64, (seal.batches, seal.records));
        if said != (batches, records) {
            report.damage.add(format_args!(
                "segment {id}: its seal counts {} batches and {} records, there are {batches} and {records}",
                said.0, said.1
            ));
        }
    }
    if found.seal.is_none() && !heads.ends.contains_key(&id) {
        let tail = tail(&mut window, found, scanned).await;
        if let Some(tail) = tail.map_err(|error| OpenError::Io { doing: doing(), error })? {
            report.tails.add(format_args!("segment {id}: {tail}"));
        }
    }
    Ok(())
}

impl Records {
    fn count(&mut self, body: &Body<'_>) {
        let count = match body {
            Body::Put(_) => &mut self.puts,
            Body::PutLarge(_) => &mut self.large_puts,
            Body::Name(_) => &mut self.names,
            Body::DeleteContent(_) | Body::DeleteName { .. } => &mut self.deletes,
            Body::Attributes { .. } | Body::RetireSegment(_) | Body::RetireBlob(_) | Body::Unknown(_) => {
                &mut self.others
            }
        };
        *count += 1;
    }
}

fn is_within(batch: &BatchHeader, put: &PutBody) -> bool {
    put.offset >= batch.table_bytes
        && u64::from(put.offset) + u64::from(put.len) <= u64::from(batch.batch_bytes)
}

fn fault(payload: &[u8], put: &PutBody, crc: u32) -> Option<&'static str> {
    if payload.len() < put.len as usize {
        Some("the file ends within it")
    } else if crc != put.crc {
        Some("checksum mismatch")
    } else if Digest::of(payload) != put.digest {
        Some("it does not hash to its digest")
    } else {
        None
    }
}

/// What stands behind the end of a segment that nobody has ended: a batch that was being written when the
/// machine stopped, of which nobody was told that it is stored; or, of a file that is used again, what it held before.
async fn tail(window: &mut Window<'_>, found: &Found, scanned: &Scanned) -> io::Result<Option<String>> {
    let file_len = found.file.len().await?;
    let mut last_written = None;
    let mut at = scanned.end;
    while at < file_len {
        let bytes = window.get(at, SCAN_WINDOW_BYTES).await?;
        if bytes.is_empty() {
            break;
        }
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            last_written = Some(at + last as u64);
        }
        at += bytes.len() as u64;
    }
    let end = scanned.end;
    Ok(match (last_written, &scanned.tail) {
        (Some(last), Some(why)) => Some(format!("{} bytes behind byte {end}: {why}", last + 1 - end)),
        (Some(last), None) => Some(format!(
            "{} bytes behind byte {end} are no whole batch: a write that was cut, or what the file held before",
            last + 1 - end
        )),
        (None, why) => why.clone(),
    })
}
