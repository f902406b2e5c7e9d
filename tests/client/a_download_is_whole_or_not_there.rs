//! `get` gives a file its name only once it is whole and hashes right, goes on where it broke off, and writes nowhere else.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use crate::gate::{First, open};
use crate::program::{command, finish, run};
use crate::support::{Daemon, Folder, random_bytes, sha256};

const PART: &str = "out.rhinobox-part";

fn stored(daemon: &Daemon, content: &[u8]) -> (String, String) {
    let record = daemon.upload("Big One.bin", content);
    let text = |field: &str| record[field].as_str().expect("a string").to_owned();
    (text("hash"), text("path"))
}

#[test]
fn by_hash_or_path_to_a_file_a_folder_or_standard_output() {
    let daemon = Daemon::start();
    let content = b"a text that is fetched".to_vec();
    let (hash, path) = stored(&daemon, &content);
    let folder = Folder::new();
    assert_eq!(run(&daemon, &[&"get", &hash, &"-o", &"-"]).expect(0).out.as_bytes(), content);
    run(&daemon, &[&"get", &path, &"-o", &folder.join("out")]).expect(0);
    run(&daemon, &[&"get", &format!("/{path}"), &"-o", &folder.path()]).expect(0);
    for name in ["out", "Big One.bin"] {
        assert_eq!(fs::read(folder.join(name)).expect("it is there"), content);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "something else was written");
    let ran = run(&daemon, &[&"get", &hash, &"-o", &folder.join("out")]).expect(0);
    assert!(ran.err.contains("is there already, and whole"), "{}", ran.err);
    fs::write(folder.join("out"), b"another").expect("it is written");
    let ran = run(&daemon, &[&"get", &hash, &"-o", &folder.join("out")]).expect(1);
    assert!(ran.err.contains("exists: --force replaces it"), "{}", ran.err);
    assert_eq!(fs::read(folder.join("out")).expect("it is there"), b"another");
    run(&daemon, &[&"get", &hash, &"-f", &"-o", &folder.join("out")]).expect(0);
    assert_eq!(fs::read(folder.join("out")).expect("it is there"), content);
}

#[test]
fn an_empty_content_is_a_file_too() {
    let daemon = Daemon::start();
    let (hash, _) = stored(&daemon, b"");
    let folder = Folder::new();
    run(&daemon, &[&"get", &hash, &"-o", &folder.join("out")]).expect(0);
    assert_eq!(fs::read(folder.join("out")).expect("it is there"), b"");
}

#[test]
fn what_breaks_off_goes_on_within_a_run_and_in_the_next() {
    let daemon = Daemon::start();
    let content = random_bytes(1, 3_000_000);
    let (hash, _) = stored(&daemon, &content);
    let folder = Folder::new();
    let out = folder.join("out");
    // The head is asked for on the connection that is cut, and what follows on others.
    let cuts = vec![First::CutBehind(1_000_000), First::CutBehind(700_000)];
    let (gate, _) = open(daemon.address(), cuts.clone());
    finish(command(&format!("http://{gate}"), &[&"get", &hash, &"-o", &out])).expect(0);
    assert_eq!(fs::read(&out).expect("it is there"), content);
    let (gate, _) = open(daemon.address(), cuts);
    let ran = command(&format!("http://{gate}"), &[&"get", &hash, &"-o", &"-"]).output().expect("it runs");
    assert!(ran.status.success() && ran.stdout == content, "{}", String::from_utf8_lossy(&ran.stderr));
    // Of an earlier run.
    fs::remove_file(&out).expect("it is there");
    fs::write(folder.join(PART), &content[..2_000_000]).expect("a part");
    let (gate, _) = open(daemon.address(), vec![First::CutBehind(1_200_000)]);
    finish(command(&format!("http://{gate}"), &[&"get", &hash, &"-o", &out])).expect(0);
    assert_eq!(fs::read(&out).expect("it is there"), content);
    assert!(!folder.join(PART).exists());
}

#[test]
fn a_part_that_is_something_else_is_not_kept() {
    let daemon = Daemon::start();
    let content = random_bytes(2, 600_000);
    let (hash, _) = stored(&daemon, &content);
    for other in [vec![7; 400_000], vec![7; 600_000], vec![7; 900_000]] {
        let folder = Folder::new();
        fs::write(folder.join(PART), other).expect("a part");
        run(&daemon, &[&"get", &hash, &"-o", &folder.join("out")]).expect(0);
        assert_eq!(fs::read(folder.join("out")).expect("it is there"), content);
    }
}

#[test]
fn a_part_that_no_run_of_this_user_left_is_not_taken_over() {
    let daemon = Daemon::start();
    let (hash, _) = stored(&daemon, b"a text");
    let folder = Folder::new();
    let (part, victim) = (folder.join(PART), folder.join("victim"));
    fs::write(&victim, b"victim").expect("a file");
    let refused = |why: &str| {
        let ran = run(&daemon, &[&"get", &hash, &"-o", &folder.join("out")]).expect(1);
        let said = format!("{} {why}, so it is not gone on with: remove it", part.display());
        assert!(ran.err.contains(&said), "{}", ran.err);
        assert_eq!(fs::read(&victim).expect("it is there"), b"victim");
        fs::remove_file(&part).expect("it is left as it was");
    };
    symlink("victim", &part).expect("a link");
    refused("is a link");
    symlink("nowhere", &part).expect("a link");
    refused("is a link");
    fs::hard_link(&victim, &part).expect("a link");
    refused("has another name as well");
    fs::write(&part, b"a t").expect("a file");
    match chown(&part, Some(65_534), None) {
        Ok(()) => refused("belongs to another user"),
        // Only root can give a file away.
        Err(error) => println!("not tried with another user's file: {error}"),
    }
    run(&daemon, &[&"get", &hash, &"-o", &folder.join("out")]).expect(0);
    symlink("victim", folder.join("link")).expect("a link");
    run(&daemon, &[&"get", &hash, &"-f", &"-o", &folder.join("link")]).expect(1);
    assert_eq!(fs::read(&victim).expect("it is there"), b"victim");
}

#[test]
fn bytes_that_do_not_hash_right_are_thrown_away() {
    let hash = sha256(b"right");
    let answer =
        format!("HTTP/1.1 200 OK\r\nETag: \"{hash}\"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwrong");
    let head = answer.replace("wrong", "");
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let folder = Folder::new();
    let (gate, _) = open(nobody, vec![First::Answer(head.into_bytes()), First::Answer(answer.into_bytes())]);
    let ran =
        finish(command(&format!("http://{gate}"), &[&"get", &hash, &"-o", &folder.join("out")])).expect(1);
    assert!(ran.err.contains("does not hash to"), "{}", ran.err);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "something was kept");
}
