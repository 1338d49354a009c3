//! What must come of each step, in the words of the protocol: no streams, no frames, no outbox.
//!
//! It knows three things: which packets the client is still to get, when silence counts as an end, and what the owner is to be
//! told next. Wherever the real thing is free, as in how much leaves in one write, the model does not say anything.

use std::mem;

use sio::codec::engine_io::PacketType;
use sio::config::{Config, OutboxPolicy, Protocol};
use sio::engine::{CloseReason, Loss, UpgradeFailure};

use super::client::{Received, Saying};
use super::outgoing::{MayBeLost, Outgoing};

/// What the owner is told, but for word of what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Message {
        bytes: Vec<u8>,
        is_binary: bool,
    },
    Closed {
        reason: CloseReason,
        is_awaited: bool,
    },
    /// A GET is answered with these, and they carry nothing.
    Bare(u32, Vec<PacketType>),
    /// A GET is answered with so many units of what waits.
    Content(u32, usize),
    Upgrading(u32),
    Upgraded(u32),
    UpgradeFailed(u32, UpgradeFailure),
    Heartbeat,
    Control(PacketType),
    PingSent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The client is gone, and its owner is still to say so.
    Ending {
        until: u64,
    },
    /// Closed on polling; the next GET is to be told.
    Closing {
        until: u64,
    },
    Closed,
}

#[derive(Debug)]
struct Candidate {
    conn: u32,
    until: u64,
    noop_at: Option<u64>,
}

#[derive(Debug)]
enum Carrier {
    Polling { get: Option<u32> },
    WebSocket { conn: Option<u32> },
}

/// When silence counts.
#[derive(Debug)]
enum Heart {
    PingAt(u64),
    PongUntil { until: u64, is_extended: bool },
    PingUntil(u64),
}

#[derive(Debug)]
pub(super) struct Model {
    config: Config,
    phase: Phase,
    carrier: Carrier,
    candidate: Option<Candidate>,
    heart: Heart,
    /// What the client is still to get.
    pub(super) outgoing: Outgoing,
    /// The turn of the last message, and whether one waited for its end.
    last_turn: Option<(u32, bool)>,
    pub(super) is_owner_behind: bool,
    pub(super) is_observed: bool,
    pub(super) is_logged: bool,
    /// What streams had to carry besides packets: opening handshakes, pong frames.
    beside: usize,
    /// Pongs since a GET took something.
    pongs: u32,
    told: Vec<Told>,
}

impl Model {
    pub(super) fn new(config: Config, is_websocket: bool, handshake: &[u8]) -> Self {
        let carrier = if is_websocket {
            Carrier::WebSocket { conn: None }
        } else {
            Carrier::Polling { get: None }
        };
        let mut model = Self {
            config,
            phase: Phase::Open,
            carrier,
            candidate: None,
            heart: Heart::PingAt(0),
            outgoing: Outgoing::default(),
            last_turn: None,
            is_owner_behind: false,
            is_observed: false,
            is_logged: false,
            beside: 0,
            pongs: 0,
            told: Vec::new(),
        };
        model.heard(0);
        model.outgoing.push(
            vec![Received::text(PacketType::Open, handshake)],
            MayBeLost::Never,
            false,
        );
        model
    }

    /// What the owner must have been told since the last time.
    pub(super) fn take_told(&mut self) -> Vec<Told> {
        mem::take(&mut self.told)
    }

    pub(super) fn conn(&self) -> Option<u32> {
        match self.carrier {
            Carrier::Polling { .. } => None,
            Carrier::WebSocket { conn } => conn,
        }
    }

    pub(super) fn candidate(&self) -> Option<u32> {
        self.candidate.as_ref().map(|candidate| candidate.conn)
    }

    pub(super) fn is_polling(&self) -> bool {
        matches!(self.carrier, Carrier::Polling { .. })
    }

