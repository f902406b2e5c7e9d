//! Upload requests' bodies: multipart forms of JPEGs that are noise behind their first bytes, no two alike.

use std::io::Write as _;

use super::Result;
use super::random::Random;

/// As curl makes them.
pub(crate) const BOUNDARY: &str = "------------------------d74496d66958873e";
/// What users send, mostly: the type is recognised at once.
pub(crate) const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x48\x00\x48\x00\x00";
/// Where in a file the number stands that no other file has.
const STAMP_AT: usize = 32;

/// A body that is changed in place before it is sent again.
#[derive(Clone)]
pub(crate) struct Form {
    body: Vec<u8>,
    /// Where the files' contents begin.
    contents: Vec<usize>,
    file_bytes: usize,
    next_number: u64,
}

impl Form {
    /// Files of `file_bytes`, at least 64. Forms whose `first_number` are far apart share no content.
    ///
    /// # Errors
    /// None that is known: memory takes what is written to it.
    pub(crate) fn new(files: usize, file_bytes: usize, first_number: u64) -> Result<Form> {
        let mut body = Vec::with_capacity(files * (file_bytes + 256));
        let mut contents = Vec::with_capacity(files);
        for n in 0..files {
            write!(
                body,
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image-{n}.jpg\"\r\n\
                 Content-Type: image/jpeg\r\n\r\n"
            )?;
            let from = body.len();
            contents.push(from);
            body.resize(from + file_bytes, 0);
            Random(31 + n as u64).fill(&mut body[from..]);
            body[from..from + JPEG.len()].copy_from_slice(JPEG);
            body.extend_from_slice(b"\r\n");
        }
        write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"category\"\r\n\r\nholiday\r\n")?;
        write!(body, "--{BOUNDARY}--\r\n")?;
        let mut form = Form { body, contents, file_bytes, next_number: first_number };
        form.renew();
        Ok(form)
    }

    /// Makes every content one that was never sent.
    pub(crate) fn renew(&mut self) {
        for from in &self.contents {
            let at = from + STAMP_AT;
            self.body[at..at + 8].copy_from_slice(&self.next_number.to_le_bytes());
            self.next_number += 1;
        }
    }

    /// The body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many files it has.
    pub(crate) fn files(&self) -> usize {
        self.contents.len()
    }

    /// Bytes of each.
    pub(crate) fn file_bytes(&self) -> usize {
        self.file_bytes
    }
}
