//! The WebSocket transport: one stream's protocol state, from its 101 response to its last byte.
//!
//! It answers pings and close frames and goes through the closing handshake by itself, also when no session has to do
//! with it any more. It reads and writes no stream: it is fed with input, and whoever drives it empties its outbox,
//! half-closes when [`is_fin_due`](WebSocket::is_fin_due) and closes when [`is_done`](WebSocket::is_done).
//!
//! A stream of another [`Framing`] is one too, but that there are no control frames: it has nothing to answer, and is finished as
//! soon as it is closed.
//!
//! ```text
//!              our close frame                      the peer's close frame
//!     Open ────────────────────────▶ AwaitingClose ────────────────────────▶ Finishing ──▶ done
//!       │                                  ▲                                     ▲    outbox empty: FIN out,
//!       │ the peer's close frame, a broken │ a fault above the frames            │    and the peer's FIN came
//!       │ protocol, end of input, a fault  │                                     │
//!       └─────────────────────────────▶ Parting ────────── close() ──────────────┘
//! ```
//!
//! While it is parting, our close frame is held back: what its session still says to messages from before goes out ahead of it.

use bytes::Bytes;

use crate::codec::engine_io::StreamPacket;
use crate::codec::websocket::CloseCode;
use crate::codec::websocket::DeflateParameters;
use crate::codec::websocket::Deflater;
use crate::codec::websocket::Incoming;
use crate::codec::websocket::Inflater;
use crate::codec::websocket::Input;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::ProtocolError;
use crate::codec::websocket::encode_close_frame;
use crate::codec::websocket::encode_frame;
use crate::engine::Events;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Outbox;
use crate::engine::transport::Frame;
use crate::engine::transport::Framing;
use crate::engine::transport::Watch;
use crate::engine::transport::framing::Decoder;
use crate::engine::transport::framing::receive_whole;

/// One WebSocket in the server's role.
#[derive(Debug)]
pub struct WebSocket {
    /// Its stream; `None` while a session was opened for a stream that has not been handed over.
    conn: Option<u32>,
    decoder: Decoder,
    /// Compresses the messages that go into the outbox, if that was negotiated; the decoder has the other direction.
    deflater: Option<Box<Deflater>>,
    /// What waits to be written to the stream.
    pub outbox: Outbox,
    /// The stream takes no more bytes for now.
    pub is_blocked: bool,
    /// Pongs that were queued while the stream was blocked.
    blocked_pongs: u8,
    /// What a user wants to see of the peer's frames.
    watch: Watch,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// It is at its end, and [`WebSocket::close`] is still to come. Nothing is listened to. Boxed, for few are at one time.
    Parting(Box<Farewell>),
    /// Our close frame is in the outbox or further; what comes before the peer's is dropped.
    AwaitingClose {
        deadline: u64,
    },
    /// Nothing more is sent and nothing is listened to.
    Finishing {
        deadline: u64,
        /// Our half of the stream is closed.
        fin_sent: bool,
        /// So is the peer's.
        fin_received: bool,
    },
}

/// What is left to be said and heard when a WebSocket is parting.
#[derive(Debug)]
struct Farewell {
    /// Our close frame; empty if none is to be sent.
    frame: Bytes,
    peer: Peer,
}

/// How far the peer has come with its side of the closing handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// Its close frame is still to come.
    Talking,
    /// It has nothing more to say that we would listen to.
    Silent,
    /// Its half of the stream is closed.
    Gone,
}

/// What a stretch of input held.
#[derive(Debug)]
pub enum Received<'a> {
    /// Nothing more: the input is used up.
    Nothing,
    /// Something that was dealt with here.
    Control,
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// The peer's close frame; its echo goes out when the WebSocket is closed.
    Closed,
    /// The peer broke the protocol; a close frame that says so goes out when the WebSocket is closed.
    Failed(ProtocolError),
    /// What the peer sent is no packet.
    Malformed,
}

