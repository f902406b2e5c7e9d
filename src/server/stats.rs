//! `GET /stats`: what is stored and what of it is damaged, as JSON.

use std::io::Write as _;

use super::answer;
use super::conn::{Conn, Trouble};
use crate::catalogue::Catalogue;
use crate::http::error::Status;
use crate::http::head::Head;
use crate::http::json::{write_number, write_string};
use crate::http::response::Persistence;
use crate::ingest::Ingest;
use crate::limits::DAMAGE_LISTED_MAX;
use crate::runtime::helper;
use crate::store::index::Usage;

/// Totals, and the damage that is known. All contents are looked at, on a helper thread.
pub async fn stats(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    ingest: &Ingest,
) -> Result<Persistence, Trouble> {
    let store = ingest.store.clone();
    let ((damaged, listed), usage) =
        helper::run(move || (store.index.damaged(DAMAGE_LISTED_MAX), store.index.usage())).await;
    let store = &ingest.store;
    let mut out = Vec::with_capacity(256 + 72 * listed.len());
    for (name, number) in [
        ("{\"contents\":", usage.contents),
        (",\"names\":", usage.names),
        (",\"inline_bytes\":", usage.content_bytes),
        (",\"index_bytes\":", usage.memory_bytes as u64),
        (",\"segments\":", store.segment_count() as u64),
        (",\"volume_free_bytes\":", store.free_bytes()),
        (",\"oldest_unverified_seconds\":", store.scrub.oldest_unverified_seconds()),
        (",\"damaged_total\":", damaged),
    ] {
        out.extend_from_slice(name.as_bytes());
        write_number(&mut out, number);
    }
    list(&mut out, ",\"damaged\":[", listed.iter().map(|digest| digest.hex().as_str().to_owned()));
    list(&mut out, "],\"log_damage\":[", store.log_damage().iter().cloned());
    out.push(b']');
    if let Some(catalogue) = conn.core.shared.catalogue().cloned() {
        write_catalogue(&mut out, &catalogue, ingest, &usage).await;
    }
    out.push(b'}');
    answer::json(conn, head, persistence, Status::Ok, out).await
}

/// What the catalogue sums up, where it is whole, and how far it is behind.
async fn write_catalogue(out: &mut Vec<u8>, catalogue: &Catalogue, ingest: &Ingest, usage: &Usage) {
    if let Ok(totals) = catalogue.totals().await {
        out.extend_from_slice(b",\"media_types\":{");
        let (mut files, mut bytes) = (0, 0);
        for (number, (media, count, sum)) in totals.media.iter().enumerate() {
            (files, bytes) = (files + count, bytes + sum);
            let comma = if number > 0 { "," } else { "" };
            // Writing to a vector cannot fail.
            let _infallible = write!(out, "{comma}\"{media}\":{{\"files\":{count},\"bytes\":{sum}}}");
        }
        let (contents, content_bytes) = (usage.contents, usage.content_bytes + totals.large_bytes);
        // The index is ahead of the catalogue: each content has a name there, which may not be listed yet.
        let ratio = if content_bytes == 0 { 1.0 } else { (bytes as f64 / content_bytes as f64).max(1.0) };
        let saved = bytes.saturating_sub(content_bytes);
        let disk = ingest.store.log_bytes() + totals.large_bytes;
        let _infallible = write!(
            out,
            "}},\"files_total\":{files},\"files_bytes\":{bytes},\"contents_total\":{contents},\
             \"contents_bytes\":{content_bytes},\"dedup_ratio\":{ratio:.4},\"saved_bytes\":{saved},\
             \"disk_bytes\":{disk}"
        );
    }
    let lag = catalogue.lag(ingest.store.index.next_lsn());
    let seconds = lag.ns as f64 / 1e9;
    let _infallible =
        write!(out, ",\"catalogue\":{{\"lag_seconds\":{seconds:.3},\"lag_records\":{}}}", lag.numbers);
}

fn list(out: &mut Vec<u8>, begin: &str, texts: impl Iterator<Item = String>) {
    out.extend_from_slice(begin.as_bytes());
    for (number, text) in texts.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_string(out, &text);
    }
}
