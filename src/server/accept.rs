//! Accepting: connections are dealt over the cores in turn.

use std::sync::Arc;
use std::time::Duration;

use super::{Message, Shared};
use crate::limits::{
    ACCEPT_BACKOFF_MS, BODY_BYTES_MIN, CONNECTIONS_PER_CORE_MAX, DESCRIPTORS_OF_THE_PROCESS, OPEN_BLOBS_MAX,
    OPEN_SEGMENTS_MAX,
};
use crate::runtime::net::Listener;
use crate::runtime::{clock, process};

/// What POSIX systems give at least by default.
const DESCRIPTORS_WHERE_UNKNOWN: u64 = 1_024;

/// Accepts until the daemon stops. When descriptors or places are used up it rests, and connections wait in the
/// kernel: slower, not dead.
pub async fn run(listener: Listener, shared: Arc<Shared>) {
    let cores = shared.inboxes.len();
    let descriptors = process::raise_nofile_limit().unwrap_or(DESCRIPTORS_WHERE_UNKNOWN);
    let places = places(cores, descriptors, shared.settings.buffer_bytes);
    let mut next = 0;
    while !shared.is_draining() {
        if shared.metrics.connections() >= places {
            clock::sleep(Duration::from_millis(ACCEPT_BACKOFF_MS)).await;
            continue;
        }
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(_) if shared.is_draining() => return,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; trying again shortly");
                clock::sleep(Duration::from_millis(ACCEPT_BACKOFF_MS)).await;
                continue;
            }
        };
        let mut message = Message::Connection(socket);
        // The first core whose inbox has room takes it.
        for _ in 0..cores {
            next = (next + 1) % cores;
            match shared.inboxes[next].push(message) {
                Ok(()) => {
                    message = Message::Stop;
                    break;
                }
                Err(back) => message = back,
            }
        }
        if matches!(message, Message::Connection(_)) {
            tracing::warn!("every core's inbox is full; a connection was closed unserved");
        }
    }
}

/// Connections at once. What is left of the descriptors is the store's: a commit that cannot open its file would
/// end the process, so idle connections must never use them up. Big contents on their way in or out are bounded by
/// the memory they reserve.
fn places(cores: usize, descriptors: u64, buffer_bytes: usize) -> usize {
    let uploads = buffer_bytes / 2 / BODY_BYTES_MIN;
    let store = OPEN_SEGMENTS_MAX + OPEN_BLOBS_MAX + uploads + DESCRIPTORS_OF_THE_PROCESS;
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    // Where there are few, a quarter: a connection may have a blob open, too, and the rest has as many again.
    let left = descriptors.saturating_sub(store).max(descriptors / 4);
    left.min(cores * CONNECTIONS_PER_CORE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_store() {
        assert_eq!(places(2, 1 << 20, 256 << 20), 2 * CONNECTIONS_PER_CORE_MAX);
        assert_eq!(places(1, 64, 256 << 20), 16);
        for descriptors in [64, 1_024, 4_096, 20_000] {
            let places = places(64, descriptors, 48 << 20);
            assert!(places > 0 && (places as u64) < descriptors, "{places} of {descriptors}");
        }
    }
}
