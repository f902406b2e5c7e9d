//! Who reads slower than the least rate is cut off, however many pieces and ranges the answer has: the time to spare is given
//! once.

use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Form, Setup, random_bytes, request};

#[test]
fn a_slow_reader_is_cut_off_whether_it_reads_a_whole_or_many_ranges_or_what_became_of_many_files() {
    let daemon = Setup::new().flag("--answer-timeout-s", "1").flag("--body-rate-kib", "4096").start();
    let content = random_bytes(1, 24_000_000);
    let record = daemon.upload("big.bin", &content);
    let target = format!("/files/{}", record["hash"].as_str().expect("a hash"));
    let ranges: Vec<String> =
        (0..16).map(|at| format!("{}-{}", at * 1_500_000, (at + 1) * 1_500_000 - 1)).collect();
    let many = format!("bytes={}", ranges.join(","));
    // Each record of its answer repeats the comment.
    let form = Form::new().field("comment", &"c".repeat(4_000));
    let upload = (0..4_000_u32).fold(form, |form, n| form.file("a.bin", &n.to_le_bytes())).request(&[]);
    let read_slowly = |request: &[u8], whole: usize| {
        let mut slow = daemon.connect();
        slow.send(request);
        slow.stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time limit is set");
        // A tenth of the least rate, though a piece of the answer takes less than the time to spare.
        let (mut piece, mut read, begun) = ([0; 20_000], 0, Instant::now());
        while let Ok(count) = slow.stream.read(&mut piece)
            && count > 0
        {
            read += count;
            assert!(begun.elapsed() < Duration::from_secs(15), "still read after {read} bytes");
            thread::sleep(Duration::from_millis(50));
        }
        println!("cut off after {read} bytes, {:.1?}", begun.elapsed());
        assert!(read < whole, "{read} bytes");
    };
    thread::scope(|scope| {
        scope.spawn(|| read_slowly(&request("GET", &target, &[], b""), content.len()));
        scope.spawn(|| read_slowly(&request("GET", &target, &[("Range", &many)], b""), content.len()));
        scope.spawn(|| read_slowly(&upload, 16_000_000));
    });
    // Who reads on is served.
    let whole = daemon.connect().ask("GET", &target, &[("Range", &many)], b"").expect(206);
    assert!(whole.is_whole && whole.body.len() > content.len());
    daemon.serves();
}
