//! The figures as text: tables for the terminal, and docs/PEERS.md, which is written whole by each whole run.

use std::fmt::Write as _;

use super::peer::{PEERS, Version};
use super::summary::{Compared, Measured, Outcome, Ratio};
use crate::support::machine::Machine;
use crate::support::samples::Samples;
use crate::support::text::grouped;

/// Fewer rounds than this are a trial.
pub(crate) const ROUNDS_MIN: u32 = 7;

const INTRODUCTION: &str = "\
# rhinobox beside other servers

This file is written whole by `make bench-peers`; what it means is told in [BENCHMARKS.md](BENCHMARKS.md#beside-other-servers).
";

const METHOD: &str = "\
## Method

One client, on one thread, drives each server over loopback with kept connections, one request outstanding on each, and
shares the machine's cores with it. Within a round all sides of a row are measured one after the other, each round
beginning with another one, so that what changes on the machine meets all of them. A figure is the median of the rounds,
with the least and the most in parentheses; a ratio is the median of the ratios within each round.

- Every file is new: no content and no path is sent twice to one server, but in the row of known files. All start with the
  bytes of a JPEG and are noise behind.
- For rows that store, a server starts on a new folder each time, is warmed up, the file system is synced, and then the
  time begins. When it is over another sync is timed: \"counting the sync\" is files a second if the time of that sync is
  added, so that what a server left in memory is counted. Then the server is stopped and the file system synced again, so
  that no server pays for the one before it. Big files are removed before that; small ones only when the whole run is over,
  since ext4 looks at every inode that was freed within the last minute, or six, whenever it makes a file: with folders
  removed between the rounds nginx and dufs would be measured by that. What rhinobox and SeaweedFS keep is few files.
- For rows that read, a server starts and is filled once, and all are up at once; each is warmed up before each time.
- Every answer is checked: 201 for an upload by PUT, for rhinobox's forms the number of files and of known ones, for downloads
  the length, and the SHA-256 of one in 1,024. At the end of each time what each connection sent last is read back and
  compared by length and SHA-256.
- CPU per file is the server's: user and system time of all its processes and threads during the time, from /proc. What the
  kernel does elsewhere to write pages back is in nobody's figure.
- 2 KB files: rhinobox takes them in one multipart request of 100, over 8 connections, or of 1,000, over 6. The others have no
  such request and take one file a request, over 16 connections. A request's times are those of the whole request.
- dufs answers a download by two writes, head and bytes, and leaves Nagle's algorithm on: over a kept connection the bytes
  of a small file may wait for the client's delayed acknowledgement, some 40 ms.
- The configurations are in `benches/end_to_end/peers/`; the releases come from `scripts/setup-peers.sh`.
";

/// What is printed first.
pub(crate) fn print_head(machine: &Machine, versions: &[Version]) {
    machine.print();
    for Version { name, version } in versions {
        println!("  {name:<12} {version}");
    }
}

/// A row as soon as it is measured.
pub(crate) fn print_row(row: &Compared) {
    println!("\n{}", row.title);
    println!(
        "  {:<32}{:>6} |{:>24} {:>8}|{:>9}{:>9} |{:>10} |{:>10} | rhinobox is, in files/s",
        "", "conns", "files/s (least..most)", "MB/s", "p50 ms", "p99 ms", "CPU us/file", "+ sync"
    );
    for side in &row.sides {
        let ratios: Vec<_> = ratios_of(row, side).map(|ratio| times(ratio.files_per_second)).collect();
        let rate = side.files_per_second;
        println!(
            "  {:<32}{:>6} |{:>24} {:>8}|{:>9}{:>9} |{:>10}  |{:>10} | {}",
            side.name,
            side.connections,
            format!("{} ({}..{})", number(rate.median), number(rate.least), number(rate.most)),
            number(side.mb_per_second.median),
            number(side.p50_ms.median),
            number(side.p99_ms.median),
            number(side.server_us_per_file.median),
            if row.stores { number(side.files_per_second_synced.median) } else { String::new() },
            ratios.join(", "),
        );
    }
}

/// What is printed last.
pub(crate) fn print_rest(outcome: &Outcome) {
    if outcome.aims.is_empty() {
        return;
    }
    println!("\nAims, in files/s");
    for aim in &outcome.aims {
        let verdict = if aim.measured.median >= aim.wanted { "PASS" } else { "below" };
        println!(
            "  {verdict:<6}{:<24} at least {:>4} x   {}: {}, {}",
            times(aim.measured),
            aim.wanted,
            aim.row,
            aim.ours,
            aim.peer
        );
    }
}

/// The document.
pub(crate) fn markdown(outcome: &Outcome) -> String {
    let mut text = String::from(INTRODUCTION);
    // Writing to a String cannot fail.
    let _ = write_run(&mut text, outcome);
    text.push('\n');
    text.push_str(METHOD);
    let _ = write_servers(&mut text, outcome);
    let _ = write_rows(&mut text, outcome);
    let _ = write_aims(&mut text, outcome);
    let _ = write_behind(&mut text, outcome);
    text
}

fn write_run(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let machine = &outcome.machine;
    writeln!(
        text,
        "\n{}: {} rounds of {} s a side. {} cores ({}), {} MB of memory, {}; {} on {} (write cache: {}). Load average at the start: {}.",
        outcome.date,
        outcome.rounds,
        outcome.seconds,
        machine.cores,
        machine.processor,
        grouped(machine.memory_bytes as f64 / 1e6),
        machine.kernel,
        machine.file_system,
        machine.device,
        machine.write_cache,
        machine.load_average,
    )?;
    if outcome.rounds < ROUNDS_MIN {
        writeln!(text, "\n**So few rounds are a trial of the benchmark, not a measurement.**")?;
    }
    Ok(())
}

fn write_servers(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    writeln!(text, "\n## Who does what before the answer\n")?;
    writeln!(
        text,
        "| server | version | durable at the answer | hashes what it stores | checks what it reads |"
    )?;
    writeln!(text, "|---|---|---|---|---|")?;
    for Version { name, version } in &outcome.versions {
        match PEERS.iter().find(|peer| peer.name == name) {
            Some(peer) => writeln!(
                text,
                "| {name} | {version} | {} | {} | {} |",
                peer.durable, peer.hashes, peer.verifies
            )?,
            None => writeln!(
                text,
                "| {name} | {version} | **yes**: flushed, with its name; with `durability=os` no: the kernel has it | SHA-256, each content once; CRC32C | CRC32C |"
            )?,
        }
    }
    Ok(())
}

fn write_rows(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    writeln!(text, "\n## Figures")?;
    for row in &outcome.rows {
        writeln!(text, "\n### {}\n", row.title)?;
        let (subjects, others) = row.sides.split_at(row.subjects);
        write!(text, "| | connections | files/s | MB/s | p50, ms | p99, ms | CPU, us per file |")?;
        write!(text, "{}", if row.stores { " files/s counting the sync |" } else { "" })?;
        for ours in subjects {
            write!(text, " files/s of {} ÷ its |", ours.name)?;
        }
        writeln!(text, "\n|---{}|", "|---:".repeat(6 + usize::from(row.stores) + subjects.len()))?;
        for side in subjects.iter().chain(others) {
            write!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                side.name,
                side.connections,
                spread(side.files_per_second),
                number(side.mb_per_second.median),
                spread(side.p50_ms),
                spread(side.p99_ms),
                spread(side.server_us_per_file),
            )?;
            if row.stores {
                write!(text, " {} |", spread(side.files_per_second_synced))?;
            }
            for ours in subjects {
                let ratio = row.ratio(&ours.name, &side.name).map(|ratio| spread(ratio.files_per_second));
                write!(text, " {} |", ratio.unwrap_or_default())?;
            }
            writeln!(text)?;
        }
    }
    Ok(())
}

