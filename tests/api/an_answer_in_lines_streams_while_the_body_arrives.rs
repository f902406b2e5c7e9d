//! NDJSON: a line for each file as its commit lands, a last line when all is done, and none after an abort.

use serde_json::Value;

use crate::support::client::chunked;
use crate::support::{Client, Daemon, Form, random_bytes, request, sha256, sha256_base64};

const LINES: (&str, &str) = ("Accept", "application/x-ndjson");

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).expect("lines are text");
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn each_file_has_a_line_and_the_last_one_counts() {
    let daemon = Daemon::start();
    let bad = sha256_base64(b"else");
    let head =
        format!("Content-Disposition: form-data; name=\"f\"; filename=\"bad.txt\"\r\nRepr-Digest: {bad}");
    let mut form = Form::new().field("category", "streamed");
    for number in 0..300_u64 {
        form = form.file(&format!("{number}.bin"), &random_bytes(number, 2_000));
    }
    form = form.part(&head, b"bad").file("big.bin", &random_bytes(1_000, 900_000));
    let response = form.send_with(&mut daemon.connect(), &[LINES]).expect(200);
    assert_eq!(response.field("Content-Type"), Some("application/x-ndjson"));
    assert!(response.is_whole);
    let mut lines = lines(&response.body);
    let last = lines.pop().expect("a last line");
    assert_eq!((&last["done"], &last["stored"], &last["failed"]), (&true.into(), &301.into(), &1.into()));
    assert!(last["timing"].is_object());
    assert_eq!(lines.len(), 302);
    let mut indices: Vec<_> = lines.iter().map(|line| line["index"].as_u64().expect("a number")).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..302).collect::<Vec<_>>());
    for line in &lines {
        if line["index"] == 300 {
            assert_eq!(line["status"], 400, "{line}");
            assert!(line["error"].is_string());
        } else {
            assert_eq!(line["status"], 200);
            assert!(line["category"].as_str().expect("text").ends_with("/streamed"));
        }
    }
    daemon.serves();
}

#[test]
fn lines_come_before_the_body_has_ended() {
    let daemon = Daemon::start();
    let form = (0..400).fold(Form::new(), |form, n| form.file("n.bin", &random_bytes(n, 4_000)));
    let whole = form.request(&[LINES]);
    let mut client = daemon.connect();
    let cut = whole.len() - 5_000;
    let (front, back) = whole.split_at(cut);
    for piece in front.chunks(50_000) {
        client.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let head = client.head().expect("a head at once");
    assert_eq!(head.status, 200);
    assert!(client.chunk().expect("a line").is_some());
    client.send(back);
    let mut seen = 1;
    while let Some(line) = client.chunk().expect("whole chunks") {
        seen += line.iter().filter(|&&byte| byte == b'\n').count();
    }
    assert!(seen >= 400);
}

#[test]
fn a_client_that_pauses_behind_a_chunk_gets_the_lines_of_what_it_sent() {
    let daemon = Daemon::start();
    let form = Form::new().file("a.bin", &random_bytes(1, 4_000)).file("b.bin", &random_bytes(2, 600_000));
    let whole = form.request(&[LINES]);
    let body = &whole[memmem(&whole, b"\r\n\r\n") + 4..];
    let end = body.len() - 100;
    let mut client = daemon.connect();
    let content_type = Form::content_type();
    let fields = [LINES, ("Content-Type", content_type.as_str()), ("Transfer-Encoding", "chunked")];
    let head = request("POST", "/ingest/media", &fields, b"");
    client.send(&head);
    // The last file's bytes are still to come. What ends a chunk comes by itself, and says nothing of a form.
    client.send(format!("{end:x}\r\n").as_bytes());
    client.send(&body[..end]);
    std::thread::sleep(std::time::Duration::from_millis(50));
    client.send(b"\r\n");
    assert_eq!(client.head().expect("a head at once").status, 200);
    let line = client.chunk().expect("a line").expect("not the end");
    assert_eq!(lines(&line)[0]["path"].as_str().map(|path| path.contains("a.bin")), Some(true));
    client.send(b"64\r\n");
    client.send(&body[end..]);
    client.send(b"\r\n0\r\n\r\n");
    let mut all = Vec::new();
    while let Some(some) = client.chunk().expect("whole chunks") {
        all.extend(some);
    }
    assert_eq!(lines(&all).last().expect("a last line")["stored"], 2);
}

#[test]
fn a_client_that_pauses_gets_the_lines_of_what_it_sent() {
    let daemon = Daemon::start();
    let form =
        Form::new().file("a.txt", b"one").file("b.bin", &random_bytes(1, 400_000)).file("c.txt", b"three");
    let whole = form.request(&[LINES]);
    // Up to the middle of the third file: two are whole.
    let cut = memmem(&whole, b"three") + 2;
    let mut client = daemon.connect();
    client.send(&whole[..cut]);
    assert_eq!(client.head().expect("a head at once").status, 200);
    let mut text = String::new();
    while text.lines().count() < 2 {
        let line = client.chunk().expect("a whole chunk").expect("not the end");
        text.push_str(std::str::from_utf8(&line).expect("text"));
    }
    assert!(text.contains("\"index\":0") && text.contains("\"index\":1"), "{text}");
    client.send(&whole[cut..]);
    while let Some(line) = client.chunk().expect("whole chunks") {
        text.push_str(std::str::from_utf8(&line).expect("text"));
    }
    assert!(text.contains("\"done\":true,\"stored\":3"), "{text}");
}

fn memmem(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).position(|window| window == part).expect("it is in there")
}

