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
        let family = base.strip_suffix("_sum").or(base.strip_suffix("_count")).unwrap_or(base);
        assert!(typed.iter().any(|known| known == base || known == family), "{line} has no type");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(page.ends_with('\n'));
}
