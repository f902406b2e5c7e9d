//! slowhttptest, the known tool for slow attacks, in three modes at once: heads that never end (slowloris), bodies that
//! trickle, answers of which a few bytes are read now and then. A good client is served all the while, as the tool's own
//! probes are, and every attacking connection is gone when its time is up.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::crowd::{good_client, good_client_for, many_descriptors};
use crate::support::{Daemon, Setup, random_bytes};

const CONNECTIONS: usize = 300;

/// A run of the tool.
struct Attack {
    mode: &'static str,
    tool: Child,
}

impl Attack {
    /// `None` where the tool is not installed, which is said.
    fn start(daemon: &Daemon, mode: &'static str, flags: &[&str], target: &str) -> Option<Attack> {
        let url = format!("http://127.0.0.1:{}{target}", daemon.port());
        let tool = Command::new("slowhttptest")
            // So many connections, as many a second, for half a minute at most; a probe is answered within 5 s or the
            // service is not available.
            .args(["-c", &CONNECTIONS.to_string(), "-r", "300", "-l", "30", "-p", "5", "-u", &url, mode])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        match tool {
            Ok(tool) => Some(Attack { mode, tool }),
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "scripts/setup-tests.sh was to install slowhttptest: {error}"
                );
                println!("skipped: slowhttptest cannot be run: {error}");
                None
            }
        }
    }

    /// Ends it if it still runs. What it says is that all of its connections were made, that they are closed if it `saw`
    /// that, and that the service was available whenever it looked.
    fn check(mut self, saw: bool) {
        let runs = self.tool.try_wait().expect("a child is waited for").is_none();
        if runs {
            let pid = Pid::from_child(&self.tool);
            kill_process(pid, Signal::INT).expect("it is ours");
        }
        let output = self.tool.wait_with_output().expect("it ends");
        let said = plain(&String::from_utf8_lossy(&output.stdout));
        let mode = self.mode;
        let last = said.rfind("slow HTTP test status").map_or("", |at| &said[at..]);
        let count = |what: &str| {
            let line = last.lines().find_map(|line| line.strip_prefix(what));
            line.and_then(|rest| rest.trim().parse::<usize>().ok())
                .unwrap_or_else(|| panic!("{mode}: {said}"))
        };
        println!(
            "{mode}: {} closed, {} connected, {} errors",
            count("closed:"),
            count("connected:"),
            count("error:")
        );
        let looks = said.matches("service available:").count();
        let found = said
            .lines()
            .filter(|line| line.starts_with("service available:") && line.ends_with("YES"))
            .count();
        assert!(looks > 0 && found == looks, "{mode}: {said}");
        assert_eq!(count("error:"), 0, "{mode}: {said}");
        assert_eq!(count("closed:") + count("connected:"), CONNECTIONS, "{mode}: {said}");
        if saw {
            assert!(said.contains("No open connections left"), "{mode}: {said}");
        }
    }
}

/// What was said, without colours.
fn plain(said: &str) -> String {
    let mut pieces = said.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn heads_bodies_and_readers_that_are_slow() {
    many_descriptors();
    let daemon = Setup::new()
        .flag("--head-timeout-s", "4")
        .flag("--body-timeout-s", "4")
        .flag("--answer-timeout-s", "4")
        .start();
    let record = daemon.upload("read.bin", &random_bytes(1, 3_000_000));
    let big = format!("/files/{}", record["hash"].as_str().expect("a hash"));
    let heads = Attack::start(&daemon, "-H", &["-i", "2", "-x", "24"], "/healthz");
    let Some(heads) = heads else { return };
    let flags = ["-i", "2", "-s", "8192", "-x", "10", "-t", "PUT"];
    let bodies = Attack::start(&daemon, "-B", &flags, "/files/slow.bin").expect("as before");
    let flags = ["-k", "3", "-n", "2", "-w", "512", "-y", "1024", "-z", "32"];
    let readers = Attack::start(&daemon, "-X", &flags, &big).expect("as before");
    let begun = Instant::now();
    let crowded = AtomicBool::new(false);
    thread::scope(|scope| {
        // However slow the good client is beside them, this sees the crowd. A slow tool may make its connections so
        // slowly that the first are gone before the last have come.
        scope.spawn(|| {
            while begun.elapsed() < Duration::from_secs(10) && !crowded.load(Ordering::Relaxed) {
                let connections = daemon.metric("rhinobox_connections");
                crowded.fetch_or(connections > 300.0, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
            }
        });
        let (turns, slowest) = good_client_for(&daemon, Duration::from_secs(5));
        println!("{turns} turns of a good client, the slowest {slowest:.0?}");
    });
    assert!(crowded.load(Ordering::Relaxed), "the tool never had many connections at once");
    // Those who read slowly do not know yet that they are cut off: the kernel still has bytes for them.
    while daemon.metric("rhinobox_connections") > 2.0 {
        assert!(begun.elapsed() < Duration::from_secs(28), "{}", daemon.metric("rhinobox_connections"));
        good_client(&daemon);
    }
    println!("all were cut off after {:.1?}", begun.elapsed());
    readers.check(false);
    // A tool looks at its connections every few seconds.
    let mut attacks = [heads, bodies];
    for attack in &mut attacks {
        while begun.elapsed() < Duration::from_secs(28) && attack.tool.try_wait().expect("a child").is_none()
        {
            good_client(&daemon);
        }
    }
    attacks.into_iter().for_each(|attack| attack.check(true));
    assert_eq!(daemon.metric("rhinobox_panics_total"), 0.0);
    good_client(&daemon);
}
