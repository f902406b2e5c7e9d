//! Names that try to climb, to break a line, to forge a header, to move a terminal's cursor: 200 and more, each by every
//! way that a name can come. None reaches the file system, a header, a line of the log or of an offline command's
//! output other than escaped; and what was sent is still given back to who asks for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{Daemon, Form};

/// What is put into names.
const HOSTILE: &[&str] = &[
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/shadow",
    "C:\\boot.ini",
    "\\\\host\\share\\a",
    "//host/share",
    "....//....//a",
    ".",
    "..",
    "...",
    "/",
    "\\",
    "~root",
    "~/.ssh/id_rsa",
    "-rf",
    "--help",
    "con",
    "nul.txt",
    "a/",
    "a/.",
    "a/..",
    "./a",
    "a//b",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252f",
    "..%00/a",
    "..%c0%af..%c0%afetc",
    "%u002e%u002e/",
    "\u{ff0e}\u{ff0e}\u{ff0f}etc",
    "a\0b.txt",
    "\0",
    "\u{1}\u{2}\u{3}",
    "\u{7f}",
    "\u{80}\u{9b}31m\u{9d}",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;http://e.test\x07a\x1b]8;;\x07",
    "\x1bP1;1|17/0a\x1b\\",
    "\u{8}\u{8}\u{8}",
    "a\tb",
    "\u{b}\u{c}",
    "\u{202e}gpj.exe",
    "\u{2066}a\u{2069}",
    "\u{200f}\u{200e}\u{61c}",
    "\u{2028}\u{2029}",
    "\u{feff}a",
    "\u{200b}",
    "\u{e0001}",
    "\u{1f600}",
    "a\u{301}\u{301}\u{301}",
    "\u{fffd}",
    "\u{d7ff}\u{10ffff}",
    "e\u{f3}",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "a&amp;b",
    "{{7*7}}",
    "${jndi:ldap://e.test/a}",
    "%s%n%x",
    "$(touch /tmp/rhinobox-was-here)",
    "`id`",
    "a;b|c&d>e",
    "' OR 1=1 --",
    "*",
    "?",
    "a=b",
    "a,b",
    "\"",
    "'",
    "\\\"",
    "a\"; filename=\"b",
    "x; filename*=UTF-8''y",
    "files/../metrics",
    "storage/images",
    "FORMAT",
    "LOCK",
    "rhinobox.toml",
    "segments/00000001.seg",
    "blobs/00/0000000100000000",
];

/// As a client in control of its bytes sends them: also with line ends in the middle.
fn names() -> Vec<String> {
    let mut names: Vec<String> = HOSTILE.iter().map(|name| (*name).to_owned()).collect();
    for name in HOSTILE {
        names.push(format!("{name}.png"));
        names.push(format!("photo {name} of a beach.jpg"));
    }
    for end in ["\r\n", "\n", "\r", "\r\n\r\n", "\u{85}"] {
        names.push(format!("a{end}Set-Cookie: b=c{end}"));
        names.push(format!("{end}2026-01-01T00:00:00Z ERROR forged{end}"));
    }
    names.push("n".repeat(1024));
    names.push("\u{1f600}".repeat(256));
    names.push(".".repeat(1000));
    names.push("a.".repeat(500));
    names
}

