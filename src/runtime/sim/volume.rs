//! The state of a simulated volume: a tree of names and the files behind them, each live and durable.
//!
//! Synchronous and without time: what an operation does at its moment. The names follow the files' rule: a change
//! is applied to the live tree and waits until its directory is flushed; what is made durable takes along all that
//! was done to the same file before.

mod aftermath;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::content::{PAGE, index};
use super::faults::Faults;
use super::file::FileNode;
use super::rng::Rng;
use crate::runtime::disk::{Entry, Space};

type Ino = u64;
const ROOT: Ino = 0;

#[derive(Clone)]
enum Kind {
    Dir(Dir),
    File(FileNode),
}

type Names = BTreeMap<String, Ino>;

/// The names of a directory. Shared while they are the same, so that hundreds of directories cost a cut little.
#[derive(Clone, Default)]
struct Dir {
    live: Arc<Names>,
    durable: Arc<Names>,
}

impl Dir {
    fn live_mut(&mut self) -> &mut Names {
        Arc::make_mut(&mut self.live)
    }

    fn durable_mut(&mut self) -> &mut Names {
        Arc::make_mut(&mut self.durable)
    }

    /// Whether a power cut would find the names that there are.
    fn is_settled(&self) -> bool {
        Arc::ptr_eq(&self.live, &self.durable) || self.live == self.durable
    }
}

#[derive(Clone)]
struct Node {
    kind: Kind,
    /// Handles on it.
    open: u32,
    /// Whether the live tree names it.
    linked: bool,
    /// Where the durable tree names it.
    durable_at: Option<(Ino, String)>,
}

/// All nodes, at their numbers, which are never used again. Each is shared with the copies of its volume until it
/// changes.
#[derive(Clone)]
struct Nodes(Vec<Option<Arc<Node>>>);

impl Nodes {
    fn get(&self, ino: Ino) -> Option<&Node> {
        self.0.get(index(ino))?.as_deref()
    }

    fn get_mut(&mut self, ino: Ino) -> Option<&mut Node> {
        self.0.get_mut(index(ino))?.as_mut().map(Arc::make_mut)
    }

    fn add(&mut self, node: Node) -> Ino {
        self.0.push(Some(Arc::new(node)));
        self.0.len() as Ino - 1
    }

    /// In the order of their numbers.
    fn iter_mut(&mut self) -> impl Iterator<Item = (Ino, &mut Arc<Node>)> {
        (0..).zip(&mut self.0).filter_map(|(ino, node)| Some((ino, node.as_mut()?)))
    }
}

impl std::ops::Index<Ino> for Nodes {
    type Output = Node;

    fn index(&self, ino: Ino) -> &Node {
        self.get(ino).expect("nodes with a name or a handle are kept")
    }
}

#[derive(Clone)]
enum NameWhat {
    Link { name: String },
    Unlink { name: String },
    Rename { from_dir: Ino, to: String },
}

/// A change of names that awaits the flush of its directory (of a rename: the one it goes to).
#[derive(Clone)]
struct NameChange {
    op: u64,
    completed: Option<u64>,
    dir: Ino,
    ino: Ino,
    what: NameWhat,
}

/// A write between its start and the moment the live content shows it.
#[derive(Clone)]
struct InFlight {
    ino: Ino,
    offset: u64,
    data: Arc<[u8]>,
}

