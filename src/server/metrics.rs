//! Counts and times of requests, and their Prometheus form (text format 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Shared;
use super::access::AccessLog;
use crate::base::histogram::{Durations, Recorder};
use crate::catalogue::Catalogue;
use crate::http::error::Status;
use crate::ingest::Stage;
use crate::ingest::stages::Spent;
use crate::limits::STAGE_BOUNDS_US;
use crate::runtime::core::yield_now;
use crate::runtime::process;
use crate::store::Store;
use crate::store::stats::LaneStats;

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
    /// The number of its thread; 0 while it is not known.
    thread: AtomicU32,
    /// Its lane, once the store is open.
    lane: OnceLock<Arc<LaneStats>>,
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

    /// A core runs on this thread.
    pub(super) fn note_thread(&self, core: usize, thread: u32) {
        self.cores[core].thread.store(thread, Ordering::Relaxed);
    }

    /// A core writes this lane.
    pub(super) fn note_lane(&self, core: usize, lane: &Arc<LaneStats>) {
        // A core has one lane for its life.
        let _first = self.cores[core].lane.set(lane.clone());
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

    /// What these recorders of all cores hold now.
    fn all(&self, recorder: impl Fn(&PerCore) -> &Recorder) -> Durations {
        Durations::of(self.cores.iter().map(recorder))
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

/// What takes long to look at where there are many cores, so that others may go first in between.
pub struct View {
    requests: Durations,
    /// Stages of uploads by name, the whole last.
    stages: Vec<(&'static str, Durations)>,
    /// Processor time of each core, (user, system).
    cpu: Vec<Option<(Duration, Duration)>>,
}

impl View {
    /// Looks, on the core that answers.
    pub async fn take(shared: &Shared) -> View {
        let metrics = &shared.metrics;
        let mut stages = Vec::with_capacity(Stage::ALL.len() + 1);
        for stage in Stage::ALL {
            stages.push((stage.as_str(), metrics.all(|core| &core.stages[stage as usize])));
            yield_now().await;
        }
        stages.push(("total", metrics.all(|core| &core.uploads)));
        let mut cpu = Vec::with_capacity(metrics.cores.len());
        for core in &metrics.cores {
            cpu.push(process::thread_cpu_time(core.thread.load(Ordering::Relaxed)));
            yield_now().await;
        }
        View { requests: metrics.all(|core| &core.requests), stages, cpu }
    }
}

/// Everything, as Prometheus reads it. Without a store while it is being recovered.
#[must_use]
pub fn render(shared: &Shared, store: Option<&Store>, view: &View) -> String {
    let mut page = Page(String::with_capacity(40 * 1024));
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
    page.counter(
        "rhinobox_access_log_dropped_total",
        "Lines of the access log that were not written.",
        shared.access_log().map_or(0, AccessLog::dropped),
    );
    page.counter("rhinobox_panics_total", "Connections that ended in a panic.", load(&metrics.panics));

    page.summary(
        "rhinobox_request_seconds",
        "From a request's head to the end of its answer.",
        &view.requests,
    );
    render_stages(&mut page, view);

    page.gauge("rhinobox_connections", "Open connections.", metrics.connections() as u64);
    page.gauge("rhinobox_cores", "Cores.", shared.inboxes.len() as u64);
    page.gauge("rhinobox_queue_depth", "Files admitted and not yet stored.", shared.queue.depth() as u64);
    page.gauge(
        "rhinobox_queue_capacity",
        "Files that may be admitted at once.",
        shared.queue.capacity() as u64,
    );
    render_cores(&mut page, shared, view);
    page.gauge("rhinobox_resident_bytes", "Resident memory of the process.", process::rss_bytes());
    let (user, system) = process::cpu_time();
    page.head("rhinobox_cpu_seconds_total", "counter", "Processor time of the process.");
    for (mode, time) in [("user", user), ("system", system)] {
        page.text(&format!("rhinobox_cpu_seconds_total{{mode=\"{mode}\"}} {:.3}\n", time.as_secs_f64()));
    }
    if let Some(store) = store {
        render_store(&mut page, store);
        if let Some(catalogue) = shared.catalogue() {
            render_catalogue(&mut page, catalogue, store);
        }
    }
    page.0
}

fn render_stages(page: &mut Page, view: &View) {
    let name = "rhinobox_stage_seconds";
    page.head(name, "histogram", "Where the time of uploads goes: each one counts once in every stage.");
    let bounds_ns = STAGE_BOUNDS_US.map(|us| us * 1_000);
    for (stage, durations) in &view.stages {
        for (bound_us, count) in STAGE_BOUNDS_US.iter().zip(durations.at_most(&bounds_ns)) {
            let bound = bound(*bound_us);
            page.line(name, &format!("_bucket{{stage=\"{stage}\",le=\"{bound}\"}}"), count);
        }
        page.line(name, &format!("_bucket{{stage=\"{stage}\",le=\"+Inf\"}}"), durations.count());
        page.text(&format!("{name}_sum{{stage=\"{stage}\"}} {}\n", seconds(durations.sum_ns())));
        page.line(name, &format!("_count{{stage=\"{stage}\"}}"), durations.count());
    }
    let name = "rhinobox_stage_quantile_seconds";
    page.head(name, "gauge", "Quantiles of the same, since the start.");
    for (stage, durations) in &view.stages {
        for quantile in QUANTILES {
            let value = seconds(durations.quantile_ns(quantile));
            page.text(&format!("{name}{{stage=\"{stage}\",quantile=\"{quantile}\"}} {value}\n"));
        }
    }
}

fn render_cores(page: &mut Page, shared: &Shared, view: &View) {
    let cores = &shared.metrics.cores;
    let label = |core: usize| format!("{{core=\"{core}\"}}");
    page.head("rhinobox_inbox_messages", "gauge", "Messages waiting in a core's inbox.");
    for (core, inbox) in shared.inboxes.iter().enumerate() {
        page.line("rhinobox_inbox_messages", &label(core), inbox.len() as u64);
    }
    page.head("rhinobox_core_requests", "gauge", "Requests that a core has in work.");
    for (number, core) in cores.iter().enumerate() {
        page.line("rhinobox_core_requests", &label(number), core.in_work.load(Ordering::Relaxed) as u64);
    }
    page.head("rhinobox_core_queue_records", "gauge", "Records that wait for a core's committer.");
    for (number, core) in cores.iter().enumerate() {
        let waiting = core.lane.get().map_or(0, |lane| lane.waiting());
        page.line("rhinobox_core_queue_records", &label(number), waiting as u64);
    }
    page.head("rhinobox_core_cpu_seconds_total", "counter", "Processor time of a core's thread.");
    for (core, time) in view.cpu.iter().enumerate() {
        let Some((user, system)) = time else { continue };
        for (mode, time) in [("user", user), ("system", system)] {
            let seconds = time.as_secs_f64();
            let labels = format!("{{core=\"{core}\",mode=\"{mode}\"}}");
            page.text(&format!("rhinobox_core_cpu_seconds_total{labels} {seconds:.2}\n"));
        }
    }
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
    page.gauge("rhinobox_segment_bytes", "Bytes written in them.", store.log_bytes());
    let kept = "Records of deletes, and others that the index does not show, written since the start.";
    page.gauge("rhinobox_tombstone_bytes", kept, store.tombstone_bytes());
    let (compaction, scrub, checkpoint) = (&store.compaction, &store.scrub, &store.checkpoint);
    for (name, help, count) in [
        ("rhinobox_compacted_segments_total", "Segments removed by compaction.", &compaction.segments),
        ("rhinobox_compaction_freed_bytes_total", "Bytes of those segments.", &compaction.freed_bytes),
        ("rhinobox_compaction_copied_bytes_total", "Bytes copied out of them.", &compaction.copied_bytes),
        (
            "rhinobox_forgotten_deletes_total",
            "Records of deletes that compaction left behind.",
            &compaction.forgotten_deletes,
        ),
        ("rhinobox_checkpoints_total", "Checkpoints of the index made.", &checkpoint.made),
        ("rhinobox_scrub_bytes_total", "Bytes read again and checked.", &scrub.bytes),
        ("rhinobox_scrub_damage_total", "Places that did not check.", &scrub.damage),
        ("rhinobox_scrub_cycles_total", "Times that everything was read again.", &scrub.cycles),
    ] {
        page.counter(name, help, count.load(Ordering::Relaxed));
    }
    page.counter(
        "rhinobox_reused_segments_total",
        "Files of removed segments that became segments again.",
        store.reused_segments(),
    );
    let bytes = checkpoint.bytes.load(Ordering::Relaxed);
    page.gauge("rhinobox_checkpoint_bytes", "Bytes of the last checkpoint made.", bytes);
    page.gauge(
        "rhinobox_oldest_unverified_seconds",
        "Everything stored longer ago than this was read again and checked since.",
        scrub.oldest_unverified_seconds(),
    );
    page.gauge("rhinobox_volume_free_bytes", "Free on the volume, as of the last look.", store.free_bytes());
}

fn render_catalogue(page: &mut Page, catalogue: &Catalogue, store: &Store) {
    let lag = catalogue.lag(store.index.next_lsn());
    let name = "rhinobox_catalogue_lag_seconds";
    page.head(name, "gauge", "Since all that the log held was in the catalogue.");
    page.text(&format!("{name} {}\n", seconds(lag.ns)));
    let help = "Numbers of records drawn since then: at least as many as there are changes to enter.";
    page.gauge("rhinobox_catalogue_lag_records", help, lag.numbers);
    page.counter(
        "rhinobox_catalogue_changes_total",
        "Changes entered in the catalogue.",
        catalogue.changes(),
    );
    page.counter("rhinobox_catalogue_remade_total", "Times that it was made anew.", catalogue.times_made());
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
        for quantile in QUANTILES {
            let value = seconds(durations.quantile_ns(quantile));
            let _infallible = writeln!(self.0, "{name}{{quantile=\"{quantile}\"}} {value}");
        }
        let sum = seconds(durations.sum_ns());
        let _infallible = writeln!(self.0, "{name}_sum {sum}\n{name}_count {}", durations.count());
    }
}

/// The quantiles that are told.
const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// A bound in seconds, as short as it goes.
fn bound(microseconds: u64) -> String {
    let text = format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim::Sim;
    use crate::server::testing::shared;

    #[test]
    fn bounds_are_as_short_as_they_go() {
        let short = [10, 2_000, 700_000, 1_000_000, 10_000_000].map(bound);
        assert_eq!(short, ["0.00001", "0.002", "0.7", "1", "10"]);
        assert!(STAGE_BOUNDS_US.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_cores_record_is_one_histogram_and_each_upload_counts_once_in_every_stage() {
        let work = async {
            let shared = shared(3);
            for upload in 0..30 {
                let mut spent = [0; Stage::ALL.len()];
                spent[Stage::Hash as usize] = 25_000;
                spent[Stage::Write as usize] = if upload == 0 { 2_500_000_000 } else { 150_000 };
                let total = spent.iter().sum();
                shared.metrics.record_upload(upload % 3, &spent, total);
            }
            let page = render(&shared, None, &View::take(&shared).await);
            for line in [
                "rhinobox_stage_seconds_bucket{stage=\"hash\",le=\"0.00002\"} 0",
                "rhinobox_stage_seconds_bucket{stage=\"hash\",le=\"0.00003\"} 30",
                "rhinobox_stage_seconds_bucket{stage=\"claim\",le=\"0.00001\"} 30",
                "rhinobox_stage_seconds_bucket{stage=\"write\",le=\"0.0002\"} 29",
                "rhinobox_stage_seconds_bucket{stage=\"write\",le=\"2\"} 29",
                "rhinobox_stage_seconds_bucket{stage=\"write\",le=\"3\"} 30",
                "rhinobox_stage_seconds_bucket{stage=\"write\",le=\"+Inf\"} 30",
                "rhinobox_stage_seconds_count{stage=\"total\"} 30",
                "rhinobox_stage_seconds_sum{stage=\"hash\"} 0.000750000",
                "rhinobox_stage_seconds_sum{stage=\"total\"} 2.505100000",
                "rhinobox_stage_quantile_seconds{stage=\"recv\",quantile=\"0.999\"} 0.000000000",
            ] {
                assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
            }
        };
        Sim::new(3, 1).run(|| work).done();
    }
}
