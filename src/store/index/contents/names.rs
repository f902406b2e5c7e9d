//! The names of a content beyond its first.
//!
//! Always: what is done to one of very many does not look at all of them; few, which nearly all contents have, take no more
//! memory than a list does.

use std::collections::BTreeSet;

use crate::store::index::Place;

pub(super) enum MoreNames {
    /// No more than [`FEW`].
    Few(Vec<Place>),
    Many(BTreeSet<Place>),
}

/// As many are looked through as fast as a tree is.
const FEW: usize = 32;

impl Default for MoreNames {
    fn default() -> MoreNames {
        MoreNames::Few(Vec::new())
    }
}

impl MoreNames {
    /// Nothing happens if it is among them: it was read from the log again.
    pub(super) fn add(&mut self, name: Place) {
        match self {
            MoreNames::Few(names) if names.contains(&name) => {}
            MoreNames::Few(names) if names.len() < FEW => names.push(name),
            MoreNames::Few(names) => {
                let mut many: BTreeSet<Place> = names.drain(..).collect();
                many.insert(name);
                *self = MoreNames::Many(many);
            }
            MoreNames::Many(names) => {
                names.insert(name);
            }
        }
    }

    /// False if it is not among them.
    pub(super) fn remove(&mut self, name: Place) -> bool {
        match self {
            MoreNames::Few(names) => match names.iter().position(|other| *other == name) {
                Some(at) => {
                    names.remove(at);
                    true
                }
                None => false,
            },
            MoreNames::Many(names) => names.remove(&name),
        }
    }

    /// One of them, which is then not among them any more.
    pub(super) fn take_first(&mut self) -> Option<Place> {
        match self {
            MoreNames::Few(names) if names.is_empty() => None,
            MoreNames::Few(names) => Some(names.remove(0)),
            MoreNames::Many(names) => names.pop_first(),
        }
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&Place) -> bool) {
        match self {
            MoreNames::Few(names) => names.retain(is_kept),
            MoreNames::Many(names) => names.retain(is_kept),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        let (few, many) = match self {
            MoreNames::Few(names) => (Some(names), None),
            MoreNames::Many(names) => (None, Some(names)),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            MoreNames::Few(names) => names.len(),
            MoreNames::Many(names) => names.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::SegmentId;
    use crate::runtime::sim::Rng;

    #[test]
    fn few_and_many_do_what_a_set_does() {
        let (mut rng, mut names, mut plain) = (Rng::new(7), MoreNames::default(), BTreeSet::new());
        let mut most = 0;
        for step in 0..20_000 {
            let name = Place { segment: SegmentId(1), offset: u32::try_from(rng.below(200)).unwrap() };
            match rng.below(8) {
                // Some are added in one half of the steps, and taken away in the other.
                0..=4 if step / 1_000 % 2 == 0 => {
                    names.add(name);
                    plain.insert(name);
                }
                5 => {
                    let first = names.take_first();
                    assert_eq!(first.is_none(), plain.is_empty());
                    assert!(first.is_none_or(|first| plain.remove(&first)));
                }
                6 if rng.below(100) == 0 => {
                    names.retain(|name| !name.offset.is_multiple_of(5));
                    plain.retain(|name| !name.offset.is_multiple_of(5));
                }
                _ => assert_eq!(names.remove(name), plain.remove(&name)),
            }
            assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), plain);
            assert_eq!((names.len(), names.is_empty()), (plain.len(), plain.is_empty()));
            most = most.max(plain.len());
        }
        assert!(most > FEW, "{most}");
    }
}
