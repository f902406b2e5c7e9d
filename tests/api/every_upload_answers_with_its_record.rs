//! An upload answers with what was stored, where, under which name; the path serves those bytes.

use crate::support::content::samples;
use crate::support::{Daemon, Form, random_bytes, sha256};

#[test]
fn the_record_is_the_contracts() {
    let daemon = Daemon::start();
    let photo = samples::jpg(1);
    let form = Form::new().field("category", "Holiday 2025!").field("comment", "at the sea").typed(
        "Beach Photo.JPG",
        "image/jpeg",
        &photo,
    );
    let mut client = daemon.connect();
    let response = form.send(&mut client).expect(200);
    assert_eq!(response.field("Content-Type"), Some("application/json"));
    assert_eq!(response.field("Rhinobox-Durability"), Some("commit"));
    assert!(response.field("Server-Timing").is_some(), "uploads say how long they took");
    let record = &response.stored()[0];
    let hash = sha256(&photo);
    let path = format!("storage/images/jpg/holiday-2025/{}_beach-photo.jpg", &hash[..12]);
    assert_eq!(record["path"], path.as_str());
    assert_eq!(record["hash"], hash.as_str());
    assert_eq!(record["size"], photo.len());
    assert_eq!(record["mime_type"], "image/jpeg");
    assert_eq!(record["media_type"], "images");
    assert_eq!(record["category"], "images/jpg/holiday-2025");
    assert_eq!(record["original_name"], "Beach Photo.JPG");
    assert_eq!(record["comment"], "at the sea");
    assert_eq!(record.get("duplicate"), None);
    let time = record["uploaded_at"].as_str().expect("a time");
    assert!(time.len() >= 20 && time.ends_with('Z') && time.starts_with("20"), "{time}");
    for target in [format!("/{path}"), format!("/files/{hash}")] {
        assert_eq!(client.get(&target).expect(200).body, photo);
    }
}

#[test]
fn files_come_back_whole_at_every_size() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    // Around a receive, a block, the inline bound, a chunk, a direct write.
    let sizes = [
        0, 1, 4_095, 4_096, 4_097, 16_383, 16_384, 65_536, 262_143, 262_144, 262_145, 524_288, 786_433,
        1_048_575, 1_048_576, 1_048_577,
    ];
    for (seed, size) in sizes.into_iter().enumerate() {
        let content = random_bytes(seed as u64, size);
        let record = Form::of("sized.bin", &content).send(&mut client).stored().remove(0);
        assert_eq!(record["size"], size);
        assert_eq!(
            client.get(&format!("/{}", record["path"].as_str().expect("a path"))).expect(200).body,
            content
        );
        let put = client.ask("PUT", "/files/again.bin", &[], &content).expect(200).json();
        assert_eq!(put["duplicate"], true, "{size}");
    }
    let daemon = daemon.restart();
    for (seed, size) in sizes.into_iter().enumerate() {
        let content = random_bytes(seed as u64, size);
        assert_eq!(daemon.content(&sha256(&content)), content, "{size}");
    }
}

#[test]
fn records_come_in_the_order_sent() {
    let daemon = Daemon::start();
    let mut form = Form::new();
    // Small and big ones between each other finish at different times.
    for number in 0..50_u64 {
        let size = if number % 10 == 3 { 400_000 } else { 100 + usize::try_from(number).expect("small") };
        form = form.file(&format!("n{number}.bin"), &random_bytes(number, size));
    }
    let records = form.send(&mut daemon.connect()).stored();
    let names: Vec<_> = records.iter().map(|record| record["original_name"].clone()).collect();
    let sent: Vec<_> = (0..50).map(|number| format!("n{number}.bin")).collect();
    assert_eq!(names, sent);
}

#[test]
fn every_part_with_a_file_name_is_a_file_whatever_its_field_is_called() {
    let daemon = Daemon::start();
    let part = |field: &str| format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"f.txt\"");
    let form = Form::new()
        .part(&part("file"), b"one")
        .part(&part("category"), b"two")
        .part(&part(""), b"three")
        .part("Content-Disposition: form-data; filename=\"f.txt\"", b"four")
        .field("note", "not a file");
    let records = form.send(&mut daemon.connect()).stored();
    assert_eq!(records.len(), 4);
    assert_eq!(records[1]["category"], "documents/txt");
}
