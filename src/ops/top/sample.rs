//! What one page of `/metrics` says, as far as `rhinobox top` shows it.
//!
//! Always: any text is read, and what is not understood is passed over; what is kept is numbers, under names of our own.

use crate::base::time::Wall;
use crate::ingest::Stage;
use crate::limits::{CORES_MAX, STAGE_BOUNDS_US};
use crate::runtime::clock;

/// The name of the whole behind the stages.
pub(super) const TOTAL: &str = "total";

/// What only grows: of a page since the daemon's start, of an interval within it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) stored_files: f64,
    pub(super) duplicate_files: f64,
    pub(super) failed_files: f64,
    pub(super) stored_bytes: f64,
    pub(super) saved_bytes: f64,
    /// Answers of every class, and those of class 4xx and 5xx.
    pub(super) answers: f64,
    pub(super) errors: f64,
    pub(super) shed: f64,
}

/// The numbers of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// When it came, by the clock that never goes back; and by the wall's.
    pub(super) at_ns: u64,
    pub(super) wall: Wall,
    pub(super) counters: Counters,
    pub(super) queue_depth: f64,
    pub(super) queue_capacity: f64,
    pub(super) connections: f64,
    pub(super) resident_bytes: f64,
    /// `None` while the store is being recovered.
    pub(super) store: Option<StoreSample>,
    /// By the numbers of stages, the whole last.
    pub(super) stages: Vec<StageSample>,
    /// By the numbers of cores.
    pub(super) cores: Vec<CoreSample>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct StoreSample {
    pub(super) contents: f64,
    pub(super) names: f64,
    pub(super) free_bytes: f64,
}

/// A stage's histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StageSample {
    /// Upper bounds in seconds and how many do not exceed them, as the page has them; the last bound is infinite.
    pub(super) buckets: Vec<(f64, f64)>,
    pub(super) sum_s: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CoreSample {
    pub(super) user_s: f64,
    pub(super) system_s: f64,
    pub(super) requests: f64,
    pub(super) queued: f64,
    pub(super) messages: f64,
}

impl Sample {
    /// Reads a page that came at this moment. `None` where it is no rhinobox's.
    pub(super) fn parse(page: &str, at_ns: u64) -> Option<Sample> {
        let mut sample = Sample { at_ns, wall: clock::wall(), ..Sample::default() };
        sample.stages.resize_with(Stage::ALL.len() + 1, StageSample::default);
        let mut cores = None;
        for (name, labels, value) in page.lines().filter_map(parse_line) {
            if name == "rhinobox_cores" {
                cores = Some(value);
            }
            sample.take(name, &labels, value);
        }
        cores.map(|_| sample)
    }

