//! Accepting: connections are dealt over the cores in turn.

use std::sync::Arc;
use std::time::Duration;

use super::{Message, Shared};
use crate::limits::{ACCEPT_BACKOFF_MS, CONNECTIONS_PER_CORE_MAX};
use crate::runtime::clock;
use crate::runtime::net::Listener;

/// Accepts until the daemon stops. When descriptors or places are used up it rests, and connections wait in the
/// kernel: slower, not dead.
pub async fn run(listener: Listener, shared: Arc<Shared>) {
    let cores = shared.inboxes.len();
    let mut next = 0;
    while !shared.is_draining() {
        if shared.metrics.connections() >= cores * CONNECTIONS_PER_CORE_MAX {
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
