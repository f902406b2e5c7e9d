//! The work itself, the same for all: which bytes go where, their digest, the clock, and the check afterwards.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rhinobox::base::digest::Digest;
use rhinobox::runtime::process::cpu_time;

use crate::Result;
use crate::support::baseline::Flush;
use crate::support::random::Random;

/// Longer than any write takes.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What one repetition does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A file of zeros.
    pub(crate) path: PathBuf,
    pub(crate) file_bytes: usize,
    /// Of each content.
    pub(crate) bytes: usize,
    pub(crate) flush: Flush,
    pub(crate) in_flight: usize,
    pub(crate) time: Duration,
}

impl Plan {
    /// One slot for each content under way.
    ///
    /// # Errors
    /// If memory has no room for a histogram.
    pub(crate) fn slots(&self) -> Result<Vec<Slot>> {
        let next = Arc::new(AtomicU64::new(0));
        let until = Instant::now() + self.time;
        (0..self.in_flight)
            .map(|_| {
                Ok(Slot {
                    plan: self.clone(),
                    next: next.clone(),
                    until,
                    begun: Instant::now(),
                    histogram: Histogram::new_with_max(LATENCY_NS_MAX, 3)?,
                    last: None,
                })
            })
            .collect()
    }

    /// What a slot's contents begin with being, before the first is stamped.
    pub(crate) fn noise(&self, content: &mut [u8]) {
        Random(self.bytes as u64 | 1).fill(content);
    }
}

/// A content on its way, then the next.
pub(crate) struct Slot {
    plan: Plan,
    next: Arc<AtomicU64>,
    until: Instant,
    begun: Instant,
    histogram: Histogram<u64>,
    last: Option<(u64, Digest)>,
}

impl Slot {
    /// Makes the next content in `content`, hashes it, and says where it goes; `None` when the time is over.
    pub(crate) fn next(&mut self, content: &mut [u8]) -> Option<u64> {
        self.begun = Instant::now();
        if self.begun >= self.until {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        content[..8].copy_from_slice(&number.to_le_bytes());
        let digest = Digest::of(content);
        let places = (self.plan.file_bytes / self.plan.bytes) as u64;
        let offset = number % places * self.plan.bytes as u64;
        self.last = Some((offset, digest));
        Some(offset)
    }

    /// The content is durable.
    pub(crate) fn done(&mut self) {
        self.histogram.saturating_record(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
}

/// What a repetition came to.
pub(crate) struct Once {
    pub(crate) files_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Of the process, its rings' workers included.
    pub(crate) cpu_us_per_file: f64,
}

impl Once {
    /// Does the work and checks what it left.
    ///
    /// # Errors
    /// If the disk refuses, or what a slot wrote last is not there.
    pub(crate) fn measure(plan: &Plan, way: impl Fn(&Plan) -> Result<Vec<Slot>>) -> Result<Once> {
        let (begun, cpu_before) = (Instant::now(), cpu());
        let slots = way(plan)?;
        let (took, cpu) = (begun.elapsed(), cpu() - cpu_before);
        if slots.len() != plan.in_flight {
            return Err(format!("{} slots of {} came back", slots.len(), plan.in_flight).into());
        }
        let (file, mut found) = (File::open(&plan.path)?, vec![0; plan.bytes]);
        let mut histogram = Histogram::<u64>::new(3)?;
        for slot in &slots {
            histogram.add(&slot.histogram)?;
            let Some((offset, digest)) = slot.last else { continue };
            file.read_exact_at(&mut found, offset)?;
            if Digest::of(&found) != digest {
                return Err(format!("at {offset} is not what was written there last").into());
            }
        }
        if histogram.is_empty() {
            return Err("nothing was written in the time there was".into());
        }
        let us = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        let files = histogram.len() as f64;
        Ok(Once {
            files_per_second: files / took.as_secs_f64(),
            p50_us: us(0.5),
            p99_us: us(0.99),
            cpu_us_per_file: cpu.as_secs_f64() * 1e6 / files,
        })
    }
}

fn cpu() -> Duration {
    let (user, system) = cpu_time();
    user + system
}
