//! Cores in this process: their start and end, messages from one to another and back, tasks.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rhinobox::base::digest::Digest;
use rhinobox::limits::INBOX_MESSAGES_MAX;
use rhinobox::runtime::core::{CoreId, launch, spawn, yield_now};
use rhinobox::runtime::inbox::Inbox;
use rhinobox::runtime::{clock, topology};
use serde::Serialize;

use crate::support::samples::Samples;
use crate::support::store::on_a_core;
use crate::support::table::Table;
use crate::support::text::three_digits;
use crate::{Result, Row};

/// Between messages to a core that is to be asleep by then.
const PAUSE: Duration = Duration::from_millis(1);
/// What a busy core does before it lets others run: the hashing of some small files.
const BUSY_BYTES: usize = 16 << 10;
const TASKS: u32 = 1_000;

/// From the call of `launch` until the last core's first line, and from there to the end of all threads.
///
/// # Errors
/// If there is no io_uring.
pub(crate) fn starts_and_stops(count: usize, repetitions: usize) -> Result<Vec<Row>> {
    let cpus = topology::cpus(Some(count))?;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let (sender, receiver) = mpsc::channel();
        let begun = Instant::now();
        let cores = launch(&cpus, move |_| {
            // The receiver waits for all of them.
            let _ = sender.send(begun.elapsed());
            std::future::ready(())
        })?;
        let mut last = Duration::ZERO;
        for _ in 0..count {
            last = last.max(receiver.recv()?);
        }
        cores.join();
        starts.push(last.as_secs_f64() * 1e3);
        stops.push((begun.elapsed() - last).as_secs_f64() * 1e3);
    }
    let [start, stop] = match count {
        1 => ["runtime: launch to running, 1 core", "runtime: last line to joined, 1 core"],
        _ => ["runtime: launch to running, 2 cores", "runtime: last line to joined, 2 cores"],
    };
    Ok(vec![Row { what: start, ms: Samples::of(starts) }, Row { what: stop, ms: Samples::of(stops) }])
}

/// Messages to another core and back, one under way at a time.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Hop {
    what: &'static str,
    messages: u64,
    there_p50_us: f64,
    there_p99_us: f64,
    and_back_p50_us: f64,
    and_back_p99_us: f64,
}

/// When the other core is to be found how.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Asleep,
    JustIdle,
    Busy,
}

/// Measures messages to a core that sleeps, that has just answered, and that works.
///
/// # Errors
/// If there is no io_uring, or a message comes back other than it went.
pub(crate) fn hops(messages: u32) -> Result<Vec<Hop>> {
    [
        ("asleep in its ring for a millisecond", Other::Asleep),
        ("asleep since it answered just now", Other::JustIdle),
        ("hashing 16 KiB at a time", Other::Busy),
    ]
    .into_iter()
    .map(|(what, other)| hop(what, other, messages))
    .collect()
}

/// A job without work: its number, and when it was sent or taken.
#[derive(Clone, Copy)]
struct Job {
    number: u32,
    at_ns: u64,
}

type Times = (Histogram<u64>, Histogram<u64>);

fn hop(what: &'static str, other: Other, messages: u32) -> Result<Hop> {
    let inboxes: Arc<[Inbox<Job>; 2]> = Arc::new([(); 2].map(|()| Inbox::new(INBOX_MESSAGES_MAX)));
    let over = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let cores = launch(&topology::cpus(Some(2))?, move |core| {
        let (inboxes, over, sender) = (inboxes.clone(), over.clone(), sender.clone());
        async move {
            if core == CoreId(0) {
                let times = ask(&inboxes, other, messages).await;
                over.store(true, Ordering::Relaxed);
                // Wakes a core that sleeps, so that it sees the end.
                let _full = inboxes[1].push(Job { number: u32::MAX, at_ns: 0 });
                // The receiver waits for it.
                let _ = sender.send(times);
            } else {
                if other == Other::Busy {
                    spawn(work(over));
                }
                answer(&inboxes).await;
            }
        }
    })?;
    let (there, and_back) = receiver.recv()??;
    cores.join();
    let us = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Hop {
        what,
        messages: and_back.len(),
        there_p50_us: us(&there, 0.5),
        there_p99_us: us(&there, 0.99),
        and_back_p50_us: us(&and_back, 0.5),
        and_back_p99_us: us(&and_back, 0.99),
    })
}

