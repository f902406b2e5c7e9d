//! What cores share, for unit tests.

use std::sync::Arc;
use std::time::Duration;

use super::{ServerSettings, Shared};
use crate::http::origin::Hosts;
use crate::store::Durability;
use crate::tokens::{Access, Gate};

/// Of so many cores, with little memory and short limits.
pub(super) fn shared(cores: usize) -> Arc<Shared> {
    let second = Duration::from_secs(1);
    let settings = ServerSettings {
        upload_bytes_max: 1 << 20,
        durability: Durability::Commit,
        buffer_bytes: 1 << 20,
        head_timeout: second,
        body_timeout: second,
        body_rate: 0,
        idle_timeout: second,
        answer_timeout: second,
        scrub: None,
        stop_timeout: second,
    };
    let hosts = Hosts::new("127.0.0.1:1".parse().unwrap(), []);
    Shared::new(settings, hosts, Arc::new(Gate::new(Access::Open)), cores)
}
