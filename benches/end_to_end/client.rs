//! One keep-alive connection as a state machine, and the loop that drives many of them on one thread.
//!
//! The client shares the machine with what it measures, so it is sparing: requests are ready in memory and patched
//! in place, one thread serves all connections by edge-triggered epoll, and in the common case a request costs one
//! send and one receive. A thread with a single connection uses a blocking socket and no epoll at all.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::Result;
use crate::answer::{Answer, Keep};

/// An answer that takes longer than this is a fault, not a latency.
const PATIENCE: Duration = Duration::from_secs(60);
/// One receive. Small enough to stay in the second-level cache.
const RECEIVE_BYTES: usize = 256 * 1024;

/// Whether a connection has its answer or waits for the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    Waits,
    Answered,
}

/// A connection with at most one request outstanding.
pub(crate) struct Connection {
    stream: TcpStream,
    blocks: bool,
    sent: usize,
    /// For one request at a time; where many connections are driven they share one.
    buffer: Vec<u8>,
    pub(crate) answer: Answer,
}

impl Connection {
    /// Connects, blocking.
    ///
    /// # Errors
    /// If it cannot.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, blocks: true, sent: 0, buffer: Vec::new(), answer: Answer::new() })
    }

    /// Sends a request and receives its answer, on a blocking connection.
    ///
    /// # Errors
    /// If the connection fails or the answer cannot be read.
    pub(crate) fn ask(&mut self, request: &[u8], keep: Keep) -> Result<&mut Answer> {
        self.begin(keep);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(RECEIVE_BYTES, 0);
        let progress = self.advance(request, true, &mut buffer);
        self.buffer = buffer;
        match progress? {
            Progress::Answered => Ok(&mut self.answer),
            Progress::Waits => Err(format!("no answer within {PATIENCE:?}").into()),
        }
    }

    fn set_blocks(&mut self, blocks: bool) -> io::Result<()> {
        self.blocks = blocks;
        self.stream.set_nonblocking(!blocks)
    }

    fn begin(&mut self, keep: Keep) {
        self.sent = 0;
        self.answer.expect(keep);
    }

    /// Goes as far as the kernel lets it.
    ///
    /// `readable`: whether there may be something to receive. An edge comes with all that arrives, so one receive
    /// that does not fill its buffer has taken all there is.
    fn advance(&mut self, request: &[u8], mut readable: bool, buffer: &mut [u8]) -> Result<Progress> {
        while self.sent < request.len() {
            match self.stream.write(&request[self.sent..]) {
                Ok(0) => return Err("the connection takes no more".into()),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // What the daemon said before it closed tells more than the reset.
                    let _ = self.stream.read(buffer).map(|received| self.answer.feed(&buffer[..received]));
                    let (status, said) = (self.answer.status, self.answer.excerpt());
                    return Err(format!(
                        "sending failed after {} bytes: {error}; {status} {said}",
                        self.sent
                    )
                    .into());
                }
            }
        }
        while readable {
            match self.stream.read(buffer) {
                Ok(0) => {
                    let (status, said) = (self.answer.status, self.answer.excerpt());
                    return Err(format!("the connection was closed in mid-answer; {status} {said}").into());
                }
                Ok(received) => {
                    self.answer.feed(&buffer[..received])?;
                    if self.answer.is_done() {
                        if self.sent < request.len() {
                            let (status, said) = (self.answer.status, self.answer.excerpt());
                            return Err(
                                format!("answered {status} before the request was sent: {said}").into()
                            );
                        }
                        return Ok(Progress::Answered);
                    }
                    readable = self.blocks || received == buffer.len();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Waits),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Progress::Waits)
    }
}

/// What a connection asks, again and again, in a closed loop.
pub(crate) trait Ask {
    /// Makes the next request; what of its answer is to be kept.
    fn prepare(&mut self) -> Keep;
    /// The request as it goes out.
    fn request(&self) -> &[u8];
    /// Whether the answer is what it must be.
    ///
    /// # Errors
    /// In words, what is not.
    fn check(&self, answer: &mut Answer) -> std::result::Result<(), String>;
}

/// Drives each connection with its load in a closed loop until `finished` says so after an answer; then awaits what
/// is outstanding. `finished` is told the load and the latency.
///
/// # Errors
/// At the first connection that fails, or answer that its load does not accept.
pub(crate) fn drive<A: Ask>(
    lanes: &mut [(Connection, A)],
    mut finished: impl FnMut(&A, Duration) -> bool,
) -> Result<()> {
    let mut buffer = vec![0; RECEIVE_BYTES];
    if let [(connection, load)] = lanes {
        loop {
            connection.begin(load.prepare());
            let begun = Instant::now();
            if connection.advance(load.request(), true, &mut buffer)? == Progress::Waits {
                return Err(format!("no answer within {PATIENCE:?}").into());
            }
            let took = begun.elapsed();
            load.check(&mut connection.answer)?;
            if finished(load, took) {
                return Ok(());
            }
        }
    }

    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let flags =
        epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
    let mut begun = Vec::with_capacity(lanes.len());
    for (token, (connection, load)) in lanes.iter_mut().enumerate() {
        connection.set_blocks(false)?;
        epoll::add(&epoll, &connection.stream, epoll::EventData::new_u64(token as u64), flags)?;
        connection.begin(load.prepare());
        begun.push(Instant::now());
        connection.advance(load.request(), false, &mut buffer)?;
    }
    let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    let (mut outstanding, mut over) = (lanes.len(), false);
    let mut events = Vec::with_capacity(lanes.len());
    while outstanding > 0 {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&patience)) {
            Ok(0) => return Err(format!("no answer within {PATIENCE:?}").into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let (token, flags) = (usize::try_from(event.data.u64())?, event.flags);
            let (connection, load) = &mut lanes[token];
            if connection.answer.is_done() {
                continue;
            }
            let readable = flags.intersects(!epoll::EventFlags::OUT);
            if connection.advance(load.request(), readable, &mut buffer)? == Progress::Waits {
                continue;
            }
            let took = begun[token].elapsed();
            load.check(&mut connection.answer)?;
            over |= finished(load, took);
            if over {
                outstanding -= 1;
                continue;
            }
            connection.begin(load.prepare());
            begun[token] = Instant::now();
            connection.advance(load.request(), false, &mut buffer)?;
        }
    }
    for (connection, _) in lanes {
        epoll::delete(&epoll, &connection.stream)?;
        connection.set_blocks(true)?;
    }
    Ok(())
}

/// The field that shows the token in the variable `RHINOBOX_TOKEN`, its line end included; nothing without one. For a daemon
/// whose stores have tokens when they are made.
pub(crate) fn shown() -> &'static str {
    static SHOWN: OnceLock<String> = OnceLock::new();
    SHOWN.get_or_init(|| {
        let token = std::env::var("RHINOBOX_TOKEN").unwrap_or_default();
        if token.is_empty() { token } else { format!("Authorization: Bearer {token}\r\n") }
    })
}
