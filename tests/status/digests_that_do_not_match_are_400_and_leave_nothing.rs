//! A digest that a client declares covers its bytes: what does not match is 400 and leaves nothing.

use crate::support::client::{chunked, request};
use crate::support::{Daemon, Form, Setup, disk, random_bytes, sha256, sha256_base64};

#[test]
fn a_put_under_a_hash_must_hash_to_it() {
    let daemon = Setup::new().flag("--inline-max-kib", "256").start();
    for size in [10, 300_000] {
        let (content, other) = (random_bytes(1, size), random_bytes(2, size));
        let target = format!("/files/{}", sha256(&content));
        let mut client = daemon.connect();
        client.ask("PUT", &target, &[], &other).expect(400);
        client.ask("GET", &format!("/files/{}", sha256(&other)), &[], b"").expect(404);
        client.ask("PUT", &target, &[], &content).expect(201);
        client.get(&target).expect(200);
        let _rest = client;
    }
    assert_eq!(disk::blobs(daemon.data()).len(), 1, "the refused big file is gone");
    daemon.serves();
}

#[test]
fn digest_fields_cover_bodies_parts_and_trailers() {
    let daemon = Daemon::start();
    let (content, other) = (b"the content".as_slice(), b"another".as_slice());
    let (good, bad) = (sha256_base64(content), sha256_base64(other));
    for field in ["Content-Digest", "Repr-Digest"] {
        let mut client = daemon.connect();
        client.ask("PUT", "/files/a.txt", &[(field, &bad)], content).expect(400);
        let framed = [("Transfer-Encoding", "chunked"), ("Trailer", field)];
        let body = chunked(content, 4, &format!("{field}: {bad}\r\n"));
        client.ask("PUT", "/files/a.txt", &framed, &body).expect(400);
        let part = |digest: &str| {
            let head = format!(
                "Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n{field}: {digest}"
            );
            Form::new().part(&head, content)
        };
        part(&bad).send(&mut client).expect(400);
        assert_eq!(daemon.get(&format!("/files/{}", sha256(content))).status, 404, "{field}");
    }
    for field in ["Content-Digest", "Repr-Digest"] {
        let mut client = daemon.connect();
        assert!(client.ask("PUT", "/files/a.txt", &[(field, &good)], content).status < 202);
        let framed = [("Transfer-Encoding", "chunked"), ("Trailer", field)];
        let body = chunked(content, 4, &format!("{field}: {good}\r\n"));
        client.ask("PUT", "/files/a.txt", &framed, &body).expect(200);
        // Of algorithms that are not known nothing is believed.
        client.ask("PUT", "/files/a.txt", &[(field, "md5=:AAAA:, unixsum=:AAAA:")], content).expect(200);
    }
    daemon.serves();
}

#[test]
fn one_mismatch_in_a_form_spares_the_other_files() {
    let daemon = Daemon::start();
    let bad = sha256_base64(b"something else");
    let head =
        format!("Content-Disposition: form-data; name=\"f\"; filename=\"b.txt\"\r\nContent-Digest: {bad}");
    let form = Form::of("a.txt", b"first").part(&head, b"second").file("c.txt", b"third");
    let response = form.send(&mut daemon.connect()).expect(400);
    let json = response.json();
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["errors"][0]["index"], 1);
    assert_eq!(json["errors"][0]["original_name"], "b.txt");
    assert_eq!(json["error"], json["errors"][0]["error"]);
    assert_eq!(json["stored"][0]["original_name"], "a.txt");
    assert_eq!(json["stored"][1]["original_name"], "c.txt");
    assert_eq!(daemon.get(&format!("/files/{}", sha256(b"second"))).status, 404);
    assert_eq!(daemon.content(&sha256(b"third")), b"third");
    let lenient = form.send_with(&mut daemon.connect(), &[("Prefer", "handling=lenient")]).expect(207);
    assert_eq!(lenient.json()["stored"].as_array().map(Vec::len), Some(2));
    daemon.serves();
}

#[test]
fn two_hashes_that_disagree_are_refused_before_the_body() {
    let daemon = Daemon::start();
    let digest = sha256_base64(b"one");
    let target = format!("/files/{}", sha256(b"other"));
    let fields = [("Content-Digest", digest.as_str()), ("Expect", "100-continue"), ("Content-Length", "3")];
    let mut client = daemon.connect();
    client.send(&request("PUT", &target, &fields, b""));
    let response = client.response().expect(400);
    assert_eq!(response.continued, 0);
    daemon.serves();
}
