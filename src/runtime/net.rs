//! TCP sockets. A deadline acts by `Breaker::cut` (shutdown(2)): the pending operation then ends by itself.
//!
//! What always holds: a breaker acts on its own connection or on nothing; a connection is closed once, after its last
//! operation; between two waits for the ring a connection receives at most once past it, so that none keeps its core.

#![expect(
    unsafe_code,
    reason = "listen, shutdown, FIONREAD, receiving at once, discarding, socket options and vectored sends are libc's and monoio's"
)]

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use monoio::buf::IoVecBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRent};

use super::buffer::Buffer;
use super::views::{self, Held};
use super::window::Window;
use crate::limits::{ACCEPT_BACKLOG, COALESCE_BYTES_MAX, IOVECS_MAX, UNSENT_BYTES_MAX};

/// Bound before the cores start, on the main thread, so that "address in use" is told early. Movable to the accepting core.
pub struct Listener {
    shared: Arc<Listening>,
}

struct Listening {
    socket: TcpListener,
    breaker: Breaker,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.breaker.forget();
    }
}

impl Listener {
    /// Listens on an address, with SO_REUSEADDR.
    pub fn bind(addr: SocketAddr) -> io::Result<Listener> {
        Listener::from_std(TcpListener::bind(addr)?)
    }

    /// A socket that listens already, be it inherited. It must block: the ring waits in the kernel.
    pub fn from_std(socket: TcpListener) -> io::Result<Listener> {
        socket.set_nonblocking(false)?;
        // std listens with a backlog of its own; a second call changes it.
        // SAFETY: no pointers; the descriptor is open.
        if unsafe { libc::listen(socket.as_raw_fd(), ACCEPT_BACKLOG) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let breaker = Breaker::new(socket.as_raw_fd());
        Ok(Listener { shared: Arc::new(Listening { socket, breaker }) })
    }

    /// The address, with the port that was given for 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// The next connection, as something that can be sent to another core. Errors of a connection that is gone already
    /// and of a process out of descriptors (EMFILE, ENFILE, ENOBUFS) come back too: wait a little and call again,
    /// unless the stopper was used.
    pub async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        loop {
            let view = views::listener(self.shared.socket.as_fd())?;
            let held = Held::new(Arc::clone(&self.shared));
            let result = view.accept().await;
            held.done();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok((stream, peer)) => {
                    // SAFETY: monoio gives up the only claim to an open descriptor.
                    let fd = unsafe { OwnedFd::from_raw_fd(stream.into_raw_fd()) };
                    return Ok((Socket { fd }, peer));
                }
            }
        }
    }

    /// Makes the pending and every later accept end with an error (shutdown(2) on the listening socket). Callable from any thread.
    #[must_use]
    pub fn stopper(&self) -> Breaker {
        self.shared.breaker.clone()
    }
}

/// An accepted connection on its way to its core. `Send`. Closes on drop.
pub struct Socket {
    fd: OwnedFd,
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket { fd: stream.into() }
    }
}

/// A connection on its core.
pub struct Stream {
    socket: monoio::net::TcpStream,
    breaker: Breaker,
    /// An operation was begun and has not ended.
    busy: Cell<bool>,
    /// Bytes, or the end, are there: the next receive need not go through the ring.
    has_bytes: Cell<bool>,
    /// The bytes that [`Stream::readable`] waits for.
    low_water: Cell<usize>,
}

impl Stream {
    /// TCP_NODELAY is set, and how much the kernel takes of what the peer has no window for ([`UNSENT_BYTES_MAX`]).
    pub fn adopt(socket: Socket) -> io::Result<Stream> {
        let socket = TcpStream::from(socket.fd);
        socket.set_nodelay(true)?;
        bound_unsent(&socket)?;
        let breaker = Breaker::new(socket.as_raw_fd());
        let socket = monoio::net::TcpStream::from_std(socket)?;
        Ok(Stream {
            socket,
            breaker,
            busy: Cell::new(false),
            has_bytes: Cell::new(false),
            low_water: Cell::new(1),
        })
    }

    /// From now on, and in a wait that is under way, [`Stream::readable`] waits for so many bytes (SO_RCVLOWAT), or the end,
    /// or an error: fewer wakes for who takes many at once. The kernel makes room for them, and wakes sooner where it
    /// has none.
    pub fn set_low_water(&self, bytes: usize) {
        if self.low_water.replace(bytes) == bytes {
            return;
        }
        let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        // Without it there are more wakes, and that is all.
        let _ = set_option(&self.socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes);
    }