impl WebSocket {
    /// A WebSocket whose stream comes later.
    pub fn awaited(max_message_bytes: Option<u32>) -> Self {
        Self {
            conn: None,
            decoder: Decoder::new(Framing::WebSocket, limit(max_message_bytes)),
            deflater: None,
            outbox: Outbox::default(),
            is_blocked: false,
            blocked_pongs: 0,
            watch: Watch::default(),
            phase: Phase::Open,
        }
    }

    /// A WebSocket whose stream is refused: the 101 `response`, then a close frame, as Engine.IO refuses.
    pub fn refused(conn: u32, response: Bytes, framing: Framing, now: u64) -> Self {
        let mut websocket = Self::awaited(Some(0));
        websocket.frame(framing, Some(0));
        websocket.attach(conn, response);
        websocket.close(now);
        websocket
    }

    /// Gives it its stream. The `response` goes out before anything that waits.
    pub fn attach(&mut self, conn: u32, response: Bytes) {
        self.conn = Some(conn);
        if !response.is_empty() {
            let waiting = std::mem::take(&mut self.outbox);
            self.outbox.push(Entry::raw(response));
            self.outbox.append(waiting);
        }
    }

    /// Its packets are framed so, from its first byte on.
    pub fn frame(&mut self, framing: Framing, max_message_bytes: Option<u32>) {
        self.decoder = Decoder::new(framing, limit(max_message_bytes));
    }

    /// Compresses from now on as its opening handshake says. What waits stays as it is.
    pub fn compress(&mut self, parameters: &DeflateParameters) {
        if let Decoder::Frames(decoder) = &mut self.decoder {
            self.deflater = Some(Box::new(Deflater::new(parameters)));
            decoder.inflate_with(Inflater::new(parameters));
        }
    }

    /// Whether compression was negotiated.
    pub const fn compresses(&self) -> bool {
        self.deflater.is_some()
    }

    /// What compresses the messages that go into the outbox, if that was negotiated.
    pub fn deflater_mut(&mut self) -> Option<&mut Deflater> {
        self.deflater.as_deref_mut()
    }

    /// Its stream.
    pub const fn conn(&self) -> Option<u32> {
        self.conn
    }

    /// Chooses which frames of the peer are told.
    pub const fn watch(&mut self, watch: Watch) {
        self.watch = self.watch.replaced_by(watch);
    }

    /// Chooses whether messages are told for the log, whatever else is watched.
    pub const fn log(&mut self, is_logged: bool) {
        self.watch = self.watch.logged(is_logged);
    }

    /// Puts a frame of the user's own behind what waits, unless the closing handshake has begun.
    pub fn push_frame(&mut self, frame: &Frame<'_>) {
        if matches!(self.phase, Phase::Open | Phase::Parting(_)) {
            let compress = frame.compress && frame.is_message();
            let entry = Entry::frame(frame.encode(), compress, frame.notify);
            self.outbox.push(entry.deflated(self.deflater.as_deref_mut()));
        }
    }

