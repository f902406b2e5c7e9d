//! Mixed load with a ledger: several connections, 1 KiB to 8 MiB, forms and raw bodies, duplicates among them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::client::{Client, Response};
use super::content::{Random, random_bytes, sha256};
use super::form::Form;
use super::ledger::Ledger;

/// Runs `connections` uploads at a time until `stop`, or until the daemon answers no more. Answers other than
/// success, 503 and 507 fail the test; of these two the ledger keeps count.
pub(crate) fn run(address: SocketAddr, connections: u64, seed: u64, ledger: &Ledger, stop: &AtomicBool) {
    thread::scope(|scope| {
        for connection in 0..connections {
            scope.spawn(move || one(address, Random(seed ^ connection << 48), ledger, stop));
        }
    });
}

/// As [`run`]; connections that end, as they do behind a refusal, are made anew until `stop`.
pub(crate) fn keep_running(
    address: SocketAddr,
    connections: u64,
    seed: u64,
    ledger: &Ledger,
    stop: &AtomicBool,
) {
    let mut random = Random(seed);
    while !stop.load(Ordering::Relaxed) {
        run(address, connections, random.next(), ledger, stop);
    }
}

/// Tells a load to stop when it goes out of scope: a test that fails while the load runs must not wait for it for ever.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn one(address: SocketAddr, mut random: Random, ledger: &Ledger, stop: &AtomicBool) {
    let Some(mut client) = Client::try_connect(address) else { return };
    while !stop.load(Ordering::Relaxed) {
        // Some contents are many connections' at once: claims are caught in mid-work, too.
        let seed = if random.below(5) == 0 { random.below(4) } else { random.next() };
        // The size belongs to the seed, so that the same seed is the same content.
        let size = Random(seed).file_size();
        let content = random_bytes(seed, size);
        let hash = sha256(&content);
        ledger.sending(&hash, seed, size);
        let response = match random.below(3) {
            0 => put(&mut client, &content),
            1 => form(&mut client, &Form::of("load.bin", &content)),
            _ => {
                let extra = random_bytes(seed + 1, 2_000);
                let extra_hash = sha256(&extra);
                ledger.sending(&extra_hash, seed + 1, 2_000);
                let response = form(&mut client, &Form::of("load.bin", &content).file("extra.bin", &extra));
                if let Some(response) = response.as_ref().filter(|response| response.status == 200) {
                    let json = response.json();
                    ledger.answered(&extra_hash, json["stored"][1]["path"].as_str().expect("a path"));
                }
                response
            }
        };
        let Some(response) = response else { return };
        match response.status {
            200 | 201 => {
                let json = response.json();
                let path = json["path"].as_str().or(json["stored"][0]["path"].as_str());
                ledger.answered(&hash, path.expect("a path"));
            }
            503 | 507 => ledger.refused(),
            status => panic!("{status}: {}", response.text()),
        }
        if response.closes() {
            return;
        }
    }
}

fn put(client: &mut Client, content: &[u8]) -> Option<Response> {
    whole(client, &super::request("PUT", "/files/load.bin", &[], content))
}

fn form(client: &mut Client, form: &Form) -> Option<Response> {
    whole(client, &form.request(&[]))
}

/// An answer that came whole; a daemon that was killed gives none, or half of one.
fn whole(client: &mut Client, request: &[u8]) -> Option<Response> {
    let _may_be_dead = client.try_send(request);
    client.try_response().ok().filter(|response| response.is_whole)
}
