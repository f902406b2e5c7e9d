//! No parser panics, whatever it is given: mutations of good inputs through every entry point.

use bytes::Bytes;
use proptest::prelude::*;

use super::head::{BodyFraming, Head, Method};
use super::{authorization, conditional, digest_field, framing, multipart, origin, range, route, target};
use crate::base::digest::Digest;
use crate::base::time::Wall;

/// Pieces that mean something to one parser or another.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"%",
    b"%2",
    b"%2e",
    b"%00",
    b"/",
    b"..",
    b"?",
    b"#",
    b"*",
    b"-",
    b"--",
    b"--B",
    b"--B--",
    b"\r\n--B\r\n",
    b"0",
    b"5",
    b"ff",
    b"+",
    b"W/",
    b"'",
    b"UTF-8''",
    b"GET / HTTP/1.1\r\n",
    b"POST http://h:1/a?b HTTP/1.0\r\n",
    b"Host: h\r\n",
    b"Content-Length: 5\r\n",
    b"Range: bytes=0-\r\n",
    b"If-None-Match: \"a\", W/\"b\"\r\n",
    b"If-Match: *\r\n",
    b"Origin: http://h:1\r\n",
    b"If-Range: \"",
    b"Authorization: Bearer ",
    b"Authorization: Basic ",
    b"[::1]",
    b"bytes=",
    b"Content-Disposition: form-data; name=a",
    b"; filename=\"",
    b"; filename*=",
    b"multipart/form-data; boundary=",
    b"sha-256=:",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"/files/",
    b"/storage/",
    b"\0",
    b"\xff",
    b"\xc3\xa4",
    b"18446744073709551615",
];

fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Everything that looks at a head.
fn read_head(text: &[u8]) {
    let Ok(Some((head, consumed))) = Head::parse(&Bytes::copy_from_slice(text)) else { return };
    assert!(consumed <= text.len());
    let current = conditional::Selected { digest: Digest::of(b""), modified: Wall(0) };
    let _ = conditional::evaluate(&head, Some(&current));
    let _ = conditional::range(&head, &current);
    let _ = route::route(head.method, head.path());
    let _ = authorization::token(&head);
    let _ = target::parameter(head.query(), "b");
    let _ = origin::Hosts::new(([127, 0, 0, 1], 1).into(), ["h"]).check(&head);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_a_parser_panic(bytes in input()) {
        read_head(&bytes);
        read_head(&[b"GET / HTTP/1.1\r\nHost: h\r\n", &bytes[..], b"\r\n\r\n"].concat());
        let _ = route::route(Method::Get, &bytes);
        let _ = route::route(Method::Put, &bytes);
        let _ = digest_field::sha256([&bytes[..]]);
        let _ = multipart::Boundary::from_content_type(&bytes);
        let _ = multipart::PartHead::parse(&Bytes::copy_from_slice(&bytes));
        let value = [b"Content-Disposition: form-data; name=", &bytes[..], b"\r\n\r\n"].concat();
        let _ = multipart::PartHead::parse(&value.into());
    }

    #[test]
    fn ranges_lie_within_the_content(bytes in input(), size in 0..100u64) {
        let value = [b"bytes=", &bytes[..]].concat();
        let holds = |range: range::ByteRange| range.start < range.end && range.end <= size;
        let all_hold = match range::parse(&value, size) {
            range::Ranges::One(range) => holds(range),
            range::Ranges::Many(ranges) => ranges.len() > 1 && ranges.into_iter().all(holds),
            range::Ranges::Whole | range::Ranges::Unsatisfiable => true,
        };
        prop_assert!(all_hold);
    }

    #[test]
    fn a_body_never_gives_out_more_than_it_got(bytes in input(), length in 0..100u64) {
        for framing in [BodyFraming::Chunked, BodyFraming::Length(length), BodyFraming::None] {
            let mut reader = framing::BodyReader::new(framing);
            let mut rest = Bytes::copy_from_slice(&bytes);
            while let Ok(framing::BodyEvent::Data(_)) = reader.next(&mut rest) {}
            prop_assert!(reader.received() + rest.len() as u64 <= bytes.len() as u64);
        }
    }

    #[test]
    fn a_form_never_gives_out_more_than_it_got(bytes in input()) {
        let body = [b"--B\r\nContent-Disposition: form-data\r\n\r\n", &bytes[..]].concat();
        let mut parser = multipart::Multipart::new(&multipart::Boundary::new(b"B").expect("a boundary"));
        parser.push(body.into());
        let mut given = 0;
        loop {
            match parser.next() {
                Ok(multipart::Event::Data(data)) => given += data.len(),
                Ok(multipart::Event::PartBegin(_) | multipart::Event::PartEnd) => {}
                Ok(multipart::Event::NeedMore | multipart::Event::End) | Err(_) => break,
            }
        }
        prop_assert!(given <= bytes.len());
    }
}
