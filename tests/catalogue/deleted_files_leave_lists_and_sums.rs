//! Deleting by path and by hash takes files out of lists, searches and sums.

use super::list::{all, names};
use crate::support::{Daemon, sha256};

#[test]
fn deleted_files_leave_lists_and_sums() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let (one, two) = (b"content one".as_slice(), b"content number two".as_slice());
    for (name, content) in [("a.txt", one), ("b.txt", one), ("c.md", one), ("d.txt", two), ("e.zip", two)] {
        daemon.upload(name, content);
    }
    daemon.wait_for_catalogue();
    let stats = client.get("/stats").expect(200).json();
    let bytes = 3 * one.len() + 2 * two.len();
    let distinct = one.len() + two.len();
    assert_eq!(stats["files_total"], 5);
    assert_eq!(stats["files_bytes"], bytes);
    assert_eq!(stats["contents_total"], 2);
    assert_eq!(stats["contents_bytes"], distinct);
    assert_eq!(stats["saved_bytes"], bytes - distinct);
    let ratio = stats["dedup_ratio"].as_f64().expect("it can be had");
    assert!((ratio - bytes as f64 / distinct as f64).abs() < 0.001, "{ratio}");
    let sum: u64 = stats["media_types"]
        .as_object()
        .expect("it can be had")
        .values()
        .map(|of| of["files"].as_u64().expect("it can be had"))
        .sum();
    assert_eq!(sum, 5);
    assert!(
        stats["disk_bytes"].as_u64().expect("it can be had") > 0
            && stats["catalogue"]["lag_seconds"].as_f64().expect("it can be had") < 60.0
    );

    let path = all(&mut client, "q=b", 10)[0]["path"].as_str().expect("a text").to_owned();
    client.ask("DELETE", &format!("/{path}"), &[], b"").expect(204);
    daemon.wait_for_catalogue();
    assert_eq!(names(&all(&mut client, "sort=name", 10)), ["a.txt", "c.md", "d.txt", "e.zip"]);
    client.ask("DELETE", &format!("/files/{}", sha256(two)), &[], b"").expect(204);
    daemon.wait_for_catalogue();
    assert_eq!(names(&all(&mut client, "sort=name", 10)), ["a.txt", "c.md"]);
    assert_eq!(names(&all(&mut client, "q=txt", 10)), ["a.txt"]);
    let stats = client.get("/stats").expect(200).json();
    assert_eq!(stats["files_total"], 2);
    // A content counts until it is buried, which is soon.
    daemon.wait_for_metric("rhinobox_contents", 1.0);
    assert_eq!(client.get("/stats").expect(200).json()["contents_total"], 1);
    // The same path again is a new file.
    daemon.upload("b.txt", one);
    daemon.wait_for_catalogue();
    assert_eq!(names(&all(&mut client, "", 10)), ["b.txt", "c.md", "a.txt"]);
}
