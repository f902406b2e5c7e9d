//! `ls` and `search` list what is stored: all pages, with filters, as a table that moves no terminal or as JSON.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{folder_of, is_plain, run};
use crate::support::{Daemon, random_bytes};

fn list(daemon: &Daemon, arguments: &[&str]) -> Vec<Value> {
    let mut all: Vec<&dyn AsRef<OsStr>> =
        arguments.iter().map(|argument| argument as &dyn AsRef<OsStr>).collect();
    all.push(&"--json");
    let ran = run(daemon, &all).expect(0);
    is_plain(&ran.out);
    ran.json()["files"].as_array().expect("a list").clone()
}

/// Waits until so many are listed: the list follows the store.
fn wait_for(daemon: &Daemon, count: usize) {
    let begin = Instant::now();
    while list(daemon, &["ls"]).len() != count {
        assert!(begin.elapsed() < Duration::from_secs(30), "{} are listed", list(daemon, &["ls"]).len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn filters_and_words_find_what_they_say() {
    let daemon = Daemon::start();
    let folder = folder_of(&[
        ("d/holiday beach.txt", b"one".to_vec()),
        ("d/\u{1b}[2J\u{202e}beach.txt", b"two and more".to_vec()),
        ("e/mountain.bin", random_bytes(1, 5_000)),
    ]);
    run(&daemon, &[&"put", &folder.join("d"), &"--category", &"Holiday 2025"]).expect(0);
    run(&daemon, &[&"put", &folder.join("e"), &"--comment", &"a & b = c"]).expect(0);
    wait_for(&daemon, 3);
    for (arguments, count) in [
        (&["ls", "--type", "documents"][..], 2),
        (&["ls", "--category", "Holiday 2025"], 2),
        (&["ls", "--min-size", "12"], 2),
        (&["ls", "--min-size", "12", "--max-size", "12"], 1),
        (&["ls", "-n", "2"], 2),
        (&["ls", "--since", "2020-01-01"], 3),
        (&["ls", "--until", "2020-01-01"], 0),
        (&["search", "beach"], 2),
        (&["search", "beach", "holiday"], 2),
        (&["search", "beach", "mountain"], 0),
        (&["search", "a & b = c"], 1),
        (&["search", "beach", "--max-size", "5"], 1),
    ] {
        assert_eq!(list(&daemon, arguments).len(), count, "{arguments:?}");
    }
    let largest = list(&daemon, &["ls", "--sort", "largest"]);
    assert_eq!((&largest[0]["size"], &largest[2]["size"]), (&5_000.into(), &3.into()));
    let table = run(&daemon, &[&"ls"]).expect(0).out;
    is_plain(&table);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("UPLOADED") && table.contains("\\u{1b}[2J\\u{202e}beach.txt"), "{table}");
    for arguments in
        [["ls", "--sort", "sideways"], ["ls", "--since", "yesterday"], ["ls", "--type", "x\u{1b}"]]
    {
        let arguments: Vec<&dyn AsRef<OsStr>> = arguments.iter().map(|a| a as &dyn AsRef<OsStr>).collect();
        let ran = run(&daemon, &arguments).expect(1);
        assert!(ran.err.starts_with("rhinobox: the server says 400: "), "{}", ran.err);
        is_plain(&ran.err);
    }
}

#[test]
fn all_pages_are_listed_once() {
    let daemon = Daemon::start();
    let files: Vec<_> = (0..1_203).map(|seed| (format!("d/{seed:04}.bin"), random_bytes(seed, 50))).collect();
    let listed: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let folder = folder_of(&listed);
    run(&daemon, &[&"put", &folder.join("d")]).expect(0);
    wait_for(&daemon, 1_203);
    let all = list(&daemon, &["ls", "--sort", "name"]);
    let names: Vec<_> =
        all.iter().map(|file| file["original_name"].as_str().expect("a name").to_owned()).collect();
    let expected: Vec<_> = (0..1_203).map(|seed| format!("{seed:04}.bin")).collect();
    assert_eq!(names, expected);
    assert_eq!(list(&daemon, &["ls", "-n", "700"]).len(), 700);
    assert_eq!(run(&daemon, &[&"ls"]).expect(0).out.lines().count(), 1_204, "one head, and a line for each");
}