#[test]
fn an_abort_has_no_last_line_and_no_last_chunk() {
    let daemon = Daemon::start();
    let mut form = Form::new();
    for number in 0..300_u64 {
        form = form.file("n.bin", &random_bytes(number, 4_000));
    }
    let content_type = Form::content_type();
    let fields = [("Content-Type", content_type.as_str()), LINES];
    let mut broken = form.clone().part("no colon", b"x").bytes();
    broken.extend(random_bytes(1, 100_000));
    let mut late_field = form.clone().field("category", "too late").bytes();
    late_field.extend_from_slice(b"epilogue");
    for body in [broken, form.unfinished(), late_field] {
        let mut client = daemon.connect();
        let head =
            request("POST", "/ingest/media", &[fields[0], fields[1], ("Transfer-Encoding", "chunked")], b"");
        client.send(&head);
        // In pieces, so that the answer has begun when the body breaks.
        for piece in chunked(&body, 30_000, "").chunks(30_000) {
            let _cut_off = client.try_send(piece);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let all = client.read_to_end();
        let text = String::from_utf8_lossy(&all);
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "an answer in the middle of an answer: {text:.0}");
        if text.starts_with("HTTP/1.1 200 ") {
            assert!(!text.contains("\"done\""), "done");
            assert!(!text.ends_with("0\r\n\r\n"), "a last chunk");
        } else {
            assert!(text.starts_with("HTTP/1.1 400 "), "{text:.200}");
        }
    }
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    daemon.serves();
}

#[test]
fn a_client_that_does_not_read_is_still_read_from() {
    let daemon = Daemon::start();
    let mut form = Form::new();
    for number in 0..5_000 {
        form = form.file("a-name-of-some-length-so-that-lines-are-long.txt", format!("{number}").as_bytes());
    }
    let mut client = daemon.connect();
    // The whole body goes out although nothing is read meanwhile: more than a megabyte of lines.
    client.send(&form.request(&[LINES]));
    let response = client.response().expect(200);
    let lines = lines(&response.body);
    assert_eq!(lines.len(), 5_001);
    assert_eq!(lines[5_000]["stored"], 5_000);
}

#[test]
fn http_1_0_gets_lines_without_chunks() {
    let daemon = Daemon::start();
    let body = Form::of("a.txt", b"old").bytes();
    let mut client: Client = daemon.connect();
    let head = format!(
        "POST /ingest/media HTTP/1.0\r\nAccept: application/x-ndjson\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        Form::content_type(),
        body.len()
    );
    client.send(head.as_bytes());
    client.send(&body);
    let response = client.response().expect(200);
    assert_eq!(response.field("Transfer-Encoding"), None);
    let lines = lines(&response.body);
    assert_eq!(lines[0]["hash"], sha256(b"old").as_str());
    assert_eq!(lines[1]["done"], true);
}

#[test]
fn the_accept_list_may_name_lines_among_others() {
    let daemon = Daemon::start();
    for accept in ["application/x-ndjson", "text/html, Application/X-NDJSON;q=0.9"] {
        let response = Form::of("a.txt", b"x").send_with(&mut daemon.connect(), &[("Accept", accept)]);
        assert_eq!(response.field("Content-Type"), Some("application/x-ndjson"), "{accept}");
    }
    let response = Form::of("a.txt", b"x").send_with(&mut daemon.connect(), &[("Accept", "*/*")]);
    assert_eq!(response.field("Content-Type"), Some("application/json"));
}
