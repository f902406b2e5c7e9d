//! `rhinobox verify`: reads a data folder back and checks every checksum and every hash in it.
//!
//! Always: nothing is changed. Damage is what was durable and is not readable, or what a name means and
//! cannot be had. A tail that was never acknowledged is none, nor is a bad copy that no name depends on any more.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::base::digest::Digest;
use crate::limits::FINDINGS_MAX;
use crate::ops::offline::{self, Failed, READ, damage_only, is_closed_pipe};
use crate::ops::{DAMAGED, Failure};
use crate::runtime::buffer::Pool;
use crate::store::checkpoint;
use crate::store::index::Content;
use crate::store::recovery::{self, Heads};
use crate::store::{Store, blob, segment};

mod blobs;
mod segments;

use segments::BadPayload;

/// Reads a data folder back and checks it. Status 3 where damage was found.
///
/// # Errors
/// In one sentence, why it could not.
pub fn run(dir: &Path) -> Result<ExitCode, Failure> {
    let report = offline::on_store(dir, verify)?;
    match report.print(&mut io::BufWriter::new(io::stdout().lock()), dir) {
        Err(error) if !is_closed_pipe(&error) => Err(error.into()),
        _ if report.damage.count > 0 => Ok(ExitCode::from(DAMAGED)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Findings of one sort: listed up to a bound, counted beyond.
#[derive(Default)]
struct Findings {
    listed: Vec<String>,
    count: usize,
}

impl Findings {
    fn add(&mut self, finding: impl ToString) {
        self.count += 1;
        if self.listed.len() < FINDINGS_MAX {
            self.listed.push(finding.to_string());
        }
    }

    fn print(&self, to: &mut impl Write, sort: &str) -> io::Result<()> {
        for finding in &self.listed {
            writeln!(to, "{sort}: {finding}")?;
        }
        if self.count > self.listed.len() {
            writeln!(to, "{sort}: ... and {} more", self.count - self.listed.len())?;
        }
        Ok(())
    }
}

/// Records by kind.
#[derive(Default)]
struct Records {
    puts: u64,
    large_puts: u64,
    names: u64,
    deletes: u64,
    others: u64,
}

/// What was found.
#[derive(Default)]
struct Report {
    store: String,
    segments: usize,
    batches: u64,
    records: Records,
    contents: u64,
    content_bytes: u64,
    names: u64,
    damage: Findings,
    /// Paths whose bytes cannot be had.
    lost: Findings,
    /// What was never acknowledged.
    tails: Findings,
    /// What is worth knowing and harms nobody.
    notes: Findings,
}

impl Report {
    fn print(&self, to: &mut impl Write, dir: &Path) -> io::Result<()> {
        self.damage.print(to, "damage")?;
        self.lost.print(to, "lost")?;
        self.tails.print(to, "tail")?;
        self.notes.print(to, "note")?;
        let Report { segments, batches, contents, content_bytes, names, .. } = self;
        let Records { puts, large_puts, names: name_records, deletes, others } = &self.records;
        writeln!(to, "verified {}, store {}", dir.display(), self.store)?;
        writeln!(to, "  {segments} segments, {batches} batches")?;
        let all = puts + large_puts + name_records + deletes + others;
        write!(to, "  {all} records: {puts} puts, {large_puts} large puts, {name_records} names")?;
        writeln!(to, ", {deletes} deletes, {others} others")?;
        writeln!(to, "  {contents} contents with {content_bytes} bytes, {names} names")?;
        match self.damage.count {
            0 => writeln!(to, "no damage")?,
            count => writeln!(to, "damage: {count} findings, {} names lost", self.lost.count)?,
        }
        to.flush()
    }
}

async fn verify(store: Arc<Store>, pool: Pool) -> Result<Report, Failed> {
    let mut report = Report { store: store.id.to_string(), ..Report::default() };
    let heads = recovery::read_heads(&store, &pool, READ).await?;
    heads.damage.iter().for_each(|damage| report.damage.add(damage));
    contradictions(&heads, &mut report.damage);
    for id in &heads.blank {
        report.notes.add(format_args!("{} was prepared and never used", segment::path(*id)));
    }
    for path in &heads.unfinished {
        report.notes.add(format_args!("{path} was being prepared"));
    }
    // It can be made again from the log: no damage, whatever it says.
    match checkpoint::check(&store, &pool).await {
        Ok(Some(how)) => report.notes.add(format_args!("checkpoint: {how}")),
        Ok(None) => {}
        Err(why) => report
            .notes
            .add(format_args!("the checkpoint cannot be used, the next start reads the log: {why}")),
    }
    let mut bad_payloads = Vec::new();
    let loaded = recovery::load(&store, &pool, &heads, None, async |segment, scanned| {
        segments::check(&pool, segment, scanned, &heads, &mut report, &mut bad_payloads).await
    })
    .await?;
    loaded.missing.iter().for_each(|damage| report.damage.add(damage));
    report.segments = loaded.report.segments;

    sort_out(&store, bad_payloads, &mut report);
    let mut contents = Vec::new();
    store.index.for_each_content(|digest, content| contents.push((*digest, content)));
    for (digest, content) in contents {
        check_content(&store, &pool, &digest, content, &mut report).await?;
    }
    let files = recovery::blob_files(&store, &loaded).await?;
    for id in &files.unnamed {
        let path = blob::path(*id);
        let fate =
            if loaded.report.damage.is_empty() { "removes it" } else { "keeps it, as there is damage" };
        report.notes.add(format_args!("{path} is a blob that nothing names; the next start {fate}"));
    }
    if let Some(first) = files.missing_directories.first() {
        let count = files.missing_directories.len();
        report.notes.add(format_args!("{count} folders of blobs are missing, {first} is the first"));
    }
    Ok(report)
}

/// Seals and successors that do not say the same.
fn contradictions(heads: &Heads, damage: &mut Findings) {
    for (id, segment) in &heads.segments {
        if let (Some(seal), Some(end)) = (&segment.seal, heads.ends.get(id))
            && (seal.end, seal.last_batch) != (end.end, end.last_batch)
        {
            damage.add(format_args!(
                "segment {id}: its seal says it ends at byte {} with batch {}, its successor at byte {} with batch {}",
                seal.end, seal.last_batch, end.end, end.last_batch
            ));
        }
    }
}

/// A bad payload is damage if its content is live, and this is its copy.
fn sort_out(store: &Store, bad: Vec<BadPayload>, report: &mut Report) {
    for BadPayload { digest, lsn, place } in bad {
        match store.index.content(&digest) {
            Some(content) if content.lsn == lsn => {
                store.index.mark_damaged(&digest, lsn);
                report.damage.add(format_args!("{place} (content {digest})"));
            }
            _ => report.notes.add(format_args!("{place}, and no name depends on it")),
        }
    }
}

/// Counts a live content, checks it where that was not done with its segment, and names what is lost with it.
async fn check_content(
    store: &Store,
    pool: &Pool,
    digest: &Digest,
    content: Content,
    report: &mut Report,
) -> Result<(), Failed> {
    let names = store.index.names(digest);
    report.names += names.len() as u64;
    let (len, sound) = match blobs::Where::of(content) {
        blobs::Where::Nowhere => {
            report.damage.add(format_args!("content {digest} has names and is nowhere in the log"));
            (0, false)
        }
        blobs::Where::Segment(len) => (len, !content.damaged),
        blobs::Where::File(record, entry_len) => {
            blobs::check(store, pool, digest, record, entry_len, &mut report.damage).await?
        }
    };
    report.contents += 1;
    report.content_bytes += len;
    if sound {
        return Ok(());
    }
    for place in names {
        match damage_only(store.read_name(pool, place).await)? {
            Ok(name) => report.lost.add(format_args!("{:?}", name.path)),
            Err(why) => report.damage.add(why),
        }
    }
    Ok(())
}
