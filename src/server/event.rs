//! All that goes up: what JavaScript can be told, written as packed records, one unit of them at a time.
//!
//! A *unit* is what one socket read led to. JavaScript takes whole units, so that packets of one read are dispatched
//! together: socket.io drops an event that came in one read with the DISCONNECT after it, and lets acks of that read
//! overtake it. The units wait in an [`EventQueue`].

mod backlog;
pub(super) mod deferred;
mod queue;

use std::cell::Cell;

use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Opcode;
use crate::engine::{CloseReason, Response, UpgradeFailure};
use crate::server::record::{Record, append_record};

pub(crate) use crate::server::event::queue::EventQueue;
pub use crate::server::event::queue::{Drained, Wake};

/// The longest message that fits a record: lengths are `u32`, and the rest is room for the other fields.
///
/// Sessions with no limit of their own are held to it; no string of V8 is as long.
pub(crate) const MAX_MESSAGE_BYTES: u32 = u32::MAX - 64;

/// Writes one unit. It goes to the queue when the writer is finished or dropped, and no lock is held until then.
pub(crate) struct UnitWriter<'a> {
    queue: &'a EventQueue,
    unit: Unit,
}

/// The records of a unit, and what the queue has to know of them.
#[derive(Debug, Default)]
struct Unit {
    records: Vec<u8>,
    has_message: bool,
    /// There is an `ENDED` or a `CONN_ENDED` among them, so numbers come free after it is drained.
    has_end: bool,
    /// The last unit that must be drained before JavaScript may see this one. See [`UnitWriter::closed`].
    fence: u64,
    /// The same, unless JavaScript is too far behind. See [`UnitWriter::begin_turn`].
    turn_fence: u64,
}

impl<'a> UnitWriter<'a> {
    fn new(queue: &'a EventQueue) -> Self {
        let records = SCRATCH.take();
        Self { queue, unit: Unit { records, ..Unit::default() } }
    }

    /// A text message of a session.
    pub(crate) fn text(&mut self, slot: u32, text: &str) {
        let ascii = if text.is_ascii() { MESSAGE_ASCII } else { 0 };
        self.message(slot, ascii, text.as_bytes());
    }

    /// A binary message of a session.
    pub(crate) fn binary(&mut self, slot: u32, bytes: &[u8]) {
        self.message(slot, MESSAGE_BINARY, bytes);
    }

    fn message(&mut self, slot: u32, flags: u32, bytes: &[u8]) {
        self.unit.has_message = true;
        self.append(MESSAGE, flags, &[slot, len(bytes)], bytes);
    }

