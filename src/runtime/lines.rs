//! Lines that many threads make and one thread writes, to a reader that may be slow or gone.
//!
//! Always: who has a line never waits. What finds no room is dropped and counted; a line is written whole or not begun. Lines
//! that come within some milliseconds are written as one: a wake-up and a write for each would cost more than the line.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use crate::limits::{LINES_BATCH_BYTES, LINES_GATHER_MS, LINES_LOST_TELL_MS, LINES_STOP_MS};

/// The way to the thread that writes.
#[derive(Debug)]
pub struct Lines {
    inner: Arc<Inner>,
    thread: Thread,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inner {
    waiting: ArrayQueue<Box<[u8]>>,
    dropped: AtomicU64,
    closed: AtomicBool,
    /// The thread waits to be woken for the next line.
    idle: AtomicBool,
}

impl Lines {
    /// Starts the thread. At most `waiting_max` lines wait for it; `lost` is told now and then, on that thread, how many
    /// more were dropped.
    ///
    /// # Errors
    /// Why there is no thread.
    pub fn start(
        name: &str,
        waiting_max: usize,
        out: impl Write + Send + 'static,
        lost: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Lines> {
        let inner = Arc::new(Inner {
            waiting: ArrayQueue::new(waiting_max),
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            idle: AtomicBool::new(false),
        });
        let own = inner.clone();
        let writer = thread::Builder::new().name(name.to_owned()).spawn(move || own.write(out, lost))?;
        Ok(Lines { inner, thread: writer.thread().clone(), writer: Mutex::new(Some(writer)) })
    }

    /// Hands over a line, its end included. Dropped if there is no room.
    pub fn push(&self, line: Box<[u8]>) {
        match self.inner.waiting.push(line) {
            Ok(()) => {
                // Either this sees that the thread is idle, or the thread sees the line.
                fence(Ordering::SeqCst);
                if self.inner.idle.load(Ordering::Relaxed) && self.inner.idle.swap(false, Ordering::Relaxed) {
                    self.thread.unpark();
                }
            }
            Err(_full) => self.inner.lose(1),
        }
    }

    /// Lines dropped so far, for want of room or because they could not be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped.load(Ordering::Relaxed)
    }

    /// Has what waits written, and ends the thread. A reader that takes nothing is not waited for long.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        self.thread.unpark();
        let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let until = Instant::now() + Duration::from_millis(LINES_STOP_MS);
        while !writer.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Inner {
    fn lose(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    fn write(&self, mut out: impl Write, lost: impl Fn(u64)) {
        let pause = Duration::from_millis(LINES_LOST_TELL_MS);
        let (mut batch, mut told, mut told_at) = (Vec::new(), 0, None::<Instant>);
        loop {
            // Looked at before the queue: what was pushed before the closing is seen.
            let closed = self.closed.load(Ordering::Acquire);
            let lines = self.take(&mut batch);
            if lines > 0 && out.write_all(&batch).is_err() {
                self.lose(lines);
            }
            let dropped = self.dropped.load(Ordering::Relaxed);
            let is_time = closed || told_at.is_none_or(|at| at.elapsed() >= pause);
            if dropped > told && is_time {
                lost(dropped - told);
                (told, told_at) = (dropped, Some(Instant::now()));
            }
            match lines {
                0 if closed => return,
                0 => self.rest((dropped > told).then_some(pause)),
                _ => {}
            }
        }
    }

    /// Waits for a line, no longer than this, and then for those that come soon after it.
    fn rest(&self, most: Option<Duration>) {
        self.idle.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.waiting.is_empty() && !self.closed.load(Ordering::Acquire) {
            match most {
                Some(most) => thread::park_timeout(most),
                None => thread::park(),
            }
        }
        self.idle.store(false, Ordering::Relaxed);
        if !self.closed.load(Ordering::Acquire) {
            thread::park_timeout(Duration::from_millis(LINES_GATHER_MS));
        }
    }

    /// Fills the batch, and says with how many lines.
    fn take(&self, batch: &mut Vec<u8>) -> u64 {
        batch.clear();
        let mut lines = 0;
        while batch.len() < LINES_BATCH_BYTES
            && let Some(line) = self.waiting.pop()
        {
            batch.extend_from_slice(&line);
            lines += 1;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Says that a write has begun, and lets it end when told to.
    struct Gated {
        begun: mpsc::Sender<()>,
        go: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The test may be over.
            let _over = self.begun.send(());
            let _over = self.go.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_holds_up_nobody() {
        let ((begun, is_begun), (go_on, go)) = (mpsc::channel(), mpsc::channel());
        let (written, lost) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::new(AtomicU64::new(0)));
        let (out, told) = (Gated { begun, go, written: written.clone() }, lost.clone());
        let lines = Lines::start("lines", 4, out, move |more| {
            told.fetch_add(more, Ordering::Relaxed);
        })
        .unwrap();
        lines.push(Box::from(*b"first\n"));
        is_begun.recv().unwrap();
        for number in 0..10 {
            lines.push(format!("{number}\n").into_bytes().into());
        }
        assert_eq!(lines.dropped(), 6, "four find room");
        drop(go_on);
        lines.close();
        assert_eq!(&*written.lock().unwrap(), b"first\n0\n1\n2\n3\n");
        assert_eq!(lost.load(Ordering::Relaxed), 6);
    }
}
