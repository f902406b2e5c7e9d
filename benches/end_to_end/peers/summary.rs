//! Many rounds as one figure each: medians with the least and the most, and ratios of what was measured in one round.

use serde::Serialize;

use super::matrix::{Row, Sends, Side, TARGETS, Target, Who};
use super::peer::Version;
use super::round::Window;
use crate::support::machine::Machine;
use crate::support::samples::Samples;

/// What a side came to in all rounds.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) connections: u32,
    pub(crate) files_per_second: Samples,
    pub(crate) mb_per_second: Samples,
    pub(crate) p50_ms: Samples,
    pub(crate) p99_ms: Samples,
    pub(crate) server_us_per_file: Samples,
    pub(crate) files_per_second_synced: Samples,
    pub(crate) rounds: Vec<Window>,
}

impl Measured {
    /// Of a side's rounds.
    pub(crate) fn of(name: String, connections: u32, rounds: Vec<Window>) -> Self {
        let spread = |of: fn(&Window) -> f64| Samples::of(rounds.iter().map(of));
        Self {
            name,
            connections,
            files_per_second: spread(|window| window.files_per_second),
            mb_per_second: spread(|window| window.mb_per_second),
            p50_ms: spread(|window| window.p50_ms),
            p99_ms: spread(|window| window.p99_ms),
            server_us_per_file: spread(Window::us_per_file),
            files_per_second_synced: spread(|window| window.files_per_second_synced),
            rounds,
        }
    }
}

/// A side of rhinobox against another side: ratios within each round.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Ratio {
    pub(crate) ours: String,
    pub(crate) other: String,
    /// Above 1: rhinobox stores or serves more.
    pub(crate) files_per_second: Samples,
    /// Above 1: rhinobox takes more processor time for a file.
    pub(crate) us_per_file: Samples,
    /// Above 1: rhinobox takes longer.
    pub(crate) p50: Samples,
    pub(crate) p99: Samples,
}

impl Ratio {
    fn of(ours: &Measured, other: &Measured) -> Self {
        let ratio = |of: fn(&Window) -> f64| {
            Samples::of(ours.rounds.iter().zip(&other.rounds).map(|(ours, other)| of(ours) / of(other)))
        };
        Self {
            ours: ours.name.clone(),
            other: other.name.clone(),
            files_per_second: ratio(|window| window.files_per_second),
            us_per_file: ratio(Window::us_per_file),
            p50: ratio(|window| window.p50_ms),
            p99: ratio(|window| window.p99_ms),
        }
    }

    /// Whether rhinobox is behind in anything that is compared.
    pub(crate) fn is_behind(&self, one_file_a_request: bool) -> bool {
        self.files_per_second.median < 1.0
            || self.us_per_file.median > 1.0
            // Of requests that carry many files no time is like that of one.
            || one_file_a_request && (self.p50.median > 1.0 || self.p99.median > 1.0)
    }
}

/// A row's sides, and each of rhinobox's against the others.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Compared {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) file_bytes: usize,
    /// How many of the sides are held against the others; they come first.
    pub(crate) subjects: usize,
    /// Whether all sides store new files, ...
    pub(crate) stores: bool,
    /// ... all send or ask for one a request, ...
    pub(crate) one_file_a_request: bool,
    /// ... and some are not rhinobox.
    pub(crate) has_peers: bool,
    pub(crate) sides: Vec<Measured>,
    pub(crate) ratios: Vec<Ratio>,
}

impl Compared {
    /// Of a row and its sides' rounds, in the same order.
    pub(crate) fn of(row: &Row, sides: Vec<Side<'_>>, rounds: Vec<Vec<Window>>) -> Self {
        let all = |wanted: fn(&Side<'_>) -> bool| sides.iter().all(wanted);
        let stores = all(|side| matches!(side.sends, Sends::Put | Sends::Batch(_)));
        let one_file_a_request = all(|side| matches!(side.sends, Sends::Put | Sends::Get(_)));
        let has_peers = !all(|side| matches!(side.who, Who::Rhinobox(_)));
        let sides: Vec<_> = sides
            .into_iter()
            .zip(rounds)
            .map(|(side, rounds)| Measured::of(side.name, side.connections, rounds))
            .collect();
        let (ours, others) = sides.split_at(row.subjects());
        let ratios =
            others.iter().flat_map(|other| ours.iter().map(move |ours| Ratio::of(ours, other))).collect();
        Self {
            id: row.id.into(),
            title: row.title.into(),
            file_bytes: row.bytes,
            subjects: row.subjects(),
            stores,
            one_file_a_request,
            has_peers,
            sides,
            ratios,
        }
    }

    /// The ratio of two sides.
    pub(crate) fn ratio(&self, ours: &str, other: &str) -> Option<&Ratio> {
        self.ratios.iter().find(|ratio| ratio.ours == ours && ratio.other == other)
    }
}

/// A ratio that was aimed at, and what it is.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Aim {
    pub(crate) row: String,
    pub(crate) ours: String,
    pub(crate) peer: String,
    pub(crate) wanted: f64,
    pub(crate) measured: Samples,
}

/// All of it.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Outcome {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) versions: Vec<Version>,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) rows: Vec<Compared>,
    pub(crate) aims: Vec<Aim>,
}

/// The aims of the rows that were measured.
pub(crate) fn aims(rows: &[Compared]) -> Vec<Aim> {
    let aim = |target: &Target| {
        let row = rows.iter().find(|row| row.id == target.row)?;
        let measured = row.ratio(target.ours, target.peer)?.files_per_second;
        Some(Aim {
            row: row.title.clone(),
            ours: target.ours.into(),
            peer: target.peer.into(),
            wanted: target.ratio,
            measured,
        })
    };
    TARGETS.iter().filter_map(aim).collect()
}
