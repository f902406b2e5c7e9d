//! A thousand uploads are reset in their middle while others go on: a buffer that the kernel still writes to would show
//! as a content whose digest is wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::crowd::{good_client, many_descriptors};
use crate::support::content::Random;
use crate::support::{Daemon, Form, Ledger, load, random_bytes, request};

#[test]
fn a_thousand_resets_in_mid_upload() {
    many_descriptors();
    let mut random = Random::printed("resets in mid-upload");
    let daemon = Daemon::start();
    let ledger = Ledger::default();
    let stop = AtomicBool::new(false);
    let (address, seed) = (daemon.address(), random.next());
    thread::scope(|scope| {
        let loading = scope.spawn(|| load::run(address, 3, seed, &ledger, &stop));
        for _ in 0..50 {
            let cut_off: Vec<_> = (0..20)
                .map(|_| {
                    let size = random.file_size().min(2_000_000);
                    let content = random_bytes(random.next(), size);
                    let upload = match random.below(3) {
                        0 => request("PUT", "/files/cut.bin", &[], &content),
                        1 => Form::of("cut.bin", &content).request(&[]),
                        _ => {
                            let form =
                                (0..20).fold(Form::new(), |form, _| form.file("c.bin", &content[..1_000]));
                            form.file("cut.bin", &content).request(&[("Accept", "application/x-ndjson")])
                        }
                    };
                    let whole = upload.len() as u64;
                    let sent = usize::try_from(1 + random.below(whole - 1)).expect("a length");
                    let mut client = daemon.connect();
                    client.send(&upload[..sent]);
                    client
                })
                .collect();
            if random.below(2) == 0 {
                thread::sleep(Duration::from_millis(random.below(20)));
            }
            for client in cut_off {
                // Closing it sends a reset, whatever is on its way.
                set_socket_linger(&client.stream, Some(Duration::ZERO)).expect("lingering is set");
            }
        }
        stop.store(true, Ordering::Relaxed);
        loading.join().expect("the load ends");
    });
    println!("{} contents were answered meanwhile", ledger.answers());
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    ledger.check(&mut daemon.connect());
    let daemon = daemon.restart();
    ledger.check(&mut daemon.connect());
    good_client(&daemon);
}
