//! What one step of a session led to: its events on their way to JavaScript, and what its shard has to see to.

use crate::codec::engine_io::PacketData;
use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Opcode;
use crate::engine::CloseReason;
use crate::engine::Events;
use crate::engine::Response;
use crate::engine::UpgradeFailure;
use crate::engine::WebSocket;
use crate::server::event::UnitWriter;

/// Takes the events of one step.
pub(super) struct StepEvents<'a> {
    /// Where events for JavaScript go: one unit.
    pub(super) writer: UnitWriter<'a>,
    /// Streams that the session let go.
    pub(super) released: Vec<(u32, WebSocket)>,
    /// The last unit before this one that had messages of the session; its end must not overtake them.
    last_message: u64,
    /// Messages of this step, and frames that somebody watches.
    messages: u32,
    /// Bytes in them.
    message_bytes: usize,
    /// Bytes of the payloads that polls were answered with.
    pub(super) polled_bytes: usize,
    /// The session ended by a fault: of its client, or of the network between.
    pub(super) has_failed: bool,
}

/// The messages of a step, once they are in the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queued {
    /// The unit that holds them.
    pub(super) unit: u64,
    /// How many there are; without any, the rest means nothing.
    pub(super) messages: u32,
    /// How many bytes they have.
    pub(super) bytes: usize,
}

impl<'a> StepEvents<'a> {
    pub(super) const fn new(writer: UnitWriter<'a>, last_message: u64) -> Self {
        Self {
            writer,
            released: Vec::new(),
            last_message,
            messages: 0,
            message_bytes: 0,
            polled_bytes: 0,
            has_failed: false,
        }
    }

    /// Hands the unit over.
    pub(super) fn finish(self) -> Queued {
        Queued { unit: self.writer.finish(), messages: self.messages, bytes: self.message_bytes }
    }
}

impl Events for StepEvents<'_> {
    fn message(&mut self, slot: u32, data: &PacketData<'_>) {
        self.messages = self.messages.saturating_add(1);
        let len = match data {
            PacketData::Text(text) => {
                self.writer.text(slot, text);
                text.len()
            }
            PacketData::Binary(bytes) => {
                self.writer.binary(slot, bytes);
                bytes.len()
            }
        };
        self.message_bytes = self.message_bytes.saturating_add(len);
    }

    fn inflated(&mut self) {
        self.last_message = self.writer.begin_turn(self.last_message);
    }

    fn is_owner_behind(&self) -> bool {
        !self.writer.is_empty() || !self.writer.is_dispatched(self.last_message)
    }

    fn closed(&mut self, slot: u32, reason: CloseReason, description: &str, is_awaited: bool) {
        self.has_failed |= matches!(reason, CloseReason::TransportError | CloseReason::PingTimeout);
        self.writer.closed(slot, reason, description, self.last_message, is_awaited);
    }

    fn respond(&mut self, slot: u32, request: u32, response: Response<'_>) {
        self.polled_bytes = self.polled_bytes.saturating_add(response.payload.len());
        self.writer.respond(slot, request, response);
    }

    fn upgrading(&mut self, slot: u32, conn: u32) {
        self.writer.upgrading(slot, conn);
    }

    fn upgraded(&mut self, slot: u32, conn: u32) {
        self.writer.upgraded(slot, conn);
    }

    fn upgrade_failed(&mut self, slot: u32, conn: u32, failure: UpgradeFailure) {
        self.writer.upgrade_failed(slot, conn, failure);
    }

    fn heartbeat(&mut self, slot: u32) {
        self.writer.heartbeat(slot);
    }

    fn control(&mut self, slot: u32, packet_type: PacketType, text: &str) {
        self.messages = self.messages.saturating_add(1);
        self.message_bytes = self.message_bytes.saturating_add(text.len());
        self.writer.control(slot, packet_type, text);
    }

    fn ping_sent(&mut self, slot: u32) {
        self.writer.ping_sent(slot);
    }

    fn sent(&mut self, slot: u32, count: u32) {
        self.writer.sent(slot, count);
    }

    fn frame(&mut self, conn: u32, opcode: Opcode, payload: &[u8]) {
        self.messages = self.messages.saturating_add(1);
        self.message_bytes = self.message_bytes.saturating_add(payload.len());
        self.writer.frame(conn, opcode, payload);
    }

    fn release(&mut self, conn: u32, websocket: WebSocket) {
        self.released.push((conn, websocket));
    }
}
