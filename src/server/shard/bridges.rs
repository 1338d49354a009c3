//! What JavaScript tells of the streams that it carries: the bytes or messages that came, the end of input, what was taken.

use crate::engine::StreamEnd;
use crate::server::carrier::Bridge;
use crate::server::carrier::Carrier;
use crate::server::connection::Role;
use crate::server::shard::Shard;
use crate::server::shard::link_of;

impl Shard {
    /// The bridge of this conn, if it is one of this link.
    fn bridge_mut(&mut self, owner: u32, conn: u32) -> Option<&mut Bridge> {
        let connection = self.connections.connection_mut(conn)?;
        match &mut connection.carrier {
            Carrier::Bridge(bridge) if connection.owner == owner => Some(bridge),
            _ => None,
        }
    }

    /// A bridge has read bytes. If it waits for word before it reads on, it gets that now, or when JavaScript has caught up.
    pub(super) fn receive_from_bridge(
        &mut self,
        owner: u32,
        conn: u32,
        bytes: &[u8],
        wants_word: bool,
    ) {
        if self.bridge_mut(owner, conn).is_none() {
            return;
        }
        // Unmasked in place, and the command buffer is shared with other shards.
        if self.receive_in_pieces(conn, &mut bytes.to_vec())
            && wants_word
            && let Some(link) = link_of(&self.links, owner)
        {
            link.events().writer().bridge_resume(conn);
        }
    }

    /// The peer of a bridge has ended its half.
    pub(super) fn bridge_ended(&mut self, owner: u32, conn: u32) {
        if self.bridge_mut(owner, conn).is_some()
            && let Some(connection) = self.connections.connection_mut(conn)
            && !connection.hold_end()
        {
            self.stream_ended(conn, StreamEnd::Eof);
        }
    }

    /// The stream of a bridge has taken bytes.
    pub(super) fn acknowledge(&mut self, owner: u32, conn: u32, bytes: u32) {
        let Some(bridge) = self.bridge_mut(owner, conn) else { return };
        let notified = bridge.acknowledge(bytes);
        if bridge.is_busy() {
            return;
        }
        if notified > 0
            && let Some(connection) = self.connections.connection(conn)
            && let Role::Session(slot) = connection.role
            && let Some(link) = link_of(&self.links, owner)
        {
            link.events().writer().sent(slot, notified);
        }
        self.writable(conn);
    }
}
