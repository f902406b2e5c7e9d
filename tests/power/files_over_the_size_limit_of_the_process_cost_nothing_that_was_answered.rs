//! A limit on the size of files (`ulimit -f`): a write is cut short at it, and the next one fails with EFBIG and, unless
//! it is ignored, a signal. An upload that is larger is refused like one that finds no space, and the daemon serves on.

use crate::support::{Client, Daemon, Ledger, Setup, random_bytes, request, sha256};

/// Above a segment, below the big files of these tests; no multiple of the block size.
const LIMIT_BYTES: usize = 6 * 1024 * 1024 + 512 * 3;
/// The largest multiple of the block size below it: space is reserved in blocks.
const FITS_BYTES: usize = LIMIT_BYTES / 4096 * 4096;

/// In the 512-byte blocks of a POSIX shell.
fn limited(and: &str) -> Setup {
    Setup::new()
        .after(&format!("{and} ulimit -f {}", LIMIT_BYTES / 512))
        .flag("--segment-mib", "4")
        .flag("--cores", "2")
}

/// A body whose length the daemon does not know beforehand.
fn chunked(content: &[u8]) -> Vec<u8> {
    let body = crate::support::client::chunked(content, 64 * 1024, "");
    request("PUT", "/files/big.bin", &[("Transfer-Encoding", "chunked")], &body)
}

fn put(content: &[u8]) -> Vec<u8> {
    request("PUT", "/files/big.bin", &[], content)
}

/// The status, if an answer came.
fn status(client: &mut Client, request: &[u8]) -> Option<u16> {
    let _may_end = client.try_send(request);
    client.try_response().ok().map(|response| response.status)
}

/// Some files that fit.
fn store_some(daemon: &Daemon, ledger: &Ledger) {
    let mut client = daemon.connect();
    for (seed, size) in [(1, 2_000), (2, 300_000), (3, FITS_BYTES), (4, 5_000_000), (5, 100_000)] {
        let content = random_bytes(seed, size);
        let hash = sha256(&content);
        ledger.sending(&hash, seed, size);
        let answer = client.ask("PUT", "/files/fits.bin", &[], &content).expect(201).json();
        ledger.answered(&hash, answer["path"].as_str().expect("a path"));
    }
}

fn over_the_limit(what: &str, and: &str, request_of: fn(&[u8]) -> Vec<u8>) {
    let setup = limited(and);
    let ledger = Ledger::default();
    let daemon = setup.start();
    store_some(&daemon, &ledger);
    let content = random_bytes(6, LIMIT_BYTES + 700_000);
    let hash = sha256(&content);
    ledger.sending(&hash, 6, content.len());
    let status = status(&mut daemon.connect(), &request_of(&content));
    println!("{what}: {status:?}");
    assert_eq!(status, Some(507), "{what}");
    ledger.check(&mut daemon.connect());
    daemon.serves();
    daemon.stop();
    setup.verifies();
    let daemon = setup.start();
    ledger.check(&mut daemon.connect());
    assert_eq!(daemon.get(&format!("/files/{hash}")).status, 404, "a part of it is served");
    daemon.serves();
    daemon.stop().verifies();
}

#[test]
fn a_file_of_known_length_over_the_limit() {
    over_the_limit("known length", "trap '' XFSZ;", put);
}

#[test]
fn a_file_of_unknown_length_over_the_limit() {
    over_the_limit("unknown length", "trap '' XFSZ;", chunked);
}

#[test]
fn a_file_over_the_limit_and_the_signal_that_comes_with_it() {
    over_the_limit("known length, signal", "", put);
    over_the_limit("unknown length, signal", "", chunked);
}

#[test]
fn a_limit_below_a_segment_is_told_at_the_start_and_never_answered_falsely() {
    let setup =
        Setup::new().after("trap '' XFSZ; ulimit -f 4096").flag("--segment-mib", "4").flag("--cores", "1");
    let daemon = setup.start();
    // Half a segment is what a file may have: none can be prepared, so nothing can be stored.
    let status = status(&mut daemon.connect(), &put(&random_bytes(1, 3_000)));
    assert_eq!(status, Some(507), "no segment can be prepared");
    drop(daemon);
    setup.verifies();
}
