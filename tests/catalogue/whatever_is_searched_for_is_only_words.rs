//! `q` is plain words: nothing in it is syntax, and nothing in it fails.

use super::list::{names, page};
use crate::support::Daemon;
use crate::support::form::Form;

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn whatever_is_searched_for_is_only_words() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    for (name, comment) in [
        ("Beach Photo.txt", "sunny OR rainy"),
        ("cafe\u{301} menu.txt", "decomposed, as macOS sends it"),
        ("Café.txt", ""),
        ("日本語 ファイル.txt", ""),
        ("NOT AND NEAR.txt", "words that are operators elsewhere"),
        ("quote%22and'star*.txt", ""),
        ("private \u{e000}images.txt", "what looks like a folder of ours"),
    ] {
        Form::new().field("comment", comment).file(name, name.as_bytes()).send(&mut client).expect(200);
    }
    daemon.wait_for_catalogue();
    let mut found = |q: &str| names(&page(&mut client, &format!("q={}", escaped(q))).0);
    assert_eq!(found("beach"), ["Beach Photo.txt"]);
    assert_eq!(found("PHOTO   beach"), ["Beach Photo.txt"]);
    assert_eq!(found("beach-photo"), ["Beach Photo.txt"]);
    assert_eq!(found("photo-beach"), [""; 0], "what stands together is looked for together");
    assert_eq!(found("bea"), ["Beach Photo.txt"], "the last word may go on");
    assert_eq!(found("bea "), [""; 0], "... but not with something behind it");
    assert_eq!(found("bea photo"), [""; 0], "words before it are whole");
    assert_eq!(found("cafe"), ["Café.txt", "cafe\u{301} menu.txt"]);
    assert_eq!(found("CAFÉ"), ["Café.txt", "cafe\u{301} menu.txt"]);
    assert_eq!(found("日本語"), ["日本語 ファイル.txt"]);
    assert_eq!(found("日本"), ["日本語 ファイル.txt"]);
    assert_eq!(found("NEAR"), ["NOT AND NEAR.txt"]);
    assert_eq!(found("sunny OR nothing"), [""; 0], "OR is a word");
    assert_eq!(found("sunny or rainy"), ["Beach Photo.txt"]);
    assert_eq!(found("\u{e000}images"), ["private \u{e000}images.txt"], "a word, and never a folder");
    assert_eq!(
        daemon.get("/files?type=images").expect(200).json()["files"].as_array().expect("a list").len(),
        0
    );
    for everything in ["", " ", "***", "\"", "\"\"", "- -", "()", "^", "\u{200b}", "'; --"] {
        assert_eq!(found(everything).len(), 7, "{everything:?} is no word");
    }
    for hostile in [
        "\"",
        "a\"b",
        "\"a",
        "a*",
        "*a",
        "a NEAR(b, 2)",
        "NEAR(",
        "a AND",
        "OR",
        "NOT a",
        "text:beach",
        "{text}:a",
        "text : beach",
        "-beach",
        "+beach",
        "^beach",
        "a\u{0}b",
        "\u{0}",
        "%",
        "\\",
        "🦏",
        "a🦏b",
        "\u{301}",
        "क्षत्रिय",
        "\u{fffd}",
        "SELECT * FROM files",
        "'; DROP TABLE files; --",
        "\u{e000}",
        "\u{e000}\u{e001}",
        "(((((((((",
        "a.b.c.d/e\\f",
        "¹²³ ①",
        "\u{2028}",
        "\r\n",
    ] {
        let answer = daemon.get(&format!("/files?q={}", escaped(hostile)));
        assert_eq!(answer.status, 200, "{hostile:?}: {}", answer.text());
    }
    assert_eq!(daemon.get("/files?q=%ff%fe%zz%").status, 200);
    daemon.serves();
}
