//! `rhinobox verify` finds what is damaged, says where, names what is lost, and touches nothing.

#[path = "offline_support/damage.rs"]
mod damage;
mod offline_support;

use std::fs;

use damage::*;
use offline_support::*;
use rhinobox::base::ids::SegmentId;
use rhinobox::runtime::process;
use rhinobox::store::format::Nonce;

/// Small and big files, with a name each.
fn files() -> Vec<Sent> {
    vec![
        sent("a.bin", noise(3_000, 1)),
        sent("b.bin", noise(2_000, 2)),
        sent("big.bin", noise(300_000, 3)),
        sent("empty.txt", Vec::new()),
        sent("c.bin", noise(1_000, 4)),
    ]
}

fn made(end: End) -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let paths = store_of(folder.path(), end, &files());
    (folder, paths)
}

#[test]
fn a_sound_store_is_counted_and_left_as_it_is() {
    let (folder, _) = made(End::Stopped);
    let before = contents_of(folder.path());
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("  1 segments, "), "{}", ran.out);
    assert!(
        ran.out.contains("10 records: 4 puts, 1 large puts, 5 names, 0 deletes, 0 others"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("5 contents with 306000 bytes, 5 names\nno damage\n"), "{}", ran.out);
    assert!(contents_of(folder.path()) == before, "nothing was changed");
}

#[test]
fn every_flipped_bit_of_a_stored_byte_costs_that_file_and_no_other() {
    let (folder, paths) = made(End::Stopped);
    let files = files();
    for (index, at) in [(0, 0), (0, 2_999), (1, 77), (4, 999)] {
        let (segment, start) = find(folder.path(), &files[index].bytes);
        flip(&segment, start + at);
        let ran = rhinobox(&["verify", text(folder.path())]);
        flip(&segment, start + at);
        assert_eq!(ran.status, 3, "{}", ran.out);
        let lost: Vec<_> = ran.out.lines().filter(|line| line.starts_with("lost: ")).collect();
        assert_eq!(lost, [format!("lost: {:?}", paths[index])]);
        let place = format!("damage: segment 00000001 at byte {start}: ");
        assert!(ran.out.contains(&place) && ran.out.contains("checksum mismatch"), "{}", ran.out);
        assert!(ran.out.ends_with("damage: 1 findings, 1 names lost\n"), "{}", ran.out);
    }
    assert_eq!(rhinobox(&["verify", text(folder.path())]).status, 0);
}

#[test]
fn a_blob_that_is_rotten_short_or_gone_is_damage() {
    let (folder, paths) = made(End::Stopped);
    let blob = only_blob(folder.path());
    let whole = fs::read(&blob).unwrap();
    let expect = |what: &str| {
        let ran = rhinobox(&["verify", text(folder.path())]);
        assert_eq!(ran.status, 3, "{what}: {}", ran.out);
        assert!(ran.out.contains(what), "{what}: {}", ran.out);
        assert!(ran.out.contains(&format!("lost: {:?}\n", paths[2])), "{}", ran.out);
        assert!(ran.out.contains("1 names lost"), "{}", ran.out);
    };
    flip(&blob, 270_000);
    expect("1 of 2 chunks are bad");
    fs::write(&blob, &whole[..299_999]).unwrap();
    expect("the file has 299999 bytes and should have 300000");
    fs::remove_file(&blob).unwrap();
    expect("the file is missing");
    fs::write(&blob, &whole).unwrap();
    assert_eq!(rhinobox(&["verify", text(folder.path())]).status, 0);
}

#[test]
fn a_record_that_cannot_be_read_is_damage_with_its_place() {
    let (folder, paths) = made(End::Stopped);
    // The path stands in the name's entry, behind 80 fixed bytes.
    let (segment, at) = find(folder.path(), paths[1].as_bytes());
    flip(&segment, at);
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 3);
    let finding = format!("damage: segment 00000001 at byte {}: a record: checksum mismatch\n", at - 80);
    assert!(ran.out.contains(&finding), "{}", ran.out);
    assert!(ran.out.contains("4 contents"), "{}", ran.out);
}

#[test]
fn a_put_that_cannot_be_read_loses_its_names() {
    let (folder, paths) = made(End::Stopped);
    let digest = rhinobox::base::digest::Digest::of(&files()[1].bytes);
    let (segment, at) = find(folder.path(), &digest.0);
    flip(&segment, at);
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 3);
    assert!(
        ran.out.contains(&format!("content {digest} has names and is nowhere in the log")),
        "{}",
        ran.out
    );
    assert!(ran.out.contains(&format!("lost: {:?}\n", paths[1])), "{}", ran.out);
}

#[test]
fn a_batch_header_a_seal_and_a_header_copy_are_checked_too() {
    let (folder, _) = made(End::Stopped);
    let segment = folder.join("segments/00000001.seg");
    for (at, what) in [
        (16_384 + 40, "at byte 16384: batches 1 to 1 cannot be read"),
        (8_192 + 9, "at byte 8192: the seal: checksum mismatch"),
        (4_096 + 99, "at byte 4096: the header's copy: checksum mismatch"),
        (99, "at byte 0: the header: checksum mismatch"),
    ] {
        flip(&segment, at);
        let ran = rhinobox(&["verify", text(folder.path())]);
        flip(&segment, at);
        assert_eq!(ran.status, 3, "{what}");
        assert!(ran.out.contains(what), "{what}: {}", ran.out);
    }
    flip(&segment, 99);
    flip(&segment, 4_096 + 99);
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 3);
    assert!(ran.out.contains("both copies of the header are unreadable"), "{}", ran.out);
}

