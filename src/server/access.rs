//! The access log: a line for each request, for who has to know afterwards who asked for what.
//!
//! Always: a line never holds up a core; nothing that a client sends begins a line, ends one or moves a terminal; no token
//! and no Authorization field is in it. Of what the client chose only the method and the target are written, bounded.

use std::cell::{Cell, RefCell};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::base::time::Wall;
use crate::http::error::Status;
use crate::http::head::Head;
use crate::http::json::{write_number, write_string};
use crate::http::response::write_milliseconds;
use crate::http::target::escaped;
use crate::limits::{ACCESS_LINES_MAX, ACCESS_METHOD_BYTES_MAX, ACCESS_TARGET_BYTES_MAX, TARGET_BYTES_MAX};
use crate::runtime;
use crate::runtime::lines::Lines;
use crate::tokens::secret;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For a person.
    Human,
    /// A JSON object each.
    Json,
}

/// The access log of a daemon that keeps one.
#[derive(Debug)]
pub struct AccessLog {
    form: Form,
    lines: Lines,
}

impl AccessLog {
    /// Starts to write to standard error.
    ///
    /// # Errors
    /// Why there is no thread for it.
    pub fn start(form: Form) -> io::Result<AccessLog> {
        let lost = |lines| {
            tracing::warn!(lines, "the access log was not read fast enough: lines were dropped");
        };
        Ok(AccessLog { form, lines: Lines::start("access", ACCESS_LINES_MAX, io::stderr(), lost)? })
    }

    /// Lines that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Writes what waits, and ends.
    pub fn close(&self) {
        self.lines.close();
    }

    /// A request is over.
    pub(super) fn note(&self, entry: &Entry<'_>) {
        self.lines.push(entry.line(self.form).into());
    }
}

/// What a connection notes of the request in work, for its line.
#[derive(Debug, Default)]
pub(super) struct Noted {
    id: Cell<Option<NonZeroU64>>,
    status: Cell<Option<Status>>,
    sent_bytes: Cell<u64>,
    token: RefCell<Option<Arc<str>>>,
}

impl Noted {
    /// Forgets the request before.
    pub(super) fn restart(&self) {
        self.id.set(None);
        self.status.set(None);
        self.sent_bytes.set(0);
        self.token.replace(None);
    }

    /// A number that the log and an answer have in common, and no other request. Made when it is first asked for.
    pub(super) fn id(&self) -> NonZeroU64 {
        self.id.get().unwrap_or_else(|| {
            let random = runtime::random();
            let number = random.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
            let id = NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN);
            self.id.set(Some(id));
            id
        })
    }

    pub(super) fn set_status(&self, status: Status) {
        self.status.set(Some(status));
    }

    /// The kernel took so many bytes.
    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent_bytes.set(self.sent_bytes.get() + bytes as u64);
    }

    /// The token that was shown and is known, whether or not it may.
    pub(super) fn set_token(&self, name: &Arc<str>) {
        self.token.replace(Some(name.clone()));
    }

    /// All of it as an entry. `head` is `None` for what never became a request.
    pub(super) fn with_entry(
        &self,
        head: Option<&Head>,
        (time, total_ns): (Wall, u64),
        received_bytes: u64,
        peer: Option<SocketAddr>,
        take: impl FnOnce(&Entry<'_>),
    ) {
        take(&Entry {
            time,
            id: self.id(),
            method: head.map(Head::method_as_sent),
            target: head.map(target),
            status: self.status.get().map(Status::code),
            received_bytes,
            sent_bytes: self.sent_bytes.get(),
            total_ns,
            token: self.token.borrow().as_deref(),
            peer,
        });
    }
}

/// What a line says.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    time: Wall,
    id: NonZeroU64,
    method: Option<&'a [u8]>,
    target: Option<String>,
    /// `None` if the client was gone before there was an answer.
    status: Option<u16>,
    /// Of the body, without its coding.
    received_bytes: u64,
    /// All that was sent, heads included.
    sent_bytes: u64,
    total_ns: u64,
    token: Option<&'a str>,
    peer: Option<SocketAddr>,
}

