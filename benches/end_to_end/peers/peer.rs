//! The peers: what users would pick instead, how each is started, and what it does before it answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::Result;

/// A server that rhinobox is measured beside.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What `--peers-only` selects by.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// In the folder that scripts/setup-peers.sh fills.
    program: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// Files it starts from, by name, with places to be filled in.
    pub(crate) configuration: &'static [(&'static str, &'static str)],
    version_argument: &'static str,
    /// What an upload has been through when it is answered ...
    pub(crate) durable: &'static str,
    /// ... and what is computed of its bytes.
    pub(crate) hashes: &'static str,
    /// What is checked when it is read.
    pub(crate) verifies: &'static str,
}

/// All of them.
pub(crate) static PEERS: [Peer; 3] = [
    Peer {
        id: "nginx",
        name: "nginx",
        program: "nginx",
        arguments: &["-e", "stderr", "-p", ".", "-c", "nginx.conf"],
        configuration: &[("nginx.conf", include_str!("nginx.conf"))],
        version_argument: "-v",
        durable: "no: written to the page cache and renamed",
        hashes: "no",
        verifies: "no",
    },
    Peer {
        id: "dufs",
        name: "dufs",
        program: "dufs",
        arguments: &["--config", "dufs.yaml"],
        configuration: &[("dufs.yaml", include_str!("dufs.yaml"))],
        version_argument: "--version",
        durable: "no: written to the page cache",
        hashes: "no",
        verifies: "no",
    },
    Peer {
        id: "seaweedfs",
        name: "SeaweedFS",
        program: "weed",
        arguments: &["server", "-options=seaweedfs.options"],
        configuration: &[
            ("seaweedfs.options", include_str!("seaweedfs.options")),
            ("filer.toml", include_str!("filer.toml")),
        ],
        version_argument: "version",
        durable: "no: written to the page cache (volume and filer store)",
        hashes: "MD5 for the ETag and CRC32C of each chunk; no deduplication",
        verifies: "CRC32C",
    },
];

/// A peer that is installed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Installed<'a> {
    pub(crate) peer: &'static Peer,
    pub(crate) program: &'a Path,
}

/// Which release was measured.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Peer {
    /// Its program, if it is in the folder of tools.
    pub(crate) fn find(&self, tools: &Path) -> Option<PathBuf> {
        let program = tools.join("bin").join(self.program);
        program.is_file().then_some(program)
    }

    /// What it says of its version: the first word with a digit and a dot.
    ///
    /// # Errors
    /// If it cannot be run, or says no such thing.
    pub(crate) fn version(&self, program: &Path) -> Result<Version> {
        let output = Command::new(program).arg(self.version_argument).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_version =
            |word: &&str| word.contains('.') && word.contains(|char: char| char.is_ascii_digit());
        let word = said.split_whitespace().find(is_version);
        let word = word.ok_or_else(|| format!("{} does not tell its version: {said}", self.name))?;
        let version = word.rsplit('/').next().unwrap_or(word).into();
        Ok(Version { name: self.name.into(), version })
    }
}
