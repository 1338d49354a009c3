//! An upgrade: the WebSocket that a session on polling may move to.
//!
//! ```text
//!                 "2probe": answer "3probe"              "5"
//!     Connected ────────────────────────────▶ Probing ────────▶ the session's transport
//!         │                                     │  every 100 ms a GET that waits is set free
//!         └──────────── "5" at once ────────────┴── anything else, its end, the deadline: failed
//! ```

use bytes::Bytes;

use crate::codec::engine_io::Packet;
use crate::codec::engine_io::PacketData;
use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Input;
use crate::config::Protocol;
use crate::engine::Events;
use crate::engine::UpgradeFailure;
use crate::engine::outbox::Entry;
use crate::engine::packet::decode_binary;
use crate::engine::packet::decode_text;
use crate::engine::transport::Received;
use crate::engine::transport::WebSocket;

/// A WebSocket that has not become its session's transport yet.
#[derive(Debug)]
pub(crate) struct Upgrade {
    /// The candidate.
    pub(crate) websocket: WebSocket,
    /// Whether binary messages go out over it as they are.
    pub(crate) supports_binary: bool,
    /// When the candidate is given up, probed or not.
    deadline: u64,
    /// Once probed: when a GET that waits is set free next.
    noop_at: Option<u64>,
}

/// What a stretch of input from the candidate means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing more: the input is used up.
    Nothing,
    /// Something that concerns the stream alone.
    Control,
    /// A probe; its answer is in the candidate's outbox.
    Probed,
    /// The session is to move now.
    Switch,
    /// The candidate is to be closed.
    Failed(UpgradeFailure),
}

impl Upgrade {
    /// An upgrade over the stream `conn`, which begins with the 101 `response`.
    pub(crate) fn new(
        conn: u32,
        response: Bytes,
        max_message_bytes: Option<u32>,
        supports_binary: bool,
        deadline: u64,
    ) -> Self {
        let mut websocket = WebSocket::awaited(max_message_bytes);
        websocket.attach(conn, response);
        Self { websocket, supports_binary, deadline, noop_at: None }
    }

    /// Decodes up to the next thing that matters. Call it until there is [`Step::Nothing`].
    pub(crate) fn receive(
        &mut self,
        input: &mut Input<'_>,
        protocol: Protocol,
        now: u64,
        events: &mut impl Events,
    ) -> Step {
        let packet = match self.websocket.receive(input, events) {
            Received::Nothing => return Step::Nothing,
            Received::Control => return Step::Control,
            Received::Text(text) => decode_text(protocol, text),
            Received::Binary(bytes) => Ok(decode_binary(protocol, bytes)),
            Received::Closed | Received::Failed(_) => return Step::Failed(UpgradeFailure::Closed),
            Received::Malformed => return Step::Failed(UpgradeFailure::Unexpected),
        };
        match packet {
            Ok(Packet { packet_type: PacketType::Ping, data: PacketData::Text(PROBE) }) => {
                // A client probes once. One that goes on and does not read would grow the outbox, and be told of each time.
                if self.websocket.is_blocked && self.websocket.outbox.bytes() > MAX_BLOCKED_BYTES {
                    return Step::Control;
                }
                self.websocket.outbox.push(Entry::packet(PacketType::Pong, PROBE.as_bytes()));
                self.noop_at = Some(now);
                Step::Probed
            }
            Ok(Packet { packet_type: PacketType::Upgrade, .. }) => Step::Switch,
            _ => Step::Failed(UpgradeFailure::Unexpected),
        }
    }

    /// Whether a GET that waits is to be set free now. Engine.IO waits 100 ms before the first time too; the protocol
    /// does not ask for that, and it is most of the time that an upgrade takes.
    pub(crate) fn is_noop_due(&mut self, now: u64) -> bool {
        let is_due = self.noop_at.is_some_and(|noop_at| noop_at <= now);
        if is_due {
            self.noop_at = Some(now.saturating_add(NOOP_INTERVAL_MS));
        }
        is_due
    }

    /// Whether the candidate has had its time.
    pub(crate) const fn is_over(&self, now: u64) -> bool {
        self.deadline <= now
    }

    /// When to look at it next.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.noop_at.map_or(self.deadline, |noop_at| noop_at.min(self.deadline))
    }
}

/// What the client sends to see whether the path is open, after the packet type.
const PROBE: &str = "probe";

/// What a candidate's stream may be behind with before probes are left unanswered: many answers.
const MAX_BLOCKED_BYTES: usize = 1024;

/// The pause that Engine.IO makes between two noops.
const NOOP_INTERVAL_MS: u64 = 100;
