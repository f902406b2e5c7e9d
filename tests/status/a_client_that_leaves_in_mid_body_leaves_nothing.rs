//! Who disconnects in mid-body leaves no content, no name, no file and no place in the queue.

use std::net::Shutdown;

use crate::support::{Daemon, Form, disk, random_bytes, request, sha256};

#[test]
fn nothing_of_a_broken_upload_is_left() {
    let daemon = Daemon::start();
    let whole = random_bytes(1, 2_000_000);
    let small = b"the small file in front".as_slice();
    let form = Form::of("small.txt", small).file("big.bin", &whole);
    let uploads = [
        request("PUT", "/files/big.bin", &[], &whole),
        form.request(&[]),
        form.request(&[("Expect", "100-continue")]),
    ];
    for upload in &uploads {
        for share in [2, 3, 100] {
            let cut = upload.len() - upload.len() / share;
            for how in [Shutdown::Write, Shutdown::Both] {
                let mut client = daemon.connect();
                client.send(&upload[..cut]);
                client.stream.shutdown(how).expect("the socket is open");
            }
        }
    }
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    // This one asks.
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    for hash in [sha256(&whole), sha256(small)] {
        assert_eq!(daemon.get(&format!("/files/{hash}")).status, 404);
    }
    for _ in 0..200 {
        if disk::blobs(daemon.data()).is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(disk::blobs(daemon.data()), Vec::<std::path::PathBuf>::new());
    // The same again, whole: new, not a duplicate of what never was.
    let records = form.send(&mut daemon.connect()).stored();
    assert_eq!(records[1].get("duplicate"), None, "{}", records[1]);
    assert_eq!(daemon.content(&sha256(&whole)), whole);
    daemon.serves();
}

#[test]
fn a_client_that_does_not_read_its_answer_is_cut_off_and_others_are_served() {
    let daemon = crate::support::Setup::new().flag("--answer-timeout-s", "1").start();
    let record = daemon.upload("big.bin", &random_bytes(2, 8_000_000));
    let target = format!("/files/{}", record["hash"].as_str().expect("a hash"));
    let mut deaf: Vec<_> = (0..40).map(|_| daemon.connect()).collect();
    for client in &mut deaf {
        client.send(&request("GET", &target, &[], b""));
    }
    daemon.serves();
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    assert_eq!(daemon.get(&target).expect(200).body.len(), 8_000_000);
    drop(deaf);
}
