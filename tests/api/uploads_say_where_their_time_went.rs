//! `Server-Timing`: every answer to an upload that was let in has its stages; they add up, and to no more than the client
//! has waited. How long any of them is, is not for a test to say.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::request;
use crate::support::{Client, Daemon, Form, Response, Setup, random_bytes, sha256_base64};

const STAGES: [&str; 8] = ["admit", "recv", "parse", "hash", "claim", "queue", "write", "total"];

/// Names and microseconds of a `Server-Timing` field, read as the specification has it.
fn timing(response: &Response) -> Vec<(String, u64)> {
    let field = response.field("Server-Timing").expect("the answer to an upload has its timing");
    let metrics = field.split(',').map(|metric| {
        let (name, parameter) = metric.trim().split_once(';').expect("a metric has a parameter");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "a token: {field}");
        (name.to_owned(), microseconds(parameter.strip_prefix("dur=").expect("a duration")))
    });
    metrics.collect()
}

/// Of milliseconds with three decimals.
fn microseconds(text: &str) -> u64 {
    let (whole, decimals) = text.split_once('.').expect("a fraction");
    assert_eq!(decimals.len(), 3, "{text}");
    format!("{whole}{decimals}").parse().expect("a duration is a number, and none is negative")
}

/// All stages, checked to add up.
#[derive(Debug)]
struct Timing(Vec<(String, u64)>);

impl Timing {
    #[track_caller]
    fn of(metrics: Vec<(String, u64)>) -> Timing {
        let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, STAGES);
        let (stages, total) = (&metrics[..STAGES.len() - 1], metrics[STAGES.len() - 1].1);
        assert!(stages.iter().map(|(_, us)| us).sum::<u64>() <= total, "{metrics:?}");
        Timing(metrics)
    }

    fn us(&self, stage: &str) -> u64 {
        self.0.iter().find(|(name, _)| name == stage).expect("a stage").1
    }
}

/// Sends a request and reads its answer; what it says of its time is no more than that took.
#[track_caller]
fn timed(client: &mut Client, bytes: &[u8], status: u16) -> (Timing, Response) {
    let begun = Instant::now();
    client.send(bytes);
    let response = client.response().expect(status);
    let waited = begun.elapsed();
    let timing = Timing::of(timing(&response));
    assert!(u128::from(timing.us("total")) <= waited.as_micros(), "{timing:?} in {waited:?}");
    (timing, response)
}

#[test]
fn a_form_and_a_put_say_all_stages_and_each_request_anew() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let form = Form::of("a.bin", &random_bytes(1, 10_000)).request(&[]);
    let (first, _) = timed(&mut client, &form, 200);
    assert!(first.us("write") > 0 && first.us("hash") > 0, "{first:?}");
    // The time between two requests is nobody's.
    thread::sleep(Duration::from_millis(20));
    let (again, _) = timed(&mut client, &form, 200);
    assert_eq!((again.us("queue"), again.us("write")), (0, 0), "nothing new is written: {again:?}");
    let put = request("PUT", "/files/b.bin", &[], &random_bytes(2, 10_000));
    let (put, _) = timed(&mut client, &put, 201);
    assert!(put.us("write") > 0, "{put:?}");
}

#[test]
fn a_client_that_pauses_shows_as_receiving() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let body = random_bytes(3, 300_000);
    let whole = request("PUT", "/files/slow.bin", &[("Expect", "100-continue")], &body);
    let (head, body) = whole.split_at(whole.len() - body.len());
    client.send(head);
    assert_eq!(client.head().expect("it asks for the body").status, 100);
    thread::sleep(Duration::from_millis(50));
    let (timing, _) = timed_from(&mut client, body);
    assert!(timing.us("recv") > 0, "{timing:?}");
    // More than is kept in a segment: it was written to a file of its own while it came.
    assert!(timing.us("write") > 0 && timing.us("hash") > 0, "{timing:?}");
}

/// As [`timed`], for a request whose head was sent before.
fn timed_from(client: &mut Client, bytes: &[u8]) -> (Timing, Response) {
    client.send(bytes);
    let response = client.response().expect(201);
    (Timing::of(timing(&response)), response)
}

#[test]
fn a_batch_that_many_cores_share_adds_up_too() {
    let daemon = Setup::new().flag("--cores", "4").start();
    let mut client = daemon.connect();
    for round in 0..3 {
        let form = (0..1_000).fold(Form::new(), |form, n| {
            form.file(&format!("{n}.bin"), &random_bytes(1_000 * round + n, 500))
        });
        let (timing, response) = timed(&mut client, &form.request(&[]), 200);
        assert_eq!(response.stored().len(), 1_000);
        // The names of all come last, in a commit of their own.
        assert!(timing.us("write") > 0, "{timing:?}");
    }
}

#[test]
fn an_answer_in_lines_says_what_is_known_and_its_last_line_the_rest() {
    let daemon = Daemon::start();
    let form = (0..300).fold(Form::new(), |form, n| form.file(&format!("{n}.bin"), &random_bytes(n, 2_000)));
    let mut client = daemon.connect();
    let begun = Instant::now();
    let response = form.send_with(&mut client, &[("Accept", "application/x-ndjson")]).expect(200);
    let waited = begun.elapsed();
    let head: Vec<String> = timing(&response).into_iter().map(|(name, _)| name).collect();
    assert_eq!(head, ["admit"]);
    let text = response.text();
    let (_, last) = text.trim_end().rsplit_once('\n').expect("lines");
    let (_, list) = last.split_once("\"timing\":{").expect("the last line has the timing");
    let list = list.trim_end_matches('}').split(',').map(|item| {
        let (name, value) = item.split_once(':').expect("a name and a value");
        let name = name.trim_matches('"').strip_suffix("_ms").expect("its unit");
        (name.to_owned(), microseconds(value))
    });
    let timing = Timing::of(list.collect());
    assert!(timing.us("write") > 0, "{timing:?}");
    assert!(u128::from(timing.us("total")) <= waited.as_micros(), "{timing:?} in {waited:?}");
}

#[test]
fn errors_say_it_where_the_upload_was_let_in_and_other_answers_never() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let wrong = sha256_base64(b"something else");
    let put = request("PUT", "/files/a.txt", &[("Content-Digest", &wrong)], b"content");
    let (mismatch, _) = timed(&mut client, &put, 400);
    assert_eq!(mismatch.us("write"), 0, "{mismatch:?}");
    timed(&mut client, &Form::new().field("category", "none").request(&[]), 400);
    for untimed in [
        client.ask("PUT", "/files/a.txt", &[("Content-Encoding", "gzip")], b""),
        client.get("/healthz"),
        client.get("/files/no-hash"),
    ] {
        assert_eq!(untimed.field("Server-Timing"), None, "{untimed:?}");
    }
}