    /// Whether there is no record in it yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.unit.records.is_empty()
    }

    /// See [`EventQueue::is_dispatched`].
    pub(crate) fn is_dispatched(&self, unit: u64) -> bool {
        self.queue.is_dispatched(unit)
    }

    /// What follows should not be in one drain with the messages before it, those of this writer and those up to `last_message`. Gives
    /// the last unit with any of them.
    ///
    /// Upstream hears each compressed message in a turn of its own: a CONNECT is dealt with before the event behind it, and an event
    /// before the DISCONNECT behind that, which are not when both came in one read as they are.
    pub(crate) fn begin_turn(&mut self, last_message: u64) -> u64 {
        let mut last_message = last_message;
        if self.unit.has_message {
            last_message = last_message.max(self.commit());
        }
        self.unit.turn_fence = self.unit.turn_fence.max(last_message);
        last_message
    }

    /// A session is closed; one that `is_awaited` waits for the command FINISH. `last_message` is what [`finish`](Self::finish) gave for the last unit that had a message
    /// of it, 0 if there was none, `u64::MAX` if that is not known.
    ///
    /// JavaScript never finds it in one drain with messages of that session: socket.io dispatches events in a later
    /// tick, and a session that is closed by then has lost its listeners. Messages that this very writer holds are put
    /// into a unit before it.
    pub(crate) fn closed(
        &mut self,
        slot: u32,
        reason: CloseReason,
        description: &str,
        last_message: u64,
        is_awaited: bool,
    ) {
        let mut fence = last_message;
        if self.unit.has_message {
            fence = fence.max(self.commit());
        }
        self.unit.fence = self.unit.fence.max(fence);
        let description = description.as_bytes();
        let flags = if is_awaited { CLOSED_AWAITED } else { 0 };
        self.append(CLOSED, flags, &[slot, reason.code(), len(description)], description);
    }

    /// The core has forgotten a session: its last event, after which its slot is free.
    pub(crate) fn ended(&mut self, slot: u32) {
        self.unit.has_end = true;
        self.append(ENDED, 0, &[slot], &[]);
    }

    /// A stream is closed: its last event, after which its conn is free.
    pub(crate) fn conn_ended(&mut self, conn: u32) {
        self.unit.has_end = true;
        self.append(CONN_ENDED, 0, &[conn], &[]);
    }

    /// The answer to a poll.
    pub(crate) fn respond(&mut self, slot: u32, request: u32, response: Response<'_>) {
        let Response { payload, is_binary, compress } = response;
        let flags = if compress { RESPOND_COMPRESS } else { 0 }
            | if is_binary { RESPOND_BINARY } else { 0 };
        self.append(RESPOND, flags, &[slot, request, len(payload)], payload);
    }

    /// An upgrade was probed.
    pub(crate) fn upgrading(&mut self, slot: u32, conn: u32) {
        self.append(UPGRADING, 0, &[slot, conn], &[]);
    }

    /// A session has moved to another stream.
    pub(crate) fn upgraded(&mut self, slot: u32, conn: u32) {
        self.append(UPGRADED, 0, &[slot, conn], &[]);
    }

    /// An upgrade came to nothing.
    pub(crate) fn upgrade_failed(&mut self, slot: u32, conn: u32, failure: UpgradeFailure) {
        self.append(UPGRADE_FAILED, failure as u32, &[slot, conn], &[]);
    }

    /// The peer's half of the heartbeat came over WebSocket. For observed sessions.
    pub(crate) fn heartbeat(&mut self, slot: u32) {
        self.append(HEARTBEAT, 0, &[slot], &[]);
    }

    /// A packet came that means nothing to a server. For observed sessions.
    pub(crate) fn control(&mut self, slot: u32, packet_type: PacketType, text: &str) {
        let bytes = text.as_bytes();
        self.unit.has_message = true;
        self.append(CONTROL, packet_type.digit().into(), &[slot, len(bytes)], bytes);
    }

    /// Our half of the heartbeat was sent. For observed sessions.
    pub(crate) fn ping_sent(&mut self, slot: u32) {
        self.append(PING_SENT, 0, &[slot], &[]);
    }

    /// So many more of the units that asked for word were taken.
    pub(crate) fn sent(&mut self, slot: u32, count: u32) {
        self.append(SENT, 0, &[slot, count], &[]);
    }

    /// Bytes for the stream of a byte bridge.
    pub(crate) fn bridge_write(&mut self, conn: u32, bytes: &[u8]) {
        self.append(BRIDGE_WRITE, 0, &[conn, len(bytes)], bytes);
    }

    /// The stream of a byte bridge is to be ended after what was written.
    pub(crate) fn bridge_end(&mut self, conn: u32) {
        self.append(BRIDGE_END, 0, &[conn], &[]);
    }

    /// The stream of a byte bridge is not to be read until [`bridge_resume`](Self::bridge_resume).
    pub(crate) fn bridge_pause(&mut self, conn: u32) {
        self.append(BRIDGE_PAUSE, 0, &[conn], &[]);
    }

    /// The stream of a byte bridge is to be read again.
    pub(crate) fn bridge_resume(&mut self, conn: u32) {
        self.append(BRIDGE_RESUME, 0, &[conn], &[]);
    }

    /// The stream of a byte bridge is to be destroyed at once.
    pub(crate) fn bridge_destroy(&mut self, conn: u32) {
        self.append(BRIDGE_DESTROY, 0, &[conn], &[]);
    }

    /// A frame of the peer that somebody watches.
    pub(crate) fn frame(&mut self, conn: u32, opcode: Opcode, payload: &[u8]) {
        self.append(FRAME, opcode as u32, &[conn, len(payload)], payload);
    }

    /// So many more of the user's own frames that asked for word were taken.
    pub(crate) fn frames_sent(&mut self, conn: u32, count: u32) {
        self.append(FRAMES_SENT, 0, &[conn, count], &[]);
    }

    /// Hands the unit to the queue and gives its number, to be kept for [`closed`](Self::closed) and for
    /// [`EventQueue::drained`] if it had messages. Without any record, or on a closed link, 0.
    pub(crate) fn finish(mut self) -> u64 {
        self.commit()
    }

    fn append(&mut self, kind: u32, flags: u32, numbers: &[u32], bytes: &[u8]) {
        // Nothing is refused for its length: messages are held to MAX_MESSAGE_BYTES, and what the core itself makes is
        // bounded by its outboxes and windows.
        append_record(&mut self.unit.records, kind, flags, numbers, bytes);
    }

    fn commit(&mut self) -> u64 {
        if self.unit.records.is_empty() {
            return 0;
        }
        let number = self.queue.append(&mut self.unit);
        self.unit.records.clear();
        self.unit = Unit { records: std::mem::take(&mut self.unit.records), ..Unit::default() };
        number
    }
}

