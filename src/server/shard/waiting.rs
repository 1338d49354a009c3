//! What JavaScript asks a shard and waits for: what waits to be written for one session.
//!
//! It is asked when somebody first looks at `writeBuffer` of a session whose peer does not read, or does not poll. The
//! answer is packed as events are: two numbers, then one record for each packet.

use std::sync::Arc;
use std::sync::mpsc;

use crate::codec::websocket::Opcode;
use crate::codec::websocket::ServerFrames;
use crate::engine::Entry;
use crate::server::link::Link;
use crate::server::record::append_record;
use crate::server::shard::Inbox;
use crate::server::shard::Shard;

/// The question.
pub(crate) struct WaitingQuery {
    /// Who asks.
    pub(crate) link: Arc<Link>,
    /// The turn of its event loop.
    pub(crate) turn: u32,
    /// The session.
    pub(crate) slot: u32,
    /// Where the answer goes.
    pub(crate) answer: mpsc::Sender<Vec<u8>>,
}

impl Inbox {
    /// Answers at once, if the shard has nothing else to do. False if it has: then it has to be sent the question.
    pub(crate) fn answer_inline(&self, query: &WaitingQuery) -> bool {
        let mut is_answered = false;
        self.inline(&query.link, |shard| {
            shard.answer(query);
            is_answered = true;
            true
        });
        is_answered
    }
}

impl Shard {
    /// Answers with what waits now, and has word given when it is taken.
    pub(super) fn answer(&mut self, query: &WaitingQuery) {
        let owner = self.owner_of(&query.link);
        let mut records = Vec::new();
        let (before, waiting) = match self.registry.session_mut(query.slot) {
            Some(session) if session.owner() == owner => {
                session.survey_waiting(query.turn, |entry| append_packets(&mut records, entry))
            }
            _ => (0, 0),
        };
        let mut answer = Vec::with_capacity(2 * size_of::<u32>() + records.len());
        answer.extend_from_slice(&before.to_le_bytes());
        answer.extend_from_slice(&waiting.to_le_bytes());
        answer.append(&mut records);
        // Who asked may have given up waiting.
        let _ = query.answer.send(answer);
    }
}

/// Appends the packets of an entry, as they stand on the wire.
fn append_packets(records: &mut Vec<u8>, entry: &Entry) {
    let compress = if entry.compress() { PACKET_COMPRESS } else { 0 };
    for (opcode, payload) in ServerFrames::new(entry.frames()) {
        let kind = match opcode {
            Opcode::Text => 0,
            Opcode::Binary => PACKET_BINARY,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => continue,
        };
        // Nobody reads back what was compressed: it may refer to all that was sent before.
        let (unknown, payload) =
            if entry.is_deflated() { (PACKET_UNKNOWN, &[][..]) } else { (0, payload) };
        let Ok(len) = u32::try_from(payload.len()) else { continue };
        append_record(records, PACKET, kind | compress | unknown, &[len], payload);
    }
}

// The records of the answer, as `lib/engine/waiting-packets.ts` reads them.
const PACKET: u32 = 1;

// Flags of PACKET.
const PACKET_BINARY: u32 = 1;
const PACKET_COMPRESS: u32 = 2;
const PACKET_UNKNOWN: u32 = 4;
