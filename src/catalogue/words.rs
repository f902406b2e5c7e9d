//! From a name's texts to the words it is found by, and from what a person types to a search for them.
//!
//! Always: no text is query syntax. FTS5 is given words that were cut and folded here, and no other character; folders, and what
//! leads from paths and contents to names, are words that no text can contain, for they begin with a character of Unicode's private use. So whether a name is found
//! can be told from its text as well as asked of FTS5, and both say the same.

use std::fmt::Write as _;

use memchr::memmem;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::base::digest::Digest;
use crate::media::name::directory;
use crate::media::table::MediaType;
use crate::store::format::Attributes;
use crate::store::format::attributes::Kind;
use crate::store::index::PathKey;

/// Stands before a folder: `images`, `images/jpg`, `images/jpg/holiday`.
const FOLDER: char = '\u{e000}';
/// Stands before a category alone.
const LABEL: char = '\u{e001}';
/// What else than letters and digits a folder has: the tokenizer would end words at them.
const JOINTS: [(char, char); 4] =
    [('/', '\u{e002}'), ('-', '\u{e003}'), ('_', '\u{e004}'), ('.', '\u{e005}')];

/// Stands before a part of a path's key.
const PATH: char = '\u{e006}';
/// Stands before a part of a content's digest.
const CONTENT: char = '\u{e007}';

/// What a name is found by: its words, and its folder at each depth. A space stands before each and behind the last.
pub(super) fn push_text(text: &mut String, path: &str, attributes: &Attributes) {
    text.push(' ');
    for (kind, value) in attributes.iter() {
        let searched = [Kind::OriginalName, Kind::Folder, Kind::Category, Kind::Comment, Kind::Tag];
        if searched.iter().any(|searched| *searched as u16 == kind) {
            push_words(text, &String::from_utf8_lossy(value));
        }
    }
    let folder = directory(path);
    push_words(text, folder);
    let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
    for end in ends {
        push_token(text, FOLDER, &folder[..end]);
    }
    if let Some(label) = folder.split('/').nth(2) {
        push_token(text, LABEL, label);
    }
}

/// What leads from a path to its names and from a content to its own, behind the text. Nobody searches for these. Not all of
/// a key or digest, as one word of a million costs less if it is short: of 40 bits two rarely have the same.
pub(super) fn push_marks(text: &mut String, key: PathKey, digest: &Digest) {
    for mark in [mark_of_path(key), mark_of_content(digest)] {
        text.push_str(&mark);
        text.push(' ');
    }
}

/// See [`push_marks`].
pub(super) fn mark_of_path(key: PathKey) -> String {
    mark(PATH, &key.to_bytes())
}

/// See [`push_marks`].
pub(super) fn mark_of_content(digest: &Digest) -> String {
    mark(CONTENT, &digest.0)
}

fn mark(before: char, bytes: &[u8]) -> String {
    let mut mark = String::with_capacity(16);
    mark.push(before);
    for byte in &bytes[..5] {
        // Writing to a string cannot fail.
        let _infallible = write!(mark, "{byte:02x}");
    }
    mark
}

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Expression {
    /// Words that stand side by side, as in a text: with a space before each and behind the last.
    phrases: Vec<String>,
    /// The last of these words may go on.
    beginning: Option<String>,
}

impl Expression {
    /// All the words that were typed, wherever each stands; those that something other than a blank divides must stand side
    /// by side. The last may be the beginning of a word, unless something stands behind it.
    pub(super) fn of_typed(typed: &str) -> Expression {
        let mut expression = Expression::default();
        for word in typed.split_whitespace() {
            let mut phrase = " ".to_owned();
            push_words(&mut phrase, word);
            if phrase.len() > 1 {
                expression.phrases.push(phrase);
            }
        }
        if typed.chars().next_back().is_some_and(|last| last.is_alphanumeric() || is_combining_mark(last)) {
            expression.beginning = expression.phrases.pop().map(|phrase| phrase.trim_end().to_owned());
        }
        expression
    }

    pub(super) fn is_empty(&self) -> bool {
        self.phrases.is_empty() && self.beginning.is_none()
    }

    /// Whether one of its words is only the beginning of those that are found.
    pub(super) fn has_beginning(&self) -> bool {
        self.beginning.is_some()
    }

    /// Also of this media type.
    pub(super) fn media(&mut self, media: MediaType) {
        self.token(FOLDER, media.as_str());
    }

    /// Also in this folder or below: `images/jpg`.
    pub(super) fn folder(&mut self, folder: &str) {
        self.token(FOLDER, folder);
    }

    /// Also of this category.
    pub(super) fn label(&mut self, label: &str) {
        self.token(LABEL, label);
    }

    fn token(&mut self, before: char, text: &str) {
        let mut phrase = " ".to_owned();
        push_token(&mut phrase, before, text);
        self.phrases.push(phrase);
    }

    /// Without the word that may go on, if there are others: what FTS5 gives file by file, and need not gather first.
    pub(super) fn whole_words(&self) -> Option<Expression> {
        let whole = Expression { phrases: self.phrases.clone(), beginning: None };
        (!whole.is_empty()).then_some(whole)
    }