/// A volume.
#[derive(Clone)]
pub(super) struct Volume {
    nodes: Nodes,
    names_pending: Vec<NameChange>,
    in_flight: BTreeMap<u64, InFlight>,
    /// Numbers of operations and completions.
    count: u64,
    used_pages: u64,
    used_inodes: u64,
    pub(super) capacity_pages: u64,
    pub(super) inodes_max: u64,
    pub(super) junk: Option<Rng>,
    pub(super) faults: Faults,
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl Volume {
    pub(super) fn new() -> Volume {
        let root = Node { kind: Kind::Dir(Dir::default()), open: 0, linked: true, durable_at: None };
        Volume {
            nodes: Nodes(vec![Some(Arc::new(root))]),
            names_pending: Vec::new(),
            in_flight: BTreeMap::new(),
            count: 0,
            used_pages: 0,
            used_inodes: 1,
            capacity_pages: 1 << 40,
            inodes_max: 1 << 40,
            junk: None,
            faults: Faults::default(),
        }
    }

    /// The next number of the volume's count.
    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// The last number given out.
    pub(super) fn now(&self) -> u64 {
        self.count
    }

    // Names.

    fn dir(&self, ino: Ino) -> io::Result<&Dir> {
        match self.nodes.get(ino).map(|node| &node.kind) {
            Some(Kind::Dir(dir)) => Ok(dir),
            Some(Kind::File(_)) => Err(errno(libc::ENOTDIR)),
            None => Err(errno(libc::ENOENT)),
        }
    }

    fn dir_mut(&mut self, ino: Ino) -> &mut Dir {
        match self.nodes.get_mut(ino).map(|node| &mut node.kind) {
            Some(Kind::Dir(dir)) => dir,
            _ => unreachable!("callers have looked it up as a directory"),
        }
    }

    fn file(&self, ino: Ino) -> &FileNode {
        match self.nodes.get(ino).map(|node| &node.kind) {
            Some(Kind::File(file)) => file,
            _ => unreachable!("a handle or a lookup has shown that this is a file"),
        }
    }

    fn file_mut(&mut self, ino: Ino) -> &mut FileNode {
        match self.nodes.get_mut(ino).map(|node| &mut node.kind) {
            Some(Kind::File(file)) => file,
            _ => unreachable!("a handle or a lookup has shown that this is a file"),
        }
    }

    fn lookup(&self, path: &str) -> io::Result<Ino> {
        if path.is_empty() {
            return Ok(ROOT);
        }
        let (dir, name) = self.parent(path)?;
        self.dir(dir)?.live.get(name).copied().ok_or_else(|| errno(libc::ENOENT))
    }

    /// The directory that holds the last component of a path, and that component.
    fn parent<'p>(&self, path: &'p str) -> io::Result<(Ino, &'p str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") || name.contains('\0') {
            return Err(errno(libc::EINVAL));
        }
        let dir = self.lookup(dir)?;
        self.dir(dir)?;
        Ok((dir, name))
    }

    fn file_at(&self, path: &str) -> io::Result<Ino> {
        let ino = self.lookup(path)?;
        match self.nodes[ino].kind {
            Kind::File(_) => Ok(ino),
            Kind::Dir(_) => Err(errno(libc::EISDIR)),
        }
    }

    fn create(&mut self, op: u64, path: &str, kind: Kind) -> io::Result<Ino> {
        let (dir, name) = self.parent(path)?;
        if self.dir(dir)?.live.contains_key(name) {
            return Err(errno(libc::EEXIST));
        }
        if self.used_inodes >= self.inodes_max {
            return Err(errno(libc::ENOSPC));
        }
        self.used_inodes += 1;
        let ino = self.nodes.add(Node { kind, open: 0, linked: true, durable_at: None });
        self.dir_mut(dir).live_mut().insert(name.to_owned(), ino);
        let what = NameWhat::Link { name: name.to_owned() };
        self.names_pending.push(NameChange { op, completed: None, dir, ino, what });
        Ok(ino)
    }

    /// Opens a file, creating it if that is asked for, and counts the handle.
    pub(super) fn open(&mut self, op: u64, path: &str, create_new: bool) -> io::Result<Ino> {
        let ino = if create_new {
            self.create(op, path, Kind::File(FileNode::default()))?
        } else {
            self.file_at(path)?
        };
        self.node_mut(ino).open += 1;
        Ok(ino)
    }

    fn node_mut(&mut self, ino: Ino) -> &mut Node {
        self.nodes.get_mut(ino).expect("nodes with a name or a handle are kept")
    }

    /// A handle is gone.
    pub(super) fn close(&mut self, ino: Ino) {
        self.node_mut(ino).open -= 1;
        self.release_if_unused(ino);
    }

    /// Gives room back when neither a name nor a handle holds it.
    fn release_if_unused(&mut self, ino: Ino) {
        let node = &self.nodes[ino];
        if !node.linked && node.open == 0 {
            self.used_inodes -= 1;
            if let Kind::File(file) = &node.kind {
                self.used_pages -= file.live.allocated_pages();
            }
        }
    }

    pub(super) fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let dir = self.dir(self.lookup(path)?)?;
        Ok(dir.live.iter().map(|(name, ino)| self.entry(name, *ino)).collect())
    }

    fn entry(&self, name: &str, ino: Ino) -> Entry {
        match &self.nodes[ino].kind {
            Kind::Dir(_) => Entry { name: name.to_owned(), is_dir: true, len: 0 },
            Kind::File(file) => Entry { name: name.to_owned(), is_dir: false, len: file.live.len() },
        }
    }

    pub(super) fn create_dir(&mut self, op: u64, path: &str) -> io::Result<()> {
        if let Ok(ino) = self.lookup(path) {
            return self.dir(ino).map(|_| ()).map_err(|_| errno(libc::EEXIST));
        }
        self.create(op, path, Kind::Dir(Dir::default())).map(|_| ())
    }

    pub(super) fn remove(&mut self, op: u64, path: &str) -> io::Result<()> {
        let ino = self.file_at(path)?;
        let (dir, name) = self.parent(path)?;
        self.dir_mut(dir).live_mut().remove(name);
        let what = NameWhat::Unlink { name: name.to_owned() };
        self.names_pending.push(NameChange { op, completed: None, dir, ino, what });
        self.node_mut(ino).linked = false;
        self.release_if_unused(ino);
        Ok(())
    }

    /// Renames a file, replacing one that has the new name.
    pub(super) fn rename(&mut self, op: u64, from: &str, to: &str) -> io::Result<()> {
        let ino = self.file_at(from)?;
        let replaced = match self.file_at(to) {
            Ok(same) if same == ino => return Ok(()),
            Ok(other) => Some(other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let ((from_dir, from), (dir, to)) = (self.parent(from)?, self.parent(to)?);
        self.dir_mut(from_dir).live_mut().remove(from);
        self.dir_mut(dir).live_mut().insert(to.to_owned(), ino);
        let what = NameWhat::Rename { from_dir, to: to.to_owned() };
        self.names_pending.push(NameChange { op, completed: None, dir, ino, what });
        if let Some(replaced) = replaced {
            self.node_mut(replaced).linked = false;
            self.release_if_unused(replaced);
        }
        Ok(())
    }

    /// Whether a path is a directory; what a flush of it needs to know when it starts.
    pub(super) fn dir_at(&self, path: &str) -> io::Result<u64> {
        let ino = self.lookup(path)?;
        self.dir(ino).map(|_| ino)
    }

    /// A flush of directory `dir` that began at `began` has succeeded.
    pub(super) fn sync_dir(&mut self, dir: Ino, began: u64) {
        let mut inos = BTreeSet::new();
        let mut chosen = vec![false; self.names_pending.len()];
        for (change, chosen) in self.names_pending.iter().zip(&mut chosen).rev() {
            let done = change.completed.is_some_and(|at| at <= began);
            *chosen = (change.dir == dir && done) || inos.contains(&change.ino);
            if *chosen {
                inos.insert(change.ino);
            }
        }
        let mut left = Vec::new();
        for (change, chosen) in std::mem::take(&mut self.names_pending).into_iter().zip(chosen) {
            if chosen {
                self.name_durably(&change);
            } else {
                left.push(change);
            }
        }
        self.names_pending = left;
    }

    /// Applies a change of names to the durable tree. A file has at most one name there.
    fn name_durably(&mut self, change: &NameChange) {
        let (ino, dir) = (change.ino, change.dir);
        let had = self.node_mut(ino).durable_at.clone();
        let name = match &change.what {
            NameWhat::Unlink { name } if had == Some((dir, name.clone())) => None,
            NameWhat::Unlink { .. } => return,
            NameWhat::Link { name } => Some(name),
            // An earlier rename that did not last is implied, as is the creation.
            NameWhat::Rename { to, .. } => Some(to),
        };
        if let Some((had_dir, had_name)) = had {
            self.dir_mut(had_dir).durable_mut().remove(&had_name);
            self.node_mut(ino).durable_at = None;
        }
        if let Some(name) = name {
            if let Some(replaced) = self.dir_mut(dir).durable_mut().insert(name.clone(), ino) {
                self.node_mut(replaced).durable_at = None;
            }
            self.node_mut(ino).durable_at = Some((dir, name.clone()));
        }
    }

    // Content.

    pub(super) fn len(&self, ino: Ino) -> u64 {
        self.file(ino).live.len()
    }

    pub(super) fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> usize {
        self.file(ino).live.read(offset, into)
    }

    /// A write has started: from now on a power cut may find any of its sectors.
    pub(super) fn start_write(&mut self, op: u64, ino: Ino, offset: u64, data: &[u8]) {
        self.in_flight.insert(op, InFlight { ino, offset, data: data.into() });
    }

    /// A write that was started takes effect.
    pub(super) fn apply_write(&mut self, op: u64) -> io::Result<()> {
        match self.in_flight.remove(&op) {
            Some(write) => self.write(op, write.ino, write.offset, &write.data),
            None => Ok(()),
        }
    }

    fn write(&mut self, op: u64, ino: Ino, offset: u64, data: &[u8]) -> io::Result<()> {
        let taken = self.file(ino).live.holes_in(offset..offset + data.len() as u64);
        self.take_pages(taken)?;
        self.file_mut(ino).write(op, offset, data);
        Ok(())
    }

    fn take_pages(&mut self, pages: u64) -> io::Result<()> {
        if self.used_pages + pages > self.capacity_pages {
            return Err(errno(libc::ENOSPC));
        }
        self.used_pages += pages;
        Ok(())
    }

    pub(super) fn set_len(&mut self, op: u64, ino: Ino, len: u64) {
        let before = self.file(ino).live.allocated_pages();
        let file = self.file_mut(ino);
        file.set_len(op, len);
        let after = file.live.allocated_pages();
        self.used_pages -= before - after;
    }

    pub(super) fn allocate(&mut self, op: u64, ino: Ino, len: u64) -> io::Result<()> {
        let taken = self.file(ino).live.holes_in(0..len);
        self.take_pages(taken)?;
        let mut junk = self.junk.take();
        self.file_mut(ino).allocate(op, len, junk.as_mut());
        self.junk = junk;
        Ok(())
    }

    /// An operation is done: a flush that starts from now on covers it.
    pub(super) fn complete(&mut self, op: u64, ino: Option<Ino>) {
        let now = self.next();
        if let Some(ino) = ino {
            self.file_mut(ino).complete(op, now);
        }
        self.names_pending.iter_mut().filter(|change| change.op == op).for_each(|c| c.completed = Some(now));
    }

    pub(super) fn make_write_durable(&mut self, op: u64, ino: Ino) {
        self.file_mut(ino).make_write_durable(op);
    }

    pub(super) fn sync(&mut self, ino: Ino, began: u64) {
        self.file_mut(ino).sync(began);
    }

    pub(super) fn forsake(&mut self, ino: Ino, began: u64) {
        self.file_mut(ino).forsake(began);
    }

    pub(super) fn space(&self) -> Space {
        Space {
            total_bytes: self.capacity_pages.saturating_mul(PAGE as u64),
            free_bytes: self.capacity_pages.saturating_sub(self.used_pages).saturating_mul(PAGE as u64),
            free_inodes: self.inodes_max.saturating_sub(self.used_inodes),
        }
    }
}
