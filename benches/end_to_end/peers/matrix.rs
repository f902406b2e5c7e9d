//! What is measured: the rows, who takes part in each and how, and the ratios aimed at.

use super::peer::Installed;

/// What one side of a row does with its connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sends {
    /// One new file a request, PUT.
    Put,
    /// So many new files a request, as a form; rhinobox only.
    Batch(usize),
    /// The same, all known; rhinobox only.
    Known(usize),
    /// A download of one of so many files.
    Get(usize),
}

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// rhinobox, with its setting `durability`.
    Rhinobox(&'static str),
    Peer(Installed<'a>),
}

/// One of those that are measured in turn.
#[derive(Clone, Debug)]
pub(crate) struct Side<'a> {
    pub(crate) name: String,
    pub(crate) who: Who<'a>,
    pub(crate) sends: Sends,
    pub(crate) connections: u32,
}

/// rhinobox in a row.
#[derive(Clone, Copy, Debug)]
struct Ours {
    name: &'static str,
    durability: &'static str,
    sends: Sends,
    connections: u32,
}

/// A row: sides that do the same work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What `--peers-rows` selects by.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Of each file.
    pub(crate) bytes: usize,
    ours: &'static [Ours],
    /// What a peer sends, over so many connections; nothing where it has no such thing.
    theirs: Option<(Sends, u32)>,
}

const TWO_KB: usize = 2 << 10;
const TEN_KB: usize = 10 << 10;
const ONE_MB: usize = 1 << 20;
const BIG: usize = 64 << 20;

const RHINOBOX: &str = "rhinobox";
const RHINOBOX_OS: &str = "rhinobox, durability=os";
const BY_100: &str = "rhinobox, 100 files a request";
const BY_1000: &str = "rhinobox, 1,000 files a request";

const fn ours(name: &'static str, sends: Sends, connections: u32) -> Ours {
    Ours { name, durability: "commit", sends, connections }
}

/// All rows.
pub(crate) const ROWS: [Row; 8] = [
    Row {
        id: "10k-c1",
        title: "PUT 10 KB, 1 connection",
        bytes: TEN_KB,
        ours: &[ours(RHINOBOX, Sends::Put, 1)],
        theirs: Some((Sends::Put, 1)),
    },
    Row {
        id: "10k-c16",
        title: "PUT 10 KB, 16 connections",
        bytes: TEN_KB,
        ours: &[
            ours(RHINOBOX, Sends::Put, 16),
            Ours { durability: "os", ..ours(RHINOBOX_OS, Sends::Put, 16) },
        ],
        theirs: Some((Sends::Put, 16)),
    },
    Row {
        id: "2k",
        title: "2 KB: many in one request, or PUT over 16 connections",
        bytes: TWO_KB,
        ours: &[ours(BY_100, Sends::Batch(100), 8), ours(BY_1000, Sends::Batch(1_000), 6)],
        theirs: Some((Sends::Put, 16)),
    },
    Row {
        id: "1m",
        title: "PUT 1 MB, 4 connections",
        bytes: ONE_MB,
        ours: &[ours(RHINOBOX, Sends::Put, 4)],
        theirs: Some((Sends::Put, 4)),
    },
    Row {
        id: "64m",
        title: "PUT 64 MB, 1 connection",
        bytes: BIG,
        ours: &[ours(RHINOBOX, Sends::Put, 1)],
        theirs: Some((Sends::Put, 1)),
    },
    Row {
        id: "known",
        title: "1,000 x 10 KB in one request, known and new",
        bytes: TEN_KB,
        ours: &[
            ours("rhinobox, all known", Sends::Known(1_000), 4),
            ours("rhinobox, all new", Sends::Batch(1_000), 4),
        ],
        theirs: None,
    },
    Row {
        id: "get-10k",
        title: "GET 10 KB of 10,000, 16 connections",
        bytes: TEN_KB,
        ours: &[ours(RHINOBOX, Sends::Get(10_000), 16)],
        theirs: Some((Sends::Get(10_000), 16)),
    },
    Row {
        id: "get-64m",
        title: "GET 64 MB of 4, 1 connection",
        bytes: BIG,
        ours: &[ours(RHINOBOX, Sends::Get(4), 1)],
        theirs: Some((Sends::Get(4), 1)),
    },
];

impl Row {
    /// Those that take part, rhinobox first.
    pub(crate) fn sides<'a>(&self, peers: &[Installed<'a>]) -> Vec<Side<'a>> {
        let ours = self.ours.iter().map(|ours| Side {
            name: ours.name.into(),
            who: Who::Rhinobox(ours.durability),
            sends: ours.sends,
            connections: ours.connections,
        });
        let theirs = self.theirs.into_iter().flat_map(|(sends, connections)| {
            peers.iter().map(move |installed| Side {
                name: installed.peer.name.into(),
                who: Who::Peer(*installed),
                sends,
                connections,
            })
        });
        ours.chain(theirs).collect()
    }

    /// How many of the sides are held against the others: all of ours, or the first where there are only ours.
    pub(crate) fn subjects(&self) -> usize {
        if self.theirs.is_some() { self.ours.len() } else { 1 }
    }
}

/// A ratio of files a second that is aimed at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) row: &'static str,
    /// A side of rhinobox ...
    pub(crate) ours: &'static str,
    /// ... and a peer.
    pub(crate) peer: &'static str,
    pub(crate) ratio: f64,
}

const fn target(row: &'static str, ours: &'static str, peer: &'static str, ratio: f64) -> Target {
    Target { row, ours, peer, ratio }
}

/// All aims.
pub(crate) const TARGETS: [Target; 9] = [
    target("10k-c16", RHINOBOX, "dufs", 3.0),
    target("10k-c16", RHINOBOX, "SeaweedFS", 7.0),
    target("10k-c16", RHINOBOX, "nginx", 1.2),
    target("10k-c16", RHINOBOX_OS, "nginx", 2.0),
    target("2k", BY_100, "nginx", 6.0),
    target("2k", BY_1000, "nginx", 12.0),
    target("64m", RHINOBOX, "nginx", 1.5),
    target("get-10k", RHINOBOX, "nginx", 1.0),
    target("get-64m", RHINOBOX, "nginx", 0.5),
];
