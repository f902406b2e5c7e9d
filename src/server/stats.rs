//! `GET /stats`: what is stored and what of it is damaged, as JSON.

use super::answer;
use super::conn::{Conn, Trouble};
use crate::http::error::Status;
use crate::http::head::Head;
use crate::http::json::{write_number, write_string};
use crate::http::response::Persistence;
use crate::ingest::Ingest;
use crate::limits::DAMAGE_LISTED_MAX;
use crate::runtime::helper;

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
    out.extend_from_slice(b"]}");
    answer::json(conn, head, persistence, Status::Ok, &out).await
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
