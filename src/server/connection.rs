//! The streams of one shard: what carries each, and who has it.

use std::io;

use tokio::task::AbortHandle;

use crate::engine::Outbox;
use crate::engine::Taken;
use crate::engine::WebSocket;
use crate::server::carrier::Carrier;
use crate::server::event::EventQueue;
use crate::server::event::UnitWriter;
use crate::server::step::Queued;
use crate::server::tally::Tally;

/// One stream.
pub(super) struct Connection {
    conn: u32,
    /// Whose stream it is: the number of a link.
    pub(super) owner: u32,
    pub(super) carrier: Carrier,
    pub(super) role: Role,
    /// What JavaScript has not taken of what came from it.
    pub(super) inbound: Inbound,
    /// Waits for JavaScript to catch up, so that the stream may be read again.
    resuming: Option<AbortHandle>,
    /// A little input may hold much: see `shard::pieces`.
    pub(super) is_compressed: bool,
    /// The user wants nothing to be read.
    is_held: bool,
    /// Input that came all the same while nothing may be taken.
    held: Option<Box<Held>>,
}

/// Input that waits for the end of a pause.
#[derive(Default)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// The peer's half ended after it.
    pub(super) has_ended: bool,
}

/// Who has the protocol state of a stream.
pub(super) enum Role {
    /// The session of this slot, as its transport or as its candidate.
    Session(u32),
    /// Nobody else: it was refused, or its session is over, and it goes through the closing handshake. Few are at one
    /// time, and in place it would take 112 bytes of every connection.
    Alone(Box<WebSocket>),
}

impl Connection {
    pub(super) fn new(conn: u32, owner: u32, carrier: Carrier, role: Role) -> Self {
        let inbound = Inbound::default();
        Self {
            conn,
            owner,
            carrier,
            role,
            inbound,
            resuming: None,
            is_compressed: false,
            is_held: false,
            held: None,
        }
    }

    /// Whether nothing is to be read before JavaScript has caught up.
    pub(super) const fn is_paused(&self) -> bool {
        self.resuming.is_some()
    }

    /// Whether the user wants nothing to be read.
    pub(super) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// The user has stopped the reading, or lets it go on.
    pub(super) const fn set_held(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Nothing is to be read until `resuming` says so.
    pub(super) fn pause(&mut self, resuming: AbortHandle) {
        self.resuming = Some(resuming);
    }

    /// The stream may be read again.
    pub(super) fn resume(&mut self) {
        self.resuming = None;
    }

    /// Bytes have to wait for the end of the pause.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.held.get_or_insert_default().bytes.extend_from_slice(bytes);
    }

    /// The end of input came. Returns whether it has to wait too.
    pub(super) fn hold_end(&mut self) -> bool {
        if let Some(held) = &mut self.held {
            held.has_ended = true;
        }
        self.held.is_some()
    }

    /// What waited for the end of the pause.
    pub(super) fn take_held(&mut self) -> Option<Box<Held>> {
        self.held.take()
    }

    /// Writes what waits in `websocket`, whose stream this is, and half-closes the stream when that is due. Returns how
    /// many entries that asked for word are gone; an error is the end of the stream.
    pub(super) fn flush(
        &mut self,
        websocket: &mut WebSocket,
        writer: &mut UnitWriter<'_>,
    ) -> io::Result<u32> {
        flush(self.conn, &mut self.carrier, websocket, writer)
    }

    /// The same for a stream that is alone. Returns whether it is still needed.
    pub(super) fn flush_alone(&mut self, writer: &mut UnitWriter<'_>) -> bool {
        let Role::Alone(websocket) = &mut self.role else { return true };
        let flushed = flush(self.conn, &mut self.carrier, websocket, writer);
        flushed.is_ok() && !(websocket.is_done() && self.carrier.is_drained())
    }

    /// Writes to a kernel what waits in `websocket`, as far as that can be done without a word to anybody. Returns how
    /// many entries that asked for word are gone.
    pub(super) fn write_through(&self, websocket: &mut WebSocket) -> Option<Taken> {
        match &self.carrier {
            #[cfg(unix)]
            Carrier::Descriptor(descriptor) if !websocket.is_blocked => {
                descriptor.write(&mut websocket.outbox).ok()
            }
            _ => None,
        }
    }

    /// When a stream that is alone has to be gone.
    pub(super) const fn deadline_alone(&self) -> Option<u64> {
        match &self.role {
            Role::Session(_) => None,
            Role::Alone(websocket) => websocket.deadline(),
        }
    }

    /// Whether the stream takes no bytes for now, if it is alone.
    pub(super) const fn is_blocked_alone(&self) -> bool {
        matches!(&self.role, Role::Alone(websocket) if websocket.is_blocked)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(resuming) = &self.resuming {
            resuming.abort();
        }
    }
}

