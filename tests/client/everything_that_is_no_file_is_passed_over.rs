//! Links, pipes and sockets within a folder are passed over and named; a link that is named itself is followed.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::program::{folder_of, run};
use crate::support::Daemon;

#[test]
fn links_pipes_and_sockets_are_named_and_not_opened() {
    let daemon = Daemon::start();
    let folder = folder_of(&[("d/a.txt", b"a".to_vec()), ("outside/b.txt", b"b".to_vec())]);
    symlink("../outside", folder.join("d/folder")).expect("a link");
    symlink("../outside/b.txt", folder.join("d/file")).expect("a link");
    symlink("loop", folder.join("d/loop")).expect("a link");
    let pipe = Command::new("mkfifo").arg(folder.join("d/pipe")).status().expect("mkfifo runs");
    assert!(pipe.success());
    // The path of a socket is short.
    let short = folder.join("d/socket");
    let _socket = UnixListener::bind(&short);
    let ran = run(&daemon, &[&"put", &folder.join("d"), &"--json"]).expect(0);
    let result = ran.json();
    assert_eq!((&result["sent"], &result["failed"]), (&1.into(), &0.into()), "{result}");
    let passed = if short.exists() { 5 } else { 4 };
    assert_eq!(result["passed_over"], passed, "{result}");
    for (name, why) in [
        ("folder", "symbolic link"),
        ("file", "symbolic link"),
        ("loop", "symbolic link"),
        ("pipe", "a pipe"),
    ] {
        assert!(
            ran.err.lines().any(|line| line.contains(&format!(
                "/d/{name}: passed over: it is {}",
                if why == "a pipe" { why } else { "a symbolic link" }
            ))),
            "{}",
            ran.err
        );
    }
    // Named themselves, links are meant.
    let ran = run(&daemon, &[&"put", &folder.join("d/folder"), &folder.join("d/file"), &"--json"]).expect(0);
    assert_eq!(ran.json()["sent"].as_u64().zip(ran.json()["known"].as_u64()), Some((1, 1)));
    // A pipe is not waited for.
    run(&daemon, &[&"put", &folder.join("d/pipe")]).expect(0);
    // What cannot be had is named, and the rest is stored.
    let ran = run(&daemon, &[&"put", &folder.join("d/loop"), &folder.join("gone"), &folder.join("d/a.txt")])
        .expect(3);
    assert!(
        ran.err.contains("/d/loop: failed: ") && ran.err.contains("/gone: failed: No such file"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("2 failed"), "{}", ran.out);
}
