//! A chunked body of any bytes: the same content, end and trailers wherever its buffers end, and the same as a
//! second, plain reading of RFC 9112 section 7.1 makes of it.
//!
//! The first two bytes of an input are where it is cut.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rhinobox::http::framing::{BodyEvent, BodyReader};
use rhinobox::http::head::BodyFraming;
use rhinobox_fuzz::{Input, cuts};

#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    content: Vec<u8>,
    end: End,
}

#[derive(PartialEq, Eq, Debug)]
enum End {
    /// It did not come.
    Open,
    /// It came, so many bytes in front of the input's end.
    Left(usize),
    Refused(u16),
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let at = [input.byte(), input.byte()];
    let body = input.0;
    let whole = read(&[body]);
    for pieces in cuts(body, at) {
        assert_eq!(read(&pieces), whole, "in {} pieces", pieces.len());
    }
    if let End::Left(left) = whole.end {
        let plain = plainly(&body[..body.len() - left]).expect("what is taken is well formed");
        assert_eq!(plain, whole.content);
    }
});

fn read(pieces: &[&[u8]]) -> Outcome {
    let mut reader = BodyReader::new(BodyFraming::Chunked);
    let mut content = Vec::new();
    let mut left = 0;
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match reader.next(&mut input) {
                Ok(BodyEvent::Data(data)) => {
                    assert!(!data.is_empty());
                    content.extend_from_slice(&data);
                    assert_eq!(reader.received(), content.len() as u64);
                }
                Ok(BodyEvent::NeedMore) => {
                    assert!(input.is_empty());
                    break;
                }
                Ok(BodyEvent::End) => {
                    left += input.len();
                    break;
                }
                Err(error) => {
                    assert!(error.close && reader.next(&mut input).is_err(), "an error stays");
                    return Outcome { content, end: End::Refused(error.status.code()) };
                }
            }
        }
    }
    if !reader.is_done() {
        return Outcome { content, end: End::Open };
    }
    for name in ["content-length", "transfer-encoding", "host"] {
        assert_eq!(reader.trailer(name), None, "a trailer frames nothing");
    }
    Outcome { content, end: End::Left(left) }
}

/// The content of a complete chunked body, read line by line; `None` where it is malformed.
fn plainly(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let line = line(&mut body)?;
        let digits = line.split(|&byte| byte == b';').next()?;
        let text =
            std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let size = usize::from_str_radix(text, 16).ok()?;
        if size == 0 {
            break;
        }
        let (chunk, rest) = body.split_at_checked(size)?;
        content.extend_from_slice(chunk);
        body = rest.strip_prefix(b"\r\n")?;
    }
    // Trailers, then the empty line, then nothing: the reader took the body and no byte more.
    while !line(&mut body)?.is_empty() {}
    body.is_empty().then_some(content)
}

/// The next line, without its end.
fn line<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let at = body.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = body.split_at(at);
    *body = &rest[2..];
    (!line.contains(&b'\n') && !line.contains(&b'\r')).then_some(line)
}
