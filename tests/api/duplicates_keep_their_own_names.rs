//! A duplicate answers with this upload's name, category and comment; the bytes are stored once, both paths serve.

use crate::support::{Daemon, Form, Setup, disk, random_bytes, sha256};

#[test]
fn a_duplicate_is_stored_once_under_both_names() {
    let daemon = Setup::new().flag("--inline-max-kib", "256").start();
    for (seed, size) in [(1, 5_000), (2, 700_000)] {
        let content = random_bytes(seed, size);
        let first = daemon.upload("first.bin", &content);
        let form = Form::new()
            .field("category", "Other Place")
            .field("comment", "again")
            .file("second.bin", &content);
        let second = form.send(&mut daemon.connect()).stored().remove(0);
        assert_eq!(first.get("duplicate"), None);
        assert_eq!(second["duplicate"], true);
        assert_eq!(second["original_name"], "second.bin");
        assert_eq!(second["comment"], "again");
        assert_eq!(second["category"], "other/unknown/other-place");
        for record in [&first, &second] {
            let path = record["path"].as_str().expect("a path");
            assert_eq!(daemon.get(&format!("/{path}")).expect(200).body, content);
        }
        let meta = daemon.get(&format!("/files/{}/meta", sha256(&content))).expect(200).json();
        assert_eq!(meta["names_total"], 2, "{meta}");
        assert_eq!(meta["size"], size);
    }
    assert_eq!(daemon.metric("rhinobox_contents"), 2.0);
    assert_eq!(daemon.metric("rhinobox_names"), 4.0);
    assert_eq!(disk::blobs(daemon.data()).len(), 1, "the file of the big duplicate is gone");
    let daemon = daemon.restart();
    assert_eq!(daemon.metric("rhinobox_names"), 4.0);
}

#[test]
fn the_same_again_writes_nothing_even_after_a_restart() {
    let daemon = Daemon::start();
    let form = Form::new().field("comment", "c").file("a.txt", b"the same");
    let first = form.send(&mut daemon.connect()).stored().remove(0);
    for round in 0..2 {
        let before = daemon.metric("rhinobox_records_total");
        let again = form.send(&mut daemon.connect()).stored().remove(0);
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["path"], first["path"]);
        assert_eq!(daemon.metric("rhinobox_records_total"), before, "round {round} wrote");
        if round == 0 {
            let restarted = daemon.restart();
            let again = form.send(&mut restarted.connect()).stored().remove(0);
            assert_eq!(again["path"], first["path"]);
            assert_eq!(restarted.metric("rhinobox_records_total"), 0.0);
            assert_eq!(restarted.metric("rhinobox_names"), 1.0);
            return;
        }
    }
}

#[test]
fn duplicates_within_one_batch_are_stored_once() {
    let daemon = Daemon::start();
    for content in [random_bytes(1, 1_000), random_bytes(2, 400_000)] {
        let form = (0..6).fold(Form::new(), |form, n| form.file(&format!("n{}.bin", n / 2), &content));
        // New, then again when it is stored already.
        for expected in [5, 6] {
            let records = form.send(&mut daemon.connect()).stored();
            let duplicates = records.iter().filter(|record| record["duplicate"] == true).count();
            assert_eq!(duplicates, expected, "{records:?}");
        }
        let renamed = (0..4).fold(Form::new(), |form, _| form.file("renamed.bin", &content));
        assert_eq!(renamed.send(&mut daemon.connect()).stored().len(), 4);
        let meta = daemon.get(&format!("/files/{}/meta", sha256(&content))).expect(200).json();
        let names = meta["names"].as_array().expect("names");
        assert_eq!(meta["names_total"], names.len(), "{meta}");
        assert_eq!(names.len(), 4, "each name once: {meta}");
    }
    assert_eq!(daemon.metric("rhinobox_contents"), 2.0);
}

#[test]
fn the_same_content_at_once_from_many_connections_is_stored_once() {
    let daemon = Setup::new().flag("--inline-max-kib", "256").start();
    for round in 0..10 {
        let content = random_bytes(round, if round % 2 == 0 { 3_000 } else { 300_000 });
        let fresh: usize = std::thread::scope(|scope| {
            let uploads: Vec<_> = (0..8)
                .map(|n| {
                    let (daemon, content) = (&daemon, &content);
                    scope
                        .spawn(move || daemon.upload(&format!("{n}.bin"), content).get("duplicate").is_none())
                })
                .collect();
            uploads.into_iter().map(|upload| usize::from(upload.join().expect("it is answered"))).sum()
        });
        assert_eq!(fresh, 1, "round {round}");
        assert_eq!(daemon.content(&sha256(&content)), content);
    }
    assert_eq!(daemon.metric("rhinobox_contents"), 10.0);
    assert_eq!(disk::blobs(daemon.data()).len(), 5);
}
