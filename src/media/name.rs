//! Names that clients send, and the paths made of them.
//!
//! Always true of a path written here, whatever was sent: it is `storage/` and further components of
//! `[a-z0-9_.-]`, none empty, none of dots only, none over [`PATH_COMPONENT_BYTES_MAX`], the whole within
//! [`PATH_BYTES_MAX`]. Where something must be cut it is the name, never the hash or the extension.

use std::borrow::Cow;
use std::fmt;

use crate::base::digest::Digest;
use crate::limits::{
    CATEGORY_BYTES_MAX, FILE_NAME_BYTES_MAX, FOLDER_BYTES_MAX, PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX,
};
use crate::media::classify::FileType;

/// The root of every stored path.
pub const ROOT: &str = "storage/";
/// The longest extension. What is longer behind the last dot is part of the name.
pub const EXTENSION_BYTES_MAX: usize = 16;
/// Digits of the hash that a path usually carries.
pub const HASH_DIGITS: usize = 12;
/// Digits of the hash in a path that would otherwise meet another content's.
pub const HASH_DIGITS_FULL: usize = 64;

/// The folders of the longest media type and kind, with their slashes; the table's test keeps kinds this short.
const FOLDERS_BYTES_MAX: usize = ROOT.len() + "presentations/".len() + EXTENSION_BYTES_MAX + 1;
const _: () =
    assert!(FOLDERS_BYTES_MAX + CATEGORY_BYTES_MAX + 1 + PATH_COMPONENT_BYTES_MAX <= PATH_BYTES_MAX);
const _: () = assert!(CATEGORY_BYTES_MAX <= PATH_COMPONENT_BYTES_MAX);
const _: () = assert!(HASH_DIGITS_FULL + "_file.".len() + EXTENSION_BYTES_MAX <= PATH_COMPONENT_BYTES_MAX);

/// A name, folder or category that is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong {
    what: &'static str,
    bytes: usize,
    limit: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooLong { what, bytes, limit } = self;
        write!(f, "the {what} has {bytes} bytes; the limit is {limit}")
    }
}

impl std::error::Error for TooLong {}

fn within(what: &'static str, text: &str, limit: usize) -> Result<(), TooLong> {
    let bytes = text.len();
    if bytes <= limit { Ok(()) } else { Err(TooLong { what, bytes, limit }) }
}

/// A name as it was sent, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent<'a> {
    /// What follows the last `/` or `\`: the `original_name`. May be empty, and hold any character.
    pub name: &'a str,
    /// What precedes it: components joined by `/`, without empty ones, `.`, `..` and drive letters. Often empty.
    pub folder: Cow<'a, str>,
}

impl Sent<'_> {
    /// Takes `raw` apart. Allocates only for a folder that needs cleaning.
    ///
    /// # Errors
    /// If name or folder is over its limit.
    pub fn parse(raw: &str) -> Result<Sent<'_>, TooLong> {
        let (folder, name) = match raw.rfind(['/', '\\']) {
            Some(at) => (&raw[..at], &raw[at + 1..]),
            None => ("", raw),
        };
        within("name", name, FILE_NAME_BYTES_MAX)?;
        within("folder", folder, FOLDER_BYTES_MAX)?;
        Ok(Sent { name, folder: clean_folder(folder) })
    }
}

fn clean_folder(folder: &str) -> Cow<'_, str> {
    let is_drive = |part: &str| part.len() == 2 && part.ends_with(':');
    let keeps = |part: &&str| !(matches!(*part, "" | "." | "..") || is_drive(part));
    if folder.is_empty() || !folder.contains('\\') && folder.split('/').all(|part| keeps(&part)) {
        return Cow::Borrowed(folder);
    }
    let mut clean = String::with_capacity(folder.len());
    for part in folder.split(['/', '\\']).filter(keeps) {
        if !clean.is_empty() {
            clean.push('/');
        }
        clean.push_str(part);
    }
    Cow::Owned(clean)
}

