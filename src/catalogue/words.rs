//! From a name's texts to the words it is found by, and from what a person types to a search for them.
//!
//! Always: no text is query syntax. Every word is quoted, and folders are words that no text can contain: they begin with
//! a character of Unicode's private use, which is taken out of everything else.

use crate::media::name::directory;
use crate::media::table::MediaType;
use crate::store::format::Attributes;
use crate::store::format::attributes::Kind;

/// Stands before a folder: `images`, `images/jpg`, `images/jpg/holiday`.
const FOLDER: char = '\u{e000}';
/// Stands before a category alone.
const LABEL: char = '\u{e001}';
/// What `/`, `-` and `_` are in a folder: the tokenizer would end words at them.
const JOINTS: [(char, char); 3] = [('/', '\u{e002}'), ('-', '\u{e003}'), ('_', '\u{e004}')];

/// What a name is found by: its words, and its folder at each depth.
pub(super) fn text_of(path: &str, attributes: &Attributes) -> String {
    let mut text = String::with_capacity(256);
    for (kind, value) in attributes.iter() {
        let searched = [Kind::OriginalName, Kind::Folder, Kind::Category, Kind::Comment, Kind::Tag];
        if searched.iter().any(|searched| *searched as u16 == kind) {
            push_plain(&mut text, &String::from_utf8_lossy(value));
        }
    }
    let folder = directory(path);
    push_plain(&mut text, folder);
    let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
    for end in ends {
        push_token(&mut text, FOLDER, &folder[..end]);
    }
    if let Some(label) = folder.split('/').nth(2) {
        push_token(&mut text, LABEL, label);
    }
    text
}

/// What is searched for, as FTS5 takes it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Expression(String);

impl Expression {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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

    /// Also with this word; several that something other than a space divides must stand side by side.
    pub(super) fn word(&mut self, word: &str) {
        let mut plain = String::with_capacity(word.len());
        push_plain(&mut plain, word);
        self.quoted(plain.trim());
    }

    fn token(&mut self, before: char, text: &str) {
        let mut token = String::with_capacity(text.len() + 8);
        push_token(&mut token, before, text);
        self.quoted(token.trim());
    }

    fn quoted(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push('"');
        self.0.push_str(&text.replace(['"', '\0'], " "));
        self.0.push('"');
    }
}

/// The words of what a person typed: what has no letter and no digit is none.
pub(super) fn words_of(typed: &str) -> impl Iterator<Item = &str> {
    typed.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric))
}

fn push_plain(out: &mut String, text: &str) {
    out.extend(text.chars().map(|char| if ('\u{e000}'..='\u{e0ff}').contains(&char) { ' ' } else { char }));
    out.push('\n');
}

fn push_token(out: &mut String, before: char, text: &str) {
    out.push(before);
    out.extend(
        text.chars().map(|char| JOINTS.iter().find(|(joint, _)| *joint == char).map_or(char, |j| j.1)),
    );
    out.push('\n');
}
