//! How a session ends: by its owner, by the peer, by what becomes of its streams.
//!
//! Whatever the cause, [`Session::end`] is the one place where it is closed, so that it is told once.

use bytes::Bytes;

use crate::codec::engine_io::PacketType;
use crate::engine::CloseReason;
use crate::engine::Events;
use crate::engine::Session;
use crate::engine::UpgradeFailure;
use crate::engine::close_reason::WRITE_ERROR;
use crate::engine::session::End;
use crate::engine::session::State;
use crate::engine::session::StreamEnd;
use crate::engine::transport::CLOSE_TIMEOUT_MS;
use crate::engine::transport::Polling;
use crate::engine::transport::Transport;
use crate::engine::transport::empty_close_frame;

impl Session {
    /// Closes the session. What is in the outbox goes out first, unless it is to be discarded: then a GET that waits
    /// is left to its owner.
    pub fn close(&mut self, discard: bool, now: u64, events: &mut impl Events) {
        if discard && let Transport::Polling(polling) = &mut self.transport {
            *polling = Polling::default();
        } else if matches!(self.state, State::Ending { .. }) {
            // By the order of things it comes before what the peer did, so that is not what the close frame answers.
            if let Transport::WebSocket(websocket) = &mut self.transport {
                websocket.close_with(empty_close_frame(), now);
            }
        } else if self.state != State::Open {
            return;
        } else if let Transport::Polling(polling) = &mut self.transport {
            // The close packet never shares a payload with messages: the official client drops what it has not dispatched yet.
            if !polling.has_request() || !polling.outbox.is_empty() {
                polling.flush(self.slot, self.config.protocol, events);
                self.state =
                    State::Closing { deadline: now.saturating_add(POLLING_CLOSE_TIMEOUT_MS) };
                return;
            }
            polling.answer(self.slot, self.config.protocol, &[PacketType::Close], events);
        }
        self.end(&End::new(CloseReason::ForcedClose, ""), now, events);
    }

    /// The owner takes no GET any more, so one that is to be told of the end is not waited for.
    pub fn finish_closing(&mut self, now: u64, events: &mut impl Events) {
        if matches!(self.state, State::Closing { .. }) {
            self.end(&End::new(CloseReason::ForcedClose, ""), now, events);
        }
    }

    /// The owner has dealt with all that came before the end that it was told of.
    pub fn finish(&mut self, now: u64, events: &mut impl Events) {
        if matches!(self.state, State::Ending { .. }) {
            self.end(&End::new(CloseReason::TransportClose, ""), now, events);
        }
    }

    /// The user closes a `WebSocket` of its with this frame: the transport, and with it the session, or the candidate.
    pub fn close_stream(&mut self, conn: u32, frame: Bytes, now: u64, events: &mut impl Events) {
        let Some(websocket) = self.websocket_mut(conn) else { return };
        websocket.close_with(frame, now);
        if self.candidate() == Some(conn) {
            self.fail_upgrade(UpgradeFailure::Closed, now, events);
        } else {
            self.end(&End::new(CloseReason::TransportClose, ""), now, events);
        }
    }

    /// One of its streams ended.
    pub fn stream_ended(
        &mut self,
        conn: u32,
        stream_end: StreamEnd,
        now: u64,
        events: &mut impl Events,
    ) {
        let Some(websocket) = self.websocket_mut(conn) else { return };
        match stream_end {
            StreamEnd::Eof => websocket.end_of_input(),
            StreamEnd::Broken | StreamEnd::WriteFailed => websocket.abandon(),
        }
        if self.candidate() == Some(conn) {
            return self.fail_upgrade(UpgradeFailure::Closed, now, events);
        }
        match stream_end {
            StreamEnd::Eof => {
                self.end_in_turn(&End::new(CloseReason::TransportClose, ""), now, events);
            }
            StreamEnd::Broken => {
                self.end(&End::new(CloseReason::TransportClose, ""), now, events);
            }
            StreamEnd::WriteFailed => {
                self.end(&End::new(CloseReason::TransportError, WRITE_ERROR), now, events);
            }
        }
    }

    /// Ends the session in its turn: after what its owner still says to the messages from before.
    pub(super) fn end_in_turn(&mut self, end: &End, now: u64, events: &mut impl Events) {
        if self.state == State::Open && events.is_owner_behind() {
            self.state = State::Ending { deadline: now.saturating_add(CLOSE_TIMEOUT_MS) };
            events.closed(self.slot, end.reason, &end.description, true);
        } else if !matches!(self.state, State::Ending { .. }) {
            self.end(end, now, events);
        }
    }

    /// Ends the session: its streams are left to their closing handshakes, a GET that waits is told. So is the owner, but of an
    /// end that it knows.
    pub(super) fn end(&mut self, end: &End, now: u64, events: &mut impl Events) {
        if self.state == State::Closed {
            return;
        }
        let is_told = matches!(self.state, State::Ending { .. });
        self.state = State::Closed;
        self.release_candidate(now, events);
        match std::mem::replace(&mut self.transport, Transport::Polling(Polling::default())) {
            Transport::Polling(mut polling) => {
                polling.answer(self.slot, self.config.protocol, &[PacketType::Close], events);
            }
            Transport::WebSocket(mut websocket) => {
                if let Some(conn) = websocket.conn() {
                    websocket.close(now);
                    events.release(conn, websocket);
                }
            }
        }
        if !is_told {
            events.closed(self.slot, end.reason, &end.description, false);
        }
    }
}

/// `closeTimeout` of Engine.IO's polling transport: how long a closed session waits for a GET that can be told.
const POLLING_CLOSE_TIMEOUT_MS: u64 = 30_000;
