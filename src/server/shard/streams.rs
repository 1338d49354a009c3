//! Streams: how they come to a shard, what they bring, how they are written to and how they go.

use std::io;

use bytes::Bytes;

use crate::codec::websocket::DeflateParameters;
use crate::codec::websocket::Input;
use crate::engine::Framing;
use crate::engine::Received;
use crate::engine::StreamEnd;
use crate::engine::Taken;
use crate::engine::WebSocket;
use crate::server::carrier::Bridge;
use crate::server::carrier::Carrier;
#[cfg(unix)]
use crate::server::carrier::Descriptor;
use crate::server::connection::Connection;
use crate::server::connection::Role;
use crate::server::connection::Waiting;
use crate::server::event::UnitWriter;
use crate::server::link;
use crate::server::link::Accept;
use crate::server::link::AcceptStream;
use crate::server::shard::Shard;
use crate::server::shard::link_of;
use crate::server::shard::state_of;
use crate::server::step::StepEvents;
use crate::server::timers::Timer;

impl Shard {
    /// A stream comes. Whatever becomes of it, its conn ends with exactly one event.
    pub(super) fn accept(&mut self, accept: Accept) {
        let Accept { link, conn, role, slot, response, mut input, deflate, stream } = accept;
        let owner = self.owner_of(&link);
        let response = Bytes::from(response);
        let session = self.registry.session_mut(slot).filter(|session| session.owner() == owner);
        // A session may have closed, or taken another stream, since JavaScript decided.
        let is_taken = match (role, session) {
            (link::Role::Direct, Some(session)) => session.attach(conn, response.clone()),
            (link::Role::Candidate, Some(session)) => {
                session.attach_candidate(conn, response.clone(), self.now)
            }
            _ => false,
        };
        let framing = match stream {
            AcceptStream::Messages(framing) => framing,
            _ => Framing::WebSocket,
        };
        let Ok(carrier) = self.carrier(conn, stream) else {
            if is_taken {
                self.step(slot, |session, now, events| {
                    session.stream_ended(conn, StreamEnd::Broken, now, events);
                });
            }
            return link.events().writer().conn_ended(conn);
        };
        self.gauges.connections.increment();
        let role = if is_taken {
            Role::Session(slot)
        } else {
            Role::Alone(Box::new(WebSocket::refused(conn, response, framing, self.now)))
        };
        if framing != Framing::WebSocket
            && let Some(session) = self.registry.session_mut(slot).filter(|_| is_taken)
        {
            session.frame(conn, framing);
        }
        if is_taken
            && self.is_logged(owner)
            && let Some(session) = self.registry.session_mut(slot)
        {
            session.log(true);
        }
        let mut connection = Connection::new(conn, owner, carrier, role);
        if is_taken && let Some(deflate) = deflate {
            connection.is_compressed = true;
            self.compress(slot, conn, &deflate);
        }
        self.connections.insert(connection);
        self.write(conn);
        if !input.is_empty() {
            self.receive_in_pieces(conn, &mut input);
        }
        #[cfg(unix)]
        self.start_reading(conn);
    }

    /// The response of a session's stream agrees to compression.
    fn compress(&mut self, slot: u32, conn: u32, deflate: &DeflateParameters) {
        let session = self.registry.session_mut(slot);
        if let Some(websocket) = session.and_then(|session| session.websocket_mut(conn)) {
            websocket.compress(deflate);
        }
    }

    /// The carrier of a stream that was handed over.
    fn carrier(&self, conn: u32, stream: AcceptStream) -> io::Result<Carrier> {
        match stream {
            #[cfg(unix)]
            AcceptStream::Descriptor(descriptor) => {
                Descriptor::new(descriptor, self.waker(conn)).map(Carrier::Descriptor)
            }
            AcceptStream::Bridge => Ok(Carrier::Bridge(Bridge::default())),
            AcceptStream::Messages(_) => Ok(Carrier::Bridge(Bridge::of_messages())),
        }
    }