fn write_aims(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    writeln!(text, "\n## Aims\n\nRatios of files a second, rhinobox to the peer.\n")?;
    writeln!(text, "| work | | aim | measured | |\n|---|---|---:|---:|---|")?;
    for aim in &outcome.aims {
        let verdict = if aim.measured.median >= aim.wanted { "reached" } else { "**not reached**" };
        let (row, ours, peer) = (&aim.row, &aim.ours, &aim.peer);
        let measured = spread(aim.measured);
        writeln!(text, "| {row} | {ours} ÷ {peer} | {} | {measured} | {verdict} |", aim.wanted)?;
    }
    Ok(())
}

/// Rows where a peer has more files a second, or less CPU, or shorter times. They follow from the figures.
fn write_behind(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    writeln!(
        text,
        "\n## Where rhinobox is not ahead\n\nEach pair in which a peer stores or serves more files a second, takes less CPU for a file, or, where both send one file a \
         request, has a shorter p50 or p99. The figures are rhinobox's, then the peer's; what is bold is behind.\n"
    )?;
    writeln!(
        text,
        "| work | | files/s | CPU, us per file | p50, ms | p99, ms |\n|---|---|---:|---:|---:|---:|"
    )?;
    for row in outcome.rows.iter().filter(|row| row.has_peers) {
        let one_file = row.one_file_a_request;
        for ratio in row.ratios.iter().filter(|ratio| ratio.is_behind(one_file)) {
            let find = |name: &str| row.sides.iter().find(|side| side.name == name);
            if let (Some(ours), Some(other)) = (find(&ratio.ours), find(&ratio.other)) {
                let cell = |of: fn(&Measured) -> Samples, behind: bool| {
                    let pair = format!("{}, {}", number(of(ours).median), number(of(other).median));
                    if behind { format!("**{pair}**") } else { pair }
                };
                let rate = cell(|side| side.files_per_second, ratio.files_per_second.median < 1.0);
                let cpu = cell(|side| side.server_us_per_file, ratio.us_per_file.median > 1.0);
                let p50 = cell(|side| side.p50_ms, one_file && ratio.p50.median > 1.0);
                let p99 = cell(|side| side.p99_ms, one_file && ratio.p99.median > 1.0);
                let (title, ours, other) = (&row.title, &ratio.ours, &ratio.other);
                writeln!(text, "| {title} | {ours}, {other} | {rate} | {cpu} | {p50} | {p99} |")?;
            }
        }
    }
    Ok(())
}

fn ratios_of<'a>(row: &'a Compared, side: &'a Measured) -> impl Iterator<Item = &'a Ratio> {
    row.ratios.iter().filter(move |ratio| ratio.other == side.name)
}

fn spread(spread: Samples) -> String {
    format!("{} ({}..{})", number(spread.median), number(spread.least), number(spread.most))
}

fn times(spread: Samples) -> String {
    format!("{} x ({}..{})", number(spread.median), number(spread.least), number(spread.most))
}

/// A number in as many digits as it deserves.
fn number(value: f64) -> String {
    match value {
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}
