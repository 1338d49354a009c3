//! All that comes down: the commands of one link, decoded in place from the packed buffer that JavaScript filled.
//!
//! The same buffer goes to every shard, and each takes what names its sessions. Only our own library writes commands,
//! so one that cannot be decoded is a fault of ours: its whole buffer is refused, loudly, where it is handed over.

mod decode;
mod survey;

use crate::codec::engine_io::PacketType;
use crate::config::OutboxBudget;
use crate::engine::Frame;
use crate::engine::Watch;
use crate::hub::Target;

pub use crate::server::command::decode::{CommandError, Commands};
pub(in crate::server) use crate::server::command::survey::Survey;
pub use crate::server::record::Ids;

/// One command. Ids are those of `slot`, `conn`, `namespace`, `member` and `room` in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Opens a session.
    Open(Open<'a>),
    /// Sends one message unit to one session.
    Send {
        /// The session.
        slot: u32,
        /// How to send it.
        flags: SendFlags,
        /// What to send.
        parts: Parts<'a>,
    },
    /// Sends one message unit to members of a namespace.
    Broadcast(Broadcast<'a>),
    /// Sends one message unit to the sessions listed.
    Multicast(Multicast<'a>),
    /// Sends one packet that is no message to one session.
    Packet {
        /// The session.
        slot: u32,
        /// What it is for.
        packet_type: PacketType,
        /// How to send it.
        flags: SendFlags,
        /// Its text.
        data: &'a [u8],
    },
    /// Makes a socket reachable by broadcasts.
    MemberAdd {
        /// Where it is a member.
        namespace: u32,
        /// Its number there.
        member: u32,
        /// Its session.
        slot: u32,
    },
    /// Makes a socket unreachable; it has left its rooms.
    MemberRemove {
        /// Where it was a member.
        namespace: u32,
        /// Its number there, free from now on.
        member: u32,
    },
    /// Puts a member into a room.
    Join {
        /// Where both are.
        namespace: u32,
        /// Who joins.
        member: u32,
        /// What is joined.
        room: u32,
    },
    /// Takes a member out of a room.
    Leave {
        /// Where both are.
        namespace: u32,
        /// Who leaves.
        member: u32,
        /// What is left.
        room: u32,
    },
    /// Closes a session.
    Close {
        /// The session.
        slot: u32,
        /// At once, instead of after what is in the outbox.
        discard: bool,
        /// JavaScript has ended it already: no other poll will come for what is left.
        is_over: bool,
    },
    /// A poll waits for packets.
    Poll {
        /// The session.
        slot: u32,
        /// The number under which JavaScript keeps the response.
        request: u32,
    },
    /// A pong came in a POST.
    Pong {
        /// The session.
        slot: u32,
    },
    /// What follows was sent in this turn of the event loop.
    Turn {
        /// Its number: one more than that of the turn before if it follows at once, at least two more otherwise.
        turn: u32,
    },
    /// Asks for events that are seldom wanted.
    Observe {
        /// The session.
        slot: u32,
        /// Whether `HEARTBEAT` and `PING_SENT` are to be posted.
        heartbeat: bool,
    },
    /// Bytes that a byte bridge read from its stream.
    BridgeData {
        /// The bridge.
        conn: u32,
        /// What was read.
        bytes: &'a [u8],
        /// The bridge has stopped reading, and waits for `BRIDGE_RESUME` once this was taken.
        wants_word: bool,
    },
    /// The peer of a byte bridge has ended its half.
    BridgeEof {
        /// The bridge.
        conn: u32,
    },
    /// The stream of a byte bridge has taken bytes.
    BridgeAck {
        /// The bridge.
        conn: u32,
        /// How many of those that `BRIDGE_WRITE` gave it.
        bytes: u32,
    },
    /// Drops a stream at once.
    ConnDestroy {
        /// The stream.
        conn: u32,
    },
    /// Packets other than a pong came in a POST.
    Received {
        /// The session.
        slot: u32,
    },
    /// A frame of the user's own; a close frame begins the closing handshake.
    Frame {
        /// The stream.
        conn: u32,
        /// What to send.
        frame: Frame<'a>,
    },
    /// Replaces the default budget of a session's outbox.
    Budget {
        /// The session.
        slot: u32,
        /// What it has from now on.
        budget: OutboxBudget,
    },
    /// Chooses what is told of a stream, and whether it is read at all.
    Watch {
        /// The stream.
        conn: u32,
        /// The frames to be told of.
        watch: Watch,
        /// Nothing is to be read.
        is_held: bool,
    },
    /// Chooses, for all sessions of the link, whether what JavaScript does not hear of otherwise is told for the log.
    Log {
        /// It is told.
        is_on: bool,
    },
    /// Chooses an option of the socket under a stream.
    Tune {
        /// The stream.
        conn: u32,
        /// What is chosen.
        tuning: Tuning,
    },
    /// The candidate that comes next says by itself how it takes binary messages.
    ExpectCandidate {
        /// The session.
        slot: u32,
        /// Only as base64.
        is_text_only: bool,
    },
    /// All that came before a `CLOSED` that waits for it is dealt with.
    Finish {
        /// The session.
        slot: u32,
    },
}

/// An option of a socket, as Node's `net.Socket` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// Whether small writes leave at once.
    NoDelay(bool),
    /// Whether the kernel looks after a peer that is silent for so many seconds; 0 leaves the time as it is.
    KeepAlive {
        /// It does.
        is_on: bool,
        /// The time.
        idle_s: u32,
    },
}

/// A session to be opened, with its options as they are at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// The session, reserved before.
    pub slot: u32,
    /// It begins on a WebSocket, which is adopted next; else on polling.
    pub is_websocket: bool,
    /// It speaks revision 3 of the Engine.IO protocol; else revision 4.
    pub is_protocol_3: bool,
    /// The client takes binary messages only as base64.
    pub is_text_only: bool,
    /// `pingInterval`.
    pub ping_interval_ms: u32,
    /// `pingTimeout`.
    pub ping_timeout_ms: u32,
    /// `upgradeTimeout`.
    pub upgrade_timeout_ms: u32,
    /// `maxHttpBufferSize` in bytes; `None` is no limit.
    pub max_payload: Option<u32>,
    /// The JSON of the open packet.
    pub handshake: &'a [u8],
}