    /// Decodes up to the next thing that somebody else has to know. Call it until there is [`Received::Nothing`].
    pub fn receive<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
        events: &mut impl Events,
    ) -> Received<'a> {
        if self.phase.is_deaf() {
            return Received::Nothing;
        }
        let is_open = matches!(self.phase, Phase::Open);
        let decoder = match &mut self.decoder {
            Decoder::Frames(decoder) => decoder,
            Decoder::Whole { mended } => return receive_whole(mended, input),
            Decoder::Prefixed(decoder) => {
                return match decoder.decode(input) {
                    Ok(None) => Received::Nothing,
                    Ok(Some(StreamPacket::Text(text))) => Received::Text(text),
                    Ok(Some(StreamPacket::Binary(bytes))) => Received::Binary(bytes),
                    Err(_) => Received::Malformed,
                };
            }
        };
        let outcome = decoder.decode_telling(input, || events.inflated());
        if let (Some(conn), Ok(Some(incoming))) = (self.conn, &outcome) {
            tell(conn, self.watch, incoming, events);
        }
        match outcome {
            Ok(None) => Received::Nothing,
            Ok(Some(Incoming::Close { code, reason })) => {
                self.phase.peer_is(Peer::Silent, || encode_close_frame(code, reason));
                Received::Closed
            }
            Err(error) => {
                let code = error.close_code();
                self.phase.peer_is(Peer::Silent, || encode_close_frame(Some(code), ""));
                Received::Failed(error)
            }
            Ok(Some(_)) if !is_open => Received::Control,
            Ok(Some(Incoming::Text(text))) => Received::Text(text),
            Ok(Some(Incoming::Binary(bytes))) => Received::Binary(bytes),
            Ok(Some(Incoming::Pong(_))) => Received::Control,
            Ok(Some(Incoming::Ping(payload))) => {
                if takes_pong(self.is_blocked, &mut self.blocked_pongs) {
                    self.outbox.push(Entry::raw(encode_frame(Opcode::Pong, &[payload])));
                }
                Received::Control
            }
        }
    }

    /// Answers the ping of a client of protocol 3, as long as it reads the answers.
    pub fn push_pong(&mut self, pong: Entry) {
        if takes_pong(self.is_blocked, &mut self.blocked_pongs) {
            self.outbox.push(pong);
        }
    }

    /// What the peer sent is a fault above the frames: nothing more is listened to, and it only has to be closed.
    pub fn part(&mut self) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Parting(Box::new(if self.decoder.has_close_frames() {
                Farewell { frame: empty_close_frame(), peer: Peer::Talking }
            } else {
                Farewell { frame: Bytes::new(), peer: Peer::Silent }
            }));
        }
    }

    /// The same in the middle of `input`, of which nothing is listened to but the peer's part in the closing handshake: a peer that
    /// has sent its close frame already would else wait for the end of its stream until the handshake has had its time.
    pub(in crate::engine) fn part_with(&mut self, input: &mut Input<'_>, events: &mut impl Events) {
        self.part();
        while !matches!(self.receive(input, events), Received::Nothing) {}
    }

    /// Says our last: the close frame that was held back, or an empty one, unless that has been done.
    pub fn close(&mut self, now: u64) {
        if let Phase::Parting(farewell) = &mut self.phase {
            let frame = std::mem::take(&mut farewell.frame);
            self.close_with(frame, now);
        } else {
            self.close_with(empty_close_frame(), now);
        }
    }

    /// The same with a close frame of the user's own.
    pub fn close_with(&mut self, frame: Bytes, now: u64) {
        let peer = match &self.phase {
            Phase::Open if self.decoder.has_close_frames() => Peer::Talking,
            Phase::Open => Peer::Silent,
            Phase::Parting(farewell) => farewell.peer,
            Phase::AwaitingClose { .. } | Phase::Finishing { .. } => return,
        };
        if self.decoder.has_close_frames() && !frame.is_empty() {
            self.outbox.push(Entry::raw(frame));
        }
        let deadline = now.saturating_add(CLOSE_TIMEOUT_MS);
        self.phase = match peer {
            Peer::Talking => Phase::AwaitingClose { deadline },
            Peer::Silent => Phase::Finishing { deadline, fin_sent: false, fin_received: false },
            Peer::Gone => Phase::Finishing { deadline, fin_sent: false, fin_received: true },
        };
    }

    /// The peer ended its half of the stream. What waits is still written.
    pub fn end_of_input(&mut self) {
        self.phase.peer_is(Peer::Gone, Bytes::new);
    }

    /// The stream is broken: there is nothing left to do.
    pub fn abandon(&mut self) {
        self.outbox = Outbox::default();
        self.phase = Phase::Finishing { deadline: 0, fin_sent: true, fin_received: true };
    }

    /// Whether our half of the stream is to be closed now.
    pub const fn is_fin_due(&self) -> bool {
        matches!(self.phase, Phase::Finishing { fin_sent: false, .. }) && self.outbox.is_empty()
    }

    /// Our half of the stream was closed.
    pub const fn fin_sent(&mut self) {
        if let Phase::Finishing { fin_sent, .. } = &mut self.phase {
            *fin_sent = true;
        }
    }

    /// Whether both halves are closed, so that the stream can be given up.
    pub const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Finishing { fin_sent: true, fin_received: true, .. })
    }

    /// When to give the stream up whatever the peer does; `None` before it is closed.
    pub const fn deadline(&self) -> Option<u64> {
        match self.phase {
            Phase::Open | Phase::Parting(_) => None,
            Phase::AwaitingClose { deadline } | Phase::Finishing { deadline, .. } => Some(deadline),
        }
    }
}