    /// As FTS5 takes it.
    pub(super) fn to_match(&self) -> String {
        let mut text = String::new();
        for phrase in self.phrases.iter().chain(&self.beginning) {
            text.push('"');
            text.push_str(phrase.trim());
            text.push_str("\" ");
        }
        if self.has_beginning() {
            text.push('*');
        }
        text
    }

    /// Looks for it in texts.
    pub(super) fn finder(&self) -> Finder<'_> {
        let phrases = || self.phrases.iter().chain(&self.beginning);
        let words = phrases().flat_map(|phrase| phrase.split(' ')).filter(|word| word.is_ascii());
        let longest = words.max_by_key(|word| word.len()).filter(|word| !word.is_empty());
        Finder {
            phrases: phrases().map(|phrase| memmem::Finder::new(phrase.as_bytes())).collect(),
            longest: longest.map(|word| memmem::Finder::new(word.as_bytes())),
            raw: Vec::new(),
        }
    }
}

/// See [`Expression::finder`].
pub(super) struct Finder<'a> {
    phrases: Vec<memmem::Finder<'a>>,
    /// The longest of the words that are ASCII.
    longest: Option<memmem::Finder<'a>>,
    raw: Vec<u8>,
}

impl Finder<'_> {
    /// Whether FTS5 might find the name that has this path and these attributes, as they are stored. Most that it would not
    /// are told soon: a word stands in a text of ASCII as it is, but for capitals.
    pub(super) fn might_find(&mut self, path: &str, attributes: &[u8]) -> bool {
        let Some(longest) = &self.longest else { return true };
        if !path.is_ascii() || !attributes.is_ascii() {
            return true;
        }
        let raw = &mut self.raw;
        raw.clear();
        raw.extend_from_slice(path.as_bytes());
        raw.push(b' ');
        raw.extend_from_slice(attributes);
        raw.make_ascii_lowercase();
        longest.find(raw).is_some()
    }

    /// Whether it would.
    pub(super) fn finds(&self, path: &str, attributes: &Attributes) -> bool {
        if self.phrases.is_empty() {
            return true;
        }
        let mut text = String::with_capacity(384);
        push_text(&mut text, path, attributes);
        self.phrases.iter().all(|phrase| phrase.find(text.as_bytes()).is_some())
    }
}

/// Appends the words of a text, a space behind each: runs of letters, digits and the marks on them, without capitals, without
/// accents, and in the plain form of what has several (NFKD).
fn push_words(out: &mut String, text: &str) {
    debug_assert!(out.ends_with(' '), "a space stands before each word");
    let mut word = Word { out, is_open: false };
    if text.is_ascii() {
        text.bytes().for_each(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => word.push(char::from(byte.to_ascii_lowercase())),
            _ => word.end(),
        });
    } else {
        for char in text.nfkd().flat_map(char::to_lowercase) {
            match char {
                // The accents of Latin, Greek and Cyrillic.
                '\u{300}'..='\u{36f}' => {}
                'ς' => word.push('σ'),
                _ if char.is_alphanumeric() || word.is_open && is_combining_mark(char) => word.push(char),
                _ => word.end(),
            }
        }
    }
    word.end();
}

/// A word on its way into a text.
struct Word<'a> {
    out: &'a mut String,
    is_open: bool,
}

impl Word<'_> {
    fn push(&mut self, char: char) {
        self.out.push(char);
        self.is_open = true;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.out.push(' ');
        }
    }
}

fn push_token(out: &mut String, before: char, text: &str) {
    out.push(before);
    out.extend(
        text.chars().map(|char| JOINTS.iter().find(|(joint, _)| *joint == char).map_or(char, |j| j.1)),
    );
    out.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let mut out = " ".to_owned();
        push_words(&mut out, text);
        out
    }

    #[test]
    fn words_are_cut_and_folded_alike_however_they_are_written() {
        for (text, folded) in [
            ("Beach-Photo_01.JPG", " beach photo 01 jpg "),
            ("", " "),
            ("-- * --", " "),
            ("Cafe\u{301} CAFÉ café", " cafe cafe cafe "),
            ("İstanbul Ünder ΛΌΓΟΣ λόγος", " istanbul under λογοσ λογοσ "),
            ("\u{fb01}le ２０２５ ①", " file 2025 1 "),
            ("日本語 ファイル", " 日本語 ファイル "),
            ("क्षत्रिय", " क्षत्रिय "),
            ("a\u{e000}b\u{0}c\"d'e\u{301}", " a b c d e "),
            ("\u{301} \u{94d}", " "),
        ] {
            assert_eq!(words(text), folded.nfkd().collect::<String>(), "{text:?}");
        }
    }

    #[test]
    fn the_last_word_is_a_beginning_unless_something_stands_behind_it() {
        for (typed, expected) in [
            ("holi", r#""holi" *"#),
            ("Beach-pho", r#""beach pho" *"#),
            ("beach pho", r#""beach" "pho" *"#),
            ("beach pho ", r#""beach" "pho" "#),
            ("\"beach pho\"", r#""beach" "pho" "#),
            ("cafe\u{301}", r#""cafe" *"#),
            ("a * NEAR( \"", r#""a" "near" "#),
            (" -- ", ""),
        ] {
            assert_eq!(Expression::of_typed(typed).to_match(), expected, "{typed:?}");
        }
    }
}
