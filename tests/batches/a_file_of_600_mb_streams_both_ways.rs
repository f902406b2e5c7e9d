//! Bigger than the default limit and than the memory of the daemon: streamed in, streamed out, the same bytes. And
//! the predecessor's file of 5 MB.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use sha2::Digest as _;

use crate::support::content::hex;
use crate::support::{Daemon, Setup, random_bytes, request, sha256};

const PIECE: usize = 1 << 20;
const PIECES: u64 = 600;

/// A piece that no other repeats, cheaply made.
fn piece(number: u64, template: &mut [u8]) {
    template[..8].copy_from_slice(&number.to_le_bytes());
}

#[test]
fn six_hundred_megabytes_in_and_out() {
    let daemon = Setup::new().flag("--max-upload-mb", "700").flag("--buffer-mib", "32").start();
    let length = (PIECES * PIECE as u64).to_string();
    let mut template = random_bytes(1, PIECE);
    let mut client = daemon.connect();
    let mut digest = sha2::Sha256::new();
    let begun = Instant::now();
    client.send(&request("PUT", "/files/film.bin", &[("Content-Length", &length)], b""));
    for number in 0..PIECES {
        piece(number, &mut template);
        digest.update(&template);
        client.send(&template);
    }
    let record = client.response().expect(201).json();
    println!("600 MiB in: {:.1?}", begun.elapsed());
    let hash = hex(&digest.finalize());
    assert_eq!(record["hash"], hash.as_str());
    assert!(daemon.metric("rhinobox_resident_bytes") < 200e6, "it was held in memory");

    let begun = Instant::now();
    let mut reader = daemon.connect();
    reader.send(&request("GET", &format!("/files/{hash}"), &[("Connection", "close")], b""));
    assert_eq!(reader.head().expect("a head").field("Content-Length"), Some(length.as_str()));
    let mut back = sha2::Sha256::new();
    let front = reader.take_ahead();
    let mut received = front.len() as u64;
    back.update(&front);
    let mut buffer = vec![0; PIECE];
    loop {
        let count = reader.stream.read(&mut buffer).expect("bytes");
        if count == 0 {
            break;
        }
        received += count as u64;
        back.update(&buffer[..count]);
    }
    println!("600 MiB out: {:.1?}", begun.elapsed());
    assert_eq!(received.to_string(), length);
    assert_eq!(hex(&back.finalize()), hash);
    std::io::stdout().flush().expect("it can be said");
    daemon.serves();
}

#[test]
fn a_file_of_5_mb_comes_back() {
    let daemon = Daemon::start();
    let content = random_bytes(5, 5 << 20);
    let record = daemon.upload("five.bin", &content);
    assert_eq!(record["size"], 5 << 20);
    assert_eq!(daemon.content(&sha256(&content)), content);
}