/// A message unit for members of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast<'a> {
    /// Where they are members.
    pub namespace: u32,
    /// Which of them.
    pub target: Target<Ids<'a>>,
    /// How to send it.
    pub flags: SendFlags,
    /// What to send.
    pub parts: Parts<'a>,
}

/// A message unit for the sessions listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multicast<'a> {
    /// The sessions.
    pub slots: Ids<'a>,
    /// How to send it.
    pub flags: SendFlags,
    /// What to send.
    pub parts: Parts<'a>,
}

/// How a message unit is to be sent.
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of its own in the record")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendFlags {
    /// Drop it rather than let it wait.
    pub volatile: bool,
    /// A transport that can compress may.
    pub compress: bool,
    /// Post `SENT` once it is taken.
    pub notify: bool,
    /// It may be dropped where the oldest have to make room for the newest.
    pub expendable: bool,
    /// What is sent next goes into the same payload of polling.
    pub followed: bool,
}

/// One part of a message unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A text message. It came out of a JavaScript string, so it is UTF-8.
    Text(&'a [u8]),
    /// A binary message.
    Binary(&'a [u8]),
}

/// The parts of one message unit, a packet and its attachments: one or more, and all of their bytes are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    lengths: Ids<'a>,
    bytes: &'a [u8],
}

impl Parts<'_> {
    /// How many bytes all parts have together.
    pub const fn byte_count(&self) -> usize {
        self.bytes.len()
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let length = self.lengths.next()?;
        let (part, rest) = self.bytes.split_at_checked((length & !BINARY_PART) as usize)?;
        self.bytes = rest;
        Some(if length & BINARY_PART == 0 { Part::Text(part) } else { Part::Binary(part) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.lengths.size_hint()
    }
}

impl ExactSizeIterator for Parts<'_> {}

/// In the length of a part: it is binary.
const BINARY_PART: u32 = 1 << 31;
