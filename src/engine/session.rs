//! The state machine of one session, from the open packet to its end.
//!
//! It is stepped by whoever drives it: with input, commands, the ends of its streams, and the time. Each step may leave
//! output in the outbox of its transport and of its candidate, and may end the session; the driver looks after both.
//!
//! ```text
//!                    close() on polling, no GET waits
//!     Open ────────────────────────────────────────────▶ Closing
//!       │ │                                                │  the next GET, 30 s, or whatever ends an open session
//!       │ │ close(), the peer's close, a transport error,  │
//!       │ │ a parse error, ping timeout                    │
//!       │ └───────────────────▶ Closed ◀───────────────────┘
//!       │                         ▲
//!       │ the peer's doing, with  │  finish(), close(), the stream is lost, 30 s
//!       │ the owner behind        │
//!       └───────────────────▶ Ending
//! ```
//!
//! A session that is ending has said so to its owner, and takes what the owner still answers to messages from before: with
//! Engine.IO, where one thread reads and listens, such an answer is written before the end is even seen.

mod budget;
mod candidate;
mod endings;
mod receive;

use std::borrow::Cow;

use bytes::Bytes;

use crate::codec::engine_io::BinaryForm;
use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Deflater;
use crate::config::Config;
use crate::config::Protocol;
use crate::engine::CloseReason;
use crate::engine::Events;
use crate::engine::heartbeat::Due;
use crate::engine::heartbeat::Heartbeat;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Loss;
use crate::engine::pace::Pace;
use crate::engine::packet::binary_form;
use crate::engine::session::budget::is_noteworthy;
use crate::engine::transport::Framing;
use crate::engine::transport::Polling;
use crate::engine::transport::Transport;
use crate::engine::transport::WebSocket;
use crate::engine::transport::answer;
use crate::engine::upgrade::Upgrade;

/// One Engine.IO client.
#[derive(Debug)]
pub struct Session {
    slot: u32,
    /// Whose session it is: a number of the driver's own.
    owner: u32,
    /// When its transport is free for volatile messages, in turns of the owner.
    pace: Pace,
    /// Somebody listens to the heartbeat.
    is_observed: bool,
    /// Somebody was told that bytes wait.
    has_pending: bool,
    /// The heartbeat, and the messages of its streams as they came, are told for the log.
    is_logged: bool,
    /// Whether the candidate that comes next takes binary messages as they are, if its request has said so.
    expected_binary: Option<bool>,
    state: State,
    config: Config,
    heartbeat: Heartbeat,
    transport: Transport,
    upgrade: Option<Box<Upgrade>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Its WebSocket is parting, and its owner knows.
    Ending {
        deadline: u64,
    },
    /// Closed by us; the next GET is to be told.
    Closing {
        deadline: u64,
    },
    Closed,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The peer ended its half.
    Eof,
    /// It was reset, or dropped by order of its owner.
    Broken,
    /// It refused our bytes for good.
    WriteFailed,
}

/// Why a session ends, as `close` tells it.
struct End {
    reason: CloseReason,
    description: Cow<'static, str>,
}

impl End {
    fn new(reason: CloseReason, description: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, description: description.into() }
    }
}

impl Session {
    /// Opens a session; `handshake` is the JSON of its open packet, the first thing in its outbox; empty if its owner has sent that.
    pub fn open(
        slot: u32,
        owner: u32,
        config: Config,
        is_websocket: bool,
        handshake: &[u8],
        now: u64,
    ) -> Self {
        let mut transport = if is_websocket {
            Transport::WebSocket(WebSocket::awaited(config.max_message_bytes))
        } else {
            Transport::Polling(Polling::default())
        };
        if !handshake.is_empty() {
            transport.outbox_mut().push(Entry::packet(PacketType::Open, handshake).first(true));
        }
        Self {
            slot,
            owner,
            pace: Pace::default(),
            is_observed: false,
            has_pending: false,
            is_logged: false,
            expected_binary: None,
            state: State::Open,
            config,
            heartbeat: Heartbeat::new(&config, now),
            transport,
            upgrade: None,
        }
    }

    /// Its slot.
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// Whose session it is.
    pub const fn owner(&self) -> u32 {
        self.owner
    }

    /// Whether it has ended, so that its registry should forget it.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// When to call [`tick`](Self::tick) next.
    pub fn next_deadline(&self) -> u64 {
        let mut deadline = self.heartbeat.deadline();
        match self.state {
            State::Ending { deadline } => return deadline,
            State::Closing { deadline: closing } => deadline = deadline.min(closing),
            State::Open | State::Closed => {}
        }
        if let Some(stalled) = self.stall_deadline() {
            deadline = deadline.min(stalled);
        }
        self.upgrade.as_ref().map_or(deadline, |upgrade| deadline.min(upgrade.next_deadline()))
    }

