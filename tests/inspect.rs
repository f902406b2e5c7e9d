//! `rhinobox inspect` shows every batch and record, escaped, and ends quietly when nobody reads on.

#[path = "offline_support/damage.rs"]
mod damage;
mod offline_support;

use std::io::Read as _;
use std::process::Stdio;

use damage::*;
use offline_support::*;
use rhinobox::base::digest::Digest;

fn made() -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let mut paths =
        store_of(folder.path(), End::Stopped, &[sent("a.txt", "first"), sent("big.bin", noise(5_000, 1))]);
    let hostile = run(folder.path(), End::Stopped, |ingest| async move {
        upload(&ingest, &[sent("\u{1b}[2J\u{202e}x.txt", "third")], "Kategorie", "line\r\nlost: \"x\"").await
    });
    paths.extend(hostile.into_iter().map(|named| named.path.to_string()));
    (folder, paths)
}

#[test]
fn segments_batches_and_records_are_shown() {
    let (folder, paths) = made();
    let blob = only_blob(folder.path());
    let before = contents_of(folder.path());
    let ran = rhinobox(&["inspect", text(folder.path())]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.starts_with("store "), "{}", ran.out);
    for part in [
        "segment 00000001: lane 0, created 2",
        "  sealed 2",
        "  continues segment 00000001, which ends at byte ",
        "  batch 1 at byte 16384: 2 records in 4096 bytes",
        &format!("put {} 5 bytes, payload at ", Digest::of(b"first")),
        &format!(
            "put-large {} 5000 bytes, blob {}, 1 chunks",
            Digest::of(&noise(5_000, 1)),
            text(&blob).rsplit('/').next().unwrap()
        ),
        &format!("name {:?} means {}", paths[0], Digest::of(b"first")),
        " original-name=\"a.txt\" ",
        " mime=\"text/plain",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(contents_of(folder.path()) == before, "nothing was changed");
}

#[test]
fn what_clients_sent_neither_starts_a_line_nor_reaches_the_terminal() {
    let (folder, _) = made();
    let ran = rhinobox(&["inspect", text(folder.path())]);
    assert!(ran.out.contains(r#"original-name="\u{1b}[2J\u{202e}x.txt""#), "{}", ran.out);
    assert!(ran.out.contains(r#"comment="line\r\nlost: \"x\"""#), "{}", ran.out);
    assert!(ran.out.chars().all(|char| char == '\n' || !char.is_control() && char != '\u{202e}'));
}

#[test]
fn the_nonce_is_not_shown() {
    let (folder, _) = made();
    let header = std::fs::read(folder.join("segments/00000001.seg")).unwrap();
    let nonce = &header[48..64];
    assert!(nonce.iter().any(|byte| *byte != 0), "it stands there");
    let ran = rhinobox(&["inspect", text(folder.path())]);
    let hex: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!ran.out.contains(&hex));
}

#[test]
fn one_segment_and_few_records_can_be_asked_for() {
    let (folder, paths) = made();
    let dir = text(folder.path());
    let all = rhinobox(&["inspect", dir]);
    let last = all.out.lines().filter_map(|line| line.strip_prefix("segment ")).next_back().unwrap();
    let id = last.split(':').next().unwrap();
    let ran = rhinobox(&["inspect", dir, "--segment", id]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.starts_with(&format!("segment {id}: ")), "{}", ran.out);
    assert!(ran.out.contains(&paths[2]) && !ran.out.contains(&paths[0]), "{}", ran.out);
    let records = |out: &str| out.lines().filter(|line| line.contains(": lsn ")).count();
    assert_eq!(records(&all.out), 6);
    let ran = rhinobox(&["inspect", dir, "--limit", "3"]);
    assert_eq!((ran.status, records(&ran.out)), (0, 3), "{}", ran.out);
    for (asked, why) in [("77", "there is no segment 00000077"), ("zz", "is no segment")] {
        let ran = rhinobox(&["inspect", dir, "--segment", asked]);
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

#[test]
fn damage_and_tails_are_shown_where_they_are() {
    let folder = Folder::new();
    let paths = store_of(
        folder.path(),
        End::Died,
        &[sent("a.txt", "first"), sent("b.txt", "second"), sent("c.txt", "third")],
    );
    let (segment, at) = find(folder.path(), paths[0].as_bytes());
    flip(&segment, at);
    let (_, at) = find(folder.path(), b"third");
    flip(&segment, at);
    let ran = rhinobox(&["inspect", text(folder.path())]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.contains("damaged record: checksum mismatch"), "{}", ran.out);
    assert!(ran.out.contains("  not sealed\n"), "{}", ran.out);
    assert!(ran.out.contains("  tail at byte 24576: batch 3 does not check"), "{}", ran.out);
}

#[test]
fn a_reader_who_leaves_early_is_no_failure() {
    let folder = Folder::new();
    let files: Vec<_> =
        (0..1_500).map(|number| sent(&format!("{number}.txt"), format!("file {number}"))).collect();
    run(folder.path(), End::Stopped, move |ingest| {
        let files = files.clone();
        async move { upload(&ingest, &files, "", "").await.len() }
    });
    let mut child = command(&["inspect", text(folder.path())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    // The pipe is closed here, with far more to come than it holds.
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