impl Drop for UnitWriter<'_> {
    /// A step that panics has written whole records only, and what ended before the fault has to be told.
    fn drop(&mut self) {
        self.commit();
        let records = std::mem::take(&mut self.unit.records);
        if records.capacity() <= MAX_SCRATCH_BYTES {
            SCRATCH.set(records);
        }
    }
}

/// Which number comes free after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Slot(u32),
    Conn(u32),
}

impl Ended {
    fn new(mut record: Record<'_>) -> Option<Self> {
        match record.kind {
            ENDED => record.fields.number().map(Self::Slot),
            CONN_ENDED => record.fields.number().map(Self::Conn),
            _ => None,
        }
    }
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

thread_local! {
    /// The buffer of the thread's next writer, so that a unit costs no allocation. A writer inside a writer finds it
    /// taken, and makes its own.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// As much as a read can bring; a larger buffer is not kept.
const MAX_SCRATCH_BYTES: usize = 128 * 1024;

// The kinds, as `lib/events.ts` reads them.
const MESSAGE: u32 = 1;
const CLOSED: u32 = 2;
const ENDED: u32 = 3;
const CONN_ENDED: u32 = 4;
const RESPOND: u32 = 5;
const UPGRADING: u32 = 6;
const UPGRADED: u32 = 7;
const UPGRADE_FAILED: u32 = 8;
const HEARTBEAT: u32 = 9;
const PING_SENT: u32 = 10;
const SENT: u32 = 11;
const BRIDGE_WRITE: u32 = 12;
const BRIDGE_END: u32 = 13;
const BRIDGE_PAUSE: u32 = 14;
const BRIDGE_RESUME: u32 = 15;
const BRIDGE_DESTROY: u32 = 16;
const FRAME: u32 = 17;
const FRAMES_SENT: u32 = 18;
const CONTROL: u32 = 19;

// Flags of MESSAGE.
const MESSAGE_BINARY: u32 = 1;
const MESSAGE_ASCII: u32 = 2;

// Flag of CLOSED.
const CLOSED_AWAITED: u32 = 1;

// Flags of RESPOND.
const RESPOND_COMPRESS: u32 = 1;
const RESPOND_BINARY: u32 = 2;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Drained, EventQueue, UnitWriter};
    use crate::codec::engine_io::PacketType;
    use crate::codec::websocket::Opcode;
    use crate::engine::{CloseReason, Response, UpgradeFailure};
    use crate::server::record::{Records, append_record};

