//! Batches of 10, 20, 50, 100, 500 and 10,000 files: all stored, in the order sent, and whole.

use std::time::Instant;

use crate::support::content::samples;
use crate::support::{Daemon, Form, Setup, random_bytes, sha256};

fn batch(daemon: &Daemon, files: u64, bytes: usize) {
    let contents: Vec<_> = (0..files).map(|n| random_bytes(files << 32 | n, bytes)).collect();
    let form = contents
        .iter()
        .enumerate()
        .fold(Form::new(), |form, (n, content)| form.file(&format!("{n}.bin"), content));
    let mut client = daemon.connect();
    let begun = Instant::now();
    let records = form.send(&mut client).stored();
    let took = begun.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = files as f64 / took.as_secs_f64();
    println!("{files} files of {bytes} bytes in {took:.1?}: {rate:.0} files a second");
    assert_eq!(records.len(), contents.len());
    for (n, (record, content)) in records.iter().zip(&contents).enumerate() {
        assert_eq!(record["original_name"], format!("{n}.bin"));
        assert_eq!(record["hash"], sha256(content).as_str());
        assert_eq!(record.get("duplicate"), None);
    }
    for n in (0..contents.len()).step_by(1 + contents.len() / 50) {
        let path = records[n]["path"].as_str().expect("a path");
        assert_eq!(client.get(&format!("/{path}")).expect(200).body, contents[n]);
    }
}

#[test]
fn batches_of_10_to_500() {
    let daemon = Daemon::start();
    for files in [1, 2, 10, 20, 50, 100, 127, 128, 129, 500] {
        batch(&daemon, files, 1_000);
    }
    batch(&daemon, 30, 100_000);
    batch(&daemon, 8, 300_000);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
}

#[test]
fn a_batch_of_10_000() {
    let daemon = Daemon::start();
    batch(&daemon, 10_000, 300);
    let daemon = daemon.restart();
    assert_eq!(daemon.metric("rhinobox_contents"), 10_000.0);
}

#[test]
fn core_counts_of_one_two_and_more_than_the_machine_has() {
    for cores in ["1", "2"] {
        let daemon = Setup::new().flag("--cores", cores).start();
        batch(&daemon, 200, 3_000);
        assert_eq!(daemon.metric("rhinobox_cores").to_string(), cores);
    }
    // More than there are: served with those there are, or refused in words; never a crash.
    let setup = Setup::new().flag("--cores", "200");
    let daemon = setup.start_unready();
    loop {
        let said = daemon.said();
        if said.contains("listening on ") {
            daemon.serves();
            println!("200 cores: served with {}", daemon.metric("rhinobox_cores"));
            break;
        }
        if said.contains("rhinobox: ") {
            assert_eq!(daemon.wait_for_exit().code(), Some(1), "{said}");
            println!("200 cores: {said}");
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn mixed_kinds_in_one_batch_make_a_tree_of_categories() {
    let daemon = Daemon::start();
    let form = Form::new()
        .field("category", "Mixed Bag")
        .file("a.jpg", &samples::jpg(1))
        .file("b.png", &samples::png(1))
        .file("c.mp4", &samples::mp4(1))
        .file("d.mp3", &samples::mp3(1))
        .file("e.pdf", &samples::pdf(1))
        .file("f.txt", b"text")
        .file("g.zip", &samples::zip(1))
        .file("h.dat", &random_bytes(1, 500_000));
    let records = form.send(&mut daemon.connect()).stored();
    let folders: Vec<_> = records.iter().map(|record| record["category"].as_str().expect("text")).collect();
    assert_eq!(
        folders,
        [
            "images/jpg/mixed-bag",
            "images/png/mixed-bag",
            "videos/mp4/mixed-bag",
            "audio/mp3/mixed-bag",
            "documents/pdf/mixed-bag",
            "documents/txt/mixed-bag",
            "archives/zip/mixed-bag",
            "other/unknown/mixed-bag",
        ]
    );
    for record in &records {
        let path = record["path"].as_str().expect("a path");
        assert_eq!(daemon.get(&format!("/{path}")).expect(200).body.len() as u64, record["size"]);
    }
}