fn flush(
    conn: u32,
    carrier: &mut Carrier,
    websocket: &mut WebSocket,
    writer: &mut UnitWriter<'_>,
) -> io::Result<u32> {
    if websocket.is_blocked && !websocket.outbox.is_empty() {
        return Ok(0);
    }
    let taken = carrier.write(conn, &mut websocket.outbox, writer)?;
    if taken.frames > 0 {
        writer.frames_sent(conn, taken.frames);
    }
    websocket.is_blocked = !websocket.outbox.is_empty() || carrier.is_busy();
    if websocket.is_blocked {
        websocket.outbox.begin_batch();
    }
    if websocket.is_fin_due() {
        carrier.finish(conn, writer);
        websocket.fin_sent();
    }
    Ok(taken.messages)
}

/// What an outbox holds before it is written.
pub(super) struct Waiting {
    bytes: usize,
    entries: usize,
}

impl Waiting {
    pub(super) fn in_outbox(outbox: &Outbox) -> Self {
        Self { bytes: outbox.bytes(), entries: outbox.len() }
    }

    /// Counts what is gone since.
    pub(super) fn count_taken(&self, outbox: &Outbox, tally: &Tally) {
        let entries = self.entries.saturating_sub(outbox.len());
        tally.left(self.bytes.saturating_sub(outbox.bytes()), entries);
    }
}

/// What a stream has brought that JavaScript has not taken.
///
/// Counted from the last moment at which JavaScript had taken all of it, so it may be more than there is, never less.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inbound {
    /// The last unit with messages from this stream.
    pub(super) last_unit: u64,
    bytes: usize,
    messages: u32,
}

impl Inbound {
    /// Counts the messages of one read.
    pub(super) fn add(&mut self, queued: Queued, queue: &EventQueue) {
        if queued.messages == 0 {
            return;
        }
        if queue.drained() >= self.last_unit {
            *self = Self::default();
        }
        self.last_unit = queued.unit;
        self.bytes = self.bytes.saturating_add(queued.bytes);
        self.messages = self.messages.saturating_add(queued.messages);
    }

    /// Whether the stream must not be read before JavaScript has taken its last unit.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes > MAX_UNDRAINED_BYTES || self.messages > MAX_UNDRAINED_MESSAGES
    }
}

/// The streams, by conn. Conns are small numbers and used again.
#[derive(Default)]
pub(super) struct Connections {
    connections: Vec<Option<Box<Connection>>>,
}

impl Connections {
    pub(super) fn insert(&mut self, connection: Connection) {
        let index = connection.conn as usize;
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        if let Some(place) = self.connections.get_mut(index) {
            *place = Some(Box::new(connection));
        }
    }

    pub(super) fn connection(&self, conn: u32) -> Option<&Connection> {
        self.connections.get(conn as usize)?.as_deref()
    }

    pub(super) fn connection_mut(&mut self, conn: u32) -> Option<&mut Connection> {
        self.connections.get_mut(conn as usize)?.as_deref_mut()
    }

    pub(super) fn remove(&mut self, conn: u32) -> Option<Box<Connection>> {
        self.connections.get_mut(conn as usize)?.take()
    }

    /// The streams of one session.
    pub(super) fn of_session(&self, slot: u32) -> Vec<u32> {
        let connections = self.connections.iter().flatten();
        connections
            .filter(|connection| matches!(connection.role, Role::Session(of) if of == slot))
            .map(|connection| connection.conn)
            .collect()
    }

    /// The streams that are alone and take no bytes for now.
    pub(super) fn blocked_alone(&self) -> Vec<u32> {
        let connections = self.connections.iter().flatten();
        let blocked = connections.filter(|connection| connection.is_blocked_alone());
        blocked.map(|connection| connection.conn).collect()
    }

    /// The streams of one link.
    pub(super) fn of_owner(&self, owner: u32) -> Vec<u32> {
        let connections = self.connections.iter().flatten();
        connections
            .filter(|connection| connection.owner == owner)
            .map(|connection| connection.conn)
            .collect()
    }
}

/// How far a session may be ahead of JavaScript: the larger of what a message of default size takes, and a burst.
const MAX_UNDRAINED_BYTES: usize = 1024 * 1024;
/// The same in messages, for small ones cost JavaScript more than their bytes say.
const MAX_UNDRAINED_MESSAGES: u32 = 4096;

/// How far all sessions of a link may be ahead of JavaScript.
pub(super) const MAX_UNDRAINED_BYTES_OF_LINK: usize = 64 * 1024 * 1024;