/// A base name's stem and extension, which is empty if there is none.
///
/// The extension follows the last dot, is 1 to [`EXTENSION_BYTES_MAX`] bytes long, has no white space within and
/// at least one ASCII letter or digit. Something stands before the dot: `.bashrc` has no extension.
#[must_use]
pub fn split(name: &str) -> (&str, &str) {
    let Some(dot) = memchr::memrchr(b'.', name.as_bytes()).filter(|dot| *dot > 0) else { return (name, "") };
    let extension = name[dot + 1..].trim_ascii_end();
    let is_one = extension.len() <= EXTENSION_BYTES_MAX
        && extension.bytes().any(|b| b.is_ascii_alphanumeric())
        && !extension.bytes().any(|b| b.is_ascii_whitespace());
    if is_one { (&name[..dot], extension) } else { (name, "") }
}

/// Appends the slug of `text` to `out`: lower-cased, each run outside `[a-z0-9_-]` as one `-`, no `-` at the
/// ends, at most `bytes_max` bytes. Appends nothing if nothing is left. Only ASCII letters have a lower case in
/// that alphabet, so all else is part of a run.
pub fn push_slug(out: &mut String, text: &str, bytes_max: usize) {
    let start = out.len();
    let mut gap = false;
    for byte in text.bytes() {
        let byte = byte.to_ascii_lowercase();
        if !(byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-') {
            gap = true;
            continue;
        }
        let written = out.len() - start;
        if byte == b'-' && written == 0 {
            continue;
        }
        if written + usize::from(gap && written > 0) >= bytes_max {
            break;
        }
        if gap && written > 0 {
            out.push('-');
        }
        gap = false;
        out.push(char::from(byte));
    }
    let end = out.trim_end_matches('-').len();
    out.truncate(end.max(start));
}

/// The directory of a file below `storage/`, and with it the `category` of a record: `images/jpg/holiday-2025`.
/// `category` is as sent; one that leaves no slug is none.
///
/// # Errors
/// If the category is over its limit.
pub fn push_directory(out: &mut String, file_type: &FileType, category: &str) -> Result<(), TooLong> {
    within("category", category, CATEGORY_BYTES_MAX)?;
    out.push_str(file_type.media_type.as_str());
    out.push('/');
    out.push_str(file_type.kind);
    let end = out.len();
    out.push('/');
    push_slug(out, category, CATEGORY_BYTES_MAX);
    if out.len() == end + 1 {
        out.truncate(end);
    }
    Ok(())
}

/// Replaces `out` by the path of a file:
/// `storage/<media type>/<kind>[/<category>]/<first digits of hash>_<name>[.<ext>]`.
///
/// `name` is the base name and `category` the category, both as sent. `digits` is [`HASH_DIGITS`], or
/// [`HASH_DIGITS_FULL`] where another content has that path; at most 64.
///
/// # Errors
/// If the name or the category is over its limit.
pub fn stored_path(
    out: &mut String,
    file_type: &FileType,
    category: &str,
    digest: &Digest,
    digits: usize,
    name: &str,
) -> Result<(), TooLong> {
    within("name", name, FILE_NAME_BYTES_MAX)?;
    out.clear();
    out.push_str(ROOT);
    push_directory(out, file_type, category)?;
    out.push('/');
    let file = out.len();
    out.push_str(&digest.hex().as_str()[..digits]);
    out.push('_');
    let (stem, extension) = split(name);
    let reserved = if extension.is_empty() { 0 } else { 1 + extension.len() };
    let name_start = out.len();
    push_slug(out, stem, PATH_COMPONENT_BYTES_MAX - (name_start - file) - reserved);
    if out.len() == name_start {
        out.push_str("file");
    }
    if !extension.is_empty() {
        out.push('.');
        // Not empty: an extension has a letter or a digit.
        push_slug(out, extension, EXTENSION_BYTES_MAX);
    }
    Ok(())
}

