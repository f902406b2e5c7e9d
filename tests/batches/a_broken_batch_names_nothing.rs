//! A batch that breaks off names nothing: not the files in front of the break, not after a restart.

use crate::support::{Daemon, Form, random_bytes, sha256};

#[test]
fn a_cancelled_batch_leaves_no_name() {
    let daemon = Daemon::start();
    let contents: Vec<_> = (0..600).map(|seed| random_bytes(seed, 3_000)).collect();
    let form = contents.iter().fold(Form::new(), |form, content| form.file("n.bin", content));
    let request = form.request(&[]);
    let mut client = daemon.connect();
    client.send(&request[..request.len() - 10_000]);
    drop(client);
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    let absent = |daemon: &Daemon| {
        let mut client = daemon.connect();
        for content in &contents {
            let hash = sha256(content);
            assert_eq!(client.get(&format!("/files/{hash}")).status, 404);
            assert_eq!(client.get(&format!("/files/{hash}/meta")).status, 404);
        }
        assert_eq!(daemon.metric("rhinobox_names"), 0.0);
    };
    absent(&daemon);
    let daemon = daemon.restart();
    absent(&daemon);
    let records = form.send(&mut daemon.connect()).stored();
    assert_eq!(records.len(), 600);
    assert_eq!(daemon.content(&sha256(&contents[0])), contents[0]);
}
