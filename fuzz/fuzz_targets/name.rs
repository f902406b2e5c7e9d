//! A name of any bytes, on its way to a stored path, a header and an answer.
//!
//! What must hold of every input: the path has the components that the rule allows and no others, whatever the name
//! and the category are; neither a Content-Disposition nor a JSON string holds a byte that ends it. The first two bytes
//! say how long the category is; what follows it is the name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rhinobox::base::digest::Digest;
use rhinobox::http::error::Status;
use rhinobox::http::json;
use rhinobox::http::multipart::FileName;
use rhinobox::http::response::{Disposition, HeadWriter};
use rhinobox::limits::{PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX};
use rhinobox::media::classify::classify;
use rhinobox::media::inline::presentation;
use rhinobox::media::name::{self, HASH_DIGITS, HASH_DIGITS_FULL, ROOT, Sent};
use rhinobox_fuzz::Input;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let category_len = input.number() % 200;
    let category = String::from_utf8_lossy(input.bytes(category_len)).into_owned();
    let text = String::from_utf8_lossy(input.0).into_owned();

    let file_name = FileName::new(text.as_str().into());
    assert!(!file_name.base().contains('/'), "{text:?}");
    if let Ok(sent) = Sent::parse(&text) {
        assert!(!sent.name.contains(['/', '\\']), "{text:?}");
        let mut parts = sent.folder.split('/').filter(|_| !sent.folder.is_empty());
        assert!(parts.all(|part| !matches!(part, "" | "." | "..")), "{text:?}: {:?}", sent.folder);
    }
    // What was sent may stand anywhere: as the name, as the file's first bytes, as the declared type.
    let file_type = classify(input.0, Some(&category), &text);
    assert!(file_type.mime.bytes().all(|byte| byte.is_ascii_graphic()), "{:?}", file_type.mime);
    let _ = presentation(&file_type.mime);
    let mut path = String::new();
    for digits in [HASH_DIGITS, HASH_DIGITS_FULL] {
        if name::stored_path(&mut path, &file_type, &category, &Digest::of(b""), digits, &text).is_ok() {
            check_path(&path, &text);
        }
    }
    check_header(&text);
    check_json(&text);
});

fn check_path(path: &str, sent: &str) {
    assert!(path.len() <= PATH_BYTES_MAX, "{sent:?}: {path}");
    let rest = path.strip_prefix(ROOT).unwrap_or_else(|| panic!("{sent:?}: {path}"));
    for component in rest.split('/') {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        assert!(component.bytes().all(allowed), "{sent:?}: {path}");
        assert!(component.len() <= PATH_COMPONENT_BYTES_MAX, "{sent:?}: {path}");
        assert!(component.bytes().any(|byte| byte != b'.'), "{sent:?}: {path}");
    }
}

fn check_header(name: &str) {
    let mut out = Vec::new();
    HeadWriter::begin(&mut out, Status::Ok, "Sun, 06 Nov 1994 08:49:37 GMT")
        .disposition(Disposition::Attachment, name)
        .field("Content-Type", name.as_bytes())
        .end();
    let lines = out.windows(2).filter(|pair| pair == b"\r\n").count();
    let controls = out.iter().filter(|byte| byte.is_ascii_control()).count();
    assert_eq!((lines, controls), (5, 10), "{}", out.escape_ascii());
    let quotes = out.iter().filter(|&&byte| byte == b'"').count();
    let own_quotes = name.bytes().filter(|&byte| byte == b'"').count();
    // Two of the plain form; the Content-Type repeats those of the name.
    assert_eq!(quotes, 2 + own_quotes, "{}", out.escape_ascii());
}

fn check_json(text: &str) {
    let mut out = Vec::new();
    json::write_string(&mut out, text);
    assert!(!out.iter().any(u8::is_ascii_control) || text.contains('\u{7f}'), "{}", out.escape_ascii());
    let back: String = serde_json::from_slice(&out).expect("a JSON string");
    assert_eq!(back, text);
}
