//! One file goes the direct way on its connection's core, many are dealt over the cores; nobody can tell afterwards.

use std::time::Instant;

use crate::support::{Daemon, Form, random_bytes};

#[test]
fn the_records_of_both_ways_are_alike() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let begun = Instant::now();
    let alone: Vec<_> = (0..100_u64)
        .map(|seed| Form::of("a.bin", &random_bytes(seed, 2_000)).send(&mut client).stored().remove(0))
        .collect();
    let single = begun.elapsed();
    let other = Daemon::start();
    let form = (0..100).fold(Form::new(), |form, seed| form.file("a.bin", &random_bytes(seed, 2_000)));
    let begun = Instant::now();
    let together = form.send(&mut other.connect()).stored();
    println!("100 files one by one in {single:.1?}, as one batch in {:.1?}", begun.elapsed());
    for (one, many) in alone.iter().zip(&together) {
        let plain = |record: &serde_json::Value| {
            let mut record = record.clone();
            record["uploaded_at"].take();
            record
        };
        assert_eq!(plain(one), plain(many));
    }
}
