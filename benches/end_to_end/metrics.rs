//! The daemon's own word: its page of metrics, asked for over a connection that is not timed.

use std::str::FromStr;

use serde::Serialize;

use crate::Result;
use crate::answer::Keep;
use crate::client::{Connection, shown};
use crate::daemon::Daemon;

/// The stages of an upload as the daemon names them, in the order a small one passes them.
const STAGES: [&str; 8] = ["admit", "recv", "parse", "hash", "claim", "queue", "write", "answer"];

/// A page of metrics.
pub(crate) struct Metrics(String);

/// What a stage took of uploads since the daemon's start, microseconds.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct StageTime {
    pub(crate) stage: &'static str,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Metrics {
    /// Asks for the page.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(reader: &mut Connection, daemon: &Daemon) -> Result<Self> {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n{}\r\n", daemon.address, shown());
        let answer = reader.ask(request.as_bytes(), Keep::Bytes)?;
        if answer.status != 200 {
            return Err(format!("{} for the metrics: {}", answer.status, answer.excerpt()).into());
        }
        Ok(Self(String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// A figure by its name, labels included, if the page has it.
    pub(crate) fn get<T: FromStr>(&self, name: &str) -> Option<T> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.trim().parse().ok()
    }

    /// Where the time of uploads went; empty if there were none, or the page does not say.
    pub(crate) fn stages(&self) -> Vec<StageTime> {
        STAGES.into_iter().map(|stage| self.stage(stage)).collect::<Option<_>>().unwrap_or_default()
    }

    fn stage(&self, stage: &'static str) -> Option<StageTime> {
        let of =
            |figure: &str| self.get::<f64>(&format!("rhinobox_stage_seconds_{figure}{{stage=\"{stage}\"}}"));
        let us = |quantile: &str| {
            let labels = format!("{{stage=\"{stage}\",quantile=\"{quantile}\"}}");
            Some(self.get::<f64>(&format!("rhinobox_stage_quantile_seconds{labels}"))? * 1e6)
        };
        let count = of("count").filter(|count| *count > 0.0)?;
        Some(StageTime { stage, mean_us: of("sum")? / count * 1e6, p50_us: us("0.5")?, p99_us: us("0.99")? })
    }
}
