//! The end of a link: an environment of Node that goes takes everything with it.

use std::sync::Arc;

use crate::server::link::Link;
use crate::server::shard::Shard;

impl Shard {
    /// Drops the sessions, streams and rooms of a link. Its queue posts nothing any more; what is told to it here only
    /// frees the numbers.
    pub(super) fn drop_link(&mut self, link: &Arc<Link>) {
        let owner = self.owner_of(link);
        let (rooms, members) = self.rooms_and_members(owner);
        let sessions = self.registry.iter_mut().filter(|session| session.owner() == owner);
        let slots: Vec<u32> = sessions.map(|session| session.slot()).collect();
        let mut writer = link.events().writer();
        for slot in slots {
            self.forget(slot, &mut writer);
        }
        for conn in self.connections.of_owner(owner) {
            self.forget_stream(conn, &mut writer);
        }
        self.gauges.rooms.adjust(rooms, 0);
        self.gauges.members.adjust(members, 0);
        if let Some(state) = self.links.get_mut(owner as usize) {
            *state = None;
        }
    }
}
