//! A client without opinions: it sends the bytes it is given and reads answers as RFC 9112 has them.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// No test waits longer for a byte: beyond it something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name that daemons under test are told to answer to, so that requests can be written down before the
/// port is known.
pub(crate) const HOST: &str = "rhinobox.test";

/// A request as bytes, with `Host`, and `Content-Length` unless `fields` frame the body otherwise.
pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let has = |wanted: &str| fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let mut out = format!("{method} {target} HTTP/1.1\r\n");
    if !has("host") {
        out.push_str(&format!("Host: {HOST}\r\n"));
    }
    for (name, value) in fields {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    let framed = has("content-length") || has("transfer-encoding");
    if !framed && (!body.is_empty() || matches!(method, "POST" | "PUT")) {
        out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// A body in the chunked coding, in chunks of `size`.
pub(crate) fn chunked(body: &[u8], size: usize, trailers: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    out
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Received and not yet read.
    ahead: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::try_connect(address).expect("the daemon accepts connections")
    }

    /// `None` where nobody listens.
    pub(crate) fn try_connect(address: SocketAddr) -> Option<Client> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit is set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit is set");
        stream.set_nodelay(true).expect("nodelay is set");
        Some(Client { stream, ahead: Vec::new() })
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the daemon takes bytes");
    }

    /// As [`Client::send`], for a daemon that may close in the middle of it.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// No more bytes will come from this side.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the socket is open");
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        // An early refusal may close the connection while the body is on its way.
        let _refused_early = self.try_send(&request(method, target, fields, body));
        if method == "HEAD" { self.head_response() } else { self.response() }
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target, &[], b"")
    }

    /// Reads an answer.
    pub(crate) fn response(&mut self) -> Response {
        self.read_response(true).expect("the daemon answers")
    }

    /// Reads the answer to a HEAD.
    pub(crate) fn head_response(&mut self) -> Response {
        self.read_response(false).expect("the daemon answers")
    }

    /// An answer, or why there is none.
    pub(crate) fn try_response(&mut self) -> io::Result<Response> {
        self.read_response(true)
    }

    /// What was received behind what was read.
    pub(crate) fn take_ahead(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ahead)
    }

    /// Whether the daemon has closed the connection, and said nothing more before.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.receive() {
            Ok(0) => self.ahead.is_empty(),
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Everything until the daemon closes.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while matches!(self.receive(), Ok(count) if count > 0) {}
        std::mem::take(&mut self.ahead)
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.ahead.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    fn receive_some(&mut self) -> io::Result<()> {
        match self.receive()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.ahead[seen..].windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..seen + at + 2).collect();
                return Ok(String::from_utf8(line[..line.len() - 2].to_vec()).expect("heads are UTF-8"));
            }
            seen = self.ahead.len().saturating_sub(1);
            self.receive_some()?;
        }
    }

    fn exactly(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < len {
            self.receive_some()?;
        }
        Ok(self.ahead.drain(..len).collect())
    }

    /// A status line and fields.
    pub(crate) fn head(&mut self) -> io::Result<Response> {
        let line = self.line()?;
        let status =
            line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|s| s.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:?}"));
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Response { status, fields, body: Vec::new(), continued: 0, is_whole: true })
    }

    fn read_response(&mut self, with_body: bool) -> io::Result<Response> {
        let mut continued = 0;
        let mut response = loop {
            let head = self.head()?;
            if head.status != 100 {
                break head;
            }
            continued += 1;
        };
        response.continued = continued;
        if !with_body || matches!(response.status, 204 | 304) {
            return Ok(response);
        }
        let (body, is_whole) = if response.field("Transfer-Encoding") == Some("chunked") {
            self.chunks()
        } else if let Some(length) = response.field("Content-Length") {
            let length = length.parse().expect("a length is a number");
            match self.exactly(length) {
                Ok(body) => (body, true),
                Err(_) => (std::mem::take(&mut self.ahead), false),
            }
        } else {
            (self.read_to_end(), true)
        };
        response.body = body;
        response.is_whole = is_whole;
        Ok(response)
    }

    /// The chunks of a body, and whether the last one came.
    fn chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        let whole = self.chunks_into(&mut body).is_ok();
        (body, whole)
    }

    fn chunks_into(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        while let Some(chunk) = self.chunk()? {
            body.extend(chunk);
        }
        Ok(())
    }

    /// The next chunk; `None` for the last.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"));
        let chunk = self.exactly(size)?;
        assert_eq!(self.line()?, "", "a chunk ends in a line end");
        Ok((size > 0).then_some(chunk))
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How many `100 Continue` came in front.
    pub(crate) continued: usize,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("Connection") == Some("close")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("status {}: {error}: {}", self.status, self.text()))
    }

    /// The sentence of an error.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        json["error"].as_str().unwrap_or_else(|| panic!("no error in {json}")).to_owned()
    }

    /// The records of an upload that succeeded.
    pub(crate) fn stored(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["stored"].as_array().expect("a list of records").clone()
    }

    /// Checks the status, and says everything if it is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Response {
        assert_eq!(self.status, status, "{:?} {}", self.fields, self.text());
        self
    }
}
