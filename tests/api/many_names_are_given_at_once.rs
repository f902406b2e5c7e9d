//! `POST /names` gives stored contents names, many at once, and answers as an upload of as many files does.

use serde_json::{Value, json};

use crate::support::{Daemon, Response, random_bytes, sha256};

fn post(daemon: &Daemon, fields: &[(&str, &str)], body: &Value) -> Response {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(fields);
    daemon.connect().ask("POST", "/names", &all, body.to_string().as_bytes())
}

#[test]
fn each_name_is_served_listed_and_kept_and_given_again_writes_nothing() {
    let daemon = Daemon::start();
    let contents: Vec<_> =
        (0..700).map(|seed| random_bytes(seed, 300)).chain([random_bytes(9_999, 1_000_000)]).collect();
    let mut form = crate::support::Form::new();
    for content in &contents {
        form = form.file("first.bin", content);
    }
    form.send(&mut daemon.connect()).stored();
    let names: Vec<_> = contents
        .iter()
        .enumerate()
        .map(|(at, content)| json!({"hash": sha256(content), "name": format!("n-{at}.png"), "folder": "a/b"}))
        .collect();
    let body = json!({"category": "Again", "comment": "c", "names": names});
    let stored = post(&daemon, &[], &body).stored();
    assert_eq!(stored.len(), contents.len());
    for (at, (record, content)) in stored.iter().zip(&contents).enumerate() {
        assert_eq!(record["original_name"], format!("n-{at}.png"));
        assert_eq!((&record["folder"], &record["comment"]), (&json!("a/b"), &json!("c")));
        assert_eq!((&record["duplicate"], &record["size"]), (&json!(true), &json!(content.len())));
    }
    let written = daemon.metric("rhinobox_segment_bytes");
    let paths = |records: &[Value]| records.iter().map(|record| record["path"].clone()).collect::<Vec<_>>();
    assert_eq!(paths(&post(&daemon, &[], &body).stored()), paths(&stored));
    assert!((daemon.metric("rhinobox_segment_bytes") - written).abs() < 0.5, "the same again is written");
    let daemon = daemon.restart();
    for at in [0, 511, 512, 700] {
        let path = stored[at]["path"].as_str().expect("a path");
        assert!(path.contains("/again/"), "{path}");
        assert_eq!(daemon.get(&format!("/{path}")).expect(200).body, contents[at]);
    }
}

#[test]
fn what_cannot_be_named_fails_by_itself() {
    let daemon = Daemon::start();
    let content = random_bytes(1, 300);
    daemon.upload("a.bin", &content);
    let hash = sha256(&content);
    let names = json!({"names": [
        {"hash": hash, "name": "good.bin"},
        {"hash": sha256(b"never sent"), "name": "b.bin"},
        {"hash": hash, "name": ""},
        {"hash": hash, "name": "x".repeat(2_000)},
        {"hash": hash, "name": "too good.bin"},
    ]});
    let answer = post(&daemon, &[("Prefer", "handling=lenient")], &names).expect(207).json();
    let errors = answer["errors"].as_array().expect("errors");
    let failed: Vec<_> = errors.iter().map(|error| (&error["index"], &error["status"])).collect();
    assert_eq!(failed, [(&json!(1), &json!(404)), (&json!(2), &json!(400)), (&json!(3), &json!(400))]);
    assert_eq!(answer["stored"].as_array().map(Vec::len), Some(2));
    assert_eq!(post(&daemon, &[], &names).expect(404).json()["stored"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_is_no_list_is_refused() {
    let daemon = Daemon::start();
    let hash = sha256(b"");
    let too_many = vec![json!({"hash": hash, "name": "a"}); 10_001];
    for (status, body, why) in [
        (400, json!([]), "list of names"),
        (400, json!({"names": [{"name": "a"}]}), "missing field"),
        (400, json!({"names": [{"hash": "12", "name": "a"}]}), "names[0].hash is not a SHA-256"),
        (400, json!({"names": [], "category": "x".repeat(200)}), "the category has 200 bytes"),
        (413, json!({ "names": too_many }), "10001 names were sent"),
        (413, json!({"names": [{"hash": hash, "name": "a".repeat(4 << 20)}]}), "larger than 4194304 bytes"),
    ] {
        let refused = post(&daemon, &[], &body).expect(status);
        assert!(refused.error().contains(why), "{}", refused.error());
    }
    assert_eq!(post(&daemon, &[], &json!({"names": []})).stored().len(), 0);
    daemon.connect().ask("POST", "/names", &[("Content-Type", "text/plain")], b"{}").expect(415);
    daemon.serves();
}
