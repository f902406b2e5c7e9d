//! The push parser against itself, cut everywhere, and against another implementation.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use super::*;

/// What a parser made of a body: the parts, and whether it ended well.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Outcome {
    parts: Vec<Part>,
    end: Result<(), u16>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    head: PartHead,
    content: Vec<u8>,
    complete: bool,
}

fn parse<'a>(boundary: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    parse_counting(boundary, pieces).0
}

/// Also gives how often a byte was looked at or copied.
fn parse_counting<'a>(boundary: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Outcome, usize) {
    let mut parser = Multipart::new(&Boundary::new(boundary.as_bytes()).unwrap());
    let mut parts: Vec<Part> = Vec::new();
    for piece in pieces {
        parser.push(Bytes::copy_from_slice(piece));
        loop {
            match parser.next() {
                Ok(Event::PartBegin(head)) => {
                    assert!(parts.last().is_none_or(|part| part.complete));
                    parts.push(Part { head, content: Vec::new(), complete: false });
                }
                Ok(Event::Data(data)) => {
                    let part = parts.last_mut().filter(|part| !part.complete).expect("data outside a part");
                    assert!(!data.is_empty());
                    part.content.extend_from_slice(&data);
                }
                Ok(Event::PartEnd) => {
                    let part = parts.last_mut().filter(|part| !part.complete).expect("an end outside a part");
                    part.complete = true;
                }
                Ok(Event::NeedMore | Event::End) => break,
                Err(error) => {
                    assert_eq!(parser.next().map_err(|_| ()), Err(()), "an error stays");
                    return (Outcome { parts, end: Err(error.status.code()) }, parser.work);
                }
            }
        }
    }
    let end = parser.finish().map_err(|error| error.status.code());
    (Outcome { parts, end }, parser.work)
}

fn part(name: &str, content: &[u8]) -> Vec<u8> {
    let head =
        format!("\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}.bin\"\r\n\r\n");
    [b"--B", head.as_bytes(), content, b"\r\n"].concat()
}

/// The contents of the parts, or the status.
type Expected = Result<Vec<&'static [u8]>, u16>;

/// Bodies with the boundary `B`, and the contents of their parts, or the status they end with.
fn bodies() -> Vec<(Vec<u8>, Expected)> {
    let two = [part("a", b"hello"), part("b", b""), b"--B--\r\n".to_vec()].concat();
    let closed = |content| [part("a", content), b"--B--".to_vec()].concat();
    let headed = |head: &[u8]| [b"--B\r\n", head, b"\r\n\r\nx\r\n--B--"].concat();
    let disposition = b"Content-Disposition: form-data; name=a";
    vec![
        (two.clone(), Ok(vec![b"hello", b""])),
        (b"--B--".to_vec(), Ok(vec![])),
        (b"\r\n--B--\r\nepilogue".to_vec(), Ok(vec![])),
        (
            [b"pre\r\namble--B\r\n--BX\r\n\r\n", &two[..], b"\r\n--B\r\nepilogue"].concat(),
            Ok(vec![b"hello", b""]),
        ),
        (closed(b"\r"), Ok(vec![b"\r"])),
        (closed(b"\n"), Ok(vec![b"\n"])),
        (closed(b"\r\n"), Ok(vec![b"\r\n"])),
        (closed(b"\r\r\n\r\n-\r\n--\r\n--b\r"), Ok(vec![b"\r\r\n\r\n-\r\n--\r\n--b\r"])),
        (closed(b"x\n--B--\n--B\n"), Ok(vec![b"x\n--B--\n--B\n"])),
        (closed(b"x\r\n--BB\r\n--B-\r\n--B-x"), Ok(vec![b"x\r\n--BB\r\n--B-\r\n--B-x"])),
        (closed(b"x\r\n--B\r\r\n--B\rx"), Ok(vec![b"x\r\n--B\r\r\n--B\rx"])),
        (closed(b"x\r\n--B\r\r\n--BX"), Ok(vec![b"x\r\n--B\r\r\n--BX"])),
        (closed(b"--BX"), Ok(vec![b"--BX"])),
        (closed(b"-"), Ok(vec![b"-"])),
        // Padding behind a boundary, and a part whose empty line is the delimiter's.
        ([b"--B \t\r\n", &disposition[..], b"\r\n\r\nx\r\n--B--  "].concat(), Ok(vec![b"x"])),
        (
            [b"--B\r\n", &disposition[..], b"\r\n\r\n--B\r\n", disposition, b"\r\n\r\n--B--"].concat(),
            Ok(vec![b"", b""]),
        ),
        (headed(disposition), Ok(vec![b"x"])),
        (headed(b"A: b\r\nContent-Disposition: form-data; name=\"\xff\""), Ok(vec![b"x"])),
        // Cut short.
        (b"".to_vec(), Err(400)),
        (b"--B".to_vec(), Err(400)),
        (b"--B-".to_vec(), Err(400)),
        (b"--B\r\n".to_vec(), Err(400)),
        (part("a", b"hello"), Err(400)),
        (b"no delimiter at all".to_vec(), Err(400)),
        // Malformed.
        (b"--B x\r\n".to_vec(), Err(400)),
        (b"--B \rx".to_vec(), Err(400)),
        (b"--B\r\n\r\nx\r\n--B--".to_vec(), Err(400)),
        (headed(b"A: b"), Err(400)),
        (headed(b"Content-Disposition: form-data\nA: b"), Err(400)),
        (headed(b" Content-Disposition: form-data"), Err(400)),
        (headed(b"Content-Disposition: form-data; name=\"a"), Err(400)),
        (headed(b"Content-Disposition: form-data\r\nContent-Disposition: form-data"), Err(400)),
        (headed(b"Content-Disposition: form-data\r\nContent-Transfer-Encoding: base64"), Err(415)),
    ]
}

