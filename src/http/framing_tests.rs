//! Chunked bodies, cut everywhere.

use super::*;

/// What a reader made of a body.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    data: Vec<u8>,
    /// Nothing when the end did not come; the status when an error did.
    end: Result<Option<End>, u16>,
}

/// The trailers, and what was left over.
type End = (Vec<u8>, Vec<u8>);

/// Reads `pieces` one after the other.
fn read(framing: BodyFraming, pieces: &[&[u8]]) -> Outcome {
    let mut reader = BodyReader::new(framing);
    let mut data = Vec::new();
    let mut rest = Vec::new();
    let mut input = Bytes::new();
    for piece in pieces {
        assert!(input.is_empty());
        input = Bytes::copy_from_slice(piece);
        loop {
            match reader.next(&mut input) {
                Ok(BodyEvent::Data(bytes)) => {
                    assert!(!bytes.is_empty());
                    data.extend_from_slice(&bytes);
                    assert_eq!(reader.received(), data.len() as u64);
                }
                Ok(BodyEvent::NeedMore) => break,
                Ok(BodyEvent::End) => {
                    assert_eq!(reader.remaining(), Some(0));
                    assert!(reader.is_done());
                    rest.extend_from_slice(&input);
                    input.clear();
                    break;
                }
                Err(error) => {
                    assert!(error.close);
                    assert!(reader.next(&mut input).is_err(), "an error stays");
                    return Outcome { data, end: Err(error.status.code()) };
                }
            }
        }
    }
    let end = reader.is_done().then_some((reader.trailers, rest));
    Outcome { data, end: Ok(end) }
}

