//! What it costs to know where an upload's time went: the clock at each border between two stages, and the histograms.

use rhinobox::base::histogram::Recorder;
use rhinobox::ingest::stages::{Laps, Stage, Trace};
use rhinobox::runtime::clock::now_ns;
use rhinobox::store::lane::Committed;

use crate::support::timing::{Effort, ns_per_call};
use crate::{Result, Row};

/// Measures what is recorded of an upload of one small file.
///
/// # Errors
/// If the stages do not add up to the whole.
pub(crate) fn measure(effort: Effort) -> Result<Row> {
    let laps = Laps::default();
    let stages: [Recorder; Stage::ALL.len()] = std::array::from_fn(|_| Recorder::default());
    let [requests, uploads] = [Recorder::default(), Recorder::default()];
    let upload = || {
        laps.restart(now_ns());
        for stage in [Stage::Admit, Stage::Recv, Stage::Parse] {
            laps.lap(stage, now_ns());
        }
        let mut slice = Trace::default();
        slice.lap(Stage::Hash, now_ns());
        slice.committed(&Committed { places: Vec::new(), begun_ns: now_ns(), flushed_ns: now_ns() });
        laps.absorb(&slice);
        let answered_ns = now_ns();
        laps.lap(Stage::Answer, answered_ns);
        let total_ns = laps.total_ns(answered_ns);
        let spent_ns = laps.spent();
        stages.iter().zip(spent_ns).for_each(|(recorder, ns)| recorder.record(ns));
        [&requests, &uploads].into_iter().for_each(|recorder| recorder.record(total_ns));
        (spent_ns.iter().sum::<u64>(), total_ns)
    };
    let (sum_ns, total_ns) = upload();
    if sum_ns != total_ns {
        return Err(format!("stages of {sum_ns} ns in a request of {total_ns} ns").into());
    }
    let ns_per_file = ns_per_call(effort, upload);
    Ok(Row { stage: "record", case: "an upload of one file".to_owned(), ns_per_file, file_bytes: None })
}
