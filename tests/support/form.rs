//! Multipart bodies, as browsers and curl make them or as nobody would.

use super::client::{Client, Response, request};

pub(crate) const BOUNDARY: &str = "----a-boundary-of-the-tests";

/// A form in the making.
#[derive(Clone, Default)]
pub(crate) struct Form {
    body: Vec<u8>,
}

impl Form {
    pub(crate) fn new() -> Form {
        Form::default()
    }

    /// A form of one file.
    pub(crate) fn of(name: &str, content: &[u8]) -> Form {
        Form::new().file(name, content)
    }

    pub(crate) fn file(self, name: &str, content: &[u8]) -> Form {
        let head = format!(
            "Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream"
        );
        self.part(&head, content)
    }

    pub(crate) fn typed(self, name: &str, mime: &str, content: &[u8]) -> Form {
        let head = format!(
            "Content-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\nContent-Type: {mime}"
        );
        self.part(&head, content)
    }

    pub(crate) fn field(self, name: &str, value: &str) -> Form {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
    }

    /// A part with this head, lines separated by CRLF.
    pub(crate) fn part(mut self, head: &str, content: &[u8]) -> Form {
        self.body.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// The body, closed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body
    }

    /// The body without its end.
    pub(crate) fn unfinished(&self) -> Vec<u8> {
        self.body.clone()
    }

    pub(crate) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    /// The whole request.
    pub(crate) fn request(&self, fields: &[(&str, &str)]) -> Vec<u8> {
        let content_type = Form::content_type();
        let mut all = vec![("Content-Type", content_type.as_str())];
        all.extend_from_slice(fields);
        request("POST", "/ingest/media", &all, &self.bytes())
    }

    /// Sends it and reads the answer.
    pub(crate) fn send(&self, client: &mut Client) -> Response {
        self.send_with(client, &[])
    }

    pub(crate) fn send_with(&self, client: &mut Client, fields: &[(&str, &str)]) -> Response {
        let _refused_early = client.try_send(&self.request(fields));
        client.response()
    }

    /// Sends it to a target with a query.
    pub(crate) fn send_to(&self, client: &mut Client, target: &str) -> Response {
        client.ask("POST", target, &[("Content-Type", &Form::content_type())], &self.bytes())
    }
}
