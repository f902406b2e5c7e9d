//! A put that was killed is run again: what was durable is not sent again, and in the end everything has its name.

use std::time::{Duration, Instant};

use crate::program::{command, finish, folder_of, url};
use crate::support::{Daemon, random_bytes};

#[test]
fn the_next_run_sends_only_what_is_missing() {
    let daemon = Daemon::start();
    let files: Vec<_> =
        (0..12_000).map(|seed| (format!("a/{seed:05}.bin"), random_bytes(seed, 1_500))).collect();
    let listed: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let folder = folder_of(&listed);
    let put = || command(&url(&daemon), &[&"put", &folder.join("a"), &"-j1", &"--json"]);
    let mut child = put().stdout(std::process::Stdio::null()).spawn().expect("it runs");
    let begin = Instant::now();
    while daemon.metric("rhinobox_contents") < 2_000.0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "it sends nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it runs");
    let ended = child.wait().expect("it ended");
    assert!(!ended.success(), "it was to be killed in its middle");
    let second = finish(put()).expect(0).json();
    let (sent, known) = (second["sent"].as_u64().expect("sent"), second["known"].as_u64().expect("known"));
    assert_eq!(sent + known, 12_000, "{sent} {known}");
    assert!(known >= 2_000, "what was durable was sent again: {known}");
    assert!((daemon.metric("rhinobox_names") - 12_000.0).abs() < 0.5);
    assert!((daemon.metric("rhinobox_contents") - 12_000.0).abs() < 0.5);
}