impl Entry<'_> {
    fn line(&self, form: Form) -> Vec<u8> {
        let mut line = Vec::with_capacity(320);
        match form {
            Form::Human => self.write_human(&mut line),
            Form::Json => self.write_json(&mut line),
        }
        line
    }

    /// `2025-11-15T10:30:00Z  INFO access: "PUT" "/files/a" 201 in=4 out=412 ms=1.234 token=backup peer=… request=…`
    fn write_human(&self, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail, here and below.
        let _infallible = write!(out, "{}  INFO access: ", self.time.rfc3339());
        match (self.method_text(), &self.target) {
            (Some(method), Some(target)) => {
                write_string(out, &method);
                out.push(b' ');
                write_string(out, target);
            }
            _ => out.extend_from_slice(b"- -"),
        }
        match self.status {
            Some(status) => {
                let _infallible = write!(out, " {status}");
            }
            None => out.extend_from_slice(b" -"),
        }
        let _infallible = write!(out, " in={} out={} ms=", self.received_bytes, self.sent_bytes);
        write_milliseconds(out, self.total_ns);
        let _infallible = write!(out, " token={} peer=", self.token.unwrap_or("-"));
        match self.peer {
            Some(peer) => {
                let _infallible = write!(out, "{peer}");
            }
            None => out.push(b'-'),
        }
        let _infallible = writeln!(out, " request={:016x}", self.id);
    }

    /// Begins as every line of the log does in this form: `time`, `level`, `target`.
    fn write_json(&self, out: &mut Vec<u8>) {
        let _infallible = write!(
            out,
            r#"{{"time":"{}","level":"INFO","target":"access","request":"{:016x}","method":"#,
            self.time.rfc3339(),
            self.id
        );
        write_text(out, self.method_text().as_deref());
        out.extend_from_slice(b",\"uri\":");
        write_text(out, self.target.as_deref());
        out.extend_from_slice(b",\"status\":");
        match self.status {
            Some(status) => write_number(out, u64::from(status)),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"bytes_in\":");
        write_number(out, self.received_bytes);
        out.extend_from_slice(b",\"bytes_out\":");
        write_number(out, self.sent_bytes);
        out.extend_from_slice(b",\"ms\":");
        write_milliseconds(out, self.total_ns);
        out.extend_from_slice(b",\"token\":");
        write_text(out, self.token);
        out.extend_from_slice(b",\"peer\":");
        write_text(out, self.peer.map(|peer| peer.to_string()).as_deref());
        out.extend_from_slice(b"}\n");
    }

    fn method_text(&self) -> Option<String> {
        self.method.map(|method| cut(method, ACCESS_METHOD_BYTES_MAX))
    }
}

/// A JSON string, or `null`.
fn write_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// Path and query as sent, without tokens, not too long.
fn target(head: &Head) -> String {
    let mut whole = head.path().to_vec();
    if let Some(query) = head.query() {
        whole.push(b'?');
        whole.extend_from_slice(query);
    }
    // Before it is cut: part of a token is part of a secret.
    if may_hold_token(&whole) {
        whole = without_tokens(&whole);
    }
    cut(&whole, ACCESS_TARGET_BYTES_MAX)
}

fn cut(bytes: &[u8], most: usize) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned();
    if bytes.len() > most {
        text.push('…');
    }
    text
}

/// A token does not belong into a target, and lets nobody in from there; a client may put one there all the same, with any of
/// its characters behind percent signs.
fn without_tokens(text: &[u8]) -> Vec<u8> {
    let (plain, places) = unescaped(text);
    // Where character `at` of the plain text stands in the other.
    let place = |at: usize| places.get(at).map_or(text.len(), |place| usize::from(*place));
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut kept) = (0, 0);
    while let Some(found) = find_prefix(&plain[at..]) {
        let secret = at + found + secret::PREFIX.len();
        let digits = plain[secret..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        // A name such as rhinobox_ad.png is none.
        if digits >= SECRET_DIGITS_MIN {
            out.extend_from_slice(&text[kept..place(secret)]);
            out.extend_from_slice("…".as_bytes());
            kept = place(secret + digits);
        }
        at = secret + digits;
    }
    out.extend_from_slice(&text[kept..]);
    out
}

/// Nearly no target does.
fn may_hold_token(text: &[u8]) -> bool {
    text.contains(&b'%') || find_prefix(text).is_some()
}

fn find_prefix(text: &[u8]) -> Option<usize> {
    let prefix = secret::PREFIX.as_bytes();
    text.windows(prefix.len()).position(|some| some.eq_ignore_ascii_case(prefix))
}

/// The text without percent signs, also those that stand behind others, and where each character begins.
fn unescaped(text: &[u8]) -> (Vec<u8>, Vec<u16>) {
    let mut plain = Vec::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len());
    for (place, byte) in text.iter().enumerate() {
        plain.push(*byte);
        places.push(u16::try_from(place).unwrap_or(u16::MAX));
        while let [.., b'%', high, low] = plain[..]
            && let Some(byte) = escaped(&[high, low])
        {
            plain.truncate(plain.len() - 2);
            places.truncate(plain.len());
            plain.pop();
            plain.push(byte);
        }
    }
    (plain, places)
}

