//! Which sessions a broadcast reaches: each member of the target once, less those excepted.
//!
//! The cost is that of the rooms named, not of the namespace, and no memory is taken. What is delivered, and whether
//! a session still lives, is not known here.

use crate::hub::Rooms;

/// Whom a broadcast is for, as sequences of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<I> {
    /// Rooms were named, so only `rooms` and `members` are reached; else all members of the namespace are. A broadcast
    /// to a room without members has this set and reaches nobody.
    pub is_filtered: bool,
    /// Rooms whose members are reached.
    pub rooms: I,
    /// Members that are reached: those whose own room was named.
    pub members: I,
    /// Rooms whose members are not reached, whatever else names them.
    pub except_rooms: I,
    /// Members that are not reached, whatever else names them.
    pub except_members: I,
}

impl Rooms {
    /// Calls `deliver` once for each member of the target, with the slot of its session.
    ///
    /// A session that has two members in one namespace is none that Socket.IO makes, and would be told twice.
    pub fn broadcast<I>(&mut self, namespace: u32, target: Target<I>, mut deliver: impl FnMut(u32))
    where
        I: IntoIterator<Item = u32>,
    {
        let Some(namespace) = self.namespace_mut(namespace) else { return };
        let (members, in_room) = namespace.split();
        members.begin_visit();
        for member in target.except_members {
            members.mark(member);
        }
        for room in target.except_rooms {
            for &member in in_room(room) {
                members.mark(member);
            }
        }
        if !target.is_filtered {
            members.unmarked().for_each(deliver);
            return;
        }
        for room in target.rooms {
            for &member in in_room(room) {
                if let Some(slot) = members.mark(member) {
                    deliver(slot);
                }
            }
        }
        for member in target.members {
            if let Some(slot) = members.mark(member) {
                deliver(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_oneof, proptest};

    use super::Target;
    use crate::hub::Rooms;

    #[derive(Clone, Debug)]
    enum Step {
        Add {
            namespace: u32,
            member: u32,
        },
        /// As JavaScript does: the member leaves its rooms first.
        Remove {
            namespace: u32,
            member: u32,
        },
        Join {
            namespace: u32,
            member: u32,
            room: u32,
        },
        Leave {
            namespace: u32,
            member: u32,
            room: u32,
        },
        Broadcast {
            namespace: u32,
            target: Target<Vec<u32>>,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let (namespace, member, room) = (0..2_u32, 0..12_u32, 0..5_u32);
        let rooms = || vec(0..6_u32, 0..4);
        let members = || vec(0..14_u32, 0..4);
        let target = (any::<bool>(), rooms(), members(), rooms(), members()).prop_map(
            |(is_filtered, rooms, members, except_rooms, except_members)| Target {
                is_filtered,
                rooms,
                members,
                except_rooms,
                except_members,
            },
        );
        let step = prop_oneof![
            2 => (namespace.clone(), member.clone()).prop_map(|(namespace, member)| Step::Add { namespace, member }),
            1 => (namespace.clone(), member.clone()).prop_map(|(namespace, member)| Step::Remove { namespace, member }),
            4 => (namespace.clone(), member.clone(), room.clone())
                .prop_map(|(namespace, member, room)| Step::Join { namespace, member, room }),
            2 => (namespace.clone(), member, room)
                .prop_map(|(namespace, member, room)| Step::Leave { namespace, member, room }),
            3 => (namespace, target).prop_map(|(namespace, target)| Step::Broadcast { namespace, target }),
        ];
        vec(step, 0..120)
    }

    /// What the index has to amount to, written the plain way: each member's slot and rooms.
    #[derive(Default)]
    struct Model(BTreeMap<(u32, u32), (u32, BTreeSet<u32>)>);

    impl Model {
        fn targets(&self, namespace: u32, target: &Target<Vec<u32>>) -> Vec<u32> {
            let is_in =
                |list: &[u32], rooms: &BTreeSet<u32>| list.iter().any(|room| rooms.contains(room));
            let mut slots: Vec<u32> = self
                .0
                .iter()
                .filter(|&(&(of, member), (_, rooms))| {
                    of == namespace
                        && (!target.is_filtered
                            || is_in(&target.rooms, rooms)
                            || target.members.contains(&member))
                        && !is_in(&target.except_rooms, rooms)
                        && !target.except_members.contains(&member)
                })
                .map(|(_, &(slot, _))| slot)
                .collect();
            slots.sort_unstable();
            slots
        }

        fn room_count(&self) -> usize {
            let rooms = |(&(namespace, _), (_, rooms)): (&(u32, u32), &(u32, BTreeSet<u32>))| {
                rooms.iter().map(|&room| (namespace, room)).collect::<Vec<_>>()
            };
            self.0.iter().flat_map(rooms).collect::<BTreeSet<_>>().len()
        }
    }

    fn delivered(rooms: &mut Rooms, namespace: u32, target: Target<Vec<u32>>) -> Vec<u32> {
        let mut slots = Vec::new();
        rooms.broadcast(namespace, target, |slot| slots.push(slot));
        slots.sort_unstable();
        slots
    }

    proptest! {
            #[test]
            fn the_index_reaches_whom_the_plain_model_reaches(steps in steps()) {
                let mut rooms = Rooms::default();
                let mut model = Model::default();
                for (number, step) in steps.into_iter().enumerate() {
                    match step {
                        Step::Add { namespace, member } => {
                            let slot = u32::try_from(number).unwrap();
                            assert!(rooms.add_member(namespace, member, slot));
                            model.0.entry((namespace, member)).or_default().0 = slot;
                        }
                        Step::Remove { namespace, member } => {
                            if let Some((_, left)) = model.0.remove(&(namespace, member)) {
                                for room in left {
    rooms.leave(namespace, member, room);
    }
                            }
                            rooms.remove_member(namespace, member);
                        }
                        Step::Join { namespace, member, room } => {
                            rooms.join(namespace, member, room);
                            if let Some((_, rooms)) = model.0.get_mut(&(namespace, member)) {
                                rooms.insert(room);
                            }
                        }
                        Step::Leave { namespace, member, room } => {
                            rooms.leave(namespace, member, room);
                            if let Some((_, rooms)) = model.0.get_mut(&(namespace, member)) {
                                rooms.remove(&room);
                            }
                        }
                        Step::Broadcast { namespace, target } => {
                            let expected = model.targets(namespace, &target);
                            assert_eq!(delivered(&mut rooms, namespace, target), expected);
                        }
                    }
                    assert_eq!(rooms.member_count(), model.0.len());
                    assert_eq!(rooms.room_count(), model.room_count());
                }
            }
        }

    #[test]
    fn a_filtered_broadcast_that_names_nobody_reaches_nobody() {
        let mut rooms = Rooms::default();
        rooms.add_member(1, 0, 9);
        let target = |is_filtered| Target {
            is_filtered,
            rooms: vec![],
            members: vec![],
            except_rooms: vec![],
            except_members: vec![],
        };
        assert_eq!(delivered(&mut rooms, 1, target(true)), []);
        assert_eq!(delivered(&mut rooms, 1, target(false)), [9]);
        assert_eq!(delivered(&mut rooms, 2, target(false)), []);
    }

    #[test]
    fn a_member_that_was_removed_before_it_left_is_harmless() {
        let mut rooms = Rooms::default();
        rooms.add_member(1, 0, 9);
        rooms.add_member(1, 1, 8);
        rooms.join(1, 0, 5);
        rooms.join(1, 1, 5);
        rooms.remove_member(1, 0);
        let target = Target {
            is_filtered: true,
            rooms: vec![5],
            members: vec![0, 1],
            except_rooms: vec![],
            except_members: vec![0],
        };
        assert_eq!(delivered(&mut rooms, 1, target), [8]);
    }
}
