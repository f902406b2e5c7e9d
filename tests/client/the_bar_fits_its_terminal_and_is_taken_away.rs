//! What `put` shows on a terminal: lines that fit it, nothing that a file's name has in it, and nothing that stays.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::{url, write};
use crate::support::{Daemon, Folder, random_bytes};

/// `put` on a terminal of so many columns, by script(1); `then` is done while it runs.
fn on_a_terminal(
    server: &str,
    folder: &Folder,
    columns: u32,
    then: impl FnOnce(&std::process::Child),
) -> Output {
    let put = format!(
        "stty cols {columns} rows 20; exec {} put --patience 20 {}",
        env!("CARGO_BIN_EXE_rhinobox"),
        folder.path().display()
    );
    let mut command = Command::new("script");
    command.args(["-qec", &put, "/dev/null"]).env("RHINOBOX_SERVER", server).env("TERM", "xterm");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("script(1) is there");
    then(&child);
    child.wait_with_output().expect("it ends")
}

/// What stands on the terminal in the end, line by line, and the most columns that any line had in between. Panics at what
/// no bar and no message needs.
fn played(raw: &[u8]) -> (Vec<String>, usize) {
    let text = String::from_utf8_lossy(raw);
    let (mut lines, mut widest) = (vec![String::new()], 0);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let line = lines.last_mut().expect("there is one");
        match char {
            // What follows is written over it; a bar's line is always cleared first.
            '\r' if chars.peek() != Some(&'\n') => line.clear(),
            '\r' => {}
            '\n' => lines.push(String::new()),
            '\u{1b}' => {
                assert_eq!(chars.next(), Some('['), "{text:?}");
                let mut end = chars.next();
                while end.is_some_and(|char| char.is_ascii_digit() || char == ';' || char == '?') {
                    end = chars.next();
                }
                assert!(matches!(end, Some('K' | 'A' | 'm' | 'h' | 'l')), "{end:?} in {text:?}");
                if end == Some('K') {
                    line.clear();
                }
            }
            _ => {
                assert!(!char.is_control(), "{char:?} in {text:?}");
                line.push(char);
                widest = widest.max(line.chars().count());
            }
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    (lines, widest)
}

fn folder_of_many() -> Folder {
    let folder = Folder::new();
    for number in 0..400_u64 {
        write(&folder.join(&format!("d{}/{number}.bin", number % 7)), &random_bytes(number, 4_000));
    }
    folder
}

#[test]
fn lines_fit_and_only_the_result_stays() {
    let daemon = Daemon::start();
    for columns in [30, 40, 80, 200] {
        let folder = folder_of_many();
        write(
            &folder.join("a\u{1b}[2J\u{202e}b\u{1b}]0;title\u{7}.txt"),
            &random_bytes(u64::from(columns), 1_000_000),
        );
        let output = on_a_terminal(&url(&daemon), &folder, columns, |_| {});
        assert!(output.status.success(), "{output:?}");
        let (lines, widest) = played(&output.stdout);
        assert!(!String::from_utf8_lossy(&output.stdout).contains("100%, 0 files"), "{output:?}");
        assert!(lines.len() == 1 && lines[0].starts_with("sent "), "{lines:?}");
        let of_result = lines[0].chars().count();
        assert!(widest <= of_result.max(columns as usize), "{widest} columns of {columns}");
    }
}

#[test]
fn a_server_that_is_away_is_told_of_and_a_signal_takes_the_bar_away() {
    let daemon = Daemon::start();
    let (folder, server) = (folder_of_many(), url(&daemon));
    // It stands still, so that it is there and does not answer.
    daemon.signal("STOP");
    let interrupted = on_a_terminal(&server, &folder, 80, |script| {
        let begun = Instant::now();
        let children = format!("/proc/{0}/task/{0}/children", script.id());
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let children = std::fs::read_to_string(&children).unwrap_or_default();
            let Some(child) = children.split_whitespace().next() else {
                assert!(begun.elapsed() < Duration::from_secs(20), "script(1) has no child");
                continue;
            };
            let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            if name.trim() == "rhinobox" {
                std::thread::sleep(Duration::from_millis(700));
                let killed = Command::new("kill").args(["-INT", child]).status().expect("kill(1) is there");
                assert!(killed.success());
                return;
            }
        }
    });
    daemon.signal("CONT");
    assert_eq!((interrupted.status.code(), interrupted.status.signal()), (Some(130), None));
    let (lines, _) = played(&interrupted.stdout);
    assert_eq!(lines, ["rhinobox: stopped; what was sent is stored, and the same command sends the rest"]);
    let _setup = daemon.stop();
    let away = on_a_terminal(&server, &folder, 80, |_| {});
    assert_eq!(away.status.code(), Some(1));
    let (lines, _) = played(&away.stdout);
    assert!(lines.iter().any(|line| line.contains("trying again ...")), "{lines:?}");
}