/// Whether one more pong may wait. A peer that pings and does not read would grow the outbox for ever; RFC 6455 section 5.5.3 lets
/// an endpoint leave pings unanswered.
const fn takes_pong(is_blocked: bool, blocked_pongs: &mut u8) -> bool {
    if !is_blocked {
        *blocked_pongs = 0;
    } else if *blocked_pongs == MAX_BLOCKED_PONGS {
        return false;
    } else {
        *blocked_pongs += 1;
    }
    true
}

/// Tells of a frame that somebody watches. It is told before anything that follows from it.
fn tell(conn: u32, watch: Watch, incoming: &Incoming<'_>, events: &mut impl Events) {
    let (is_wanted, opcode, payload) = match *incoming {
        Incoming::Text(text) => (watch.includes_messages(), Opcode::Text, text.as_bytes()),
        Incoming::Binary(bytes) => (watch.includes_messages(), Opcode::Binary, bytes),
        Incoming::Ping(payload) => (watch.includes(Watch::HEARTBEATS), Opcode::Ping, payload),
        Incoming::Pong(payload) => (watch.includes(Watch::HEARTBEATS), Opcode::Pong, payload),
        Incoming::Close { code, reason } => {
            if watch.includes(Watch::CLOSE) {
                let code = code.map(|code| code.get().to_be_bytes());
                let payload = [code.as_ref().map_or(&[][..], |code| code), reason.as_bytes()];
                events.frame(conn, Opcode::Close, &payload.concat());
            }
            return;
        }
    };
    if is_wanted {
        events.frame(conn, opcode, payload);
    }
}

impl Phase {
    /// Whether nothing that the peer sends is of interest, not even a close frame.
    const fn is_deaf(&self) -> bool {
        match self {
            Self::Open | Self::AwaitingClose { .. } => false,
            Self::Parting(farewell) => !matches!(farewell.peer, Peer::Talking),
            Self::Finishing { .. } => true,
        }
    }

    /// The peer has come to the end of its side; `frame` is our close frame, if the closing handshake begins with that.
    fn peer_is(&mut self, peer: Peer, frame: impl FnOnce() -> Bytes) {
        let has_ended = peer == Peer::Gone;
        match self {
            Self::Open => *self = Self::Parting(Box::new(Farewell { frame: frame(), peer })),
            Self::Parting(farewell) => farewell.peer = peer,
            Self::AwaitingClose { deadline } => {
                let deadline = *deadline;
                *self = Self::Finishing { deadline, fin_sent: false, fin_received: has_ended };
            }
            Self::Finishing { fin_received, .. } => *fin_received |= has_ended,
        }
    }
}

/// A close frame that gives no reason.
pub(crate) fn empty_close_frame() -> Bytes {
    encode_close_frame(None::<CloseCode>, "")
}

/// The limit of messages as decoders take it.
fn limit(max_message_bytes: Option<u32>) -> u64 {
    max_message_bytes.map_or(u64::MAX, u64::from)
}

/// `closeTimeout` of `ws`: how long the closing handshake may take.
pub(crate) const CLOSE_TIMEOUT_MS: u64 = 30_000;

/// How many unwritten pongs `ws` takes for the sign of a peer that does not read.
const MAX_BLOCKED_PONGS: u8 = 60;
