//! A form that says nothing, or is none, is 400 in words, stores nothing, and leaves the daemon serving.

use crate::support::{Daemon, Form};

#[test]
fn a_form_without_files_is_told_so() {
    let daemon = Daemon::start();
    for form in [Form::new(), Form::new().field("category", "a"), Form::new().file("", b"no name")] {
        let response = form.send(&mut daemon.connect());
        assert_eq!((response.status, response.error().as_str()), (400, "no files provided"));
    }
    daemon.serves();
}

#[test]
fn a_form_out_of_shape_stores_nothing_of_itself() {
    let daemon = Daemon::start();
    let good = Form::of("kept-out.txt", b"the file in front of what is broken");
    let part = |head: &str| good.clone().part(head, b"x").bytes();
    let mut beyond = good.unfinished();
    beyond.extend_from_slice(b"--other-boundary--\r\n");
    for body in [
        good.unfinished(),
        good.unfinished()[..40].to_vec(),
        beyond,
        b"no boundary at all".to_vec(),
        part("Content-Disposition: form-data; name=\"a\nb\"; filename=\"c\""),
        part("no colon here"),
        part("Content-Disposition form-data"),
        Vec::new(),
    ] {
        let mut client = daemon.connect();
        let response = client.ask("POST", "/ingest/media", &[("Content-Type", &Form::content_type())], &body);
        assert_eq!(response.status, 400, "{:?}: {}", String::from_utf8_lossy(&body), response.text());
        assert!(!response.error().is_empty());
    }
    daemon.serves();
    assert_eq!(daemon.metric("rhinobox_contents"), 1.0, "only the proof is stored");
}

#[test]
fn a_boundary_that_is_missing_or_malformed_is_refused_from_the_head() {
    let daemon = Daemon::start();
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    for (content_type, status) in [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=\"", 400),
        (long.as_str(), 400),
        ("text/plain", 415),
        ("application/json", 415),
    ] {
        let mut client = daemon.connect();
        let response = client.ask(
            "POST",
            "/ingest/media",
            &[("Content-Type", content_type), ("Expect", "100-continue")],
            &Form::of("a", b"b").bytes(),
        );
        assert_eq!((response.status, response.continued), (status, 0), "{content_type}: {}", response.text());
    }
    daemon.serves();
}

#[test]
fn hashes_and_names_that_are_none_are_400() {
    let daemon = Daemon::start();
    for target in
        ["/files/12", "/files/zz/meta", "/storage/../a", "/storage/%2e%2e/a", "/storage/a%00b", "/files/%"]
    {
        let response = daemon.get(target);
        assert_eq!(response.status, 400, "{target}: {}", response.text());
        assert!(!response.error().is_empty());
    }
    for target in ["/files/%f", &format!("/files/{}", "n".repeat(1_025))] {
        let response = daemon.connect().ask("PUT", target, &[], b"content");
        assert_eq!(response.status, 400, "{target}: {}", response.text());
    }
    daemon.serves();
}

#[test]
fn fields_longer_than_their_limits_are_400() {
    let daemon = Daemon::start();
    for (name, bytes) in [("category", 129), ("comment", 4_097)] {
        let file = Form::of("a.txt", b"a");
        let response = file.clone().field(name, &"x".repeat(bytes)).send(&mut daemon.connect()).expect(400);
        assert!(response.error().contains(&(bytes - 1).to_string()), "{}", response.error());
        let target = format!("/ingest/media?{name}={}", "x".repeat(bytes));
        file.send_to(&mut daemon.connect(), &target).expect(400);
        file.field(name, &"x".repeat(bytes - 1)).send(&mut daemon.connect()).expect(200);
    }
    let name = "n".repeat(1_025);
    let form = Form::of(&name, b"long").file("short.txt", b"short");
    let response = form.send(&mut daemon.connect()).expect(400);
    assert_eq!(response.json()["errors"][0]["index"], 0);
    assert_eq!(response.json()["stored"][0]["original_name"], "short.txt");
    // It is told with no more than a name may have, and of a letter all or nothing.
    let form = Form::of(&format!("n{}", "ö".repeat(2_000)), b"long");
    let told = format!("n{}", "ö".repeat(511));
    let response = form.send(&mut daemon.connect()).expect(400);
    assert_eq!(response.json()["errors"][0]["original_name"], told);
    daemon.serves();
}