#[test]
fn every_cut_of_a_body_gives_the_same_parts() {
    for (body, expected) in bodies() {
        let shown = body.escape_ascii().to_string();
        let whole = parse("B", [&body[..]]);
        match &expected {
            Ok(contents) => {
                assert_eq!(whole.end, Ok(()), "{shown}");
                let found: Vec<_> = whole.parts.iter().map(|part| &part.content[..]).collect();
                assert_eq!(found, *contents, "{shown}");
                assert!(whole.parts.iter().all(|part| part.complete), "{shown}");
            }
            Err(status) => assert_eq!(whole.end, Err(*status), "{shown}"),
        }
        assert_eq!(parse("B", body.chunks(1)), whole, "{shown} byte by byte");
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let cut = parse("B", [&body[..first], &body[first..second], &body[second..]]);
                assert_eq!(cut, whole, "{shown} at {first}, {second}");
            }
        }
    }
}

#[test]
fn data_are_slices_of_what_was_pushed() {
    let body = Bytes::from([part("a", b"some content"), b"--B--".to_vec()].concat());
    let range = body.as_ptr_range();
    let mut parser = Multipart::new(&Boundary::new(b"B").unwrap());
    parser.push(body.clone());
    assert!(matches!(parser.next(), Ok(Event::PartBegin(head)) if head.is_file()));
    let Ok(Event::Data(data)) = parser.next() else { panic!("no data") };
    assert_eq!(data, b"some content"[..]);
    assert!(range.contains(&data.as_ptr()));
    assert_eq!(parser.next(), Ok(Event::PartEnd));
    assert_eq!(parser.next(), Ok(Event::End));
    assert_eq!(parser.next(), Ok(Event::End));
    // Pushing too early or too late does no harm.
    parser.push(body.clone());
    parser.push(body);
    assert_eq!(parser.next(), Ok(Event::End));
}

#[test]
fn a_part_head_has_a_limit() {
    let body = |bytes: usize| {
        let head = "Content-Disposition: form-data; name=a\r\nA: \r\n\r\n";
        let head = head.replace("A: ", &format!("A: {}", "a".repeat(bytes - head.len())));
        format!("--B\r\n{head}x\r\n--B--").into_bytes()
    };
    for (bytes, end) in
        [(PART_HEAD_BYTES_MAX, Ok(())), (PART_HEAD_BYTES_MAX + 1, Err(431)), (20_000, Err(431))]
    {
        let body = body(bytes);
        for size in [1, 7, 4096, body.len()] {
            assert_eq!(parse("B", body.chunks(size)).end, end, "{bytes} in pieces of {size}");
        }
    }
    let endless = [&b"--B\r\n"[..], &[b'a'; 20_000]].concat();
    assert_eq!(parse("B", endless.chunks(100)).end, Err(431));
}

