//! Counts and times of requests, and their Prometheus form (text format 0.0.4).

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Shared;
use crate::base::histogram::{Durations, Recorder};
use crate::http::error::Status;
use crate::ingest::Stage;
use crate::ingest::stages::Spent;
use crate::runtime::process;
use crate::store::Store;

/// Counts since the start.
#[derive(Debug)]
pub struct Metrics {
    /// By first digit of the status, 1 to 5.
    statuses: [AtomicU64; 6],
    cores: Vec<PerCore>,
    connections: AtomicUsize,
    panics: AtomicU64,
    files_stored: AtomicU64,
    files_duplicate: AtomicU64,
    files_failed: AtomicU64,
    bytes_stored: AtomicU64,
    bytes_duplicate: AtomicU64,
    damaged_reads: AtomicU64,
    shed: AtomicU64,
}

/// What one core writes to, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct PerCore {
    /// Requests in work.
    in_work: AtomicUsize,
    /// Of all requests, from head to end of answer.
    requests: Recorder,
    /// Of uploads that were let in, each stage and the whole.
    stages: [Recorder; Stage::ALL.len()],
    uploads: Recorder,
}

impl Metrics {
    pub(super) fn new(cores: usize) -> Metrics {
        Metrics {
            statuses: Default::default(),
            cores: (0..cores).map(|_| PerCore::default()).collect(),
            connections: AtomicUsize::new(0),
            panics: AtomicU64::new(0),
            files_stored: AtomicU64::new(0),
            files_duplicate: AtomicU64::new(0),
            files_failed: AtomicU64::new(0),
            bytes_stored: AtomicU64::new(0),
            bytes_duplicate: AtomicU64::new(0),
            damaged_reads: AtomicU64::new(0),
            shed: AtomicU64::new(0),
        }
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// An answer of this status.
    pub fn count_status(&self, status: Status) {
        let class = usize::from(status.code() / 100).min(5);
        self.statuses[class].fetch_add(1, Ordering::Relaxed);
    }

    /// A file that was stored, or was there.
    pub fn count_file(&self, bytes: u64, duplicate: bool) {
        let (files, total) = if duplicate {
            (&self.files_duplicate, &self.bytes_duplicate)
        } else {
            (&self.files_stored, &self.bytes_stored)
        };
        files.fetch_add(1, Ordering::Relaxed);
        total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A file that was not stored.
    pub fn count_failed_file(&self) {
        self.files_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A stored copy that did not check.
    pub fn count_damaged_read(&self) {
        self.damaged_reads.fetch_add(1, Ordering::Relaxed);
    }

    /// An upload that was refused because the store is behind or the queue full.
    pub(super) fn count_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a core has a request in work.
    #[must_use]
    pub fn is_busy(&self, core: usize) -> bool {
        self.cores[core].in_work.load(Ordering::Relaxed) > 0
    }

    /// A core begins a request.
    pub(super) fn begin_request(&self, core: usize) {
        self.cores[core].in_work.fetch_add(1, Ordering::Relaxed);
    }

    /// A core has ended a request, one way or the other.
    pub(super) fn end_request(&self, core: usize) {
        self.cores[core].in_work.fetch_sub(1, Ordering::Relaxed);
    }

    /// A core has answered a request, after so long. To be called on that core.
    pub(super) fn record_request(&self, core: usize, nanoseconds: u64) {
        self.cores[core].requests.record(nanoseconds);
    }

    /// That was an upload. To be called on that core.
    pub(super) fn record_upload(&self, core: usize, spent_ns: &Spent, total_ns: u64) {
        let core = &self.cores[core];
        core.stages.iter().zip(spent_ns).for_each(|(stage, ns)| stage.record(*ns));
        core.uploads.record(total_ns);
    }

    /// What that stage of uploads took, on all cores.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> Durations {
        Durations::of(self.cores.iter().map(|core| &core.stages[stage as usize]))
    }

    /// What uploads took, on all cores.
    #[must_use]
    pub fn uploads(&self) -> Durations {
        Durations::of(self.cores.iter().map(|core| &core.uploads))
    }
}

/// An open connection, counted while this lives.
pub(super) struct Counted(Arc<Shared>);

impl Counted {
    pub(super) fn new(shared: &Arc<Shared>) -> Counted {
        shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
        Counted(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everything, as Prometheus reads it. Without a store while it is being recovered.
#[must_use]
pub fn render(shared: &Shared, store: Option<&Store>) -> String {
    let mut page = Page(String::with_capacity(8 * 1024));
    let metrics = &shared.metrics;
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    page.head("rhinobox_answers_total", "counter", "Answers by class of status.");
    for (class, count) in metrics.statuses.iter().enumerate().skip(1) {
        page.line("rhinobox_answers_total", &format!("{{class=\"{class}xx\"}}"), load(count));
    }
    let errors = load(&metrics.statuses[4]) + load(&metrics.statuses[5]);
    let answers: u64 = metrics.statuses.iter().map(load).sum();
    page.ratio("rhinobox_error_ratio", "Answers of class 4xx and 5xx, of all.", errors, answers);
    page.head("rhinobox_files_total", "counter", "Files by outcome.");
    for (outcome, count) in [
        ("stored", &metrics.files_stored),
        ("duplicate", &metrics.files_duplicate),
        ("failed", &metrics.files_failed),
    ] {
        page.line("rhinobox_files_total", &format!("{{outcome=\"{outcome}\"}}"), load(count));
    }
    page.counter("rhinobox_stored_bytes_total", "Bytes of new contents.", load(&metrics.bytes_stored));
    page.counter("rhinobox_saved_bytes_total", "Bytes of duplicates.", load(&metrics.bytes_duplicate));
    page.counter(
        "rhinobox_damaged_reads_total",
        "Stored copies that did not check.",
        load(&metrics.damaged_reads),
    );
    page.counter(
        "rhinobox_shed_total",
        "Uploads refused because the store is behind or the queue full.",
        load(&metrics.shed),
    );
    page.counter("rhinobox_panics_total", "Connections that ended in a panic.", load(&metrics.panics));

    let requests = Durations::of(metrics.cores.iter().map(|core| &core.requests));
    page.summary("rhinobox_request_seconds", "From a request's head to the end of its answer.", &requests);

    page.gauge("rhinobox_connections", "Open connections.", metrics.connections() as u64);
    page.gauge("rhinobox_cores", "Cores.", shared.inboxes.len() as u64);
    page.gauge("rhinobox_queue_depth", "Files admitted and not yet stored.", shared.queue.depth() as u64);
    page.gauge(
        "rhinobox_queue_capacity",
        "Files that may be admitted at once.",
        shared.queue.capacity() as u64,
    );
    page.head("rhinobox_inbox_messages", "gauge", "Messages waiting in a core's inbox.");
    for (core, inbox) in shared.inboxes.iter().enumerate() {
        page.line("rhinobox_inbox_messages", &format!("{{core=\"{core}\"}}"), inbox.len() as u64);
    }
    page.gauge("rhinobox_resident_bytes", "Resident memory of the process.", process::rss_bytes());
    let (user, system) = process::cpu_time();
    page.head("rhinobox_cpu_seconds_total", "counter", "Processor time of the process.");
    for (mode, time) in [("user", user), ("system", system)] {
        page.text(&format!("rhinobox_cpu_seconds_total{{mode=\"{mode}\"}} {:.3}\n", time.as_secs_f64()));
    }
    if let Some(store) = store {
        render_store(&mut page, store);
    }
    page.0
}

fn render_store(page: &mut Page, store: &Store) {
    let view = store.stats.view();
    page.summary("rhinobox_flush_seconds", "Write and flush of a batch.", &view.flush);
    page.counter("rhinobox_commits_total", "Batches committed.", view.commits);
    page.counter("rhinobox_records_total", "Records in them.", view.records);
    page.counter("rhinobox_log_bytes_total", "Bytes of them.", view.bytes);
    let usage = store.index.usage();
    page.gauge("rhinobox_contents", "Distinct contents stored.", usage.contents);
    page.gauge("rhinobox_names", "Names stored.", usage.names);
    page.gauge("rhinobox_index_bytes", "Memory of the index.", usage.memory_bytes as u64);
    page.gauge("rhinobox_segments", "Segments of the log.", store.segment_count() as u64);
    let (compaction, scrub, checkpoint) = (&store.compaction, &store.scrub, &store.checkpoint);
    for (name, help, count) in [
        ("rhinobox_compacted_segments_total", "Segments removed by compaction.", &compaction.segments),
        ("rhinobox_compaction_freed_bytes_total", "Bytes of those segments.", &compaction.freed_bytes),
        ("rhinobox_compaction_copied_bytes_total", "Bytes copied out of them.", &compaction.copied_bytes),
        ("rhinobox_checkpoints_total", "Checkpoints of the index made.", &checkpoint.made),
        ("rhinobox_scrub_bytes_total", "Bytes read again and checked.", &scrub.bytes),
        ("rhinobox_scrub_damage_total", "Places that did not check.", &scrub.damage),
        ("rhinobox_scrub_cycles_total", "Times that everything was read again.", &scrub.cycles),
    ] {
        page.counter(name, help, count.load(Ordering::Relaxed));
    }
    let bytes = checkpoint.bytes.load(Ordering::Relaxed);
    page.gauge("rhinobox_checkpoint_bytes", "Bytes of the last checkpoint made.", bytes);
    page.gauge(
        "rhinobox_oldest_unverified_seconds",
        "Everything stored longer ago than this was read again and checked since.",
        scrub.oldest_unverified_seconds(),
    );
    page.gauge("rhinobox_volume_free_bytes", "Free on the volume, as of the last look.", store.free_bytes());
}

/// The page in the making.
struct Page(String);

impl Page {
    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _infallible = writeln!(self.0, "{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.line(name, "", value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.line(name, "", value);
    }

    fn ratio(&mut self, name: &str, help: &str, part: u64, whole: u64) {
        self.head(name, "gauge", help);
        let thousandths = (part * 1_000_000).checked_div(whole).unwrap_or(0);
        let _infallible =
            writeln!(self.0, "{name} {}.{:06}", thousandths / 1_000_000, thousandths % 1_000_000);
    }

    fn summary(&mut self, name: &str, help: &str, durations: &Durations) {
        self.head(name, "summary", help);
        for quantile in [0.5, 0.95, 0.99, 0.999] {
            let value = seconds(durations.quantile_ns(quantile));
            let _infallible = writeln!(self.0, "{name}{{quantile=\"{quantile}\"}} {value}");
        }
        let sum = seconds(durations.sum_ns());
        let _infallible = writeln!(self.0, "{name}_sum {sum}\n{name}_count {}", durations.count());
    }
}

fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}
