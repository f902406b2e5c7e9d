//! A hostile name never climbs, never breaks a header, a line or a page; what was sent is still shown as it was.

use crate::support::{Daemon, Form};

#[test]
fn a_path_holds_only_what_the_rule_allows() {
    let daemon = Daemon::start();
    for (seed, name) in [
        "../../etc/passwd",
        "..\\..\\windows\\system32",
        "/etc/shadow",
        "a%00b.txt",
        "%2e%2e%2f%2e%2e",
        "....",
        ".htaccess",
        "con.txt",
        "a.tar.gz",
        "naïve café.png",
        "\u{202e}gpj.exe",
        "<script>alert(1)</script>.html",
        "a;b&c|d`e$(f).sh",
        "%22quoted%22.txt",
        "line%0D%0Abreak.txt",
        "x.\u{1f600}",
        "日本語.jpg",
        "-rf",
        "a..b...c",
        "trailing.",
        "trailing ",
        "x.averyveryveryveryveryveryverylongextensionthatnobodyhas",
    ]
    .into_iter()
    .enumerate()
    {
        let content = format!("content {seed}");
        let record = daemon.upload(name, content.as_bytes());
        let path = record["path"].as_str().expect("a path");
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "/_-.".contains(c);
        assert!(path.chars().all(allowed) && path.starts_with("storage/"), "{name:?}: {path}");
        assert!(!path.contains("..") && !path.contains("//"), "{name:?}: {path}");
        let response = daemon.get(&format!("/{path}")).expect(200);
        assert_eq!(response.text(), content);
        let disposition = response.field("Content-Disposition").expect("a name").to_owned();
        assert!(!disposition.contains(['\r', '\n', '\0']), "{disposition:?}");
        assert!(!disposition.contains("filename=\"/") && !disposition.contains("..\\"), "{disposition:?}");
    }
    let inside: Vec<_> = std::fs::read_dir(daemon.data().parent().expect("a folder"))
        .expect("it is listed")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(inside, ["data"], "nothing was written beside the store");
}

#[test]
fn escapes_of_browsers_are_undone_and_filename_star_wins() {
    let daemon = Daemon::start();
    let head = |rest: &str| format!("Content-Disposition: form-data; name=\"f\"; {rest}");
    for (rest, name) in [
        ("filename=\"a %22b%22.txt\"", "a \"b\".txt"),
        ("filename=\"plain.txt\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("filename*=UTF-8''%e2%82%ac.txt; filename=\"euro.txt\"", "€.txt"),
        ("filename=token.txt", "token.txt"),
        ("FILENAME=\"case.txt\"", "case.txt"),
        ("filename=\"a;b.txt\"", "a;b.txt"),
    ] {
        let record = Form::new().part(&head(rest), b"x").send(&mut daemon.connect()).stored().remove(0);
        assert_eq!(record["original_name"], name, "{rest}");
    }
    let mut form = Form::new().part(&head("filename=\"bad-MARK.txt\""), b"x").request(&[]);
    let at = memchr::memmem::find(&form, b"MARK").expect("the mark");
    form[at..at + 4].copy_from_slice(b"\xff\xfe\x80\xc3");
    let mut client = daemon.connect();
    client.send(&form);
    let record = client.response().stored().remove(0);
    assert!(record["original_name"].as_str().expect("text").contains('\u{fffd}'), "{record}");
}

#[test]
fn a_leading_folder_is_kept_beside_the_name() {
    let daemon = Daemon::start();
    let record = daemon.upload("Holiday/Day 1/beach.txt", b"dropped with its folder");
    assert_eq!(record["original_name"], "beach.txt");
    assert_eq!(record["folder"], "Holiday/Day 1");
    assert!(record["path"].as_str().expect("a path").ends_with("_beach.txt"));
}
