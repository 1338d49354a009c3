//! What a session tells the floor above while it is stepped.
//!
//! Each event is handed up at once, borrowed from the bytes it was decoded from, so that a message is copied only by
//! whoever queues it. The end of a session's life in the registry is not told here: its driver ends it there.

use crate::codec::engine_io::PacketData;
use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Opcode;
use crate::engine::CloseReason;
use crate::engine::transport::WebSocket;

/// What a poll is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The packets.
    pub payload: &'a [u8],
    /// They are bytes of protocol 3; else UTF-8 text.
    pub is_binary: bool,
    /// They may be compressed.
    pub compress: bool,
}

/// Why an upgrade came to nothing. For the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeFailure {
    /// The candidate has had its time.
    TimedOut = 1,
    /// Its stream was closed, by the peer or by the user.
    Closed = 2,
    /// It sent what has no place in an upgrade.
    Unexpected = 3,
}

/// Takes the events of sessions. `slot` names the session, `conn` a stream.
pub trait Events {
    /// A message came.
    fn message(&mut self, slot: u32, data: &PacketData<'_>);
    /// What comes now of the session was compressed: Engine.IO inflates on another thread and hears of it in a turn of its own, while
    /// messages of one read that are not compressed are heard in the same turn.
    fn inflated(&mut self);
    /// Whether messages of the session, or other events of this step, are still to be dealt with by its owner.
    fn is_owner_behind(&self) -> bool;
    /// The session ended; its last event but for what its registry tells. An end that `is_awaited` waits for the owner, who deals
    /// with what came before and then says [`finish`](crate::engine::Session::finish).
    fn closed(&mut self, slot: u32, reason: CloseReason, description: &str, is_awaited: bool);
    /// Answers a poll.
    fn respond(&mut self, slot: u32, request: u32, response: Response<'_>);
    /// An upgrade was probed.
    fn upgrading(&mut self, slot: u32, conn: u32);
    /// The session is on this stream now.
    fn upgraded(&mut self, slot: u32, conn: u32);
    /// The upgrade came to nothing; the session stays on polling.
    fn upgrade_failed(&mut self, slot: u32, conn: u32, failure: UpgradeFailure);
    /// The peer gave its half of the heartbeat over WebSocket.
    fn heartbeat(&mut self, slot: u32);
    /// A packet came over WebSocket that means nothing to a server. Told of sessions whose heartbeat is told.
    fn control(&mut self, slot: u32, packet_type: PacketType, text: &str);
    /// A ping was put into the outbox.
    fn ping_sent(&mut self, slot: u32);
    /// So many more of the entries that asked for word were taken.
    fn sent(&mut self, slot: u32, count: u32);
    /// A frame came that somebody watches; of a close frame the payload is the code and the reason.
    fn frame(&mut self, conn: u32, opcode: Opcode, payload: &[u8]);
    /// The session has no more to do with a stream, which still has to be written empty and closed.
    fn release(&mut self, conn: u32, websocket: WebSocket);
}