    fn take(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let label =
            |wanted: &str| labels.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| *value);
        let Some(name) = name.strip_prefix("rhinobox_") else { return };
        match (name, label("outcome")) {
            ("files_total", "stored") => self.counters.stored_files = value,
            ("files_total", "duplicate") => self.counters.duplicate_files = value,
            ("files_total", "failed") => self.counters.failed_files = value,
            ("stored_bytes_total", _) => self.counters.stored_bytes = value,
            ("saved_bytes_total", _) => self.counters.saved_bytes = value,
            ("answers_total", _) => {
                self.counters.answers += value;
                self.counters.errors += if matches!(label("class"), "4xx" | "5xx") { value } else { 0.0 };
            }
            ("shed_total", _) => self.counters.shed = value,
            ("queue_depth", _) => self.queue_depth = value,
            ("queue_capacity", _) => self.queue_capacity = value,
            ("connections", _) => self.connections = value,
            ("resident_bytes", _) => self.resident_bytes = value,
            ("contents", _) => self.store.get_or_insert_default().contents = value,
            ("names", _) => self.store.get_or_insert_default().names = value,
            ("volume_free_bytes", _) => self.store.get_or_insert_default().free_bytes = value,
            ("stage_seconds_bucket" | "stage_seconds_sum", _) => {
                let Some(stage) = stage_number(label("stage")) else { return };
                let stage = &mut self.stages[stage];
                match label("le").parse::<f64>() {
                    _ if name == "stage_seconds_sum" => stage.sum_s = value,
                    // A page of ours has so many, and the infinite one.
                    Ok(bound) if !bound.is_nan() && stage.buckets.len() <= STAGE_BOUNDS_US.len() => {
                        stage.buckets.push((bound, value));
                    }
                    _ => {}
                }
            }
            ("core_cpu_seconds_total" | "core_requests" | "core_queue_records" | "inbox_messages", _) => {
                let Some(number) = label("core").parse::<usize>().ok().filter(|core| *core < CORES_MAX)
                else {
                    return;
                };
                if self.cores.len() <= number {
                    self.cores.resize(number + 1, CoreSample::default());
                }
                let core = &mut self.cores[number];
                match (name, label("mode")) {
                    ("core_cpu_seconds_total", "user") => core.user_s = value,
                    ("core_cpu_seconds_total", "system") => core.system_s = value,
                    ("core_requests", _) => core.requests = value,
                    ("core_queue_records", _) => core.queued = value,
                    ("inbox_messages", _) => core.messages = value,
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// The names of the stages, the whole last.
pub(super) fn stage_names() -> impl Iterator<Item = &'static str> {
    Stage::ALL.iter().map(|stage| stage.as_str()).chain([TOTAL])
}

fn stage_number(name: &str) -> Option<usize> {
    stage_names().position(|stage| stage == name)
}

/// Names and values.
type Labels<'a> = Vec<(&'a str, &'a str)>;

/// Name, labels and value of a line of the text form; `None` for a comment, and for what is no such line. Values of labels
/// stay as they are written: ours have nothing escaped.
fn parse_line(line: &str) -> Option<(&str, Labels<'_>, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = match line.rfind('}') {
        Some(at) => line.split_at(at + 1),
        None => line.split_at(line.find(' ')?),
    };
    // Behind the value there may be a time.
    let value =
        value.split_ascii_whitespace().next()?.parse().ok().filter(|value: &f64| value.is_finite())?;
    let Some((name, labels)) = series.split_once('{') else { return Some((series, Vec::new(), value)) };
    let mut rest = labels.strip_suffix('}')?;
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, behind) = rest.split_once("=\"")?;
        let (text, behind) = behind.split_once('"')?;
        labels.push((label, text));
        rest = behind.strip_prefix(',').unwrap_or(behind);
    }
    Some((name, labels, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_name_labels_and_a_value() {
        assert_eq!(parse_line("a 1"), Some(("a", vec![], 1.0)));
        assert_eq!(parse_line("a{} 1e3 1700000000"), Some(("a", vec![], 1_000.0)));
        let two = parse_line("a{b=\"c d\",e=\"}\"} 0.5");
        assert_eq!(two, Some(("a", vec![("b", "c d"), ("e", "}")], 0.5)));
        for line in
            ["", "# HELP a b", "a", "a x", "a NaN", "a +Inf", "a{b} 1", "a{b=\"c 1", "a}{ 1", "\u{1b}[2J"]
        {
            assert_eq!(parse_line(line), None, "{line}");
        }
    }

    #[test]
    fn a_page_of_ours_is_read_whole() {
        let page = "\
# TYPE rhinobox_files_total counter
rhinobox_files_total{outcome=\"stored\"} 7
rhinobox_files_total{outcome=\"duplicate\"} 3
rhinobox_answers_total{class=\"2xx\"} 10
rhinobox_answers_total{class=\"4xx\"} 2
rhinobox_answers_total{class=\"5xx\"} 1
rhinobox_cores 2
rhinobox_contents 7
rhinobox_stage_seconds_bucket{stage=\"write\",le=\"0.0001\"} 4
rhinobox_stage_seconds_bucket{stage=\"write\",le=\"+Inf\"} 5
rhinobox_stage_seconds_sum{stage=\"write\"} 0.25
rhinobox_stage_seconds_bucket{stage=\"unheard of\",le=\"1\"} 5
rhinobox_core_cpu_seconds_total{core=\"1\",mode=\"system\"} 1.5
rhinobox_core_cpu_seconds_total{core=\"99999999\",mode=\"system\"} 1.5
rhinobox_core_queue_records{core=\"1\"} 12
rhinobox_unheard_of 5
something_else{stored=\"1\"} 5
";
        let sample = Sample::parse(page, 5).unwrap();
        let counters = sample.counters;
        assert_eq!((counters.stored_files, counters.duplicate_files, counters.failed_files), (7.0, 3.0, 0.0));
        assert_eq!((counters.answers, counters.errors), (13.0, 3.0));
        assert_eq!(sample.store, Some(StoreSample { contents: 7.0, ..StoreSample::default() }));
        let write = &sample.stages[Stage::Write as usize];
        assert_eq!(
            (write.buckets.as_slice(), write.sum_s),
            (&[(0.0001, 4.0), (f64::INFINITY, 5.0)][..], 0.25)
        );
        assert!(sample.stages[Stage::Hash as usize].buckets.is_empty());
        assert_eq!(sample.cores.len(), 2);
        assert_eq!(sample.cores[1], CoreSample { system_s: 1.5, queued: 12.0, ..CoreSample::default() });
    }

    #[test]
    fn a_page_of_something_else_is_none_of_ours_and_an_endless_one_is_not_kept() {
        assert!(Sample::parse("", 0).is_none());
        assert!(Sample::parse("<html>rhinobox_cores</html>\nup 1\n", 0).is_none());
        let mut page = String::from("rhinobox_cores 1\n");
        for bound in 0..10_000 {
            page.push_str(&format!("rhinobox_stage_seconds_bucket{{stage=\"hash\",le=\"{bound}\"}} 1\n"));
        }
        let sample = Sample::parse(&page, 0).unwrap();
        assert_eq!(sample.stages[Stage::Hash as usize].buckets.len(), STAGE_BOUNDS_US.len() + 1);
    }
}
