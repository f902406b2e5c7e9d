//! The catalogue is a function of the log: deleted, damaged, of another version or of another store, it is made anew, says
//! so, and lists the same.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::list::all;
use crate::support::form::Form;
use crate::support::{Daemon, Setup, random_bytes};

/// All that lists say.
fn listed(daemon: &Daemon) -> Vec<Vec<Value>> {
    daemon.wait_for_catalogue();
    let mut client = daemon.connect();
    ["sort=oldest", "sort=name", "sort=largest", "q=again", "q=changed", "type=images", "category=c1"]
        .iter()
        .map(|query| all(&mut client, query, 100))
        .collect()
}

fn form(n: u64) -> Form {
    let content = random_bytes(n % 45, if n.is_multiple_of(9) { 300_000 } else { 20_000 });
    let name = format!("{n}.{}", if n.is_multiple_of(2) { "jpg" } else { "txt" });
    Form::new().field("category", &format!("c{}", n % 3)).file(&name, &content)
}

/// Uploads, duplicates under other names, names said again, changes and deletes.
fn fill(daemon: &Daemon) {
    let mut client = daemon.connect();
    let mut paths = Vec::new();
    for n in 0..60_u64 {
        let form = form(n);
        paths.push(format!("/{}", form.send(&mut client).stored()[0]["path"].as_str().expect("a text")));
        if n % 5 == 0 {
            form.field("comment", "again").send(&mut client).expect(200);
        }
    }
    let json = [("Content-Type", "application/json")];
    for path in paths.iter().step_by(7) {
        client.ask("PATCH", path, &json, br#"{"comment":"changed","tags":{"k":"v"}}"#).expect(200);
    }
    for path in paths.iter().step_by(4) {
        client.ask("DELETE", path, &[], b"").expect(204);
    }
}

/// Of small segments, so that some are compacted.
fn filled() -> Daemon {
    let daemon = Setup::new().flag("--segment-mib", "4").start();
    fill(&daemon);
    daemon
}

fn file(data: &Path) -> std::path::PathBuf {
    data.join("catalogue.sqlite")
}

fn overwrite(data: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(file(data)).expect("it can be had");
    file.seek(SeekFrom::Start(at)).expect("it can be had");
    file.write_all(bytes).expect("it can be had");
}

#[test]
fn a_catalogue_made_anew_equals_the_old_one() {
    let daemon = filled();
    let expected = listed(&daemon);
    assert!(expected.iter().all(|list| !list.is_empty()), "the comparison is of something");
    let daemon = daemon.restart();
    assert_eq!(listed(&daemon), expected, "after a restart");
    assert!(!daemon.said().contains("made anew"), "{}", daemon.said());
    let mut daemon = daemon.kill().start();
    assert_eq!(listed(&daemon), expected, "after a kill");
    let len = fs::metadata(file(daemon.data())).expect("it can be had").len();
    let other = Daemon::start();
    other.serves();
    let other = other.stop();
    type Harm<'a> = (&'a str, bool, Box<dyn Fn(&Path) + 'a>);
    let harms: Vec<Harm<'_>> = vec![
        ("deleted", false, Box::new(|data| fs::remove_file(file(data)).expect("it can be had"))),
        (
            "of another kind",
            true,
            Box::new(|data| fs::write(file(data), "no catalogue".repeat(1_000)).expect("it can be had")),
        ),
        ("emptied", false, Box::new(|data| fs::write(file(data), "").expect("it can be had"))),
        (
            "cut",
            true,
            Box::new(|data| {
                fs::OpenOptions::new()
                    .write(true)
                    .open(file(data))
                    .expect("it can be had")
                    .set_len(9_000)
                    .expect("it can be had")
            }),
        ),
        ("of a later version", true, Box::new(|data| overwrite(data, 60, &99_u32.to_be_bytes()))),
        (
            "of another store",
            true,
            Box::new(|data| {
                fs::copy(file(other.data()), file(data)).expect("it can be had");
            }),
        ),
        (
            "overwritten",
            true,
            Box::new(move |data| {
                overwrite(data, 4_096, &vec![0x5a; usize::try_from(len).expect("it can be had") - 4_096])
            }),
        ),
    ];
    for (what, is_said, harm) in harms {
        let setup = daemon.stop();
        harm(setup.data());
        daemon = setup.start();
        assert_eq!(listed(&daemon), expected, "{what}");
        if !is_said {
            assert!(!daemon.said().contains("made anew"), "{what}: {}", daemon.said());
        }
    }
}

