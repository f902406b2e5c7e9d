//! The page that people use: `GET /` for browsers, and its parts under `/ui/`. They are files of the folder `web`, built
//! into the program.
//!
//! Always: a browser that keeps the policy sent with them loads nothing but these files and, as data, what this daemon
//! answers: no script, style or frame of anybody else, and no text that becomes any of them. None of it needs a token,
//! a store, or memory that is counted: the bytes are the program's own.

use std::sync::LazyLock;

use bytes::Bytes;

use super::conn::{Conn, Trouble};
use crate::base::digest::Digest;
use crate::http::conditional::{self, Selected, Verdict};
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::{Head, Method};
use crate::http::response::{HeadWriter, Persistence};
use crate::limits::PAGE_BYTES_MAX;
use crate::runtime::clock;

/// What the page may do. `blob:` is what it fetched with a token and shows; a worker hashes; `form` is the one that is
/// there without scripts. Trusted Types refuse to make markup or code of text, save for the address of the worker.
const POLICY: &[u8] = b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    media-src 'self' blob:; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types rhinobox";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// A file of the folder `web`.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $content_type:expr) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../web/", $name)),
        }
    };
}

/// All of them, the page itself first.
static ASSETS: [Asset; 25] = [
    asset!("index.html", HTML),
    asset!("style.css", STYLE),
    asset!("icon.svg", PICTURE),
    asset!("app.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("keep.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("list.js", SCRIPT),
    asset!("dialogs.js", SCRIPT),
    asset!("signin.js", SCRIPT),
    asset!("scan.js", SCRIPT),
    asset!("sha256.js", SCRIPT),
    asset!("hash-worker.js", SCRIPT),
    asset!("hasher.js", SCRIPT),
    asset!("tally.js", SCRIPT),
    asset!("waiting.js", SCRIPT),
    asset!("transfer.js", SCRIPT),
    asset!("drop.js", SCRIPT),
    asset!("media.js", SCRIPT),
    asset!("browse.js", SCRIPT),
    asset!("details.js", SCRIPT),
    asset!("metrics.js", SCRIPT),
    asset!("chart.js", SCRIPT),
    asset!("watch.js", SCRIPT),
];

const _: () = {
    let (mut total, mut at) = (0, 0);
    while at < ASSETS.len() {
        total += ASSETS[at].bytes.len();
        at += 1;
    }
    assert!(total <= PAGE_BYTES_MAX, "the page is larger than its bound");
};

/// The hashes of all of them, which are their entity tags.
static DIGESTS: LazyLock<[Digest; ASSETS.len()]> =
    LazyLock::new(|| std::array::from_fn(|at| Digest::of(ASSETS[at].bytes)));

/// `GET /`: the page for who asks for `text/html`, the name and version of the program for all others.
///
/// # Errors
/// The client is gone.
pub async fn root(conn: &mut Conn, head: &Head, persistence: Persistence) -> Result<Persistence, Trouble> {
    if wants_html(head) {
        return send(conn, head, persistence, 0).await;
    }
    let body = concat!(
        "{\"name\":\"rhinobox\",\"version\":\"",
        env!("CARGO_PKG_VERSION"),
        "\",\"upload\":\"POST /ingest/media\"}"
    );
    let mut out = Vec::with_capacity(512);
    // It is one of two answers.
    let writer = HeadWriter::begin(&mut out, Status::Ok, &conn.core.date()).field("Vary", b"Accept");
    writer.json(body.as_bytes(), (head.version, persistence), &Extra::None);
    if head.method != Method::Head {
        out.extend_from_slice(body.as_bytes());
    }
    conn.count_status(Status::Ok);
    conn.send(vec![out.into()]).await?;
    Ok(persistence)
}

/// `GET /ui/{name}`: a part of the page.
///
/// # Errors
/// 404 for what is none.
pub async fn part(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    name: &str,
) -> Result<Persistence, Trouble> {
    // The page has one address: what it refers to is relative to that.
    let at = ASSETS.iter().skip(1).position(|asset| asset.name == name);
    let at = at.ok_or_else(|| HttpError::not_found("the page has no such part"))?;
    send(conn, head, persistence, at + 1).await
}

async fn send(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    at: usize,
) -> Result<Persistence, Trouble> {
    let (asset, digest) = (&ASSETS[at], DIGESTS[at]);
    // They have a tag and no date: as far as a date is a condition, they are of this moment.
    let selected = Selected { digest, modified: clock::wall() };
    let status = match conditional::evaluate(head, Some(&selected)) {
        Verdict::Proceed => Status::Ok,
        Verdict::NotModified => Status::NotModified,
        Verdict::PreconditionFailed => {
            let message = "the page has another version";
            return Err(HttpError::new(Status::PreconditionFailed, message).into());
        }
    };
    let mut out = Vec::with_capacity(1_024);
    let mut writer = HeadWriter::begin(&mut out, status, &conn.core.date())
        .entity_tag(&digest)
        .field("Cache-Control", b"no-cache")
        .field("Vary", b"Accept")
        .field("Content-Security-Policy", POLICY);
    if status == Status::Ok {
        writer = writer
            .field("Content-Type", asset.content_type.as_bytes())
            .field("X-Content-Type-Options", b"nosniff")
            .field("X-Frame-Options", b"DENY")
            .field("Referrer-Policy", b"no-referrer")
            .field("Cross-Origin-Opener-Policy", b"same-origin")
            .field("Cross-Origin-Resource-Policy", b"same-origin")
            .content_length(asset.bytes.len() as u64);
    }
    writer.connection(head.version, persistence).end();
    let mut pieces = vec![Bytes::from(out)];
    if status == Status::Ok && head.method != Method::Head {
        pieces.push(Bytes::from_static(asset.bytes));
    }
    conn.count_status(status);
    conn.send(pieces).await?;
    Ok(persistence)
}

/// Whether the client names `text/html` among what it accepts, as browsers do and programs that ask for anything do not.
fn wants_html(head: &Head) -> bool {
    let ranges = head.all("accept").flat_map(|value| value.split(|&byte| byte == b','));
    ranges.into_iter().any(|range| {
        let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"text/html"));
        named && !parts.any(|part| matches!(part, b"q=0" | b"q=0." | b"q=0.0" | b"q=0.00" | b"q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_html_is_shown_the_page() {
        for (fields, expected) in [
            ("", false),
            ("Accept: */*\r\n", false),
            ("Accept: application/json\r\n", false),
            ("Accept: text/*\r\n", false),
            ("Accept: text/html-not\r\n", false),
            ("Accept: text/html;q=0, */*\r\n", false),
            ("Accept: text/html\r\n", true),
            ("Accept: TEXT/HTML ; q=0.9\r\n", true),
            ("Accept: application/xml\r\nAccept: image/webp,text/html\r\n", true),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", true),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            let (head, _) = Head::parse(&Bytes::from(text)).unwrap().unwrap();
            assert_eq!(wants_html(&head), expected, "{fields}");
        }
    }

    #[test]
    fn every_file_of_the_page_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut files: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
        let mut built_in: Vec<_> = ASSETS.iter().map(|asset| asset.name.to_owned()).collect();
        files.sort();
        built_in.sort();
        assert_eq!(files, built_in);
    }

    /// What is between these marks, each time.
    fn between<'a>(text: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
        text.split(begin).skip(1).filter_map(move |rest| rest.split(end).next())
    }

    #[test]
    fn what_the_files_refer_to_is_there_and_nothing_else_is_loaded() {
        let part = |name: &str| ASSETS.iter().skip(1).any(|asset| asset.name == name);
        for asset in &ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for name in between(text, "from \"./", '"').chain(between(text, "\"/ui/", '"')) {
                assert!(part(name), "{} refers to {name}", asset.name);
            }
            for word in ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
                let namespace = "http://www.w3.org/2000/svg";
                assert!(!text.replace(namespace, "").contains(word), "{} has {word}", asset.name);
            }
            if asset.content_type == HTML {
                for word in ["<style", " style=", " onclick", "javascript:"] {
                    assert!(!text.contains(word), "the page has {word}");
                }
            }
        }
    }
}