    /// Bytes came.
    pub(super) fn receive(&mut self, conn: u32, bytes: &mut [u8]) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        self.stepping = Some(Timer::Stream(conn));
        let owner = connection.owner;
        match &mut connection.role {
            Role::Session(slot) => {
                let slot = *slot;
                let byte_count = bytes.len() as u64;
                let queued = self
                    .step(slot, |session, now, events| session.receive(conn, bytes, now, events));
                let Some(state) = state_of(&self.links, owner) else { return };
                state.tally.bytes_received.add(byte_count);
                state.tally.packets_received.add(queued.messages.into());
                if let Some(connection) = self.connections.connection_mut(conn) {
                    connection.inbound.add(queued, state.link.events());
                }
            }
            Role::Alone(websocket) => {
                let Some(link) = link_of(&self.links, connection.owner) else { return };
                let mut events = StepEvents::new(link.events().writer(), 0);
                let mut input = Input::new(bytes);
                while !matches!(websocket.receive(&mut input, &mut events), Received::Nothing) {}
                connection.inbound.add(events.finish(), link.events());
                self.write(conn);
            }
        }
    }

    /// The stream brings nothing more, or is broken.
    pub(super) fn stream_ended(&mut self, conn: u32, stream_end: StreamEnd) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        match &mut connection.role {
            Role::Session(slot) => {
                let slot = *slot;
                self.step(slot, |session, now, events| {
                    session.stream_ended(conn, stream_end, now, events);
                });
            }
            Role::Alone(websocket) => {
                match stream_end {
                    StreamEnd::Eof => websocket.end_of_input(),
                    StreamEnd::Broken | StreamEnd::WriteFailed => websocket.abandon(),
                }
                self.write(conn);
            }
        }
    }

    /// The stream may take bytes again. Returns whether it still does not take all.
    pub(super) fn writable(&mut self, conn: u32) -> bool {
        let Some(connection) = self.connections.connection_mut(conn) else { return false };
        if let Role::Alone(websocket) = &mut connection.role {
            websocket.is_blocked = false;
            self.write(conn);
            return self.connections.connection(conn).is_some_and(Connection::is_blocked_alone);
        }
        let Role::Session(slot) = connection.role else { return false };
        if let Some(websocket) =
            self.registry.session_mut(slot).and_then(|session| session.websocket_mut(conn))
        {
            websocket.is_blocked = false;
        }
        self.write(conn);
        let websocket =
            self.registry.session_mut(slot).and_then(|session| session.websocket_mut(conn));
        websocket.is_some_and(|websocket| websocket.is_blocked)
    }

    /// Writes what waits for a session.
    pub(super) fn flush_session(&mut self, slot: u32) {
        if !self.write_through(slot) {
            self.step(slot, |_, _, _| {});
        }
    }

    /// Writes what waits for a session in the way that nearly every delivery of a broadcast goes: to a kernel that takes
    /// all of it. False if more has to be seen to than that.
    fn write_through(&mut self, slot: u32) -> bool {
        let Some(session) = self.registry.session_mut(slot) else { return true };
        let Some(conn) = session.conn() else { return false };
        let Some(connection) = self.connections.connection_mut(conn) else { return false };
        let Some(websocket) = session.websocket_mut(conn) else { return false };
        self.stepping = Some(Timer::Session(slot));
        let before = Waiting::in_outbox(&websocket.outbox);
        match connection.write_through(websocket) {
            // A stream that is broken says so again.
            None => false,
            Some(taken) => {
                let Some(state) = state_of(&self.links, connection.owner) else {
                    return true;
                };
                before.count_taken(&websocket.outbox, &state.tally);
                if taken != Taken::default() {
                    let mut writer = state.link.events().writer();
                    if taken.frames > 0 {
                        writer.frames_sent(conn, taken.frames);
                    }
                    if taken.messages > 0 {
                        writer.sent(slot, taken.messages);
                    }
                }
                websocket.outbox.is_empty()
            }
        }
    }

    /// Writes what waits for a stream, and lets go of one that is done.
    fn write(&mut self, conn: u32) {
        let Some(connection) = self.connections.connection(conn) else { return };
        match connection.role {
            Role::Session(slot) => {
                self.step(slot, |_, _, _| {});
            }
            Role::Alone(_) => {
                let Some(link) = link_of(&self.links, connection.owner) else { return };
                self.stepping = Some(Timer::Stream(conn));
                self.tend(conn, &mut link.events().writer());
                self.stepping = None;
            }
        }
    }

    /// A stream is about to be dropped: what was sent before leaves as far as the kernel takes it at once. The stream under a bridge is gone
    /// already.
    pub(super) fn write_last(&mut self, conn: u32) {
        #[cfg(unix)]
        if let Some(connection) = self.connections.connection(conn)
            && matches!(connection.carrier, Carrier::Descriptor(_))
        {
            self.write(conn);
        }
        #[cfg(not(unix))]
        let _ = conn;
    }

    /// Writes what waits for a stream of a session. False if the stream is broken.
    pub(super) fn flush_stream(
        &mut self,
        slot: u32,
        conn: u32,
        writer: &mut UnitWriter<'_>,
    ) -> bool {
        let Some(connection) = self.connections.connection_mut(conn) else { return true };
        let Some(session) = self.registry.session_mut(slot) else { return true };
        let Some(websocket) = session.websocket_mut(conn) else { return true };
        if websocket.outbox.is_empty() {
            return true;
        }
        let before = Waiting::in_outbox(&websocket.outbox);
        let Ok(notified) = connection.flush(websocket, writer) else { return false };
        if let Some(state) = state_of(&self.links, connection.owner) {
            before.count_taken(&websocket.outbox, &state.tally);
        }
        if notified > 0 {
            writer.sent(slot, notified);
        }
        #[cfg(unix)]
        if websocket.is_blocked {
            self.await_writable(conn);
        }
        true
    }

    /// A session has let go of a stream.
    pub(super) fn leave_alone(
        &mut self,
        conn: u32,
        websocket: WebSocket,
        writer: &mut UnitWriter<'_>,
    ) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        connection.role = Role::Alone(Box::new(websocket));
        self.tend(conn, writer);
    }

    /// Goes on with the closing handshake of a stream that is alone.
    fn tend(&mut self, conn: u32, writer: &mut UnitWriter<'_>) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        if !connection.flush_alone(writer) {
            return self.forget_stream(conn, writer);
        }
        let is_blocked = connection.is_blocked_alone();
        if let Some(deadline) = connection.deadline_alone() {
            self.arm(Timer::Stream(conn), deadline);
        }
        if is_blocked {
            #[cfg(unix)]
            self.await_writable(conn);
        }
    }

    /// A stream that is alone has had its time.
    pub(super) fn stream_is_due(&mut self, conn: u32) {
        let connection = self.connections.connection(conn);
        match connection.and_then(Connection::deadline_alone) {
            Some(deadline) if deadline <= self.now => self.remove_stream(conn),
            Some(deadline) => self.arm(Timer::Stream(conn), deadline),
            None => {}
        }
    }

    /// Gives a stream up.
    pub(super) fn remove_stream(&mut self, conn: u32) {
        let Some(connection) = self.connections.connection(conn) else { return };
        let Some(link) = link_of(&self.links, connection.owner) else { return };
        self.forget_stream(conn, &mut link.events().writer());
    }

    /// Gives a stream up, and tells so in a unit that has begun.
    pub(super) fn forget_stream(&mut self, conn: u32, writer: &mut UnitWriter<'_>) {
        if let Some(connection) = self.connections.remove(conn) {
            self.timers.disarm(Timer::Stream(conn));
            self.gauges.connections.decrement();
            connection.carrier.destroy(conn, writer);
            writer.conn_ended(conn);
        }
    }
}