#[test]
fn a_missing_segment_is_damage() {
    let (folder, _) = made(End::Stopped);
    store_of(folder.path(), End::Stopped, &[sent("later.bin", noise(500, 9))]);
    fs::remove_file(folder.join("segments/00000001.seg")).unwrap();
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 3);
    assert!(ran.out.contains("segment 00000001 at byte 0: the segment is missing; segment "), "{}", ran.out);
}

#[test]
fn a_tail_that_was_never_acknowledged_is_no_damage() {
    let (folder, paths) = made(End::Died);
    let before = contents_of(folder.path());
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 0, "{}", ran.out);
    assert!(ran.out.contains("5 contents") && !ran.out.contains("tail: "), "{}", ran.out);
    assert!(ran.out.contains("note: segments/00000002.seg was prepared and never used\n"), "{}", ran.out);

    // The last batch, torn in its payload: it was never said to be durable.
    let (segment, start) = find(folder.path(), &files()[4].bytes);
    flip(&segment, start);
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 0, "{}", ran.out);
    assert!(ran.out.contains("tail: segment 00000001: "), "{}", ran.out);
    assert!(ran.out.contains("was never acknowledged"), "{}", ran.out);
    assert!(ran.out.contains("4 contents") && !ran.out.contains(&paths[4]), "{}", ran.out);
    flip(&segment, start);
    assert!(contents_of(folder.path()) == before, "nothing was cut, sealed or removed");
}

#[test]
fn a_record_of_a_newer_build_is_refused_and_not_taken_for_a_tail() {
    let (folder, paths) = made(End::Died);
    let (segment, path) = find(folder.path(), paths[4].as_bytes());
    let mut bytes = fs::read(&segment).unwrap();
    let nonce = Nonce(bytes[48..64].try_into().unwrap());
    // The last name: its entry begins 80 bytes before its path, and its checksum covers all but itself.
    let entry = path - 80;
    let len = u32::from_le_bytes(bytes[entry + 4..entry + 8].try_into().unwrap()) as usize;
    bytes[entry + 8] = 99;
    let sum = nonce.seed(SegmentId(1)).at(entry as u64).sum(&bytes[entry + 4..entry + len]);
    bytes[entry..entry + 4].copy_from_slice(&sum.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    assert!(ran.err.contains("segment 00000001 holds records of a newer rhinobox"), "{}", ran.err);
}

#[test]
fn a_blob_that_nothing_names_is_noted() {
    let (folder, _) = made(End::Stopped);
    fs::write(folder.join("blobs/07/0000000900000007"), "half a blob").unwrap();
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.contains("note: blobs/07/0000000900000007 is a blob that nothing names"), "{}", ran.out);
}

#[test]
fn a_bad_copy_that_was_stored_anew_is_noted() {
    let (folder, _) = made(End::Stopped);
    let (segment, start) = find(folder.path(), &files()[0].bytes);
    flip(&segment, start);
    run(folder.path(), End::Stopped, |ingest| async move {
        let index = &ingest.store.index;
        let digest = rhinobox::base::digest::Digest::of(&files()[0].bytes);
        index.mark_damaged(&digest, index.content(&digest).unwrap().lsn);
        upload(&ingest, &files()[..1], "", "").await;
    });
    let ran = rhinobox(&["verify", text(folder.path())]);
    assert_eq!(ran.status, 0, "{}", ran.out);
    assert!(ran.out.contains("checksum mismatch, and no name depends on it\n"), "{}", ran.out);
}

#[test]
fn a_folder_that_a_daemon_serves_is_refused() {
    let (folder, _) = made(End::Stopped);
    let lock = process::lock_file(&folder.join("LOCK")).unwrap();
    for command in ["verify", "inspect"] {
        let ran = rhinobox(&[command, text(folder.path())]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""));
        assert!(ran.err.starts_with("rhinobox: a daemon serves this folder: "), "{}", ran.err);
        assert!(ran.err.contains(&format!("process {}", std::process::id())), "{}", ran.err);
    }
    drop(lock);
    assert_eq!(rhinobox(&["verify", text(folder.path())]).status, 0);
}

#[test]
fn what_is_no_store_is_refused_in_a_sentence_and_left_alone() {
    let folder = Folder::new();
    let refused = |what: &str| {
        let before = contents_of(folder.path());
        let ran = rhinobox(&["verify", text(folder.path())]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{}", ran.err);
        assert!(ran.err.starts_with("rhinobox: cannot read ") && ran.err.contains(what), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(contents_of(folder.path()) == before);
    };
    refused("no rhinobox store");
    fs::write(folder.join("photo.jpg"), "x").unwrap();
    refused("neither empty nor a rhinobox store");
    fs::write(folder.join("FORMAT"), "rhinobox store\nversion 2\n").unwrap();
    refused("format version 2");
    let ran = rhinobox(&["verify", text(&folder.join("nowhere"))]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("No such file"), "{}", ran.err);
    assert_eq!(rhinobox(&["verify", text(&folder.join("FORMAT"))]).status, 1);
}