    /// The stream of its transport.
    pub const fn conn(&self) -> Option<u32> {
        match &self.transport {
            Transport::Polling(_) => None,
            Transport::WebSocket(websocket) => websocket.conn(),
        }
    }

    /// The stream of its candidate.
    pub fn candidate(&self) -> Option<u32> {
        self.upgrade.as_ref().and_then(|upgrade| upgrade.websocket.conn())
    }

    /// Its WebSocket on this stream, the current one or the candidate.
    pub fn websocket_mut(&mut self, conn: u32) -> Option<&mut WebSocket> {
        match (&mut self.transport, &mut self.upgrade) {
            (Transport::WebSocket(websocket), _) if websocket.conn() == Some(conn) => {
                Some(websocket)
            }
            (_, Some(upgrade)) if upgrade.websocket.conn() == Some(conn) => {
                Some(&mut upgrade.websocket)
            }
            _ => None,
        }
    }

    /// Gives a session that was opened for a WebSocket its stream; false if it is not one that waits for it.
    pub fn attach(&mut self, conn: u32, response: Bytes) -> bool {
        match &mut self.transport {
            Transport::WebSocket(websocket)
                if websocket.conn().is_none() && self.state == State::Open =>
            {
                websocket.attach(conn, response);
                true
            }
            _ => false,
        }
    }

    /// The packets on its stream `conn` are framed so, from its first byte on.
    pub fn frame(&mut self, conn: u32, framing: Framing) {
        let max_message_bytes = self.config.max_message_bytes;
        if let Some(websocket) = self.websocket_mut(conn) {
            websocket.frame(framing, max_message_bytes);
        }
    }

    /// Chooses whether the heartbeat is told.
    pub const fn observe(&mut self, is_observed: bool) {
        self.is_observed = is_observed;
    }

