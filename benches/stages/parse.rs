//! Multipart bodies in the buffers the daemon receives into, and the types of what they carry.

use std::hint::black_box;

use bytes::Bytes;
use rhinobox::http::multipart::{Boundary, Event, Multipart};
use rhinobox::limits::{RECEIVE_BYTES_MAX, RECEIVE_BYTES_MIN, SNIFF_BYTES_MAX};
use rhinobox::media::classify::classify;

use crate::support::form::{BOUNDARY, Form, JPEG};
use crate::support::random::Random;
use crate::support::text::{grouped, size};
use crate::support::timing::{Effort, ns_per_call};
use crate::{Result, Row};

/// Files of a body, and bytes of each.
const BODIES: [(usize, usize); 4] = [(1, 10_240), (100, 2_048), (1_000, 2_048), (1, 1 << 20)];

/// Measures them.
///
/// # Errors
/// If a body is read otherwise than it was made, or a file is taken for what it is not.
pub(crate) fn measure(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (files, bytes) in BODIES {
        let pieces = pieces(Form::new(files, bytes, 0)?.body());
        let read = read(&pieces)?;
        if read != (files, files * bytes) {
            return Err(format!("{files} files of {bytes} bytes are read as {read:?}").into());
        }
        let body = ns_per_call(effort, || self::read(black_box(&pieces)));
        rows.push(Row {
            stage: "multipart",
            case: format!("{} x {} in a body", grouped(files as f64), size(bytes)),
            ns_per_file: body.map(|ns| ns / files as f64),
            file_bytes: Some(bytes),
        });
    }
    for (name, start, mime) in typed() {
        let mut first = start;
        let from = first.len();
        first.resize(SNIFF_BYTES_MAX, 0);
        let text = mime.starts_with("text/");
        Random(21).fill(&mut first[from..]);
        if text {
            first[from..].iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        }
        let found = classify(&first, None, name);
        if found.mime != mime {
            return Err(format!("{name} is taken for {}, not {mime}", found.mime).into());
        }
        rows.push(Row {
            stage: "type",
            case: format!("{name}, {mime}"),
            ns_per_file: ns_per_call(effort, || classify(black_box(&first), None, name)),
            file_bytes: None,
        });
    }
    Ok(rows)
}

/// What users send, as it begins; the last is known by nothing.
fn typed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("a.jpg", JPEG.to_vec(), "image/jpeg"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "image/png"),
        ("a.mp4", b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".to_vec(), "video/mp4"),
        ("a.pdf", b"%PDF-1.7\n".to_vec(), "application/pdf"),
        ("a.txt", b"words and words ".to_vec(), "text/plain"),
        ("a", vec![0xf7, 0x00, 0x01], "application/octet-stream"),
    ]
}

/// The body in the buffers that a connection receives it into: each four times the last, up to the largest.
fn pieces(mut body: &[u8]) -> Vec<Bytes> {
    let (mut pieces, mut bytes) = (Vec::new(), RECEIVE_BYTES_MIN);
    while !body.is_empty() {
        let (piece, after) = body.split_at(bytes.min(body.len()));
        // Memory of its own, as a receive has.
        pieces.push(Bytes::copy_from_slice(piece));
        body = after;
        bytes = (4 * bytes).min(RECEIVE_BYTES_MAX);
    }
    pieces
}

/// Parts that are files, and bytes of their contents.
fn read(pieces: &[Bytes]) -> Result<(usize, usize)> {
    let boundary = Boundary::new(BOUNDARY.as_bytes()).ok_or("no boundary")?;
    let mut parts = Multipart::new(&boundary);
    let (mut files, mut bytes, mut is_file) = (0, 0, false);
    let mut pieces = pieces.iter();
    loop {
        match parts.next()? {
            Event::NeedMore => match pieces.next() {
                Some(piece) => parts.push(piece.clone()),
                None => return Err("the body ends before its end".into()),
            },
            Event::PartBegin(head) => {
                is_file = head.filename.is_some();
                files += usize::from(is_file);
            }
            Event::Data(data) if is_file => bytes += data.len(),
            Event::Data(_) | Event::PartEnd => {}
            Event::End => return Ok((files, bytes)),
        }
    }
}
