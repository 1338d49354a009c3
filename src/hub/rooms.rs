//! The rooms index: which members each namespace has, and which of them are in each of its rooms.
//!
//! It is changed by the ordered stream of commands alone, never at once from elsewhere: `io.to(room).emit()` followed
//! by `socket.leave(room)` must still reach that socket. Each shard keeps the members whose sessions live there, so
//! a command about any other member is no fault, and changes nothing.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::hub::members::Members;

/// The namespaces of one shard. Those without members, and rooms without members, take no memory.
#[derive(Debug, Default)]
pub struct Rooms {
    namespaces: HashMap<u32, Namespace, RandomState>,
    member_count: usize,
    room_count: usize,
}

/// The members and rooms of one namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    members: Members,
    rooms: HashMap<u32, Room, RandomState>,
}

/// The members of a room in ascending order: four bytes each, and nearly always appended at the end.
type Room = Vec<u32>;

impl Rooms {
    /// Makes a member reachable, as `slot`. False if a number is out of range (see [`MAX_MEMBERS`](super::MAX_MEMBERS)),
    /// which no correct caller asks for.
    pub fn add_member(&mut self, namespace: u32, member: u32, slot: u32) -> bool {
        let entry = self.namespaces.entry(namespace).or_default();
        let before = entry.members.len();
        let is_added = entry.members.insert(member, slot);
        self.member_count += entry.members.len() - before;
        if entry.members.len() == 0 {
            self.namespaces.remove(&namespace);
        }
        is_added
    }

    /// Makes a member unreachable. It must have left its rooms, or the next member of its number is found in them.
    pub fn remove_member(&mut self, namespace: u32, member: u32) {
        let Some(entry) = self.namespaces.get_mut(&namespace) else { return };
        if entry.members.remove(member) {
            self.member_count -= 1;
        }
        if entry.members.len() == 0 {
            self.room_count -= entry.rooms.len();
            self.namespaces.remove(&namespace);
        }
    }

    /// Puts a member into a room. Ignored for a member that was not added.
    pub fn join(&mut self, namespace: u32, member: u32, room: u32) {
        let Some(entry) = self.namespaces.get_mut(&namespace) else { return };
        if !entry.members.contains(member) {
            return;
        }
        let members = entry.rooms.entry(room).or_insert_with(|| {
            self.room_count += 1;
            Room::new()
        });
        if members.last().is_none_or(|&last| last < member) {
            members.push(member);
        } else if let Err(place) = members.binary_search(&member) {
            members.insert(place, member);
        }
    }

    /// Takes a member out of a room. Ignored if it is not in it.
    pub fn leave(&mut self, namespace: u32, member: u32, room: u32) {
        let Some(entry) = self.namespaces.get_mut(&namespace) else { return };
        let Some(members) = entry.rooms.get_mut(&room) else { return };
        let Ok(place) = members.binary_search(&member) else { return };
        members.remove(place);
        if members.is_empty() {
            entry.rooms.remove(&room);
            self.room_count -= 1;
        } else if members.len() < members.capacity() / 4 {
            members.shrink_to(members.len() * 2);
        }
    }

    /// How many members all namespaces have.
    pub const fn member_count(&self) -> usize {
        self.member_count
    }

    /// How many rooms all namespaces have, each with one member or more.
    pub const fn room_count(&self) -> usize {
        self.room_count
    }

    pub(super) fn namespace_mut(&mut self, namespace: u32) -> Option<&mut Namespace> {
        self.namespaces.get_mut(&namespace)
    }
}

impl Namespace {
    /// The members, to mark them, and a room's members, to go through them: both at once.
    pub(super) fn split<'a>(&'a mut self) -> (&'a mut Members, impl Fn(u32) -> &'a [u32]) {
        let rooms = &self.rooms;
        (&mut self.members, |room| rooms.get(&room).map_or(&[][..], Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::Rooms;

    #[test]
    fn namespaces_and_rooms_without_members_are_dropped() {
        let mut rooms = Rooms::default();
        rooms.add_member(1, 0, 10);
        rooms.add_member(1, 1, 11);
        rooms.add_member(2, 0, 10);
        rooms.join(1, 0, 5);
        rooms.join(1, 1, 5);
        rooms.join(2, 0, 5);
        assert_eq!((rooms.member_count(), rooms.room_count()), (3, 2));

        rooms.leave(1, 0, 5);
        rooms.remove_member(1, 0);
        assert_eq!((rooms.member_count(), rooms.room_count()), (2, 2));
        rooms.leave(1, 1, 5);
        assert_eq!((rooms.member_count(), rooms.room_count()), (2, 1));
        rooms.remove_member(1, 1);
        // Its room goes with the last member.
        rooms.remove_member(2, 0);
        assert_eq!((rooms.member_count(), rooms.room_count()), (0, 0));
        assert!(rooms.namespaces.is_empty());
    }

    #[test]
    fn commands_about_what_is_not_there_change_nothing() {
        let mut rooms = Rooms::default();
        rooms.join(1, 0, 5);
        rooms.leave(1, 0, 5);
        rooms.remove_member(1, 0);
        assert!(!rooms.add_member(1, u32::MAX, 3));
        assert!(rooms.namespaces.is_empty());

        assert!(rooms.add_member(1, 0, 3));
        assert!(rooms.add_member(1, 0, 4), "the slot of a member may change");
        rooms.join(1, 7, 5);
        rooms.join(1, 0, 6);
        rooms.join(1, 0, 6);
        rooms.leave(1, 7, 6);
        rooms.leave(1, 0, 5);
        rooms.remove_member(1, 7);
        assert_eq!((rooms.member_count(), rooms.room_count()), (1, 1));
    }

    #[test]
    fn a_room_gives_memory_back_when_most_have_left() {
        let mut rooms = Rooms::default();
        for member in (0..1_000).rev() {
            rooms.add_member(1, member, member);
            rooms.join(1, member, 5);
        }
        for member in 1..1_000 {
            rooms.leave(1, member, 5);
        }
        let capacity = rooms.namespaces[&1].rooms[&5].capacity();
        assert!(capacity < 16, "{capacity}");
    }
}