    /// Chooses whether what JavaScript does not hear of otherwise is told for the log: the heartbeat, and the messages
    /// of its streams as they came. A stream that comes later has to be told of it again.
    pub fn log(&mut self, is_logged: bool) {
        self.is_logged = is_logged;
        if let Transport::WebSocket(websocket) = &mut self.transport {
            websocket.log(is_logged);
        }
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.websocket.log(is_logged);
        }
    }

    /// Whether the heartbeat is told.
    const fn tells_heartbeat(&self) -> bool {
        self.is_observed || self.is_logged
    }

    /// Puts a message into the outbox, unless the session is not open, or the message is volatile and would have to
    /// wait. Returns whether it has to be flushed, which is once for all that is sent between two flushes, and whenever more waits than
    /// may.
    ///
    /// A second volatile message in a turn is dropped because a transport of Engine.IO is not writable again before
    /// the turn ends, however fast the stream takes the first. `packets` are the text and its attachments.
    ///
    /// `entry` makes it in the form that the client takes, and for the deflater of the session's WebSocket if there is one.
    pub fn send(
        &mut self,
        turn: u32,
        packets: usize,
        is_volatile: bool,
        entry: impl FnOnce(BinaryForm, Option<&mut Deflater>) -> Entry,
    ) -> bool {
        if !matches!(self.state, State::Open | State::Ending { .. })
            || is_volatile && (self.pace.is_busy(turn) || !self.transport.is_writable())
        {
            return false;
        }
        let follows = self.pace.waiting(turn) > 0;
        let is_first = self.pace.send(turn, packets);
        let can_flush = match &self.transport {
            Transport::Polling(polling) => polling.has_request(),
            Transport::WebSocket(websocket) => websocket.conn().is_some() && !websocket.is_blocked,
        };
        let mut entry = entry(binary_form(&self.config), self.transport.deflater_mut());
        if self.transport.deflater_mut().is_some_and(|deflater| deflater.has_context()) {
            entry = entry.with_loss(Loss::Forbidden);
        }
        let is_blocked = self.transport.is_held_up();
        let outbox = self.transport.outbox_mut();
        let (was_empty, before) = (outbox.is_empty(), outbox.weight());
        outbox.push(entry.first(is_first));
        if is_blocked && follows {
            outbox.extend_batch();
        }
        if can_flush {
            return was_empty;
        }
        is_noteworthy(before, outbox.weight(), self.config.outbox.limit())
    }

    /// The session was opened in this turn: its open packet is under way.
    pub const fn opened_in(&mut self, turn: u32) {
        self.pace.send(turn, 1);
    }

    /// Drops what `writeBuffer` of Engine.IO would hold in this turn. On polling `close` does so itself.
    pub fn drop_waiting(&mut self, turn: u32) {
        if let Transport::WebSocket(websocket) = &mut self.transport {
            let sent = self.pace.waiting(turn) as usize;
            websocket.outbox.drop_waiting(websocket.is_blocked, sent);
        }
    }

    /// Shows what `writeBuffer` of Engine.IO would hold in this turn, as far as it is still here, and has word given when
    /// it is taken. Returns how many entries before it word will be given of, and how many it is.
    pub fn survey_waiting(&mut self, turn: u32, each: impl FnMut(&Entry)) -> (u32, u32) {
        match &mut self.transport {
            Transport::Polling(polling) if polling.has_request() => (0, 0),
            Transport::Polling(polling) => polling.outbox.survey(true, usize::MAX, each),
            Transport::WebSocket(websocket) => {
                let sent = self.pace.waiting(turn) as usize;
                websocket.outbox.survey(websocket.is_blocked, sent, each)
            }
        }
    }

    /// Whether messages are compressed on their way into the outbox.
    pub const fn compresses(&self) -> bool {
        match &self.transport {
            Transport::Polling(_) => false,
            Transport::WebSocket(websocket) => websocket.compresses(),
        }
    }

    /// Answers the GET that waits with what is in the outbox. Does nothing on a WebSocket, which its driver writes to.
    pub fn flush_polling(&mut self, events: &mut impl Events) {
        if let Transport::Polling(polling) = &mut self.transport {
            polling.flush(self.slot, self.config.protocol, events);
        }
    }

    /// A GET waits from now on.
    pub fn poll(&mut self, request: u32, now: u64, events: &mut impl Events) {
        let Transport::Polling(polling) = &mut self.transport else {
            // It was on its way when the session moved, so it fares as one that waited.
            answer(self.slot, request, self.config.protocol, &[PacketType::Close], events);
            return;
        };
        // What was sent in this round belongs to the GET that waited then, and would leave it unanswered with this one.
        polling.flush(self.slot, self.config.protocol, events);
        polling.park(request);
        if !polling.outbox.is_empty() {
            polling.flush_all(self.slot, self.config.protocol, events);
        } else if matches!(self.state, State::Closing { .. }) {
            // What Engine.IO answers to the GET that comes after `close()`.
            let packets = [PacketType::Noop, PacketType::Close];
            polling.answer(self.slot, self.config.protocol, &packets, events);
            self.end(&End::new(CloseReason::ForcedClose, ""), now, events);
        }
    }

    /// The peer's half of the heartbeat came in a POST: a pong, or in protocol 3 a ping.
    pub fn heartbeat_received(&mut self, now: u64) {
        if self.state != State::Open {
            return;
        }
        match self.config.protocol {
            Protocol::V4 => self.heartbeat.pong_received(now),
            Protocol::V3 => {
                self.heartbeat.ping_received(now);
                match &mut self.transport {
                    Transport::Polling(polling) => polling.push_pong(),
                    Transport::WebSocket(websocket) => {
                        websocket.push_pong(Entry::packet(PacketType::Pong, b""));
                    }
                }
            }
        }
    }

    /// Any other packet came in a POST.
    pub fn packet_received(&mut self, now: u64) {
        if self.state == State::Open {
            self.heartbeat.packet_received(now);
        }
    }

    /// Until this time nobody may have listened to the peer, nor carried anything to it.
    pub fn unheard_until(&mut self, heard_at: u64) {
        self.transport.outbox_mut().excuse(heard_at);
        self.heartbeat.unheard_until(heard_at);
    }

    /// Does what is due at this time.
    pub fn tick(&mut self, now: u64, events: &mut impl Events) {
        match self.state {
            State::Closed => return,
            State::Ending { deadline } if now < deadline => return,
            State::Ending { .. } => return self.finish(now, events),
            State::Closing { deadline } if deadline <= now => {
                return self.end(&End::new(CloseReason::ForcedClose, ""), now, events);
            }
            State::Open | State::Closing { .. } => {}
        }
        if self.is_stalled(now) {
            return self.end_stalled(now, events);
        }
        match self.heartbeat.tick(now) {
            Due::Nothing => {}
            Due::Timeout => return self.end(&End::new(CloseReason::PingTimeout, ""), now, events),
            // A closing session sends nothing, but the pong is due all the same, as in Engine.IO.
            Due::Ping if self.state != State::Open => {}
            Due::Ping => {
                self.transport.outbox_mut().push(Entry::packet(PacketType::Ping, b""));
                if self.tells_heartbeat() {
                    events.ping_sent(self.slot);
                }
                if matches!(&self.transport, Transport::Polling(polling) if !polling.has_request())
                {
                    // Says nothing, but whether it is taken says whether anybody listens for the pong.
                    events.sent(self.slot, 0);
                }
                self.flush_polling(events);
            }
        }
        self.tick_upgrade(now, events);
    }
}

#[cfg(test)]
mod tests;
