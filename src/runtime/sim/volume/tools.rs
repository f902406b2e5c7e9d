//! What tests do to a volume behind the program's back: at once, durably, and never short of room.

use std::io;

use super::{Ino, Kind, ROOT, Volume};
use crate::base::digest::{Digest, Hasher};
use crate::runtime::sim::content::{Content, index};
use crate::runtime::sim::file::FileNode;

impl Volume {
    /// Puts a file in place, with the directories that lead to it.
    pub(in crate::runtime::sim) fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        for (end, _) in path.match_indices('/') {
            let op = self.next();
            self.create_dir(op, &path[..end])?;
            self.settle_names();
        }
        let mut content = Content::default();
        content.write(0, bytes);
        let op = self.next();
        let ino = match self.file_at(path) {
            Ok(ino) => ino,
            Err(_) => self.create(op, path, Kind::File(FileNode::default()))?,
        };
        self.used_pages += content.allocated_pages();
        self.used_pages -= self.file(ino).live.allocated_pages();
        *self.file_mut(ino) = FileNode::settled(content);
        self.settle_names();
        Ok(())
    }

    fn settle_names(&mut self) {
        for change in std::mem::take(&mut self.names_pending) {
            self.name_durably(&change);
        }
    }

    /// The bytes of a file, as reads see them.
    pub(in crate::runtime::sim) fn contents(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.file(self.file_at(path)?);
        let mut bytes = vec![0; index(file.live.len())];
        file.live.read(0, &mut bytes);
        Ok(bytes)
    }

    /// Every file's path and length, sorted.
    pub(in crate::runtime::sim) fn files(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        let mut queue = vec![(String::new(), ROOT)];
        while let Some((prefix, ino)) = queue.pop() {
            match &self.nodes[ino].kind {
                Kind::File(file) => found.push((prefix, file.live.len())),
                Kind::Dir(dir) => queue.extend(dir.live.iter().map(|(name, ino)| {
                    (if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") }, *ino)
                })),
            }
        }
        found.sort();
        found
    }

    /// What tells apart the trees that a next process would read: names, lengths and bytes. A hole is zeros.
    pub(in crate::runtime::sim) fn image(&self) -> Digest {
        let mut hasher = Hasher::new();
        self.hash_below(ROOT, &mut hasher);
        hasher.finish()
    }

    fn hash_below(&self, dir: Ino, hasher: &mut Hasher) {
        let Kind::Dir(dir) = &self.nodes[dir].kind else {
            unreachable!("callers know that it is a directory")
        };
        hasher.update(&dir.live.len().to_le_bytes());
        for (name, ino) in &*dir.live {
            hasher.update(&name.len().to_le_bytes());
            hasher.update(name.as_bytes());
            match &self.nodes[*ino].kind {
                Kind::Dir(_) => {
                    hasher.update(b"directory");
                    self.hash_below(*ino, hasher);
                }
                Kind::File(file) => file.live.hash(hasher),
            }
        }
    }

    /// Changes a file's bytes on the medium.
    pub(in crate::runtime::sim) fn corrupt(
        &mut self,
        path: &str,
        change: impl Fn(&mut Content),
    ) -> io::Result<()> {
        let ino = self.file_at(path)?;
        let before = self.file(ino).live.allocated_pages();
        let file = self.file_mut(ino);
        file.corrupt(change);
        let after = file.live.allocated_pages();
        self.used_pages = self.used_pages + after - before;
        Ok(())
    }
}
