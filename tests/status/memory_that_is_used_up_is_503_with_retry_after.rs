//! The memory given to uploads is a bound: who finds none waits a second, then is told 503 and when to come again.

use crate::support::{Client, Setup, random_bytes, request};

#[test]
fn uploads_beyond_the_memory_are_503_and_taken_when_it_is_free() {
    let daemon = Setup::new().flag("--buffer-mib", "16").flag("--cores", "1").start();
    // Each of these holds the least memory of an upload while the rest of its body is awaited.
    let mut holders: Vec<Client> = Vec::new();
    for _ in 0..200 {
        let mut client = daemon.connect();
        client.send(&request("PUT", "/files/held.bin", &[("Content-Length", "2000000")], &[1; 1000]));
        holders.push(client);
    }
    let content = random_bytes(1, 1_000_000);
    let response = daemon.connect().ask("PUT", "/files/late.bin", &[], &content).expect(503);
    assert_eq!(response.field("Retry-After"), Some("1"));
    assert!(!response.error().is_empty());
    // Reading and asking go on.
    daemon.get("/healthz").expect(200);
    daemon.get("/readyz").expect(200);
    drop(holders);
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    daemon.connect().ask("PUT", "/files/late.bin", &[], &content).expect(201);
    daemon.serves();
}
