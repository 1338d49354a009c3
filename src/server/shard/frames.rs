//! What users do with the WebSocket under a session: frames of their own, a look at those of the peer, a stop of the reading,
//! options of the socket.

use crate::codec::websocket::Opcode;
use crate::codec::websocket::encode_frame;
use crate::engine::Frame;
use crate::engine::Watch;
use crate::server::carrier::Carrier;
use crate::server::command::Tuning;
use crate::server::connection::Connection;
use crate::server::connection::Role;
use crate::server::shard::Shard;
use crate::server::shard::link_of;

impl Shard {
    /// Sends a frame of the user's own on a stream of this link.
    pub(super) fn send_frame(&mut self, owner: u32, conn: u32, frame: &Frame<'_>) {
        let Some(connection) = self.own_stream(owner, conn) else { return };
        let Role::Session(slot) = connection.role else { return };
        if frame.opcode == Opcode::Close {
            let close = encode_frame(Opcode::Close, &[frame.payload]);
            self.step(slot, |session, now, events| session.close_stream(conn, close, now, events));
        } else {
            self.step(slot, |session, _, _| {
                if let Some(websocket) = session.websocket_mut(conn) {
                    websocket.push_frame(frame);
                }
            });
        }
    }

    /// Chooses an option of the socket under a stream of this link, if the core has it.
    pub(super) fn tune(&mut self, owner: u32, conn: u32, tuning: Tuning) {
        #[cfg(unix)]
        if let Some(connection) = self.own_stream(owner, conn)
            && let Carrier::Descriptor(descriptor) = &connection.carrier
        {
            descriptor.tune(tuning);
        }
        #[cfg(not(unix))]
        let _ = (owner, conn, tuning); // every stream is bridged, and so JavaScript's
    }

    /// Chooses what is told of a stream of this link, and whether it is read.
    pub(super) fn watch(&mut self, owner: u32, conn: u32, watch: Watch, is_held: bool) {
        let Some(connection) = self.own_stream(owner, conn) else { return };
        let was_held = connection.is_held();
        connection.set_held(is_held);
        let slot = match &mut connection.role {
            Role::Session(slot) => Some(*slot),
            Role::Alone(websocket) => {
                websocket.watch(watch);
                None
            }
        };
        let session = slot.and_then(|slot| self.registry.session_mut(slot));
        if let Some(websocket) = session.and_then(|session| session.websocket_mut(conn)) {
            websocket.watch(watch);
        }
        if is_held != was_held {
            self.hold_or_read_on(conn, is_held);
        }
    }

    fn hold_or_read_on(&mut self, conn: u32, is_held: bool) {
        let Some(connection) = self.connections.connection(conn) else { return };
        if connection.is_paused() {
            return; // its end looks at what the user wants
        }
        match connection.carrier {
            Carrier::Bridge(_) if is_held => {
                if let Some(link) = link_of(&self.links, connection.owner) {
                    link.events().writer().bridge_pause(conn);
                }
            }
            _ if is_held => {}
            _ => self.read_on(conn),
        }
    }

    fn own_stream(&mut self, owner: u32, conn: u32) -> Option<&mut Connection> {
        self.connections.connection_mut(conn).filter(|connection| connection.owner == owner)
    }
}