/// Work is counted, not timed: it must grow as the body does, and not with the boundary's length or the cuts. Were a
/// failed match tried again from within, or a held tail scanned anew, a byte would be looked at dozens of times.
#[test]
fn floods_of_near_boundaries_take_linear_work() {
    let boundary = "a".repeat(70);
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n");
    for near in [
        format!("\r\n--{}", "a".repeat(69)),
        format!("\r\n--{boundary}-"),
        format!("\r\n--{boundary}\r"),
        format!("\r\n--{boundary}x"),
        format!("\r\r\n\r\n-\r\n--{}", "a".repeat(35)),
        "\r\n--".to_owned(),
        "\r\n".to_owned(),
        "\r".to_owned(),
        "\n".to_owned(),
        "a".to_owned(),
        "-".to_owned(),
    ] {
        for size in [1, 2, 71, 16 * 1024, usize::MAX] {
            let mut per_byte = Vec::new();
            for bytes in [64 * 1024, 1024 * 1024] {
                let content = near.repeat(bytes / near.len());
                let body =
                    [head.as_bytes(), content.as_bytes(), b"\r\n--", boundary.as_bytes(), b"--"].concat();
                let (outcome, work) = parse_counting(&boundary, body.chunks(size.min(body.len())));
                assert_eq!(outcome.end, Ok(()));
                assert!(outcome.parts[0].content == content.as_bytes(), "{near:?} in pieces of {size}");
                per_byte.push(work as f64 / body.len() as f64);
            }
            // A piece of any size costs one look at its tail for the start of a delimiter, of 75 bytes.
            let most = 4.0 + 75.0 / size.min(1 << 20) as f64;
            assert!(per_byte.iter().all(|work| *work < most), "{near:?} in pieces of {size}: {per_byte:?}");
            let growth = per_byte[1] / per_byte[0];
            assert!(growth < 1.1, "{near:?} in pieces of {size}: {per_byte:?}");
        }
    }
}

/// A flood of parts and of heads cut short costs no more than their bytes.
#[test]
fn floods_of_parts_take_linear_work() {
    let part = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    let long =
        format!("--B\r\nContent-Disposition: form-data; name=a\r\nA: {}\r\n\r\n\r\n", "a".repeat(8_000));
    for (part, count) in [(part.to_owned(), 20_000), (long, 100)] {
        for size in [1, 7, 4096, usize::MAX] {
            let body = [part.repeat(count).as_bytes(), b"--B--"].concat();
            let (outcome, work) = parse_counting("B", body.chunks(size.min(body.len())));
            assert_eq!((outcome.end, outcome.parts.len()), (Ok(()), count));
            let per_byte = work as f64 / body.len() as f64;
            assert!(per_byte < 12.0, "{per_byte} in pieces of {size}");
        }
    }
}

/// A small generator (splitmix64), so that a seed alone repeats a failure.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// Content that looks like delimiters.
    fn content(&mut self, boundary: &str) -> Vec<u8> {
        let mut content = Vec::new();
        for _ in 0..self.below(12) {
            let pieces: [&[u8]; 8] =
                [b"\r", b"\n", b"-", b"\r\n--", b"x", b"\r\n", b"--", boundary.as_bytes()];
            content.extend_from_slice(pieces[self.below(8)]);
        }
        content
    }

    /// `bytes` in pieces.
    fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(1 + self.below(bytes.len().min(40)));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |age| u64::from(age.subsec_nanos())))
}

