//! Killed at any moment of a mixed load, the daemon lists after its next start exactly the names that the store has.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::list::all;
use crate::support::content::Random;
use crate::support::{Daemon, Ledger, Setup, load, sha256};

/// Every listed file, as `meta` says it, and the other way round.
fn check(daemon: &Daemon) -> usize {
    daemon.wait_for_catalogue();
    let mut client = daemon.connect();
    let listed = all(&mut client, "sort=oldest", 500);
    assert_eq!(listed.len() as f64, daemon.metric("rhinobox_names"), "as many as there are names");
    let hashes: BTreeSet<&str> = listed.iter().map(|file| file["hash"].as_str().expect("a text")).collect();
    let mut named = BTreeSet::new();
    for hash in &hashes {
        let meta = client.get(&format!("/files/{hash}/meta")).expect(200).json();
        for name in meta["names"].as_array().expect("a list") {
            let mut file = name.clone();
            file["hash"] = Value::from(*hash);
            file["size"] = meta["size"].clone();
            named.insert(file.to_string());
        }
    }
    let listed: BTreeSet<String> = listed.iter().map(Value::to_string).collect();
    assert_eq!(listed, named, "lists say what meta says");
    listed.len()
}

#[test]
fn a_kill_under_load_leaves_lists_that_agree_with_the_store() {
    let mut random = Random::printed("kills and lists");
    let setup = Setup::new().flag("--segment-mib", "4").flag("--max-upload-mb", "64");
    let ledger = Ledger::default();
    let mut names = 0;
    for _ in 0..4 {
        let daemon = setup.start();
        names = check(&daemon);
        let (address, seed) = (daemon.address(), random.next());
        let wait = Duration::from_millis(100 + random.below(700));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let loading = scope.spawn(|| load::run(address, 4, seed, &ledger, &stop));
            // Some of what is being listed goes at once.
            scope.spawn(|| {
                let mut number = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let Some(mut client) = crate::support::Client::try_connect(address) else { break };
                    number += 1;
                    let content = format!("short-lived {seed} {number}");
                    let target = format!("/files/{number}.txt");
                    let put =
                        client.try_send(&crate::support::request("PUT", &target, &[], content.as_bytes()));
                    if put.and_then(|()| client.try_response()).is_err() {
                        break;
                    }
                    let gone = format!("/files/{}", sha256(content.as_bytes()));
                    let sent = client.try_send(&crate::support::request("DELETE", &gone, &[], b""));
                    if sent.and_then(|()| client.try_response()).is_err() {
                        break;
                    }
                }
            });
            thread::sleep(wait);
            drop(daemon.kill());
            stop.store(true, Ordering::Relaxed);
            loading.join().expect("the load ends with the daemon");
        });
    }
    let daemon = setup.start();
    assert!(check(&daemon) >= names && names > 0, "something was stored");
}
