//! `/healthz`, `/readyz`, `/metrics`.

use super::conn::{Conn, Trouble};
use super::{answer, authorize, error, metrics};
use crate::http::error::Status;
use crate::http::head::{Head, Method};
use crate::http::response::{HeadWriter, Persistence};
use crate::runtime::clock;
use crate::tokens::Access;

/// 200 while the process serves.
pub async fn healthz(conn: &mut Conn, head: &Head, persistence: Persistence) -> Result<Persistence, Trouble> {
    let body = format!("{{\"status\":\"ok\",\"time\":\"{}\"}}", clock::wall().rfc3339());
    answer::json(conn, head, persistence, Status::Ok, body).await
}

/// 200 while files can be uploaded and read; 503 while recovering or draining, or while nobody can be let in.
pub async fn readyz(conn: &mut Conn, head: &Head, persistence: Persistence) -> Result<Persistence, Trouble> {
    if !conn.core.shared.is_ready() {
        return Err(error::not_ready(conn.core.shared.is_draining()).into());
    }
    let core = &conn.core;
    if core.view.with(&core.shared.gate, |access| matches!(access, Access::Closed(_))) {
        return Err(authorize::closed().into());
    }
    answer::json(conn, head, persistence, Status::Ok, "{\"status\":\"ready\"}").await
}

/// Counts and times as Prometheus reads them.
pub async fn metrics(conn: &mut Conn, head: &Head, persistence: Persistence) -> Result<Persistence, Trouble> {
    let ingest = conn.core.ingest();
    let shared = conn.core.shared.clone();
    let view = metrics::View::take(&shared).await;
    let page = metrics::render(&shared, ingest.as_ref().map(|ingest| &*ingest.store), &view);
    let mut out = Vec::with_capacity(256 + page.len());
    HeadWriter::begin(&mut out, Status::Ok, &conn.core.date())
        .field("Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
        .field("X-Content-Type-Options", b"nosniff")
        .content_length(page.len() as u64)
        .connection(head.version, persistence)
        .end();
    if head.method != Method::Head {
        out.extend_from_slice(page.as_bytes());
    }
    conn.count_status(Status::Ok);
    conn.send(vec![out.into()]).await?;
    Ok(persistence)
}
