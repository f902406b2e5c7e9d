//! What a kill or a power cut leaves of a volume, drawn from the seed. The volume itself stays as it is.

use std::sync::Arc;

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
        for (_, node) in volume.nodes.iter_mut() {
            let settled = match &node.kind {
                Kind::Dir(_) => true,
                Kind::File(file) => file.is_settled(),
            };
            if node.open == 0 && settled {
                continue;
            }
            let node = Arc::make_mut(node);
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
        for (ino, node) in volume.nodes.iter_mut() {
            let linked = node.durable_at.is_some() || ino == ROOT;
            if node.linked == linked && matches!(&node.kind, Kind::Dir(dir) if dir.is_settled()) {
                continue;
            }
            let node = Arc::make_mut(node);
            node.linked = linked;
            match &mut node.kind {
                Kind::Dir(dir) => dir.live = Arc::clone(&dir.durable),
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
        // A flag for each number given out: a set would cost more than all the rest of a cut.
        let mut reached = vec![false; self.nodes.0.len()];
        let mut queue = vec![ROOT];
        reached[index(ROOT)] = true;
        let mut reach = |queue: &mut Vec<Ino>, ino: Ino| {
            if !std::mem::replace(&mut reached[index(ino)], true) {
                queue.push(ino);
            }
        };
        for change in &self.names_pending {
            reach(&mut queue, change.ino);
            reach(&mut queue, change.dir);
            if let NameWhat::Rename { from_dir, .. } = &change.what {
                reach(&mut queue, *from_dir);
            }
        }
        while let Some(ino) = queue.pop() {
            if let Kind::Dir(dir) = &self.nodes[ino].kind {
                dir.live.values().for_each(|ino| reach(&mut queue, *ino));
                if !Arc::ptr_eq(&dir.live, &dir.durable) {
                    dir.durable.values().for_each(|ino| reach(&mut queue, *ino));
                }
            }
        }
        for (node, _) in self.nodes.0.iter_mut().zip(reached).filter(|(_, reached)| !reached) {
            *node = None;
        }
        self.used_inodes = 0;
        self.used_pages = 0;
        for node in self.nodes.0.iter().flatten().filter(|node| node.linked) {
            self.used_inodes += 1;
            if let Kind::File(file) = &node.kind {
                self.used_pages += file.live.allocated_pages();
            }
        }
    }
}