    type Expected = (u32, u32, &'static [u32], &'static [u8]);

    /// Writes one unit and compares all of its bytes.
    fn check(write: impl FnOnce(&mut UnitWriter<'_>), expected: &[Expected]) {
        let queue = EventQueue::new(Box::new(|| {}), Arc::default());
        write(&mut queue.writer());
        let mut bytes = Vec::new();
        for (kind, flags, numbers, tail) in expected {
            assert!(append_record(&mut bytes, *kind, *flags, numbers, tail));
        }
        let mut out = vec![0; bytes.len()];
        assert_eq!(queue.drain(&mut out), Drained::Bytes { written: bytes.len(), more: false });
        assert_eq!(out, bytes);
    }

    #[test]
    fn each_event_has_its_layout() {
        check(
            |unit| {
                unit.text(1, "hi");
                unit.text(1, "h\u{e9}");
                unit.binary(1, &[]);
                let response = Response { payload: b"4hi", is_binary: false, compress: false };
                unit.respond(1, 2, response);
                unit.respond(1, 3, Response { payload: b"6", compress: true, ..response });
                unit.respond(1, 4, Response { is_binary: true, ..response });
                unit.upgrading(1, 2);
                unit.upgraded(1, 2);
                unit.upgrade_failed(1, 2, UpgradeFailure::Closed);
                unit.heartbeat(1);
                unit.ping_sent(1);
                unit.sent(1, 5);
                unit.bridge_write(2, b"bytes");
                unit.bridge_end(2);
                unit.bridge_pause(2);
                unit.bridge_resume(2);
                unit.bridge_destroy(2);
                unit.frame(2, Opcode::Ping, b"hi");
                unit.frames_sent(2, 5);
                unit.control(1, PacketType::Noop, "hi");
                unit.ended(1);
                unit.conn_ended(2);
            },
            &[
                (1, 2, &[1, 2], b"hi"),
                (1, 0, &[1, 3], b"h\xc3\xa9"),
                (1, 1, &[1, 0], b""),
                (5, 0, &[1, 2, 3], b"4hi"),
                (5, 1, &[1, 3, 1], b"6"),
                (5, 2, &[1, 4, 3], b"4hi"),
                (6, 0, &[1, 2], b""),
                (7, 0, &[1, 2], b""),
                (8, 2, &[1, 2], b""),
                (9, 0, &[1], b""),
                (10, 0, &[1], b""),
                (11, 0, &[1, 5], b""),
                (12, 0, &[2, 5], b"bytes"),
                (13, 0, &[2], b""),
                (14, 0, &[2], b""),
                (15, 0, &[2], b""),
                (16, 0, &[2], b""),
                (17, 9, &[2, 2], b"hi"),
                (18, 0, &[2, 5], b""),
                (19, 0x36, &[1, 2], b"hi"),
                (3, 0, &[1], b""),
                (4, 0, &[2], b""),
            ],
        );
        check(
            |unit| unit.closed(1, CloseReason::ParseError, "", 0, false),
            &[(2, 0, &[1, 5, 0], b"")],
        );
        check(
            |unit| unit.closed(1, CloseReason::TransportError, "write error", 0, true),
            &[(2, 1, &[1, 1, 11], b"write error")],
        );
    }

    #[test]
    fn a_writer_inside_a_writer_makes_a_unit_of_its_own() {
        let queue = EventQueue::new(Box::new(|| {}), Arc::default());
        let mut outer = queue.writer();
        outer.text(1, "outer");
        let mut inner = queue.writer();
        inner.ping_sent(2);
        assert_eq!(inner.finish(), 1);
        assert_eq!(outer.finish(), 2);
        let mut out = [0; 100];
        let Drained::Bytes { written, .. } = queue.drain(&mut out) else { panic!("there is room") };
        let kinds: Vec<_> =
            Records::new(&out[..written]).map(|record| record.unwrap().kind).collect();
        assert_eq!(kinds, [10, 1]);
    }
}
