//! `/healthz`, `/readyz`, `/metrics`: what an operator watches is there and true.

use crate::support::{Daemon, Form, Setup};

#[test]
fn health_and_readiness_are_200_while_it_serves() {
    let daemon = Daemon::start();
    let health = daemon.get("/healthz").expect(200).json();
    assert_eq!(health["status"], "ok");
    assert!(health["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    daemon.get("/readyz").expect(200);
    let root = daemon.get("/").expect(200).json();
    assert_eq!(root["name"], "rhinobox");
    let head = daemon.connect().ask("HEAD", "/metrics", &[], b"").expect(200);
    assert!(head.field("Content-Type").is_some_and(|kind| kind.starts_with("text/plain")));
}

#[test]
fn counts_are_those_of_what_was_done() {
    let daemon = Setup::new().flag("--cores", "2").start();
    daemon.upload("a.txt", b"twelve bytes");
    daemon.upload("b.txt", b"twelve bytes");
    Form::new().file("n".repeat(1_100).as_str(), b"x").send(&mut daemon.connect()).expect(400);
    daemon.get("/nothing").expect(404);
    assert_eq!(daemon.metric("rhinobox_files_total{outcome=\"stored\"}"), 1.0);
    assert_eq!(daemon.metric("rhinobox_files_total{outcome=\"duplicate\"}"), 1.0);
    assert_eq!(daemon.metric("rhinobox_files_total{outcome=\"failed\"}"), 1.0);
    assert_eq!(daemon.metric("rhinobox_stored_bytes_total"), 12.0);
    assert_eq!(daemon.metric("rhinobox_saved_bytes_total"), 12.0);
    assert_eq!(daemon.metric("rhinobox_contents"), 1.0);
    assert_eq!(daemon.metric("rhinobox_names"), 2.0);
    assert_eq!(daemon.metric("rhinobox_cores"), 2.0);
    assert_eq!(daemon.metric("rhinobox_queue_depth"), 0.0);
    assert_eq!(daemon.metric("rhinobox_queue_capacity"), 10_000.0);
    assert!(daemon.metric("rhinobox_answers_total{class=\"4xx\"}") >= 2.0);
    assert_eq!(daemon.metric("rhinobox_answers_total{class=\"5xx\"}"), 0.0);
    let ratio = daemon.metric("rhinobox_error_ratio");
    assert!(ratio > 0.0 && ratio < 1.0, "{ratio}");
    for quantile in ["0.5", "0.95", "0.99"] {
        assert!(daemon.metric(&format!("rhinobox_request_seconds{{quantile=\"{quantile}\"}}")) > 0.0);
    }
    assert!(daemon.metric("rhinobox_request_seconds_count") > 10.0);
    assert!(daemon.metric("rhinobox_resident_bytes") > 1e6);
    assert_eq!(daemon.metric("rhinobox_panics_total"), 0.0);
}

const STAGES: [&str; 9] = ["admit", "recv", "parse", "hash", "claim", "queue", "write", "answer", "total"];

/// The numbers of a series for a stage, as they stand on the page.
fn of_stage(page: &str, series: &str, stage: &str) -> Vec<f64> {
    let start = format!("rhinobox_stage_{series}{{stage=\"{stage}\"");
    let lines = page.lines().filter(|line| line.starts_with(&start));
    lines.map(|line| line.rsplit_once(' ').expect("a value").1.parse().expect("a number")).collect()
}

#[test]
fn every_upload_counts_once_in_every_stage_and_stages_add_up() {
    let daemon = Setup::new().flag("--cores", "2").start();
    daemon.upload("a.txt", b"one");
    daemon.upload("b.txt", b"one");
    let batch =
        (0..300).fold(Form::new(), |form, n| form.file(&format!("{n}"), format!("file {n}").as_bytes()));
    assert_eq!(batch.send(&mut daemon.connect()).stored().len(), 300);
    let big = vec![7; 600_000];
    daemon.connect().ask("PUT", "/files/big.bin", &[], &big).expect(201);
    // Let in, and in vain; refused by its head; and no upload.
    Form::new().file("n".repeat(1_100).as_str(), b"x").send(&mut daemon.connect()).expect(400);
    daemon.connect().ask("PUT", "/files/a", &[("Content-Encoding", "gzip")], b"").expect(415);
    daemon.get("/nothing").expect(404);
    // An answer is counted when it was sent, perhaps a moment after it was read.
    daemon.wait_for_metric("rhinobox_stage_seconds_count{stage=\"total\"}", 5.0);
    let page = daemon.get("/metrics").expect(200).text();
    for stage in STAGES {
        let buckets = of_stage(&page, "seconds_bucket", stage);
        assert_eq!(buckets.len(), 32, "{stage}");
        assert!(buckets.is_sorted(), "{stage}: {buckets:?}");
        assert_eq!(buckets.last(), Some(&5.0), "{stage}");
        assert_eq!(of_stage(&page, "seconds_count", stage), [5.0], "{stage}");
        let quantiles = of_stage(&page, "quantile_seconds", stage);
        assert_eq!(quantiles.len(), 4, "{stage}");
        assert!(quantiles.is_sorted(), "{stage}: {quantiles:?}");
    }
    let sums = STAGES.map(|stage| of_stage(&page, "seconds_sum", stage)[0]);
    let (total, stages) = sums.split_last().expect("nine");
    assert!((stages.iter().sum::<f64>() - total).abs() < 1e-6, "{sums:?}");
    assert!(page.contains("rhinobox_stage_seconds_bucket{stage=\"hash\",le=\"0.00001\"}"));
    assert!(page.contains("rhinobox_stage_seconds_bucket{stage=\"hash\",le=\"10\"}"));
    assert!(page.contains("rhinobox_stage_quantile_seconds{stage=\"write\",quantile=\"0.999\"}"));
}

#[test]
fn every_metric_and_stage_stands_in_the_documents_and_no_other_does() {
    let daemon = Daemon::start();
    let page = daemon.get("/metrics").expect(200).text();
    let documents = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let read = |name: &str| std::fs::read_to_string(documents.join(name)).expect("it is there");
    let (contract, manual) = (read("API.md"), read("OPERATING.md"));
    let mut kinds = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE rhinobox_")) {
        let (name, kind) = line.split_once(' ').expect("name and type");
        kinds.entry(kind).or_default().push(name);
        let shown =
            manual.contains(&format!("`rhinobox_{name}`")) || manual.contains(&format!("`rhinobox_{name}{{"));
        assert!(shown, "OPERATING.md says nothing of rhinobox_{name}");
    }
    for (kind, mut names) in kinds {
        let start = format!("| {kind} | ");
        let row = contract.lines().find_map(|line| line.strip_prefix(start.as_str()));
        let row = row.unwrap_or_else(|| panic!("API.md has no row of {kind}"));
        let mut told: Vec<&str> =
            row.split('`').skip(1).step_by(2).map(|name| name.split('{').next().expect("a name")).collect();
        names.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, names, "{kind}");
    }
    for stage in STAGES {
        assert!(manual.contains(&format!("| `{stage}` | ")), "OPERATING.md does not say what {stage} is");
    }
}

