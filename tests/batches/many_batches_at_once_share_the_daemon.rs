//! Ten batches at once, and single files among them: each answer belongs to its request.

use std::thread;

use crate::support::content::Random;
use crate::support::{Daemon, Form, random_bytes, sha256};

#[test]
fn ten_simultaneous_batches_are_all_stored() {
    let daemon = Daemon::start();
    thread::scope(|scope| {
        for batch in 0..10_u64 {
            let daemon = &daemon;
            scope.spawn(move || {
                let contents: Vec<_> = (0..60).map(|n| random_bytes(batch << 32 | n, 5_000)).collect();
                let form = contents.iter().fold(Form::new(), |form, content| form.file("n.bin", content));
                let records = form.send(&mut daemon.connect()).stored();
                for (record, content) in records.iter().zip(&contents) {
                    assert_eq!(record["hash"], sha256(content).as_str());
                }
            });
        }
    });
    assert_eq!(daemon.metric("rhinobox_contents"), 600.0);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
}

#[test]
fn twenty_files_at_once_on_twenty_connections() {
    let daemon = Daemon::start();
    thread::scope(|scope| {
        for seed in 0..20 {
            let daemon = &daemon;
            scope.spawn(move || {
                let content = random_bytes(seed, 10_000);
                assert_eq!(daemon.upload("one.bin", &content)["hash"], sha256(&content).as_str());
                assert_eq!(daemon.content(&sha256(&content)), content);
            });
        }
    });
}

#[test]
fn uploads_and_reads_of_every_size_run_side_by_side() {
    let seed = Random::printed("uploads and reads side by side").next();
    let daemon = Daemon::start();
    thread::scope(|scope| {
        for connection in 0..8 {
            let daemon = &daemon;
            scope.spawn(move || {
                let mut random = Random(seed + connection);
                let mut client = daemon.connect();
                for _ in 0..12 {
                    // A few contents are everybody's: claims meet.
                    let (content_seed, size) = if random.below(4) == 0 {
                        (random.below(3), 300_000)
                    } else {
                        (random.next(), random.file_size() / 4)
                    };
                    let content = random_bytes(content_seed, size);
                    let response = match random.below(3) {
                        0 => client.ask("PUT", "/files/a.bin", &[], &content),
                        1 => Form::of("a.bin", &content).send(&mut client),
                        _ => Form::of("s.txt", b"small").file("a.bin", &content).send(&mut client),
                    };
                    assert!(matches!(response.status, 200 | 201), "{}", response.text());
                    let hash = sha256(&content);
                    assert!(response.text().contains(&hash));
                    assert_eq!(client.get(&format!("/files/{hash}")).expect(200).body, content);
                }
            });
        }
    });
    assert_eq!(daemon.metric("rhinobox_panics_total"), 0.0);
    assert_eq!(daemon.metric("rhinobox_answers_total{class=\"5xx\"}"), 0.0);
}
