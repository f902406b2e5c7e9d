//! While a list is read page by page, files arrive and vanish: every file that was there before and is there after is
//! listed exactly once, in every order.

use std::collections::HashSet;

use super::list::{page, paths};
use crate::support::{Daemon, random_bytes};

#[test]
fn cursors_hold_still_while_files_come_and_go() {
    let daemon = Daemon::start();
    for order in ["newest", "oldest", "largest", "smallest", "name", "name_desc"] {
        let mut client = daemon.connect();
        let upload = |seed: u64, what: &str| {
            let content = random_bytes(seed, 200 + usize::try_from(seed % 5).expect("it can be had"));
            daemon.upload(&format!("{what} {}.txt", seed % 3), &content)["path"]
                .as_str()
                .expect("a text")
                .to_owned()
        };
        let base = 1_000 * u64::from(order.bytes().map(u32::from).sum::<u32>());
        let staying: Vec<String> = (0..40).map(|n| upload(base + n, order)).collect();
        let mut going: Vec<String> = (100..120).map(|n| upload(base + n, order)).collect();
        daemon.wait_for_catalogue();
        let mut seen = Vec::new();
        let mut cursor = String::new();
        let mut round = 0;
        loop {
            let (files, next) = page(&mut client, &format!("q={order}&sort={order}&limit=7&cursor={cursor}"));
            seen.extend(paths(&files));
            let Some(next) = next else { break };
            cursor = next;
            // The file that the cursor stands behind may go too.
            let last = seen.last().expect("it can be had").clone();
            let gone = if going.contains(&last) { Some(last) } else { going.pop() };
            if let Some(gone) = gone {
                going.retain(|path| *path != gone);
                client.ask("DELETE", &format!("/{gone}"), &[], b"").expect(204);
            }
            upload(base + 200 + round, order);
            round += 1;
            daemon.wait_for_catalogue();
        }
        assert!(round >= 5, "there were several pages");
        let once: HashSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "{order}: no file is listed twice");
        for path in &staying {
            assert!(once.contains(path), "{order}: {path} is listed");
        }
    }
}