    pub(super) fn get(&self) -> Option<u32> {
        match self.carrier {
            Carrier::Polling { get } => get,
            Carrier::WebSocket { .. } => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// At least what the budget counts.
    pub(super) fn greatest_weight(&self) -> usize {
        self.outgoing.greatest_weight() + self.beside * 80
    }

    /// A GET was answered with these: so many units, or all that there are.
    pub(super) fn answered(&mut self, packets: &[Received], units: usize) {
        self.pongs = 0;
        self.outgoing.answered(packets, units);
    }

    // What the owner does.

    /// Whether a message is taken: a volatile one only if it leaves at once.
    pub(super) fn takes(&self, is_volatile: bool, turn: u32, is_blocked: bool) -> bool {
        let leaves = || {
            !self.is_busy(turn)
                && match self.carrier {
                    Carrier::WebSocket { .. } => !is_blocked,
                    Carrier::Polling { get } => get.is_some() && self.outgoing.is_empty(),
                }
        };
        (self.is_open() || self.is_ending()) && (!is_volatile || leaves())
    }

    fn is_busy(&self, turn: u32) -> bool {
        self.last_turn.is_some_and(|(last, waits)| turn == last || waits && turn == last + 1)
    }

    pub(super) fn sent(&mut self, turn: u32, packets: Vec<Received>, loss: Loss, notify: bool) {
        self.last_turn = Some((turn, self.is_busy(turn) || packets.len() > 1));
        let is_droppable = self.config.outbox.max_bytes.is_some()
            && match self.config.outbox.policy {
                OutboxPolicy::DropOldest => loss != Loss::Forbidden,
                OutboxPolicy::DropVolatile => loss == Loss::Expected,
                OutboxPolicy::Stalled | OutboxPolicy::Disconnect => false,
            };
        let may_be_lost = if is_droppable { MayBeLost::ByPolicy } else { MayBeLost::Never };
        self.outgoing.push(packets, may_be_lost, notify);
    }

    /// A GET that waits is answered if there is something for it.
    pub(super) fn flush(&mut self) {
        if let Carrier::Polling { get } = &mut self.carrier
            && !self.outgoing.is_empty()
            && let Some(request) = get.take()
        {
            self.told.push(Told::Content(request, 1));
        }
    }

    pub(super) fn polled(&mut self, request: u32) {
        let Carrier::Polling { get } = &mut self.carrier else {
            self.told.push(Told::Bare(request, vec![PacketType::Close]));
            return;
        };
        if !self.outgoing.is_empty() {
            self.told.push(Told::Content(request, usize::MAX));
        } else if matches!(self.phase, Phase::Closing { .. }) {
            self.told.push(Told::Bare(request, vec![PacketType::Noop, PacketType::Close]));
            self.end(CloseReason::ForcedClose);
        } else {
            *get = Some(request);
        }
    }

    /// Packets came in a POST: the client's half of the heartbeat, or something else.
    pub(super) fn posted(&mut self, is_heartbeat: bool, now: u64) {
        if self.is_open() {
            if is_heartbeat {
                self.heartbeat(now);
            } else {
                self.heard_something(now);
            }
        }
    }

    pub(super) fn attached(&mut self, conn: u32) -> bool {
        self.beside += 1;
        match &mut self.carrier {
            Carrier::WebSocket { conn: own @ None } if self.phase == Phase::Open => {
                *own = Some(conn);
                true
            }
            _ => false,
        }
    }

    pub(super) fn candidate_attached(&mut self, conn: u32, now: u64) -> bool {
        self.beside += 1;
        let is_there = self.is_open() || matches!(self.phase, Phase::Closing { .. });
        let can_move = is_there && self.is_polling() && self.candidate.is_none();
        if can_move {
            let until = now + u64::from(self.config.upgrade_timeout_ms);
            self.candidate = Some(Candidate { conn, until, noop_at: None });
        }
        can_move
    }

    pub(super) fn closed_by_owner(&mut self, discard: bool, now: u64) {
        match (self.phase, &mut self.carrier) {
            (_, Carrier::Polling { get }) if discard => {
                // A GET that waits is the owner's again.
                *get = None;
                self.outgoing.cut();
            }
            (Phase::Open | Phase::Ending { .. }, Carrier::WebSocket { .. }) => {
                if discard {
                    self.outgoing.cut();
                }
            }
            (Phase::Open, Carrier::Polling { get }) => match get.take() {
                Some(request) if self.outgoing.is_empty() => {
                    self.told.push(Told::Bare(request, vec![PacketType::Close]));
                }
                request => {
                    self.phase = Phase::Closing { until: now + CLOSE_TIMEOUT_MS };
                    self.told.extend(request.map(|request| Told::Content(request, 1)));
                    return;
                }
            },
            _ => return,
        }
        self.end(CloseReason::ForcedClose);
    }

    pub(super) fn finished(&mut self) {
        if self.is_ending() {
            self.end(CloseReason::TransportClose);
        }
    }

    /// The user closes one of the streams.
    pub(super) fn stream_closed(&mut self, conn: u32) {
        if self.candidate() == Some(conn) {
            self.candidate_failed(UpgradeFailure::Closed);
        } else if self.conn() == Some(conn) {
            self.end(CloseReason::TransportClose);
        }
    }

    // What the client does.

    /// The client's half of one of the streams ended.
    pub(super) fn stream_ended(&mut self, conn: u32, now: u64) {
        if self.candidate() == Some(conn) {
            self.candidate_failed(UpgradeFailure::Closed);
        } else if self.conn() == Some(conn) {
            self.end_in_turn(CloseReason::TransportClose, now);
        }
    }

    /// One of the streams broke, or does not take our bytes.
    pub(super) fn stream_broke(&mut self, conn: u32, is_write_failure: bool) {
        if self.candidate() == Some(conn) {
            self.candidate_failed(UpgradeFailure::Closed);
        } else if self.conn() == Some(conn) {
            self.outgoing.cut();
            self.end(if is_write_failure {
                CloseReason::TransportError
            } else {
                CloseReason::TransportClose
            });
        }
    }

    /// A stream that the session has let go broke.
    pub(super) fn stream_lost(&mut self, was_transport: bool) {
        if was_transport {
            self.outgoing.cut();
        }
    }

    /// It says something over a stream.
    pub(super) fn said(&mut self, conn: u32, saying: Saying, number: u8, now: u64) {
        // Each may be answered with a pong.
        self.beside += 1;
        if self.candidate() == Some(conn) {
            self.candidate_said(saying, now);
        } else if self.conn() == Some(conn) && self.is_open() {
            self.transport_said(saying, number, now);
        }
    }

    fn candidate_said(&mut self, saying: Saying, now: u64) {
        let Some(candidate) = &mut self.candidate else { return };
        match saying {
            Saying::FramePing | Saying::FramePong => {}
            Saying::FrameClose | Saying::BadFrame => self.candidate_failed(UpgradeFailure::Closed),
            Saying::Probe => {
                candidate.noop_at = Some(now);
                self.told.push(Told::Upgrading(candidate.conn));
                self.upgrade_is_due(now);
            }
            Saying::Switch => self.switched(now),
            _ => self.candidate_failed(UpgradeFailure::Unexpected),
        }
    }

    fn switched(&mut self, now: u64) {
        let Some(candidate) = self.candidate.take() else { return };
        if let Some(request) = self.get() {
            self.told.push(Told::Bare(request, vec![PacketType::Close]));
        }
        self.carrier = Carrier::WebSocket { conn: Some(candidate.conn) };
        if let Heart::PongUntil { until, .. } = &mut self.heart {
            *until = now + u64::from(self.config.ping_timeout_ms);
        }
        self.told.push(Told::Upgraded(candidate.conn));
        if !self.is_open() {
            self.end(CloseReason::ForcedClose);
        }
    }

    fn candidate_failed(&mut self, failure: UpgradeFailure) {
        if let Some(candidate) = self.candidate.take() {
            self.told.push(Told::UpgradeFailed(candidate.conn, failure));
        }
    }

    fn transport_said(&mut self, saying: Saying, number: u8, now: u64) {
        match (saying, self.config.protocol) {
            (Saying::Message | Saying::Binary | Saying::Fragments, protocol) => {
                let (bytes, is_binary) = saying.message(protocol, number);
                self.told.push(Told::Message { bytes, is_binary });
                self.heard_something(now);
            }
            (Saying::Pong, Protocol::V4) | (Saying::Ping | Saying::Probe, Protocol::V3) => {
                self.heartbeat(now);
                if self.is_observed || self.is_logged {
                    self.told.push(Told::Heartbeat);
                }
            }
            (Saying::Pong | Saying::Ping | Saying::Probe, _) => {
                self.end_in_turn(CloseReason::TransportError, now);
            }
            (Saying::Idle | Saying::Switch, _) => {
                let packet_type =
                    if saying == Saying::Idle { PacketType::Noop } else { PacketType::Upgrade };
                self.heard_something(now);
                if self.is_observed {
                    self.told.push(Told::Control(packet_type));
                }
            }
            (Saying::NoPacket, _) => self.end_in_turn(CloseReason::ParseError, now),
            (Saying::FramePing | Saying::FramePong, _) => {}
            (Saying::FrameClose, _) => self.end_in_turn(CloseReason::TransportClose, now),
            (Saying::BadFrame, _) => self.end_in_turn(CloseReason::TransportError, now),
        }
    }

    // Time.

    /// The client's half of the heartbeat came.
    fn heartbeat(&mut self, now: u64) {
        self.heard(now);
        if self.config.protocol == Protocol::V3 {
            let may_be_lost = if self.is_polling() {
                if self.pongs == MAX_POLLED_PONGS {
                    return;
                }
                self.pongs += 1;
                MayBeLost::Never
            } else {
                MayBeLost::Always
            };
            self.outgoing.push(vec![Received::text(PacketType::Pong, b"")], may_be_lost, false);
        }
    }

    fn heard(&mut self, now: u64) {
        let interval = now + u64::from(self.config.ping_interval_ms);
        self.heart = match self.config.protocol {
            Protocol::V4 => Heart::PingAt(interval.div_ceil(PING_GRID_MS) * PING_GRID_MS),
            Protocol::V3 => Heart::PingUntil(interval + u64::from(self.config.ping_timeout_ms)),
        };
    }

    /// Something else came: an awaited pong gets its time anew, once.
    fn heard_something(&mut self, now: u64) {
        if let Heart::PongUntil { until, is_extended: is_extended @ false } = &mut self.heart {
            *until = now + u64::from(self.config.ping_timeout_ms);
            *is_extended = true;
        }
    }

    /// Nobody listened until then.
    pub(super) fn excused(&mut self, heard_at: u64) {
        let due = heard_at + u64::from(self.config.ping_timeout_ms);
        if let Heart::PongUntil { until, .. } | Heart::PingUntil(until) = &mut self.heart {
            *until = due.max(*until);
        }
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> u64 {
        let (Heart::PingAt(heart)
        | Heart::PongUntil { until: heart, .. }
        | Heart::PingUntil(heart)) = self.heart;
        let closing = match self.phase {
            Phase::Ending { until } => return until,
            Phase::Closing { until } => until,
            Phase::Open | Phase::Closed => u64::MAX,
        };
        let upgrade = self.candidate.as_ref().map_or(u64::MAX, |candidate| {
            candidate.noop_at.map_or(candidate.until, |noop_at| noop_at.min(candidate.until))
        });
        heart.min(closing).min(upgrade)
    }

    pub(super) fn ticked(&mut self, now: u64) {
        match self.phase {
            Phase::Ending { until } => {
                if until <= now {
                    self.finished();
                }
                return;
            }
            Phase::Closing { until } if until <= now => return self.end(CloseReason::ForcedClose),
            _ => {}
        }
        match self.heart {
            Heart::PingAt(at) if at <= now => {
                let until = now + u64::from(self.config.ping_timeout_ms);
                self.heart = Heart::PongUntil { until, is_extended: false };
                if self.is_open() {
                    let ping = Received::text(PacketType::Ping, b"");
                    self.outgoing.push(vec![ping], MayBeLost::Never, false);
                    if self.is_observed || self.is_logged {
                        self.told.push(Told::PingSent);
                    }
                    self.flush();
                }
            }
            Heart::PongUntil { until, .. } | Heart::PingUntil(until) if until <= now => {
                return self.end(CloseReason::PingTimeout);
            }
            _ => {}
        }
        self.upgrade_is_due(now);
    }

    fn upgrade_is_due(&mut self, now: u64) {
        let Some(candidate) = &mut self.candidate else { return };
        if candidate.until <= now {
            self.candidate_failed(UpgradeFailure::TimedOut);
        } else if candidate.noop_at.is_some_and(|noop_at| noop_at <= now) {
            candidate.noop_at = Some(now + NOOP_INTERVAL_MS);
            if let Carrier::Polling { get } = &mut self.carrier
                && let Some(request) = get.take()
            {
                self.told.push(Told::Bare(request, vec![PacketType::Noop]));
            }
        }
    }

    // The end.

    /// More waits than may, and the session is ended for it.
    pub(super) fn ended_unread(&mut self) {
        self.outgoing.cut();
        self.end(CloseReason::TransportError);
    }

    fn end_in_turn(&mut self, reason: CloseReason, now: u64) {
        // What came in the same step has not been dealt with either.
        if self.is_open() && (self.is_owner_behind || !self.told.is_empty()) {
            self.phase = Phase::Ending { until: now + CLOSE_TIMEOUT_MS };
            self.told.push(Told::Closed { reason, is_awaited: true });
        } else if !self.is_ending() {
            self.end(reason);
        }
    }

    fn end(&mut self, reason: CloseReason) {
        let is_told = self.is_ending();
        self.phase = Phase::Closed;
        self.candidate = None;
        match self.carrier {
            // What the stream has not taken still goes out, before the close frame.
            Carrier::WebSocket { conn: Some(_) } => {}
            Carrier::WebSocket { conn: None } => self.outgoing.cut(),
            Carrier::Polling { get } => {
                self.outgoing.cut();
                let answer = |request| Told::Bare(request, vec![PacketType::Close]);
                self.told.extend(get.map(answer));
            }
        }
        self.carrier = Carrier::Polling { get: None };
        if !is_told {
            self.told.push(Told::Closed { reason, is_awaited: false });
        }
    }
}

/// Engine.IO gives a closing handshake, and a session that is closed on polling, so long.
const CLOSE_TIMEOUT_MS: u64 = 30_000;
/// More pongs than a client which polls can be waiting for.
const MAX_POLLED_PONGS: u32 = 60;
/// Pings of sessions with the intervals that are tried go out together at such times.
const PING_GRID_MS: u64 = 25;
/// How often a GET is set free while a candidate has probed and the client has not moved.
const NOOP_INTERVAL_MS: u64 = 100;