/// Each byte that is not plain as `%XX`.
fn percent(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Whether a terminal would do something else than show it.
fn moves_a_terminal(text: &str) -> bool {
    text.chars().any(|c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

fn check_path(path: &str, sent: &str) {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    let rest = path.strip_prefix("storage/").unwrap_or_else(|| panic!("{sent:?}: {path}"));
    for component in rest.split('/') {
        assert!(!component.is_empty() && component.chars().all(allowed), "{sent:?}: {path}");
        assert!(component.chars().any(|c| c != '.') && component.len() <= 255, "{sent:?}: {path}");
    }
}

/// Every path below a folder, relative to it.
fn below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("it is listed").flatten() {
            let path = entry.path();
            found.insert(
                path.strip_prefix(folder).expect("it is below").to_str().expect("plain names").to_owned(),
            );
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

/// Uploads by every way that a name has, and gives the paths that were answered with.
fn send_everywhere(daemon: &Daemon, number: usize, name: &str) -> Vec<String> {
    let content = |way: &str| format!("{way} {number}").into_bytes();
    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "%0D").replace('\n', "%0A");
    let form = |filename: &str, way: &str| {
        Form::new().part(&format!("Content-Disposition: form-data; name=\"f\"; {filename}"), &content(way))
    };
    let plain =
        form(&format!("filename=\"{quoted}\""), "plain").field("category", name).field("comment", name);
    let extended = form(&format!("filename*=UTF-8''{}", percent(name)), "extended");
    let mut paths = Vec::new();
    let mut client = daemon.connect();
    for form in [plain, extended] {
        let response = form.send(&mut client);
        // A name of no bytes left is refused in words, as is a category beyond its limit.
        if response.status != 200 {
            assert_eq!(response.status, 400, "{name:?}: {}", response.text());
            assert!(!moves_a_terminal(&response.error()), "{name:?}: {}", response.error());
            client = daemon.connect();
            continue;
        }
        let record = response.stored().remove(0);
        paths.push(record["path"].as_str().expect("a path").to_owned());
    }
    let target = format!("/files/{}?category={}&comment={}", percent(name), percent(name), percent(name));
    let response = daemon.connect().ask("PUT", &target, &[], &content("put"));
    if matches!(response.status, 200 | 201) {
        let location = response.field("Location").expect("where it is").to_owned();
        paths.push(location.strip_prefix('/').expect("a path").to_owned());
    } else {
        assert!(
            matches!(response.status, 400 | 404 | 414),
            "{name:?}: {} {}",
            response.status,
            response.text()
        );
        assert!(!moves_a_terminal(&response.error()), "{name:?}: {}", response.error());
    }
    // As a path that is asked for, raw where a request line can hold it.
    for target in [
        format!("/storage/{}", percent(name)),
        format!("/storage/{name}"),
        format!("/files/{name}"),
        format!("/{name}"),
    ] {
        // Of `?` only the root is left, which answers everybody.
        let names_root = target.starts_with("/?");
        if !names_root
            && target.bytes().all(|byte| byte > b' ' && byte != 0x7f && byte != b'#')
            && target.is_ascii()
        {
            let response = daemon.get(&target);
            assert!(matches!(response.status, 400 | 404 | 405 | 501), "{target:?}: {}", response.status);
            assert!(!response.text().contains("root:"), "{target:?}");
        }
    }
    paths
}

#[test]
fn none_reaches_the_disk_a_header_the_log_or_a_terminal() {
    let daemon = Daemon::start();
    daemon.upload("first.txt", b"so that the store has its files");
    daemon.wait_for_catalogue();
    let before = below(daemon.data());
    let names = names();
    assert!(names.len() >= 200, "{} names", names.len());
    let mut answered = 0;
    for (number, name) in names.iter().enumerate() {
        for path in send_everywhere(&daemon, number, name) {
            check_path(&path, name);
            let response = daemon.get(&format!("/{path}")).expect(200);
            answered += 1;
            for (field, value) in &response.fields {
                assert!(
                    value.bytes().all(|byte| (b' '..0x7f).contains(&byte)),
                    "{name:?}: {field}: {value:?}"
                );
                assert!(!field.eq_ignore_ascii_case("set-cookie"), "{name:?}: a header was forged");
            }
            let disposition = response.field("Content-Disposition").expect("a name to save under");
            let saved_as = disposition.split('"').nth(1).expect("a plain name");
            assert!(!saved_as.contains(['/', '\\']), "{name:?}: {disposition}");
        }
    }
    println!("{} names, {answered} uploads", names.len());
    assert!(answered > 2 * names.len(), "most of them are taken");

    let after = below(daemon.data());
    let new: Vec<_> = after
        .difference(&before)
        .filter(|path| !path.starts_with("segments/") && *path != "state/scrub")
        .collect();
    assert!(new.is_empty(), "only segments grew: {new:?}");
    let beside = below(daemon.data().parent().expect("a folder"));
    assert!(beside.iter().all(|path| path == "data" || path.starts_with("data/")), "{beside:?}");
    assert!(!Path::new("/tmp/rhinobox-was-here").exists());
    assert!(!moves_a_terminal(&daemon.said()), "{:?}", daemon.said());

    let setup = daemon.stop();
    let target = setup.data().parent().expect("a folder").join("export");
    std::fs::create_dir(&target).expect("it is made");
    for arguments in [&["verify"][..], &["inspect"], &["export"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rhinobox"));
        command.args(arguments).arg(setup.data());
        if arguments == ["export"] {
            command.arg(&target);
        }
        let output = command.output().expect("it runs");
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        let line = said.lines().find(|line| moves_a_terminal(line));
        assert_eq!(line, None, "{arguments:?}");
    }
    for path in below(&target) {
        assert!(
            path.split('/').all(|part| part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c))),
            "{path}"
        );
    }
}

/// A name that cannot be kept is refused, and the refusal does not carry it on.
#[test]
fn names_beyond_the_limits_are_refused_in_words() {
    let daemon = Daemon::start();
    for name in
        ["n".repeat(1025), "\u{1f600}".repeat(300), format!("{}/a", "f".repeat(1025)), "\x1b".repeat(2000)]
    {
        let response = Form::of(&name, b"x").send(&mut daemon.connect()).expect(400);
        assert!(
            !moves_a_terminal(&response.error()) && response.error().contains("limit"),
            "{}",
            response.error()
        );
    }
    // 64 KiB do not fit the head of a part at all.
    Form::of(&"n".repeat(64 * 1024), b"x").send(&mut daemon.connect()).expect(431);
    let mut client = daemon.connect();
    client.send(b"GET /\xff\xfe\x80 HTTP/1.1\r\nHost: rhinobox.test\r\n\r\n");
    assert_eq!(client.response().status, 400);
    daemon.serves();
}
