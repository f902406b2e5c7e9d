//! An upload holds what its pace needs: a thousand that trickle are no reason to refuse anybody.

use std::time::Duration;

use super::crowd::{crowd, good_client, good_client_for, many_descriptors};
use crate::support::disk::blobs;
use crate::support::{Daemon, Form, Setup, random_bytes, request, sha256};

/// The request of a slow client, and its contents: raw bodies and forms, below and above what is kept in memory, of one
/// file and of many.
fn slow_request(number: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let seed = number as u64 * 1_000;
    if number % 4 == 3 {
        let contents: Vec<_> = (0..60).map(|file| random_bytes(seed + file, 3_000)).collect();
        let form = contents.iter().fold(Form::new(), |form, content| form.file("slow.bin", content));
        return (form.request(&[]), contents);
    }
    let content = random_bytes(seed, [2_000_000, 200_000, 100_000][number % 3]);
    let request = match number % 2 {
        0 => request("PUT", "/files/slow.bin", &[], &content),
        _ => Form::of("slow.bin", &content).request(&[]),
    };
    (request, vec![content])
}

#[test]
fn a_thousand_trickling_uploads_leave_a_good_client_served() {
    many_descriptors();
    let daemon = Daemon::start();
    let requests: Vec<_> = (0..12).map(|number| slow_request(number).0).collect();
    let mut slow = crowd(&daemon, 1_000, |number| requests[number % 12][..1_000].to_vec());
    let mut sent = 1_000;
    // Now and then they come in larger pieces, as if they were fast: what they grow to is taken back.
    for step in [300, 300, 20_000, 300, 300, 40_000, 300, 300, 300, 300] {
        for (number, client) in slow.iter_mut().enumerate() {
            client.send(&requests[number % 12][sent..sent + step]);
        }
        sent += step;
        let (turns, slowest) = good_client_for(&daemon, Duration::from_millis(100));
        println!("{turns} turns of a good client, the slowest {slowest:.0?}");
    }
    assert!(daemon.metric("rhinobox_connections") > 1_000.0, "the slow ones are still there");
    let resident = daemon.metric("rhinobox_resident_bytes");
    println!("{:.0} MB resident", resident / 1e6);
    drop(slow);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    good_client(&daemon);
}

/// A request whose contents are kept in memory until they are whole, and those contents.
fn bursting_request(number: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let seed = 1_000_000 + number as u64 * 1_000;
    let (files, len) = if number % 3 == 2 { (60, 4_166) } else { (1, 250_000) };
    let contents: Vec<_> = (0..files).map(|file| random_bytes(seed + file, len)).collect();
    let request = match number % 3 {
        0 => request("PUT", "/files/burst.bin", &[], &contents[0]),
        _ => contents.iter().fold(Form::new(), |form, content| form.file("burst.bin", content)).request(&[]),
    };
    (request, contents)
}

#[test]
fn uploads_that_stop_after_a_burst_give_back_what_they_grew_to() {
    const BURST: usize = 200_000;
    // Their least is two thirds of the memory for receiving; all that they were sent is twice as much as there is.
    const UPLOADS: usize = 1_300;
    many_descriptors();
    let daemon = Daemon::start();
    let requests: Vec<_> = (0..30).map(bursting_request).collect();
    let mut stopped = Vec::new();
    while stopped.len() < UPLOADS {
        stopped.extend(crowd(&daemon, 100, |number| requests[number % 30].0[..BURST].to_vec()));
        let (turns, slowest) = good_client_for(&daemon, Duration::from_millis(100));
        println!("{} stopped, {turns} turns of a good client, the slowest {slowest:.0?}", stopped.len());
    }
    assert!(daemon.metric("rhinobox_connections") > 1_300.0, "those that stopped are still there");
    println!("{:.0} MB resident", daemon.metric("rhinobox_resident_bytes") / 1e6);
    println!("{} files for their contents", blobs(daemon.data()).len());
    // Some go on, and are none the worse for it.
    for (client, (request, contents)) in stopped.iter_mut().zip(&requests) {
        client.send(&request[BURST..]);
        let response = client.response();
        assert!(matches!(response.status, 200 | 201), "{} {}", response.status, response.text());
        for content in contents {
            assert_eq!(daemon.content(&sha256(content)), *content);
        }
    }
    drop(stopped);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    good_client(&daemon);
}

#[test]
fn what_outgrows_the_memory_is_stored_from_a_file_and_comes_back_as_it_was() {
    // Memory for 192 uploads at the least, and far too little to keep as many small files until they are whole.
    let daemon = Setup::new().flag("--cores", "1").flag("--buffer-mib", "24").start();
    let requests: Vec<_> = (0..100).map(slow_request).collect();
    let mut slow = crowd(&daemon, requests.len(), |_| Vec::new());
    let longest = requests.iter().map(|(request, _)| request.len()).max().expect("there are some");
    let mut at = 0;
    // Several paces in one body: pieces of 5 KB, then of 60 KB.
    while at < longest {
        let step = if at < 150_000 { 5_000 } else { 60_000 };
        for (client, (request, _)) in slow.iter_mut().zip(&requests) {
            client.send(&request[at.min(request.len())..(at + step).min(request.len())]);
        }
        at += step;
    }
    for client in &mut slow {
        let response = client.response();
        assert!(matches!(response.status, 200 | 201), "{} {}", response.status, response.text());
    }
    let contents: Vec<&Vec<u8>> = requests.iter().flat_map(|(_, contents)| contents).collect();
    for content in &contents {
        assert_eq!(daemon.content(&sha256(content)), **content);
    }
    let big = contents.iter().filter(|content| content.len() > 256 << 10).count();
    let files = blobs(daemon.data()).len();
    assert!(files > big, "{files} files for {big} big contents: no small one went to a file");
    println!("{} of {} small contents went to files", files - big, contents.len() - big);
    let daemon = daemon.restart();
    for content in &contents {
        assert_eq!(daemon.content(&sha256(content)), **content);
    }
    good_client(&daemon);
}