/// The `category` of a record: the directory of `path` below `storage/`. Empty if `path` is no stored path.
#[must_use]
pub fn directory(path: &str) -> &str {
    let below = path.strip_prefix(ROOT).unwrap_or_default();
    below.rfind('/').map_or("", |end| &below[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::classify::classify;

    fn slug(text: &str) -> String {
        let mut out = String::new();
        push_slug(&mut out, text, PATH_COMPONENT_BYTES_MAX);
        out
    }

    fn path(category: &str, digits: usize, name: &str) -> String {
        let mut out = "left over".to_owned();
        let file_type = classify(b"\xff\xd8\xff\xe0", None, name);
        stored_path(&mut out, &file_type, category, &Digest::of(b"test"), digits, name).unwrap();
        out
    }

    #[test]
    fn the_documented_example_has_the_documented_path() {
        let path = path("holiday 2025", HASH_DIGITS, "Beach Photo.JPG");
        assert_eq!(path, "storage/images/jpg/holiday-2025/9f86d081884c_beach-photo.jpg");
        assert_eq!(directory(&path), "images/jpg/holiday-2025");
    }

    #[test]
    fn a_clash_takes_the_full_hash_and_a_test_may_take_less() {
        assert_eq!(
            path("", HASH_DIGITS_FULL, "a.jpg"),
            "storage/images/jpg/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08_a.jpg"
        );
        assert_eq!(path("", 2, "a.jpg"), "storage/images/jpg/9f_a.jpg");
    }

    #[test]
    fn slugs_follow_the_rule_to_the_letter() {
        for (text, expected) in [
            ("Beach Photo", "beach-photo"),
            ("holiday 2025", "holiday-2025"),
            ("under_score-dash", "under_score-dash"),
            ("a  \t!?b", "a-b"),
            ("a - b", "a---b"),
            ("--trim--", "trim"),
            (" - trim - ", "trim"),
            ("2024/summer", "2024-summer"),
            ("Ünïcode", "n-code"),
            ("日本語", ""),
            ("!!!", ""),
            ("", ""),
            ("-", ""),
            ("\u{17f}\u{212a}", ""),
        ] {
            assert_eq!(slug(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_extension_follows_the_last_dot() {
        for (name, stem, extension) in [
            ("a.JPG", "a", "JPG"),
            ("a.tar.gz", "a.tar", "gz"),
            ("a.jpg ", "a", "jpg"),
            (".bashrc", ".bashrc", ""),
            (".config.toml", ".config", "toml"),
            ("a.", "a.", ""),
            ("...", "...", ""),
            ("Makefile", "Makefile", ""),
            ("Mr. Smith", "Mr. Smith", ""),
            ("x.0123456789abcdef", "x", "0123456789abcdef"),
            ("x.0123456789abcdefg", "x.0123456789abcdefg", ""),
            ("x.日本", "x.日本", ""),
            ("a.c++", "a", "c++"),
            ("", "", ""),
        ] {
            assert_eq!(split(name), (stem, extension), "{name:?}");
        }
    }

    #[test]
    fn extensions_are_restricted_like_names_and_missing_ones_stay_missing() {
        for (name, end) in [
            ("a.C++", "_a.c"),
            ("a.j$p$g", "_a.j-p-g"),
            ("a.$x$", "_a.x"),
            (".bashrc", "_bashrc"),
            ("日本.png", "_file.png"),
            ("", "_file"),
            ("a.tar.gz", "_a-tar.gz"),
        ] {
            assert!(path("", HASH_DIGITS, name).ends_with(end), "{name:?}: {}", path("", HASH_DIGITS, name));
        }
    }

    #[test]
    fn a_leading_folder_is_split_off_and_cleaned() {
        for (raw, name, folder) in [
            ("a.jpg", "a.jpg", ""),
            ("trip/day 1/a.jpg", "a.jpg", "trip/day 1"),
            (r"C:\Users\me\a.jpg", "a.jpg", "Users/me"),
            ("../../etc/passwd", "passwd", "etc"),
            ("/etc/passwd", "passwd", "etc"),
            ("a//./b/../c", "c", "a/b"),
            (r"mixed/of\both", "both", "mixed/of"),
            ("folder/", "", "folder"),
            ("..", "..", ""),
        ] {
            assert_eq!(Sent::parse(raw), Ok(Sent { name, folder: folder.into() }), "{raw:?}");
        }
        assert!(matches!(Sent::parse("trip/a").unwrap().folder, Cow::Borrowed("trip")));
    }

    #[test]
    fn too_long_is_an_error_that_names_the_limit() {
        let long = "x".repeat(FILE_NAME_BYTES_MAX);
        assert!(Sent::parse(&long).is_ok());
        let error = Sent::parse(&(long.clone() + "x")).unwrap_err().to_string();
        assert_eq!(error, "the name has 1025 bytes; the limit is 1024");
        let error = Sent::parse(&("y".repeat(FOLDER_BYTES_MAX + 1) + "/x")).unwrap_err().to_string();
        assert_eq!(error, "the folder has 1025 bytes; the limit is 1024");
        let error = push_directory(&mut String::new(), &FileType::UNKNOWN, &"c".repeat(129)).unwrap_err();
        assert_eq!(error.to_string(), "the category has 129 bytes; the limit is 128");
    }

    #[test]
    fn a_long_name_is_cut_and_hash_and_extension_stay() {
        for digits in [HASH_DIGITS, HASH_DIGITS_FULL] {
            let path = path(&"c".repeat(128), digits, &("n ".repeat(500) + ".jpeg"));
            let file = path.rsplit('/').next().unwrap();
            assert!(path.len() <= PATH_BYTES_MAX && file.len() <= PATH_COMPONENT_BYTES_MAX);
            assert!(file.len() >= PATH_COMPONENT_BYTES_MAX - 1, "cut no more than needed: {}", file.len());
            assert!(file.starts_with(&Digest::of(b"test").to_string()[..digits]) && file.ends_with("n.jpeg"));
        }
    }

    /// What the file's first lines promise.
    fn check(path: &str) {
        assert!(path.starts_with(ROOT) && path.len() <= PATH_BYTES_MAX, "{path:?}");
        assert!((4..=5).contains(&path.split('/').count()), "{path:?}");
        for part in path.split('/') {
            assert!(!part.is_empty() && part.len() <= PATH_COMPONENT_BYTES_MAX, "{path:?}");
            assert!(part.bytes().any(|b| b != b'.') && !part.contains(".."), "{path:?}");
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
            assert!(part.bytes().all(allowed), "{path:?}");
        }
    }

    #[test]
    fn hostile_names_and_categories_leave_a_harmless_path() {
        let long = "x/".repeat(32 * 1024);
        let hostile = [
            "../../../etc/passwd",
            "/etc/passwd",
            r"..\..\windows\system32",
            "C:\\con.txt",
            "nul\0byte.jpg",
            "a\r\nSet-Cookie: x=1.jpg",
            "\u{202e}gpj.exe",
            "%2e%2e%2f.%2e",
            "....",
            ".",
            "..",
            ". .",
            "-rf",
            "a.\0",
            "a./",
            "$(rm -rf ~).`id`",
            "\u{fffd}\u{fffd}",
            "\x1b]0;title\x07.png",
            &long,
        ];
        for text in hostile {
            if let Ok(sent) = Sent::parse(text) {
                check(&path("", HASH_DIGITS, sent.name));
                assert!(sent.folder.split('/').all(|part| part != ".."));
            }
            if text.len() <= CATEGORY_BYTES_MAX {
                check(&path(text, HASH_DIGITS, text));
            } else {
                assert!(push_directory(&mut String::new(), &FileType::UNKNOWN, text).is_err());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_and_category_leave_a_harmless_path(name in "\\PC{0,80}|[./a]{0,9}", category in "\\PC{0,30}") {
            let (name, category) = (name.as_str(), category.as_str());
            if let Ok(sent) = Sent::parse(name) && category.len() <= CATEGORY_BYTES_MAX {
                check(&path(category, HASH_DIGITS, sent.name));
                check(&path(category, HASH_DIGITS_FULL, name));
            }
        }
    }
}