const GOOD: &[(&[u8], &[u8], &[u8])] = &[
    // Body, content, trailers.
    (b"0\r\n\r\n", b"", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
    (b"5\r\nhel\r\n\r\n3\r\nabc\r\n000\r\n\r\n", b"hel\r\nabc", b""),
    (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789", b""),
    (b"0000000000000001\r\nx\r\n0\r\n\r\n", b"x", b""),
    (b"1;a; b=c;d=\"e; f\\\"\"\r\nx\r\n0;z\r\n\r\n", b"x", b""),
    (b"1\r\nx\r\n0\r\nRepr-Digest: sha-256=:x:\r\nA:b\r\n\r\n", b"x", b"Repr-Digest: sha-256=:x:\r\nA:b\r\n"),
];

#[test]
fn every_cut_of_a_body_gives_the_same() {
    for (body, content, trailers) in GOOD {
        let shown = body.escape_ascii().to_string();
        let with_next = [body, &b"GET /"[..]].concat();
        let whole = read(BodyFraming::Chunked, &[&with_next]);
        assert_eq!(whole.data, *content, "{shown}");
        assert_eq!(whole.end, Ok(Some((trailers.to_vec(), b"GET /".to_vec()))), "{shown}");
        for first in 0..=with_next.len() {
            for second in first..=with_next.len() {
                let pieces = [&with_next[..first], &with_next[first..second], &with_next[second..]];
                assert_eq!(read(BodyFraming::Chunked, &pieces), whole, "{shown} at {first}, {second}");
            }
        }
        let bytes: Vec<&[u8]> = with_next.chunks(1).collect();
        assert_eq!(read(BodyFraming::Chunked, &bytes), whole, "{shown} byte by byte");
    }
}

#[test]
fn doubtful_chunks_are_refused_however_they_are_cut() {
    let rows: &[&[u8]] = &[
        b"\r\n",
        b"x\r\n",
        b"+1\r\nx",
        b"-1\r\nx",
        b" 1\r\nx",
        b"0x1\r\nx",
        b"1 \r\nx",
        b"1\t\r\nx",
        b"1 ;a\r\nx",
        b"1\nx",
        b"1\rx",
        b"1\r\rx",
        b"1\n\r\nx",
        b"1_0\r\n",
        b"1.0\r\n",
        b"1,\r\n",
        b"\xd9\xa1\r\n",
        b"1\0\r\n",
        b"00000000000000001\r\nx",
        b"10000000000000000\r\n",
        b"g\r\n",
        b"1h\r\n",
        b";a\r\n",
        b"1;\r\nx",
        b"1;a=\r\nx",
        b"1;=b\r\nx",
        b"1;a\nx",
        b"1;a\rx",
        b"1;a=\"b\r\nx",
        b"1;a=\"b\x01\"\r\nx",
        b"1;a\0\r\nx",
        b"1;a b\r\nx",
        b"1;a=\"b\"c\r\nx",
        b"1;a=\"b\\\x7f\"\r\n",
        b"1\r\nxy\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"1\r\nx\r0\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
        b"1\r\nx\r\r\n",
        b"0\r\n\n",
        b"0\r\n\rx",
        b"0\r\nA: b\n\r\n",
        b"0\r\nA: b\r\n\n",
        b"0\r\nA: b\rC: d\r\n\r\n",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\n A: b\r\n\r\n",
        b"0\r\nA: b\r\n c\r\n\r\n",
        b"0\r\nA\r\n\r\n",
        b"0\r\n: b\r\n\r\n",
        b"0\r\nA: \0\r\n\r\n",
        b"0\r\nA: \x01\r\n\r\n",
        b"0\r\nA(: b\r\n\r\n",
        b"0\r\nA: b\r\nC\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nhost: h\r\n\r\n",
        b"0\r\nTrailer: a\r\n\r\n",
        b"0\r\nConnection: close\r\n\r\n",
        b"0\r\nA: b\r\nCONTENT-LENGTH: 5\r\n\r\n",
        b"0\r\nContent-Type: a/b\r\n\r\n",
        b"0\r\nAuthorization: x\r\n\r\n",
        b"0\r\nExpect: x\r\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    for row in rows {
        let shown = row.escape_ascii().to_string();
        let whole = read(BodyFraming::Chunked, &[row]);
        assert_eq!(whole.end, Err(400), "{shown}");
        for at in 0..=row.len() {
            assert_eq!(read(BodyFraming::Chunked, &[&row[..at], &row[at..]]), whole, "{shown} at {at}");
        }
    }
}

#[test]
fn long_lines_and_trailers_are_431() {
    let line = |bytes: usize| format!("1;{}\r\n", "a".repeat(bytes - 4));
    assert_eq!(read(BodyFraming::Chunked, &[line(CHUNK_LINE_BYTES_MAX).as_bytes()]).end, Ok(None));
    assert_eq!(read(BodyFraming::Chunked, &[line(CHUNK_LINE_BYTES_MAX + 1).as_bytes()]).end, Err(431));
    let trailers = |bytes: usize| format!("0\r\nA:{}\r\n\r\n", "a".repeat(bytes - 4));
    let fits = read(BodyFraming::Chunked, &[trailers(TRAILER_BYTES_MAX).as_bytes()]);
    assert!(matches!(fits.end, Ok(Some(_))));
    assert_eq!(read(BodyFraming::Chunked, &[trailers(TRAILER_BYTES_MAX + 1).as_bytes()]).end, Err(431));
}

#[test]
fn a_counted_body_takes_its_bytes_and_no_more() {
    let outcome = read(BodyFraming::Length(5), &[b"he", b"llo wor"]);
    assert_eq!(outcome.data, b"hello");
    assert_eq!(outcome.end, Ok(Some((Vec::new(), b" wor".to_vec()))));
    assert_eq!(read(BodyFraming::Length(5), &[b"hell"]).end, Ok(None));
    for framing in [BodyFraming::None, BodyFraming::Length(0)] {
        assert_eq!(read(framing, &[b"next"]).end, Ok(Some((Vec::new(), b"next".to_vec()))));
    }
    let mut reader = BodyReader::new(BodyFraming::Length(5));
    assert_eq!(reader.next(&mut Bytes::from_static(b"he")), Ok(BodyEvent::Data(Bytes::from_static(b"he"))));
    assert_eq!((reader.remaining(), reader.received()), (Some(3), 2));
}

#[test]
fn data_are_slices_of_the_input_and_trailers_can_be_asked_for() {
    let mut input = Bytes::from_static(b"3\r\nabc\r\n0\r\nRepr-Digest: x\r\nrepr-digest: y\r\n\r\n");
    let start = input.as_ptr().addr();
    let mut reader = BodyReader::new(BodyFraming::Chunked);
    assert_eq!(reader.remaining(), None);
    let Ok(BodyEvent::Data(data)) = reader.next(&mut input) else { panic!("no data") };
    assert_eq!(data.as_ptr().addr(), start + 3);
    assert_eq!(reader.next(&mut input), Ok(BodyEvent::End));
    assert_eq!(reader.trailer("repr-digest"), Some(&b"x"[..]));
    assert_eq!(reader.trailers("REPR-DIGEST").collect::<Vec<_>>(), [b"x", b"y"]);
    assert_eq!(reader.trailer("content-digest"), None);
}