// A place in a target, between whose parts is a question mark, has 16 bits.
const _: () = assert!(TARGET_BYTES_MAX < u16::MAX as usize);

/// From so many digits on it may be (part of) a token's 64.
const SECRET_DIGITS_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(target: &str) -> Entry<'_> {
        Entry {
            time: Wall(0),
            id: NonZeroU64::MIN,
            method: Some(b"GET"),
            target: Some(cut(&without_tokens(target.as_bytes()), ACCESS_TARGET_BYTES_MAX)),
            status: Some(200),
            received_bytes: 4,
            sent_bytes: 5,
            total_ns: 1_234_567,
            token: Some("backup"),
            peer: Some("[::1]:7".parse().unwrap()),
        }
    }

    fn written(entry: &Entry<'_>, form: Form) -> String {
        String::from_utf8(entry.line(form)).unwrap()
    }

    #[test]
    fn a_line_says_it_all_in_either_form() {
        let human = written(&entry("/a?b"), Form::Human);
        assert_eq!(
            human,
            "1970-01-01T00:00:00Z  INFO access: \"GET\" \"/a?b\" 200 in=4 out=5 ms=1.234 token=backup peer=[::1]:7 \
             request=0000000000000001\n"
        );
        let json: serde_json::Value = serde_json::from_str(&written(&entry("/a?b"), Form::Json)).unwrap();
        assert_eq!(
            (&json["uri"], &json["status"], &json["ms"]),
            (&"/a?b".into(), &200.into(), &1.234.into())
        );
        let unread = Entry { method: None, target: None, status: None, token: None, peer: None, ..entry("") };
        assert!(written(&unread, Form::Human).contains(" - - - in=4 "));
        let json: serde_json::Value = serde_json::from_str(&written(&unread, Form::Json)).unwrap();
        assert!(json["uri"].is_null() && json["status"].is_null() && json["token"].is_null());
    }

    #[test]
    fn no_target_begins_a_line_or_moves_a_terminal() {
        let hostile = "/a\" 200\r\n1970\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{2066}\u{2028}\\";
        for line in [written(&entry(hostile), Form::Human), written(&entry(hostile), Form::Json)] {
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(|char| char.is_control() || ('\u{2028}'..='\u{2069}').contains(&char)));
        }
        let json: serde_json::Value = serde_json::from_str(&written(&entry(hostile), Form::Json)).unwrap();
        assert_eq!(json["uri"], hostile);
    }

    #[test]
    fn a_long_target_is_cut_and_a_token_in_one_is_none() {
        let long = "/".repeat(ACCESS_TARGET_BYTES_MAX + 1);
        assert_eq!(
            cut(long.as_bytes(), ACCESS_TARGET_BYTES_MAX).chars().count(),
            ACCESS_TARGET_BYTES_MAX + 1
        );
        let secret = secret::create();
        let shown = without_tokens(format!("/a?x={secret}&y={secret}").as_bytes());
        assert_eq!(String::from_utf8(shown).unwrap(), "/a?x=rhinobox_…&y=rhinobox_…");
        assert_eq!(without_tokens(b"/rhinobox_ad.png"), b"/rhinobox_ad.png");
    }

    #[test]
    fn a_token_behind_percent_signs_is_none_either() {
        let secret = secret::create();
        let once: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let upper: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let twice = once.replace('%', "%25");
        let nested = once.replace('%', "%2525");
        let split = once.replace("%7", "%%37");
        let one = format!("{}%{:02x}{}", &secret[..20], secret.as_bytes()[20], &secret[21..]);
        for hidden in [once, upper, twice, nested, split, one, secret.to_ascii_uppercase()] {
            let shown = without_tokens(format!("/a?x={hidden}&y=1%2").as_bytes());
            let (plain, _) = unescaped(&shown);
            let (shown, plain) = (String::from_utf8(shown).unwrap(), String::from_utf8(plain).unwrap());
            assert!(plain.to_ascii_lowercase().contains("rhinobox_…&y=1%2"), "{shown}");
            assert!(shown.len() < 130, "{shown}");
        }
        let name = b"/storage/a%20b%2525/rhinobox%5Fcafe.png?q=%";
        assert_eq!(without_tokens(name), name);
        assert_eq!(unescaped(b"/%25%32%35a%zz%").0, b"/%a%zz%");
    }
}