    /// See [`Stream::set_low_water`]; one byte at first.
    #[must_use]
    pub fn low_water(&self) -> usize {
        self.low_water.get()
    }

    /// Waits until bytes (or the end, or an error) are there, holding no buffer.
    pub async fn readable(&self) -> io::Result<()> {
        self.busy.set(true);
        let result = self.socket.readable(false).await;
        self.busy.set(false);
        self.has_bytes.set(true);
        result
    }

    /// Waits until bytes can be sent (or an error is there), holding none.
    pub async fn writable(&self) -> io::Result<()> {
        self.busy.set(true);
        let result = self.socket.writable(false).await;
        self.busy.set(false);
        result
    }

    /// One receive into the spare room of `buf` (which must have some); `Ok(0)` is the peer's end.
    pub async fn recv(&mut self, mut buf: Buffer) -> (io::Result<usize>, Buffer) {
        let (start, room) = (buf.len(), buf.capacity() - buf.len());
        assert!(room > 0, "a receive into no room would look like the peer's end");
        if self.has_bytes.take() {
            match self.try_recv(&mut buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                result => return (result, buf),
            }
        }
        self.busy.set(true);
        let result = loop {
            let (result, window) = self.socket.read(Window::new(buf, start, room)).await;
            buf = window.into_buffer();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.busy.set(false);
        buf.set_len(start + *result.as_ref().unwrap_or(&0));
        (result, buf)
    }

    /// Receives what is there into the spare room of `buf`, without waiting: `WouldBlock` if that is nothing.
    fn try_recv(&mut self, buf: &mut Buffer) -> io::Result<usize> {
        let spare = buf.spare_mut();
        loop {
            // SAFETY: the kernel writes at most as many bytes as the slice has, which is live and nobody else's; the
            // descriptor is open.
            let count = unsafe {
                libc::recv(
                    self.socket.as_raw_fd(),
                    spare.as_mut_ptr().cast(),
                    spare.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(count) {
                Ok(count) => {
                    buf.set_len(buf.len() + count);
                    return Ok(count);
                }
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }

    /// Sends all, with writev where there is more than one piece.
    pub async fn send_all(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        self.send_all_telling(pieces, &|_| ()).await
    }

    /// As [`Stream::send_all`], telling `progress` how many bytes of it the kernel took, whenever it did.
    pub async fn send_all_telling(
        &mut self,
        mut pieces: Vec<Bytes>,
        progress: &dyn Fn(usize),
    ) -> io::Result<()> {
        pieces.retain(|piece| !piece.is_empty());
        let total: usize = pieces.iter().map(Bytes::len).sum();
        self.busy.set(true);
        let result = match pieces.len() {
            0 => Ok(()),
            1 => self.send_one(pieces.swap_remove(0), progress).await,
            _ if total <= COALESCE_BYTES_MAX => {
                let mut whole = BytesMut::with_capacity(total);
                pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
                self.send_one(whole.freeze(), progress).await
            }
            _ => self.send_pieces(Pieces::new(pieces), progress).await,
        };
        self.busy.set(false);
        result
    }

    async fn send_one(&mut self, mut bytes: Bytes, progress: &dyn Fn(usize)) -> io::Result<()> {
        while !bytes.is_empty() {
            let result;
            (result, bytes) = self.socket.write(bytes).await;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    bytes.advance(n);
                    progress(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    async fn send_pieces(&mut self, mut pieces: Pieces, progress: &dyn Fn(usize)) -> io::Result<()> {
        while !pieces.is_empty() {
            let result;
            (result, pieces) = self.socket.writev(pieces).await;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    pieces.advance(n);
                    progress(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Hands the kernel as much of `bytes` as it takes without waiting, and says how much that was. Not while
    /// [`Stream::send_all`] is under way: it takes `&mut`.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_send_both(bytes, &[])
    }

    /// As [`Stream::try_send`], of two pieces in one call.
    pub fn try_send_both(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let iovec =
            |piece: &[u8]| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() };
        let mut pieces = [iovec(first), iovec(second)];
        // SAFETY: a message header of zeros is one without address, data and control bytes.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = pieces.as_mut_ptr();
        message.msg_iovlen = pieces.len();
        // SAFETY: the header points to two vectors, which point to live slices that are only read; all of them outlive
        // the call. The descriptor is open.
        let sent = unsafe { libc::sendmsg(self.socket.as_raw_fd(), &raw const message, flags) };
        usize::try_from(sent).or_else(|_| match io::Error::last_os_error() {
            error if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            error => Err(error),
        })
    }

    /// Throws away up to `most` bytes that have arrived, and says how many; `Ok(0)` is the peer's end, `WouldBlock` that
    /// nothing is there. They are copied nowhere (tcp(7), MSG_TRUNC). Not while a receive is under way: it takes `&mut`.
    pub fn try_discard(&mut self, most: usize) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        loop {
            // SAFETY: with MSG_TRUNC a TCP socket writes to no memory, so the pointer may be null; the descriptor is open.
            let count = unsafe { libc::recv(self.socket.as_raw_fd(), std::ptr::null_mut(), most, flags) };
            match usize::try_from(count) {
                Ok(count) => return Ok(count),
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }

    /// Who is at the other end; `None` if it is gone.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    /// Half-close: no more from us.
    pub fn finish(&self) {
        self.breaker.shutdown(libc::SHUT_WR);
    }

    /// Cuts this connection from elsewhere.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.breaker.clone()
    }

    /// Bytes waiting in the socket (FIONREAD), 0 on error.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int, to a live one; the descriptor is open.
        let status = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::FIONREAD, &raw mut count) };
        if status == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
    }
}

/// Of what is to be sent the kernel keeps no more than this beyond what the peer's window has room for: who does not read
/// costs the kernel little memory, too.
fn bound_unsent(socket: &TcpStream) -> io::Result<()> {
    let bytes = libc::c_int::try_from(UNSENT_BYTES_MAX).unwrap_or(libc::c_int::MAX);
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, bytes)
}

/// setsockopt(2) of an option that is one int.
fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = libc::socklen_t::try_from(size_of_val(&value)).expect("an int is small");
    // SAFETY: the option is one int, which is live and only read; the descriptor is open.
    let status =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), len) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // An operation whose future was dropped keeps the descriptor open until it ends. Nobody could end it later.
        if self.busy.get() {
            self.breaker.cut();
        }
        // Only then is the socket closed.
        self.breaker.forget();
    }
}

/// Bytes for one vectored send, and how far it has come.
struct Pieces {
    /// Parallel to `_bytes`; those before `next` are sent.
    iovecs: Vec<libc::iovec>,
    next: usize,
    _bytes: Vec<Bytes>,
}

impl Pieces {
    fn new(bytes: Vec<Bytes>) -> Pieces {
        let iovec =
            |piece: &Bytes| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() };
        Pieces { iovecs: bytes.iter().map(iovec).collect(), next: 0, _bytes: bytes }
    }

