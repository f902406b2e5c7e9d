//! Whether an upload is let in, decided by its head.
//!
//! Always: what is refused because the store is behind has cost no memory, no wait, and no read of its body; what is let in
//! is not refused later for want of a place, or because the store has fallen behind. No upload is refused here for its
//! own size.

use super::body::Body;
use super::conn::{Conn, Trouble};
use super::error::refusal;
use crate::ingest::queue::Admission;
use crate::ingest::{FileError, Ingest};

/// Lets an upload in: with the least memory for its body, and its place in the queue, which it keeps until it is answered.
///
/// # Errors
/// 503, at once when the store is behind, after a second without memory or place.
pub(super) async fn admit(conn: &mut Conn, body: &mut Body, ingest: &Ingest) -> Result<Admission, Trouble> {
    if ingest.lane.is_behind() {
        return Err(shed(conn, body, &FileError::Overloaded).await);
    }
    body.reserve(conn).await?;
    // The store may have fallen behind while memory was waited for.
    match ingest.queue.admit(&ingest.lane).await {
        Ok(place) => {
            conn.begin_upload();
            Ok(place)
        }
        Err(error) => Err(shed(conn, body, &error).await),
    }
}

/// Counts a refusal. A small body that came with its head is passed over, so that the connection can be kept: to accept
/// the client anew would cost more than to answer it.
async fn shed(conn: &mut Conn, body: &mut Body, error: &FileError) -> Trouble {
    conn.core.shared.metrics.count_shed();
    if body.declared().is_some_and(|length| length <= conn.input.len() as u64)
        && let Err(trouble) = body.skip(conn).await
    {
        return trouble;
    }
    refusal(error).into()
}
