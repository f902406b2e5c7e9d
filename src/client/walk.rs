//! The files that paths on a command line mean, one after the other: files as they are, folders with all that is below.
//!
//! Always: a link is followed only where it was named itself; nothing that is no regular file is opened.

use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// A file to be sent.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The name it is sent by, with its folder in front. What is no UTF-8 of it is U+FFFD.
    pub(super) sent: String,
    /// It was named itself: a link to it is followed.
    pub(super) named: bool,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    File(Found),
    /// It is no file to be sent, and why.
    Passed(PathBuf, &'static str),
    /// It cannot be looked at, and why.
    Failed(PathBuf, String),
}

/// See the module.
pub(super) struct Walk {
    roots: std::vec::IntoIter<PathBuf>,
    /// What is left of the folders it is in, outermost first.
    folders: Vec<Folder>,
}

struct Folder {
    path: PathBuf,
    /// As it is sent; empty at a root without a name.
    sent: String,
    rest: std::vec::IntoIter<fs::DirEntry>,
}

impl Walk {
    pub(super) fn new(roots: Vec<PathBuf>) -> Walk {
        Walk { roots: roots.into_iter(), folders: Vec::new() }
    }

    fn root(&mut self, path: PathBuf) -> Option<Step> {
        let kind = match fs::metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return Some(Step::Failed(path, error.to_string())),
        };
        let sent = path.file_name().map(lossy).unwrap_or_default();
        self.enter(path, sent, kind, true)
    }

    /// `None`: it is a folder, whose files follow.
    fn enter(&mut self, path: PathBuf, sent: String, kind: FileType, named: bool) -> Option<Step> {
        if kind.is_file() {
            return Some(Step::File(Found { path, sent, named }));
        }
        if !kind.is_dir() {
            return Some(Step::Passed(path, what_is(kind)));
        }
        match entries(&path) {
            Ok(rest) => {
                self.folders.push(Folder { path, sent, rest });
                None
            }
            Err(error) => Some(Step::Failed(path, error.to_string())),
        }
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let Some(folder) = self.folders.last_mut() else {
                let root = self.roots.next()?;
                if let Some(step) = self.root(root) {
                    return Some(step);
                }
                continue;
            };
            let Some(entry) = folder.rest.next() else {
                self.folders.pop();
                continue;
            };
            let name = lossy(&entry.file_name());
            let sent = if folder.sent.is_empty() { name } else { format!("{}/{name}", folder.sent) };
            let path = folder.path.join(entry.file_name());
            let step = match entry.file_type() {
                Ok(kind) => self.enter(path, sent, kind, false),
                Err(error) => Some(Step::Failed(path, error.to_string())),
            };
            if step.is_some() {
                return step;
            }
        }
    }
}

/// In the order of their names, so that two runs do the same.
fn entries(path: &Path) -> std::io::Result<std::vec::IntoIter<fs::DirEntry>> {
    let mut all = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(fs::DirEntry::file_name);
    Ok(all.into_iter())
}

fn lossy(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

fn what_is(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "it is a symbolic link: name what it points to, to send that"
    } else if kind.is_fifo() {
        "it is a pipe, not a file"
    } else if kind.is_socket() {
        "it is a socket, not a file"
    } else {
        "it is a device, not a file"
    }
}
