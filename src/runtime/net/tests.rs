//! Sockets on real cores, over loopback.

use super::*;
use crate::base::units::MIB;
use crate::runtime::buffer::Pool;
use crate::runtime::core::tests::{on_cores, on_one_core};
use crate::runtime::core::{catch_panic, spawn, yield_now};
use crate::runtime::inbox::Inbox;
use crate::runtime::{
    clock,
    sync::{self, oneshot},
};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::time::Duration;

fn loopback() -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Two ends of one connection: ours on this core, and a blocking client.
async fn pair() -> (Stream, TcpStream) {
    let (listener, addr) = loopback();
    let client = TcpStream::connect(addr).unwrap();
    let (socket, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (Stream::adopt(socket).unwrap(), client)
}

async fn echo(mut stream: Stream, pool: &Pool) -> usize {
    let mut total = 0;
    loop {
        stream.readable().await.unwrap();
        let (result, buf) = stream.recv(pool.take(64 * 1024)).await;
        match result.unwrap() {
            0 => return total,
            n => total += n,
        }
        stream.send_all(vec![buf.freeze()]).await.unwrap();
    }
}

#[test]
fn one_core_accepts_and_another_echoes() {
    const CONNECTIONS: usize = 20;
    let (listener, addr) = loopback();
    let listener = Mutex::new(Some(listener));
    let shared = Arc::new((listener, Inbox::<Socket>::new(4)));
    let client = std::thread::spawn(move || {
        for n in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(addr).unwrap();
            let sent: Vec<u8> = (0..100_000 + n).map(|k| u8::try_from(k % 251).unwrap()).collect();
            let mut writer = stream.try_clone().unwrap();
            let expected = sent.clone();
            let writing = std::thread::spawn(move || {
                writer.write_all(&sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            writing.join().unwrap();
            assert!(got == expected, "connection {n}");
        }
    });
    on_cores(2, move |core| {
        let shared = Arc::clone(&shared);
        async move {
            let (listener, inbox) = &*shared;
            if core.0 == 0 {
                let listener = listener.lock().unwrap().take().unwrap();
                for _ in 0..CONNECTIONS {
                    let (mut socket, _) = listener.accept().await.unwrap();
                    while let Err(back) = inbox.push(socket) {
                        socket = back;
                        clock::sleep(Duration::from_millis(1)).await;
                    }
                }
            } else {
                let pool = Pool::new(MIB);
                for n in 0..CONNECTIONS {
                    let stream = Stream::adopt(inbox.next().await).unwrap();
                    assert_eq!(echo(stream, &pool).await, 100_000 + n);
                }
                assert_eq!(pool.usage().0, 0, "all buffers are home");
            }
        }
    });
    client.join().unwrap();
}

#[test]
fn many_pieces_arrive_as_one_through_short_sends() {
    on_one_core(|| async {
        for (count, size) in [(0, 0), (1, 5), (3, 100), (3_000, 7), (2_000, 4_001), (3, 3 * MIB)] {
            let (mut stream, mut client) = pair().await;
            let pieces: Vec<Bytes> =
                (0..count).map(|n| Bytes::from(vec![u8::try_from(n % 253).unwrap(); size + n % 3])).collect();
            let expected = pieces.concat();
            let reading = std::thread::spawn(move || {
                let mut got = Vec::new();
                client.read_to_end(&mut got).unwrap();
                got
            });
            stream.send_all(pieces).await.unwrap();
            stream.finish();
            let got = crate::runtime::helper::run(move || reading.join().unwrap()).await;
            assert!(got == expected, "{count} pieces of {size}");
        }
    });
}

#[test]
fn a_breaker_ends_a_pending_receive_and_a_pending_wait() {
    on_one_core(|| async {
        for waiting in [false, true] {
            let (mut stream, client) = pair().await;
            let breaker = stream.breaker();
            spawn(async move {
                clock::sleep(Duration::from_millis(10)).await;
                breaker.cut();
                breaker.cut();
            });
            if waiting {
                stream.readable().await.unwrap();
            }
            let (result, buf) = stream.recv(Pool::new(0).take(1)).await;
            assert_eq!(result.unwrap(), 0, "the end");
            assert!(buf.is_empty());
            assert!(stream.send_all(vec![Bytes::from_static(b"late")]).await.is_err());
            drop(client);
        }
    });
}

#[test]
fn a_breaker_ends_a_send_that_the_peer_does_not_take() {
    on_one_core(|| async {
        let (mut stream, client) = pair().await;
        let breaker = stream.breaker();
        spawn(async move {
            clock::sleep(Duration::from_millis(20)).await;
            breaker.cut();
        });
        let much = Bytes::from(vec![1; 64 * MIB]);
        assert!(stream.send_all(vec![much.clone(), much]).await.is_err());
        drop(client);
    });
}

#[test]
fn a_breaker_of_a_closed_connection_leaves_its_successor_alone() {
    on_one_core(|| async {
        let (stream, client) = pair().await;
        let (breaker, number) = (stream.breaker(), stream.socket.as_raw_fd());
        drop((stream, client));
        // The close goes through the ring.
        yield_now().await;
        let mut met = false;
        for _ in 0..64 {
            let (mut stream, mut client) = pair().await;
            met |= stream.socket.as_raw_fd() == number;
            breaker.cut();
            client.write_all(b"alive").unwrap();
            let (result, buf) = stream.recv(Pool::new(0).take(1)).await;
            assert_eq!((result.unwrap(), buf.as_slice()), (5, &b"alive"[..]));
            if met {
                return;
            }
        }
        // Other tests run meanwhile and may have taken the number; then nothing was shown, and nothing failed.
    });
}

#[test]
fn a_stopper_ends_the_pending_accept_and_those_after_it() {
    let (listener, _) = loopback();
    let stopper = listener.stopper();
    let listener = Arc::new(listener);
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        stopper.cut();
    });
    on_one_core(move || {
        let listener = Arc::clone(&listener);
        async move {
            assert!(listener.accept().await.is_err());
            assert!(listener.accept().await.is_err());
        }
    });
    stopping.join().unwrap();
}

#[test]
fn waiting_bytes_are_counted_and_received_behind_those_in_use() {
    on_one_core(|| async {
        let (mut stream, mut client) = pair().await;
        assert_eq!(stream.pending_bytes(), 0);
        client.write_all(b"world").unwrap();
        stream.readable().await.unwrap();
        assert_eq!(stream.pending_bytes(), 5);
        let mut buf = Pool::new(0).take(1);
        buf.extend_from_slice(b"hello ");
        let (result, buf) = stream.recv(buf).await;
        assert_eq!((result.unwrap(), buf.as_slice()), (5, &b"hello world"[..]));
    });
}

#[test]
fn a_wait_for_many_bytes_ends_with_them_or_once_fewer_will_do() {
    on_one_core(|| async {
        let (mut stream, mut client) = pair().await;
        let soon = Duration::from_millis(50);
        stream.set_low_water(50_000);
        client.write_all(&[1; 30_000]).unwrap();
        {
            let mut wait = pin!(stream.readable());
            assert!(sync::within(soon, wait.as_mut()).await.is_none(), "30,000 are too few");
            client.write_all(&[2; 20_000]).unwrap();
            wait.await.unwrap();
        }
        assert_eq!(stream.pending_bytes(), 50_000);
        while stream.pending_bytes() > 0 {
            stream.recv(Pool::new(0).take(MIB)).await.0.unwrap();
        }
        client.write_all(&[3; 10]).unwrap();
        {
            let mut wait = pin!(stream.readable());
            assert!(sync::within(soon, wait.as_mut()).await.is_none(), "10 are too few");
            stream.set_low_water(1);
            wait.await.unwrap();
        }
        stream.recv(Pool::new(0).take(MIB)).await.0.unwrap();
        stream.set_low_water(MIB);
        client.write_all(&[4; 10]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        stream.readable().await.unwrap();
        assert_eq!(stream.pending_bytes(), 10, "behind them is the end");
    });
}

#[test]
fn a_dropped_receive_is_ended_and_its_connection_closed() {
    on_one_core(|| async {
        let (mut stream, mut client) = pair().await;
        let (sender, receiver) = oneshot::channel::<()>();
        let end = catch_panic(async move {
            let pending = Box::pin(stream.recv(Pool::new(0).take(1)));
            // Polled once, then dropped by the panic: what must not be done on purpose.
            let mut pending = pending;
            std::future::poll_fn(|cx| {
                assert!(pending.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            drop(receiver);
            panic!("in a handler");
        });
        assert!(end.await.is_err());
        drop(sender);
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let read = crate::runtime::helper::run(move || client.read(&mut [0; 8]));
        assert_eq!(read.await.unwrap(), 0, "closed");
    });
}

#[test]
fn what_is_thrown_away_is_counted_and_the_end_is_told() {
    on_one_core(|| async {
        let (mut stream, mut client) = pair().await;
        let nothing = stream.try_discard(MIB).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        let writing = std::thread::spawn(move || {
            client.write_all(&vec![7; 5 * MIB]).unwrap();
            client.write_all(b"kept").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        let mut left = 5 * MIB;
        while left > 0 {
            stream.readable().await.unwrap();
            left -= stream.try_discard(left.min(100_000)).unwrap();
        }
        stream.readable().await.unwrap();
        let (received, buffer) = stream.recv(Pool::new(0).take(16)).await;
        assert_eq!((received.unwrap(), buffer.as_slice()), (4, &b"kept"[..]));
        stream.readable().await.unwrap();
        assert_eq!(stream.try_discard(MIB).unwrap(), 0);
        writing.join().unwrap();
    });
}

#[test]
fn what_the_kernel_takes_without_waiting_is_sent_in_order_and_room_for_more_is_told() {
    on_one_core(|| async {
        let (mut stream, mut client) = pair().await;
        let bytes: Vec<u8> = (0..24 * MIB).map(|k| u8::try_from(k % 251).unwrap()).collect();
        let (sender, received) = oneshot::channel();
        let expected = bytes.clone();
        let reading = std::thread::spawn(move || {
            // Not before the sockets are full.
            std::thread::sleep(Duration::from_millis(100));
            let mut got = Vec::new();
            client.read_to_end(&mut got).unwrap();
            sender.send(got == expected);
        });
        let (mut at, mut waits) = (0, 0);
        while at < bytes.len() {
            // Two pieces, of which the kernel may take all, some, or not even the first.
            let middle = at + (bytes.len() - at) / 3;
            match stream.try_send_both(&bytes[at..middle], &bytes[middle..]).unwrap() {
                0 => {
                    waits += 1;
                    stream.writable().await.unwrap();
                }
                count => at += count,
            }
        }
        stream.finish();
        assert!(waits > 0, "24 MiB fit no socket");
        assert_eq!(received.await, Some(true));
        reading.join().unwrap();
    });
}
