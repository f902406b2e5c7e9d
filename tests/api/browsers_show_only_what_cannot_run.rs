//! Inline is an allow-list; scripts come as plain text; nothing that is uploaded runs in this origin.

use crate::support::content::samples;
use crate::support::{Daemon, Form};

#[test]
fn only_images_sound_film_and_plain_text_are_inline() {
    let daemon = Daemon::start();
    for (name, declared, content, shown_as, inline) in [
        ("a.png", "image/png", samples::png(1), "image/png", true),
        ("a.jpg", "image/jpeg", samples::jpg(1), "image/jpeg", true),
        ("a.mp4", "video/mp4", samples::mp4(1), "video/mp4", true),
        ("a.mp3", "audio/mpeg", samples::mp3(1), "audio/mpeg", true),
        ("a.txt", "text/plain", b"text".to_vec(), "text/plain; charset=utf-8", true),
        ("a.html", "text/html", b"<html><script>1</script>".to_vec(), "text/plain; charset=utf-8", false),
        ("b.txt", "text/html", b"<html><script>2</script>".to_vec(), "text/plain; charset=utf-8", false),
        ("a.js", "text/javascript", b"alert(1)".to_vec(), "text/plain; charset=utf-8", false),
        ("a.xhtml", "application/xhtml+xml", b"<html/>".to_vec(), "text/plain; charset=utf-8", false),
        ("a.svg", "image/svg+xml", b"<svg onload=\"x\"/>".to_vec(), "image/svg+xml", false),
        ("a.pdf", "application/pdf", samples::pdf(1), "application/pdf", false),
        ("a.bin", "application/octet-stream", vec![1, 2, 3], "application/octet-stream", false),
    ] {
        let form = Form::new().typed(name, declared, &content);
        let record = form.send(&mut daemon.connect()).stored().remove(0);
        let response = daemon.get(&format!("/{}", record["path"].as_str().expect("a path"))).expect(200);
        assert_eq!(response.field("Content-Type"), Some(shown_as), "{name} {declared}");
        let disposition = response.field("Content-Disposition").expect("always there");
        let expected = if inline { "inline" } else { "attachment" };
        assert!(disposition.starts_with(expected), "{name}: {disposition}");
        assert_eq!(response.field("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(response.field("Content-Security-Policy"), Some("sandbox; default-src 'none'"));
    }
}

#[test]
fn no_answer_allows_another_origin() {
    let daemon = Daemon::start();
    for target in ["/healthz", "/metrics", "/nothing"] {
        let response = daemon.connect().ask("GET", target, &[("Origin", "http://evil.test")], b"");
        assert_eq!(response.field("Access-Control-Allow-Origin"), None, "{target}");
    }
}