/// 200 bodies, always the same: forms of several parts whose contents look like delimiters, some of them damaged.
fn drawn_bodies() -> Vec<Vec<u8>> {
    (0..200)
        .map(|number| {
            let mut random = Random(number);
            let mut body = random.content("B");
            for index in 0..1 + random.below(4) {
                let heads = [
                    format!("Content-Disposition: form-data; name=f{index}; filename=\"a {index}.jpg\""),
                    format!("Content-Disposition: form-data; name=f{index}; filename*=UTF-8''%e2%82%ac\r\nContent-Type: a/b"),
                    "A: b\r\ncontent-disposition: form-data; name=\"category\"".to_owned(),
                ];
                let head = &heads[random.below(3)];
                body.extend_from_slice(format!("\r\n--B\r\n{head}\r\n\r\n").as_bytes());
                for _ in 0..random.below(4) {
                    body.extend(random.content("B"));
                }
            }
            body.extend_from_slice(b"\r\n--B--\r\n");
            body.extend(random.content("B"));
            match random.below(4) {
                0 => {
                    let at = random.below(body.len());
                    body[at] = [b'\r', b'\n', b'-', 0, b'"'][random.below(5)];
                }
                1 => body.truncate(random.below(body.len())),
                _ => {}
            }
            body
        })
        .collect()
}

#[test]
fn two_hundred_bodies_are_read_alike_wherever_they_are_cut() {
    let (mut complete, mut refused) = (0, 0);
    for body in drawn_bodies() {
        let whole = parse("B", [&body[..]]);
        complete += usize::from(whole.end.is_ok() && !whole.parts.is_empty());
        refused += usize::from(whole.end.is_err());
        assert_eq!(parse("B", body.chunks(1)), whole, "{} byte by byte", body.escape_ascii());
        for at in 0..=body.len() {
            let cut = parse("B", [&body[..at], &body[at..]]);
            assert_eq!(cut, whole, "{} at {at}", body.escape_ascii());
        }
    }
    assert!(complete > 50 && refused > 30, "{complete} complete, {refused} refused: of each there are some");
}

#[test]
fn random_bytes_are_read_alike_however_they_are_cut() {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..20_000 {
        let mut body = b"--B\r\nContent-Disposition: form-data\r\n\r\n".to_vec();
        for _ in 0..random.below(4) {
            body.extend(random.content("B"));
            if random.below(3) == 0 {
                body.extend_from_slice(b"\r\n--B\r\nContent-Disposition: form-data; name=x\r\n\r\n");
            }
        }
        let pieces = random.cut(&body);
        assert_eq!(parse("B", pieces), parse("B", [&body[..]]), "{}", body.escape_ascii());
    }
}

#[test]
fn random_forms_are_read_as_multer_reads_them() {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..2_000 {
        let boundary = ["B", "----WebKitFormBoundaryabc", "a=b", "--"][random.below(4)];
        let delimiter = format!("\r\n--{boundary}");
        let mut contents = Vec::new();
        while contents.len() < 4 {
            let content = random.content(boundary);
            // A sender chooses a boundary that does not occur.
            let framed = [b"\r\n", &content[..], b"\r\n--"].concat();
            if memchr::memmem::find(&framed, delimiter.as_bytes()).is_none() {
                contents.push(content);
            }
        }
        let mut body = Vec::new();
        for (index, content) in contents.iter().enumerate() {
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"n{index}\"; filename=\"f {index}\"\r\nContent-Type: a/b\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let pieces = random.cut(&body);
        let outcome = parse(boundary, pieces.iter().copied());
        assert_eq!(outcome.end, Ok(()), "{}", body.escape_ascii());
        let ours: Vec<_> = outcome
            .parts
            .into_iter()
            .map(|part| {
                let name = part.head.name().map(|name| name.into_owned());
                (name, part.head.filename.map(|name| name.text().to_string()), part.content)
            })
            .collect();
        let theirs = with_multer(boundary, &pieces);
        assert_eq!(ours, theirs, "{}", body.escape_ascii());
        assert!(ours.iter().map(|part| &part.2).eq(&contents));
    }
}

type Form = Vec<(Option<String>, Option<String>, Vec<u8>)>;

fn with_multer(boundary: &str, pieces: &[&[u8]]) -> Form {
    let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    let mut form = multer::Multipart::new(Pieces(pieces), boundary);
    let mut fields = Vec::new();
    while let Some(field) = block_on(form.next_field()).unwrap() {
        let (name, file) = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
        fields.push((name, file, block_on(field.bytes()).unwrap().to_vec()));
    }
    fields
}

/// A stream that is always ready.
struct Pieces(VecDeque<Bytes>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("it waits for something that never comes");
}