    fn is_empty(&self) -> bool {
        self.next == self.iovecs.len()
    }

    /// `n` more bytes are sent. Panics beyond the end.
    fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let front = &mut self.iovecs[self.next];
            if n < front.iov_len {
                front.iov_base = front.iov_base.cast::<u8>().wrapping_add(n).cast();
                front.iov_len -= n;
                return;
            }
            n -= front.iov_len;
            self.next += 1;
        }
    }
}

// SAFETY: the vectors point into `_bytes`, whose memory does not move and lives as long as this does. They are only
// read through. The array of vectors is on the heap and not touched while the kernel has it.
unsafe impl IoVecBuf for Pieces {
    fn read_iovec_ptr(&self) -> *const libc::iovec {
        self.iovecs[self.next..].as_ptr()
    }

    fn read_iovec_len(&self) -> usize {
        (self.iovecs.len() - self.next).min(IOVECS_MAX)
    }
}

/// Cuts a connection from outside its pending operation, as often as one likes. Safe to hold after the
/// stream is gone (it then does nothing: it must never act on a recycled descriptor).
#[derive(Clone)]
pub struct Breaker {
    /// `None` once the descriptor may be closed. Its owner clears it before closing, under the lock.
    fd: Arc<Mutex<Option<RawFd>>>,
}

impl Breaker {
    fn new(fd: RawFd) -> Breaker {
        Breaker { fd: Arc::new(Mutex::new(Some(fd))) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<RawFd>> {
        // Nothing that can panic runs under the lock.
        self.fd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The descriptor is about to be closed.
    fn forget(&self) {
        *self.lock() = None;
    }

    fn shutdown(&self, how: libc::c_int) {
        let fd = self.lock();
        if let Some(fd) = *fd {
            // SAFETY: no pointers; the owner cannot close the descriptor while the lock is held. An error means that
            // the connection is down already.
            unsafe { libc::shutdown(fd, how) };
        }
    }

    /// Ends the pending receive, and every later one once what has arrived is read. Sending goes on.
    pub fn stop_receiving(&self) {
        self.shutdown(libc::SHUT_RD);
    }

    /// Ends the pending and every later operation, in both directions.
    pub fn cut(&self) {
        self.shutdown(libc::SHUT_RDWR);
    }
}

#[cfg(test)]
mod tests;