async fn ask(inboxes: &[Inbox<Job>; 2], other: Other, messages: u32) -> Result<Times> {
    let (mut there, mut and_back) = (Histogram::new(3)?, Histogram::new(3)?);
    // A tenth more goes before, to warm up.
    let warm_up = messages / 10;
    for number in 0..messages + warm_up {
        if other == Other::Asleep {
            clock::sleep(PAUSE).await;
        }
        let sent = clock::now_ns();
        inboxes[1].push(Job { number, at_ns: sent }).map_err(|_| "an inbox is full of one message")?;
        let taken = inboxes[0].next().await;
        let back = clock::now_ns();
        if taken.number != number {
            return Err(format!("job {} came back in place of {number}", taken.number).into());
        }
        if number >= warm_up {
            there.record(taken.at_ns - sent)?;
            and_back.record(back - sent)?;
        }
    }
    Ok((there, and_back))
}

async fn answer(inboxes: &[Inbox<Job>; 2]) {
    loop {
        let job = inboxes[1].next().await;
        if job.number == u32::MAX {
            return;
        }
        // One message is under way at a time: there is room.
        let _ = inboxes[0].push(Job { number: job.number, at_ns: clock::now_ns() });
    }
}

async fn work(over: Arc<AtomicBool>) {
    let bytes = vec![0x5a; BUSY_BYTES];
    while !over.load(Ordering::Relaxed) {
        std::hint::black_box(Digest::of(&bytes));
        yield_now().await;
    }
}

/// Prints them.
pub(crate) fn print_hops(hops: &[Hop]) {
    let columns = ["an empty job to a core that is", "there p50 us", "p99", "and back p50 us", "p99"];
    let mut table = Table::new(1, columns);
    for hop in hops {
        table.row([
            hop.what.to_owned(),
            three_digits(hop.there_p50_us),
            three_digits(hop.there_p99_us),
            three_digits(hop.and_back_p50_us),
            three_digits(hop.and_back_p99_us),
        ]);
    }
    table.print();
}

/// Something a core does with tasks.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Task {
    what: &'static str,
    ns: Samples,
}

/// Tasks without work, and trips through the ring.
///
/// # Errors
/// If there is no io_uring, or a task is lost.
pub(crate) fn tasks(repetitions: usize) -> Result<Vec<Task>> {
    on_a_core(move || async move {
        let (mut spawns, mut yields) = (Vec::new(), Vec::new());
        // One more goes before, to warm up.
        for repetition in 0..=repetitions {
            let done = Rc::new(Cell::new(0));
            let begun = Instant::now();
            for _ in 0..TASKS {
                let done = done.clone();
                spawn(async move { done.set(done.get() + 1) });
            }
            yield_now().await;
            let spawning = begun.elapsed();
            if done.get() != TASKS {
                return Err(format!("{} of {TASKS} tasks have run", done.get()).into());
            }
            let begun = Instant::now();
            for _ in 0..TASKS {
                yield_now().await;
            }
            let yielding = begun.elapsed();
            if repetition > 0 {
                spawns.push(spawning.as_nanos() as f64 / f64::from(TASKS));
                yields.push(yielding.as_nanos() as f64 / f64::from(TASKS));
            }
        }
        Ok(vec![
            Task { what: "a task that does nothing, started and run", ns: Samples::of(spawns) },
            Task { what: "letting others go first: a trip through the ring", ns: Samples::of(yields) },
        ])
    })
}

/// Prints them.
pub(crate) fn print_tasks(tasks: &[Task]) {
    let mut table = Table::new(1, ["on one core", "ns", "spread"]);
    for task in tasks {
        table.row([task.what.to_owned(), three_digits(task.ns.median), task.ns.plus_minus()]);
    }
    table.print();
}