#[test]
fn a_name_that_is_said_again_is_listed_once() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    for comment in ["first", "second", "third"] {
        for n in 0..20 {
            form(n).field("comment", comment).send(&mut client).expect(200);
        }
        daemon.wait_for_catalogue();
        let files = all(&mut client, "sort=oldest", 100);
        assert_eq!(files.len(), 20, "{comment}");
        assert!(files.iter().all(|file| file["comment"] == comment), "{files:?}");
        assert_eq!(client.get("/stats").expect(200).json()["files_total"], 20);
    }
    let daemon = daemon.restart();
    daemon.wait_for_catalogue();
    assert_eq!(all(&mut daemon.connect(), "q=third", 100).len(), 20);
}

#[test]
fn a_catalogue_that_was_put_back_reads_on_and_forgets_what_was_deleted() {
    let daemon = filled();
    daemon.wait_for_catalogue();
    let setup = daemon.stop();
    let old = setup.data().join("../old.sqlite");
    rusqlite::Connection::open(file(setup.data()))
        .and_then(|whole| whole.execute("VACUUM INTO ?1", [old.to_str()]))
        .expect("it can be had");
    let daemon = setup.start();
    let mut client = daemon.connect();
    for file in all(&mut client, "sort=oldest", 100).iter().step_by(2) {
        client.ask("DELETE", &format!("/{}", file["path"].as_str().expect("a text")), &[], b"").expect(204);
    }
    // Some of them are there: their names are said again, and so move to the end of the list.
    for n in 1..30 {
        form(n).field("comment", "said again").send(&mut client).expect(200);
    }
    daemon.serves();
    let expected = listed(&daemon);
    let setup = daemon.stop();
    // With what SQLite left beside it, that would be the newer one.
    for suffix in ["-wal", "-shm"] {
        let _there_may_be_none = fs::remove_file(format!("{}{suffix}", file(setup.data()).display()));
    }
    fs::copy(&old, file(setup.data())).expect("it can be had");
    let daemon = setup.start();
    // What was deleted or replaced before is found by comparing all rows, behind the first look at the log.
    let until = Instant::now() + Duration::from_secs(20);
    while listed(&daemon) != expected && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(listed(&daemon), expected);
    assert!(!daemon.said().contains("made anew"), "{}", daemon.said());
}

/// Copies what a backup holds of the log: all but the catalogue.
fn copy_log(from: &Path, to: &Path) {
    for folder in ["segments", "blobs", "index"] {
        let _there_may_be_none = fs::remove_dir_all(to.join(folder));
        let all = ["-r".into(), from.join(folder).into_os_string(), to.join(folder).into_os_string()];
        assert!(Command::new("cp").args(all).status().expect("it can be had").success());
    }
}

#[test]
fn a_log_that_was_put_back_under_a_newer_catalogue_is_read_anew() {
    let daemon = filled();
    let expected = listed(&daemon);
    let setup = daemon.stop();
    let backup = setup.data().join("../backup");
    fs::create_dir(&backup).expect("it can be had");
    copy_log(setup.data(), &backup);
    let daemon = setup.start();
    let mut client = daemon.connect();
    // What is new gets numbers that the log will give again, and what is gone will be back.
    for n in 200..230 {
        form(n).send(&mut client).expect(200);
    }
    for file in all(&mut client, "sort=oldest", 100).iter().take(30).step_by(2) {
        client.ask("DELETE", &format!("/{}", file["path"].as_str().expect("a text")), &[], b"").expect(204);
    }
    assert_ne!(listed(&daemon), expected);
    let setup = daemon.stop();
    copy_log(&backup, setup.data());
    let daemon = setup.start();
    assert_eq!(listed(&daemon), expected);
    assert!(daemon.said().contains("it has read what the log does not hold"), "{}", daemon.said());
}
