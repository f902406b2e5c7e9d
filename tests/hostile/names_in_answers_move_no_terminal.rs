//! A name may hold controls of a terminal, or of the direction that text is read in. An answer that is shown as it came
//! does not carry them on; a parser gets them as they were sent.

use serde_json::Value;

use crate::support::{Daemon, Form, Response, request};

/// DEL, C1 controls (among them one that begins a sequence of commands), marks and overrides of direction.
const HOSTILE: &str = "a\u{7f}b\u{85}c\u{9b}31md\u{61c}e\u{200f}f\u{202e}gpj\u{2066}.exe\u{2069}";

/// The answer, of which no byte moves a terminal.
#[track_caller]
fn clean(response: Response) -> Response {
    let raw = std::str::from_utf8(&response.body).expect("JSON is UTF-8");
    let found = raw.chars().find(|char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(found, None, "{raw:?}");
    response
}

#[test]
fn records_names_and_errors_are_escaped_and_parse_to_what_was_sent() {
    let daemon = Daemon::start();
    let form = Form::of(HOSTILE, b"hostile").field("comment", HOSTILE);
    let stored: Vec<Value> = clean(form.send(&mut daemon.connect())).stored();
    assert_eq!(stored[0]["original_name"], HOSTILE);
    assert_eq!(stored[0]["comment"], HOSTILE);
    let meta = format!("/files/{}/meta", stored[0]["hash"].as_str().expect("a hash"));
    let meta = clean(daemon.get(&meta).expect(200)).json();
    assert_eq!(meta["names"][0]["original_name"], HOSTILE);
    // One that fails: its answer names it.
    let head =
        format!("Content-Disposition: form-data; name=\"f\"; filename=\"{HOSTILE}\"\r\nContent-Digest: ");
    let wrong = format!("{head}sha-256=:{}=:", "A".repeat(43));
    let failed = clean(Form::new().part(&wrong, b"other").send(&mut daemon.connect()));
    assert_eq!(failed.status, 400, "{}", failed.text());
    assert_eq!(failed.json()["errors"][0]["original_name"], HOSTILE);
    // In lines.
    let lines = Form::of(HOSTILE, b"in lines").request(&[("Accept", "application/x-ndjson")]);
    let mut client = daemon.connect();
    client.send(&lines);
    let response = client.response().expect(200);
    let first = response.text().lines().next().expect("a line").to_owned();
    clean(Response { body: first.clone().into_bytes(), ..response });
    let line: Value = serde_json::from_str(&first).expect("a line is JSON");
    assert_eq!(line["original_name"], HOSTILE);
    // An error that quotes what was sent.
    let mut client = daemon.connect();
    let field = Form::new().field(HOSTILE, &"x".repeat(20_000));
    client.send(&field.request(&[]));
    clean(client.response().expect(413));
    let mut client = daemon.connect();
    client.send(&request("POST", "/files/%7F%C2%9B31m%E2%80%AE/names", &[], b""));
    clean(client.response());
}
