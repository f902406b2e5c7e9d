//! A multipart body of any bytes: the same parts and the same end wherever its buffers end.
//!
//! What must hold of every input: parts begin, give data and end in that order; an error stays; no more comes out than
//! went in; the parts do not depend on the cuts. The first two bytes of an input are where it is cut, the third chooses
//! the boundary.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rhinobox::http::multipart::{Boundary, Event, Multipart, PartHead};
use rhinobox_fuzz::{Input, cuts};

/// A short one, one that is made of what surrounds it, and a browser's.
const BOUNDARIES: [&[u8]; 4] = [b"B", b"--", b"a=b?", b"----WebKitFormBoundaryAAAAAAAAAAAAAAAA"];

#[derive(PartialEq, Eq, Debug, Default)]
struct Outcome {
    parts: Vec<(PartHead, Vec<u8>, bool)>,
    /// The status of an error; 0 where the body ended as it should.
    end: u16,
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let at = [input.byte(), input.byte()];
    let boundary = BOUNDARIES[usize::from(input.byte()) % BOUNDARIES.len()];
    let body = input.0;
    let whole = parse(boundary, &[body]);
    let given: usize = whole.parts.iter().map(|(_, content, _)| content.len()).sum();
    assert!(given <= body.len());
    for pieces in cuts(body, at) {
        assert_eq!(parse(boundary, &pieces), whole, "in {} pieces", pieces.len());
    }
});

fn parse(boundary: &[u8], pieces: &[&[u8]]) -> Outcome {
    let mut parser = Multipart::new(&Boundary::new(boundary).expect("a boundary"));
    let mut outcome = Outcome::default();
    for piece in pieces {
        parser.push(Bytes::copy_from_slice(piece));
        loop {
            let open = outcome.parts.last_mut().filter(|(_, _, complete)| !complete);
            match (parser.next(), open) {
                (Ok(Event::PartBegin(head)), None) => outcome.parts.push((head, Vec::new(), false)),
                (Ok(Event::Data(data)), Some((_, content, _))) => {
                    assert!(!data.is_empty());
                    content.extend_from_slice(&data);
                }
                (Ok(Event::PartEnd), Some((_, _, complete))) => *complete = true,
                (Ok(Event::NeedMore | Event::End), _) => break,
                (Err(error), _) => {
                    assert!(parser.next().is_err(), "an error stays");
                    outcome.end = error.status.code();
                    return outcome;
                }
                (Ok(event), open) => {
                    panic!("{event:?} where a part is {}", if open.is_some() { "open" } else { "not open" })
                }
            }
        }
    }
    outcome.end = parser.finish().map_or_else(|error| error.status.code(), |()| 0);
    outcome
}
