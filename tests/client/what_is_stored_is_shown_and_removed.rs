//! `stat`, `stats` and `rm`: what the daemon says, for people and for machines.

use crate::program::{folder_of, run};
use crate::support::{Daemon, sha256};

#[test]
fn a_content_is_shown_by_hash_and_path_and_removed_by_either() {
    let daemon = Daemon::start();
    let folder = folder_of(&[("d/a.txt", b"text".to_vec()), ("d/b.txt", b"text".to_vec())]);
    run(&daemon, &[&"put", &folder.join("d"), &"--comment", &"mine"]).expect(0);
    let hash = sha256(b"text");
    let shown = run(&daemon, &[&"stat", &hash, &"--json"]).expect(0).json();
    assert_eq!((&shown["hash"], &shown["names_total"]), (&hash.clone().into(), &2.into()));
    let paths: Vec<_> = shown["names"]
        .as_array()
        .expect("names")
        .iter()
        .map(|name| name["path"].as_str().expect("a path"))
        .collect();
    let plain = run(&daemon, &[&"stat", &paths[0]]).expect(0).out;
    assert!(plain.contains(&hash) && plain.contains("names[1].comment"), "{plain}");
    run(&daemon, &[&"rm", &paths[0], &paths[0]]).expect(4);
    assert_eq!(run(&daemon, &[&"stat", &hash, &"--json"]).expect(0).json()["names_total"], 1);
    run(&daemon, &[&"rm", &hash]).expect(0);
    run(&daemon, &[&"stat", &paths[1]]).expect(4);
}

#[test]
fn totals_are_shown() {
    let daemon = Daemon::start();
    daemon.upload("a.txt", b"text");
    let stats = run(&daemon, &[&"stats", &"--json"]).expect(0).json();
    assert!(stats.is_object() && stats.to_string().contains("contents"), "{stats}");
    let plain = run(&daemon, &[&"stats"]).expect(0).out;
    assert!(plain.lines().count() > 5, "{plain}");
}