#[test]
fn each_core_says_its_load() {
    let daemon = Setup::new().flag("--cores", "2").start();
    for core in 0..2 {
        // Whoever answers has this request in work.
        assert!(daemon.metric(&format!("rhinobox_core_requests{{core=\"{core}\"}}")) <= 1.0);
        assert_eq!(daemon.metric(&format!("rhinobox_core_queue_records{{core=\"{core}\"}}")), 0.0);
    }
    let begun = std::time::Instant::now();
    for core in 0..2 {
        // Connections go to the cores in turn; processor time shows once it comes to a hundredth of a second.
        let used = || -> f64 {
            let mode = |mode| {
                daemon.metric(&format!("rhinobox_core_cpu_seconds_total{{core=\"{core}\",mode=\"{mode}\"}}"))
            };
            mode("user") + mode("system")
        };
        while used() <= 0.0 {
            assert!(begun.elapsed().as_secs() < 60, "core {core} works and uses no time");
            daemon.serves();
        }
    }
}

#[test]
fn every_line_is_what_prometheus_reads() {
    let daemon = Daemon::start();
    daemon.serves();
    let page = daemon.get("/metrics").expect(200).text();
    let mut typed = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.split(' ');
            if words.next() == Some("TYPE") {
                typed.push(words.next().expect("a name").to_owned());
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("name and value");
        let base = name.split('{').next().expect("a name");
        let family =
            ["_sum", "_count", "_bucket"].iter().find_map(|part| base.strip_suffix(part)).unwrap_or(base);
        assert!(typed.iter().any(|known| known == base || known == family), "{line} has no type");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(page.ends_with('\n'));
}
