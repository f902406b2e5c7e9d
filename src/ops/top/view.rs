//! An interval as lines for a person.
//!
//! Always: plain ASCII, made of words that stand here and of numbers.

use super::rates::{Quantile, Rates, ratio};
use super::sample::stage_names;
use crate::client::Server;

/// All there is to be shown, at most 79 columns wide but for a long name of the daemon.
pub(super) fn lines(server: &Server, rates: &Rates) -> Vec<String> {
    let (delta, now, since_start) = (&rates.delta, &rates.now, &rates.now.counters);
    let done = delta.stored_files + delta.duplicate_files;
    let mut lines = vec![
        format!("rhinobox {server}  {}  interval {:.1} s", now.wall.rfc3339(), rates.seconds),
        format!(
            "files    {:>10}/s   new {}/s, duplicate {}/s, failed {}/s",
            count(rates.rate(done)),
            count(rates.rate(delta.stored_files)),
            count(rates.rate(delta.duplicate_files)),
            count(rates.rate(delta.failed_files)),
        ),
        format!(
            "data     {:>10.1} MB/s   new {:.1}, duplicate {:.1}",
            rates.rate(delta.stored_bytes + delta.saved_bytes) / 1e6,
            rates.rate(delta.stored_bytes) / 1e6,
            rates.rate(delta.saved_bytes) / 1e6,
        ),
        format!(
            "dedup    {:>10} of files; since start: {} of files, {} of bytes",
            percent(ratio(delta.duplicate_files, done)),
            percent(ratio(
                since_start.duplicate_files,
                since_start.stored_files + since_start.duplicate_files
            )),
            percent(ratio(since_start.saved_bytes, since_start.stored_bytes + since_start.saved_bytes)),
        ),
        format!(
            "answers  {:>10}/s   4xx and 5xx {}/s, shed {}/s",
            count(rates.rate(delta.answers)),
            count(rates.rate(delta.errors)),
            count(rates.rate(delta.shed)),
        ),
        format!(
            "queue    {:>10}     of {}; {} connections; {} resident",
            count(now.queue_depth),
            count(now.queue_capacity),
            count(now.connections),
            bytes(now.resident_bytes),
        ),
        format!(
            "stored   {:>10}     since the start, {} saved",
            bytes(since_start.stored_bytes),
            bytes(since_start.saved_bytes),
        ),
        match &now.store {
            Some(store) => format!(
                "store    {:>10}     contents, {} names; {} free on the volume",
                count(store.contents),
                count(store.names),
                bytes(store.free_bytes),
            ),
            None => "store    is being recovered".to_owned(),
        },
        String::new(),
        format!("{:<8} {:>10} {:>10} {:>10} {:>7}", "stage", "p50", "p99", "mean", "share"),
    ];
    let whole_s = rates.stages.last().map_or(0.0, |total| total.sum_s);
    for (name, stage) in stage_names().zip(&rates.stages) {
        let mean = stage.mean_s.map_or_else(|| "-".to_owned(), time);
        let share = stage.mean_s.map_or_else(|| "-".to_owned(), |_| percent(ratio(stage.sum_s, whole_s)));
        let (p50, p99) = (quantile(stage.p50), quantile(stage.p99));
        lines.push(format!("{name:<8} {p50:>10} {p99:>10} {mean:>10} {share:>7}"));
    }
    lines.push(String::new());
    lines.push(format!(
        "{:<8} {:>10} {:>10} {:>10} {:>7} {:>7}",
        "core", "user", "system", "requests", "queue", "inbox"
    ));
    for (number, (load, core)) in rates.cores.iter().zip(&now.cores).enumerate() {
        lines.push(format!(
            "{number:<8} {:>10} {:>10} {:>10} {:>7} {:>7}",
            percent(load.user),
            percent(load.system),
            count(core.requests),
            count(core.queued),
            count(core.messages),
        ));
    }
    lines
}

/// A whole number, in groups of three digits.
fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs().min(1e18));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Bytes in units of a thousand.
fn bytes(number: f64) -> String {
    scaled(number, 1e3, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// Seconds.
fn time(seconds: f64) -> String {
    scaled(seconds * 1e6, 1e3, &["us", "ms", "s"])
}

/// In the unit that leaves fewest digits; three of them count.
fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= step && unit + 1 < units.len() {
        (number, unit) = (number / step, unit + 1);
    }
    let decimals = if number >= 100.0 || unit == 0 && number >= 10.0 { 0 } else { 1 };
    format!("{number:.decimals$} {}", units[unit])
}

fn quantile(quantile: Quantile) -> String {
    match quantile {
        Quantile::None => "-".to_owned(),
        Quantile::Below(seconds) => format!("<{}", time(seconds)),
        Quantile::About(seconds) => time(seconds),
        Quantile::Above(seconds) => format!(">{}", time(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{CoreSample, Counters, Sample};
    use super::*;

    #[test]
    fn numbers_are_what_a_person_reads() {
        assert_eq!([0.0, 999.4, 1_000.0, 1_234_567.0].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12.0, 1_500.0, 92.3e9].map(bytes), ["12 B", "1.5 kB", "92.3 GB"]);
        assert_eq!(
            [0.000_01, 0.000_123, 0.012_5, 2.5, 1_000.0].map(time),
            ["10 us", "123 us", "12.5 ms", "2.5 s", "1000 s"]
        );
        assert_eq!(percent(0.104_9), "10.5 %");
        let told = [Quantile::None, Quantile::Below(0.000_01), Quantile::About(0.002), Quantile::Above(10.0)];
        assert_eq!(told.map(quantile), ["-", "<10 us", "2.0 ms", ">10.0 s"]);
    }

    #[test]
    fn a_view_is_narrow_and_plain_however_large_the_numbers() {
        let server = Server::parse("http://127.0.0.1:8090").unwrap();
        let core = CoreSample { user_s: 1e9, queued: 99_999.0, ..CoreSample::default() };
        let before = Sample { cores: vec![CoreSample::default(); 2], ..Sample::default() };
        let after = Sample {
            at_ns: 1_000_000_000,
            counters: Counters { stored_files: 987_654.0, stored_bytes: 3e15, ..Counters::default() },
            queue_depth: 10_000.0,
            queue_capacity: 10_000.0,
            connections: 16_384.0,
            cores: vec![core; 2],
            ..Sample::default()
        };
        let lines = lines(&server, &Rates::between(&before, &after));
        assert!(lines.iter().any(|line| line.starts_with("files       987,654/s")), "{lines:#?}");
        assert!(lines.iter().any(|line| line == "store    is being recovered"), "{lines:#?}");
        for line in &lines {
            assert!(line.len() < 80, "{line}");
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        }
    }
}
