//! `/` is a page for who asks for HTML and the name of the program for all others; the page's parts are kept by browsers
//! until they change, and may load nothing from elsewhere.

use crate::support::Daemon;

const BROWSER: (&str, &str) =
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8");

#[test]
fn browsers_are_shown_the_page_and_programs_json() {
    let daemon = Daemon::start();
    for fields in [&[][..], &[("Accept", "*/*")], &[("Accept", "application/json")]] {
        let root = daemon.connect().ask("GET", "/", fields, b"").expect(200);
        assert_eq!(root.json()["name"], "rhinobox");
        assert_eq!(root.field("Vary"), Some("Accept"));
    }
    let page = daemon.connect().ask("GET", "/", &[BROWSER], b"").expect(200);
    assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.field("Vary"), Some("Accept"));
    assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
}

#[test]
fn parts_have_their_types_and_strong_tags_and_are_asked_for_again() {
    let daemon = Daemon::start();
    let page = daemon.connect().ask("GET", "/", &[BROWSER], b"").expect(200).text();
    let parts: Vec<_> = page.split("\"/ui/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(parts.contains(&"app.js") && parts.contains(&"style.css"), "{parts:?}");
    for name in parts {
        let target = format!("/ui/{name}");
        let part = daemon.get(&target).expect(200);
        let expected = match name.rsplit_once('.').expect("an extension").1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(part.field("Content-Type"), Some(expected), "{name}");
        assert_eq!(part.field("X-Content-Type-Options"), Some("nosniff"), "{name}");
        assert_eq!(part.field("Cache-Control"), Some("no-cache"), "{name}");
        let tag = part.field("ETag").expect("a tag").to_owned();
        assert!(tag.len() == 66 && tag.starts_with('"'), "{tag}");
        let again = daemon.connect().ask("GET", &target, &[("If-None-Match", &tag)], b"").expect(304);
        assert_eq!(again.field("ETag"), Some(&*tag), "{name}");
        assert!(again.body.is_empty(), "{name}");
        let head = daemon.connect().ask("HEAD", &target, &[], b"").expect(200);
        assert_eq!(head.field("Content-Length"), part.field("Content-Length"), "{name}");
    }
    for target in ["/ui/", "/ui/index.html", "/ui/nothing.js", "/ui/%2e%2e/Cargo.toml", "/ui/app.js/"] {
        daemon.get(target).expect(404);
    }
}

#[test]
fn the_page_and_its_parts_may_load_nothing_from_elsewhere() {
    let daemon = Daemon::start();
    for target in ["/", "/ui/app.js", "/ui/hash-worker.js"] {
        let part = daemon.connect().ask("GET", target, &[BROWSER], b"").expect(200);
        let policy = part.field("Content-Security-Policy").expect("a policy");
        for rule in ["default-src 'none'", "script-src 'self';", "base-uri 'none'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(rule), "{target}: {policy}");
        }
        for lax in ["unsafe-", "http", "*", "data:"] {
            assert!(!policy.contains(lax), "{target}: {policy}");
        }
    }
}
