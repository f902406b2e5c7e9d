//! Stop and start, again and again, with stores that grow, other core counts and other settings between.

use crate::support::{Form, Ledger, Setup, random_bytes, sha256};

#[test]
fn stores_survive_restarts_with_other_core_counts() {
    let ledger = Ledger::default();
    let mut setup = Setup::new();
    for (round, cores) in ["2", "1", "2", "1", "2"].into_iter().enumerate() {
        let daemon = setup.clone().flag("--cores", cores).start();
        ledger.check(&mut daemon.connect());
        let mut form = Form::new();
        let mut hashes = Vec::new();
        for n in 0..150_u64 {
            let (seed, size) = ((round as u64) << 32 | n, if n == 7 { 400_000 } else { 3_000 });
            let content = random_bytes(seed, size);
            ledger.sending(&sha256(&content), seed, size);
            hashes.push(sha256(&content));
            form = form.file("n.bin", &content);
        }
        let records = form.send(&mut daemon.connect()).stored();
        for (record, hash) in records.iter().zip(&hashes) {
            ledger.answered(hash, record["path"].as_str().expect("a path"));
        }
        setup = if round % 2 == 0 { daemon.stop() } else { daemon.kill() };
        // The flags of this round are not those of the next.
        setup = Setup::new().data_dir(setup.data()).keeping(&setup);
    }
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    assert_eq!(daemon.metric("rhinobox_contents"), 750.0);
}

#[test]
fn a_log_of_many_segments_is_read_back() {
    let daemon = Setup::new().flag("--segment-mib", "4").start();
    let ledger = Ledger::default();
    let mut client = daemon.connect();
    for seed in 0..30 {
        let mut form = Form::new();
        let contents: Vec<_> = (0..5).map(|n| random_bytes(seed << 8 | n, 200_000)).collect();
        for content in &contents {
            form = form.file("n.bin", content);
        }
        for (n, record) in form.send(&mut client).stored().iter().enumerate() {
            let hash = sha256(&contents[n]);
            ledger.sending(&hash, seed << 8 | n as u64, 200_000);
            ledger.answered(&hash, record["path"].as_str().expect("a path"));
        }
    }
    assert!(daemon.metric("rhinobox_segments") >= 6.0);
    ledger.check(&mut daemon.connect());
    let daemon = daemon.kill().start();
    ledger.check(&mut daemon.connect());
    let daemon = daemon.restart();
    ledger.check(&mut daemon.connect());
    daemon.serves();
}
