//! Connections that come and go, over WebSocket alone: open, join the namespace, close, the next.

use crate::failure::Result;
use crate::frame;
use crate::http::SessionQuery;
use crate::load::{Load, World};
use crate::packet::{CONNECT, Packet};
use crate::stream::Readiness;
use crate::websocket::{Heard, WebSocket};

/// As many connections as work at a time; the slot of one that is done takes the next.
pub(crate) struct Connect {
    /// Indexed by token.
    slots: Vec<Option<WebSocket>>,
    /// Connections of this run that have not been started.
    left: u64,
    join_frame: Vec<u8>,
    close_frame: Vec<u8>,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            left: 0,
            join_frame: frame::text(CONNECT),
            close_frame: frame::close(),
        }
    }
}

impl Connect {
    fn begin(&mut self, token: usize, world: &World) -> Result<()> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(()) };
        self.left = left;
        let session = SessionQuery::default();
        let websocket = WebSocket::connect(world.address, &world.registry, token, &session)?;
        let slot = self.slots.get_mut(token).ok_or("an unknown slot")?;
        *slot = Some(websocket);
        Ok(())
    }
}

impl Load for Connect {
    fn open(&mut self, clients: usize, world: &mut World) -> Result<()> {
        self.slots.resize_with(clients, || None);
        world.meter.begin_opening(0)
    }

    fn run(&mut self, world: &mut World) -> Result<()> {
        self.left = world.meter.target();
        (0..self.slots.len()).try_for_each(|token| self.begin(token, world))
    }

    fn ready(&mut self, token: usize, readiness: Readiness, world: &mut World) -> Result<()> {
        let Self { slots, join_frame, close_frame, .. } = self;
        let slot = slots.get_mut(token).ok_or("an unknown token")?;
        // An event for a stream that is gone already says nothing.
        let Some(websocket) = slot else { return Ok(()) };
        let is_open = websocket.ready(readiness, &mut world.scratch, |heard, replies| {
            match heard {
                Heard::Packet(Packet::Open(_)) => replies.extend_from_slice(join_frame),
                Heard::Packet(Packet::Connected) => replies.extend_from_slice(close_frame),
                Heard::Shaken | Heard::Close => {}
                Heard::Packet(packet) => {
                    return Err(format!("an unexpected packet: {packet:?}").into());
                }
            }
            Ok(())
        })?;
        // The server ends the stream first (RFC 6455 section 7.1.1), and that is waited for.
        if is_open {
            return Ok(());
        }
        *slot = None;
        world.meter.unit()?;
        self.begin(token, world)
    }
}
