//! What a kill or a power cut leaves of a volume, drawn from the seed. The volume itself stays as it is.

use std::collections::BTreeSet;

use super::{InFlight, Ino, Kind, NameWhat, ROOT, Volume};
use crate::runtime::sim::content::{SECTOR, index};
use crate::runtime::sim::faults::Faults;
use crate::runtime::sim::file::{FileNode, Mood};
use crate::runtime::sim::rng::Rng;

impl Volume {
    /// What the next process finds when this one dies: the live state, with what was in flight there or not, in
    /// part or whole; as volatile as before.
    pub(in crate::runtime::sim) fn after_kill(&self, rng: &mut Rng) -> Volume {
        let mut volume = self.clone();
        volume.faults = Faults::default();
        let mut in_flight: Vec<(u64, InFlight)> = std::mem::take(&mut volume.in_flight).into_iter().collect();
        rng.shuffle(&mut in_flight);
        for (op, write) in in_flight {
            let fate = rng.below(3);
            let mut at = 0;
            while at < write.data.len() && fate > 0 {
                let position = write.offset + at as u64;
                let to_boundary = SECTOR - index(position) % SECTOR;
                let end = if fate == 1 { write.data.len() } else { write.data.len().min(at + to_boundary) };
                if fate == 1 || rng.one_in(2) {
                    // Where there is no room, it did not happen.
                    let _ = volume.write(op, write.ino, position, &write.data[at..end]);
                }
                at = end;
            }
        }
        let now = volume.next();
        for node in volume.nodes.values_mut() {
            node.open = 0;
            if let Kind::File(file) = &mut node.kind {
                file.orphan(now);
            }
        }
        volume.names_pending.iter_mut().for_each(|change| _ = change.completed.get_or_insert(now));
        volume.forget_unreachable();
        volume
    }

    /// What is found after the power failed: the durable state and any part of what was pending.
    pub(in crate::runtime::sim) fn after_power_cut(&self, rng: &mut Rng) -> Volume {
        let mut volume = self.after_kill(rng);
        let mood = match rng.below(6) {
            0 => Mood::LoseAll,
            1 => Mood::KeepAll,
            _ => Mood::Mix,
        };
        for change in std::mem::take(&mut volume.names_pending) {
            let kept = match mood {
                Mood::LoseAll => false,
                Mood::KeepAll => true,
                Mood::Mix => rng.one_in(2),
            };
            if kept {
                volume.name_durably(&change);
            }
        }
        for (ino, node) in &mut volume.nodes {
            node.linked = node.durable_at.is_some() || *ino == ROOT;
            match &mut node.kind {
                Kind::Dir(dir) => dir.live = dir.durable.clone(),
                Kind::File(file) if !file.is_settled() => {
                    *file = FileNode::settled(file.after_power_cut(rng, mood));
                }
                Kind::File(file) => file.live = file.durable.clone(),
            }
        }
        volume.forget_unreachable();
        volume
    }

    /// Drops nodes that no name leads to, now or after a power cut, and counts anew.
    fn forget_unreachable(&mut self) {
        let mut reached: BTreeSet<Ino> = self.names_pending.iter().flat_map(|c| [c.ino, c.dir]).collect();
        reached.extend(self.names_pending.iter().filter_map(|change| match &change.what {
            NameWhat::Rename { from_dir, .. } => Some(*from_dir),
            NameWhat::Link { .. } | NameWhat::Unlink { .. } => None,
        }));
        reached.insert(ROOT);
        let mut queue: Vec<Ino> = reached.iter().copied().collect();
        while let Some(ino) = queue.pop() {
            if let Kind::Dir(dir) = &self.nodes[&ino].kind {
                queue.extend(
                    dir.live.values().chain(dir.durable.values()).filter(|ino| reached.insert(**ino)),
                );
            }
        }
        self.nodes.retain(|ino, _| reached.contains(ino));
        self.used_inodes = 0;
        self.used_pages = 0;
        for node in self.nodes.values().filter(|node| node.linked) {
            self.used_inodes += 1;
            if let Kind::File(file) = &node.kind {
                self.used_pages += file.live.allocated_pages();
            }
        }
    }
}
