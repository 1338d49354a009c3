//! Steps a session as a shard does, tells the model of it, hands what is written to the client, and compares.

use std::io::IoSlice;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use sio::codec::engine_io::PacketType;
use sio::codec::websocket::{CloseCode, Input, encode_close_frame};
use sio::config::{Config, OutboxPolicy};
use sio::engine::{
    Entry, Ledger, Loss, Outbox, Part, Received as Heard, Session, StreamEnd, WebSocket,
};

use super::client::{RESPONSE, Received, Saying, Stream};
use super::log::{Log, SLOT};
use super::model::{Model, Told};

/// A message to be sent, with what it asks for.
pub(super) struct Sending {
    is_volatile: bool,
    notify: bool,
    attachments: usize,
    loss: Loss,
    len: usize,
}

impl Sending {
    pub(super) fn new(how: u8) -> Self {
        let loss = match how >> 4 & 3 {
            0 | 1 => Loss::Forbidden,
            2 => Loss::Bearable,
            _ => Loss::Expected,
        };
        let attachments = usize::from(how >> 1 & 3).saturating_sub(1);
        let len = [3, 8, 60, 200][usize::from(how >> 6)];
        Self { is_volatile: how & 1 != 0, notify: how & 8 != 0, attachments, loss, len }
    }
}

pub(super) struct Driver {
    session: Session,
    model: Model,
    config: Config,
    now: u64,
    turn: u32,
    log: Log,
    /// All streams that there ever were, by conn.
    streams: Vec<Stream>,
    /// Those that the session let go.
    released: Vec<(u32, WebSocket)>,
    ledger: Arc<Ledger>,
    /// Something was sent that has to be flushed.
    is_dirty: bool,
    requests: u32,
    messages: u32,
    /// Word that was given of units.
    words: u32,
    /// Somebody looked at what waits, which has more word given.
    is_surveyed: bool,
    /// When the client took something for the last time.
    taken_at: u64,
}

impl Driver {
    pub(super) fn new(config: Config, is_websocket: bool) -> Self {
        let handshake = b"{\"sid\":\"1\"}";
        Self {
            session: Session::open(SLOT, 0, config, is_websocket, handshake, 0),
            model: Model::new(config, is_websocket, handshake),
            config,
            now: 0,
            turn: 1,
            log: Log::new(config.protocol),
            streams: Vec::new(),
            released: Vec::new(),
            ledger: Arc::default(),
            is_dirty: false,
            requests: 0,
            messages: 0,
            words: 0,
            is_surveyed: false,
            taken_at: 0,
        }
    }

    pub(super) fn has_closed(&self) -> bool {
        self.session.is_closed()
    }

    // The owner.

    pub(super) fn send(&mut self, message: &Sending) {
        self.messages += 1;
        let text = format!("m{:0len$}", self.messages, len = message.len);
        let attachment = self.messages.to_be_bytes();
        let mut parts = vec![Part::Text(text.as_bytes())];
        parts.resize(1 + message.attachments, Part::Binary(&attachment));

        let conn = self.session.conn();
        let websocket = conn.and_then(|conn| self.session.websocket_mut(conn));
        let is_blocked = websocket.is_some_and(|websocket| websocket.is_blocked);
        let takes = self.model.takes(message.is_volatile, self.turn, is_blocked);
        let mut is_taken = false;
        self.is_dirty |=
            self.session.send(self.turn, parts.len(), message.is_volatile, |form, _| {
                is_taken = true;
                Entry::message(parts.iter().copied(), form)
                    .flagged(false, message.notify)
                    .with_loss(message.loss)
            });
        assert_eq!(is_taken, takes, "{:?} {:?}", self.model, self.session);
        if is_taken {
            let packets = parts.iter().map(|part| match part {
                Part::Text(text) => Received::text(PacketType::Message, text),
                Part::Binary(bytes) => Received {
                    packet_type: PacketType::Message,
                    is_binary: true,
                    bytes: bytes.to_vec(),
                },
            });
            self.model.sent(self.turn, packets.collect(), message.loss, message.notify);
        }
    }

    /// The turn is over: another one follows at once, or after a while.
    pub(super) fn next_turn(&mut self, at_once: bool) {
        self.flush();
        self.turn += if at_once { 1 } else { 2 };
    }

    pub(super) fn close(&mut self, discard: bool) {
        if discard {
            self.session.drop_waiting(self.turn);
        } else {
            self.settle();
        }
        if !self.session.is_closed() {
            self.session.close(discard, self.now, &mut self.log);
            self.model.closed_by_owner(discard, self.now);
            self.settle();
        }
    }

    pub(super) fn finish(&mut self) {
        self.flush();
        self.session.finish(self.now, &mut self.log);
        self.model.finished();
        self.settle();
    }

    pub(super) fn owner_is_behind(&mut self, is_behind: bool) {
        self.log.is_owner_behind = is_behind;
        self.model.is_owner_behind = is_behind;
    }

    pub(super) fn observe(&mut self, is_observed: bool, is_logged: bool) {
        self.session.observe(is_observed);
        self.session.log(is_logged);
        (self.model.is_observed, self.model.is_logged) = (is_observed, is_logged);
    }

    pub(super) fn look_at_what_waits(&mut self) {
        let mut seen = 0;
        let (before, waiting) = self.session.survey_waiting(self.turn, |_| seen += 1);
        assert_eq!(waiting, seen);
        assert!(before == 0 || !self.model.is_polling());
        self.is_surveyed = true;
    }

    /// The user closes the `WebSocket` under the session, or the one that it may move to.
    pub(super) fn user_closes_stream(&mut self, has_code: bool) {
        self.flush();
        let Some(conn) = self.session.conn().or(self.session.candidate()) else { return };
        let code = CloseCode::new(1_001).filter(|_| has_code);
        let frame = encode_close_frame(code, if has_code { "going" } else { "" });
        self.session.close_stream(conn, frame, self.now, &mut self.log);
        self.model.stream_closed(conn);
        self.settle();
    }

    // The client.

    pub(super) fn poll(&mut self) {
        // JavaScript refuses a GET while another one waits.
        if self.model.get().is_none() {
            let request = self.requests;
            self.requests += 1;
            self.session.poll(request, self.now, &mut self.log);
            if self.model.is_polling() {
                self.taken_at = self.now;
            }
            self.model.polled(request);
            self.settle();
        }
    }

    pub(super) fn post(&mut self, is_heartbeat: bool) {
        if self.model.is_polling() {
            if is_heartbeat {
                self.session.heartbeat_received(self.now);
            } else {
                self.session.packet_received(self.now);
            }
            self.model.posted(is_heartbeat, self.now);
            self.settle();
        }
    }

    pub(super) fn attach(&mut self) {
        self.flush();
        let conn = self.new_stream();
        let is_taken = self.session.attach(conn, Bytes::from_static(RESPONSE));
        assert_eq!(is_taken, self.model.attached(conn));
        if is_taken {
            self.log.transports.push(conn);
        }
        self.take_stream(is_taken);
    }

    /// Whether it takes bytes may be said anew with each candidate.
    pub(super) fn attach_candidate(&mut self, how: u8) {
        self.flush();
        if how & 1 != 0 {
            self.session.expect_candidate(how & 2 != 0);
        }
        let conn = self.new_stream();
        let response = Bytes::from_static(RESPONSE);
        let is_taken = self.session.attach_candidate(conn, response, self.now);
        assert_eq!(is_taken, self.model.candidate_attached(conn, self.now));
        self.take_stream(is_taken);
    }

    fn new_stream(&mut self) -> u32 {
        u32::try_from(self.streams.len()).expect("few streams")
    }

    fn take_stream(&mut self, is_taken: bool) {
        if is_taken {
            self.streams.push(Stream::default());
            let is_logged = self.model.is_logged;
            self.session.log(is_logged);
            self.settle();
        }
    }

    /// The client says something over the stream that `how` chooses, and the server reads as much of it as `how` tells.
    pub(super) fn client_says(&mut self, how: u8, sayings: &[Saying]) {
        self.flush();
        let Some(conn) = self.choose_stream(how) else { return };
        // Of a client that goes on probing and does not read, no further probes are answered.
        let websocket = self.session.websocket_mut(conn);
        let is_behind = websocket.is_some_and(|websocket| websocket.outbox.bytes() > 300);
        if is_behind && sayings.contains(&Saying::Probe) {
            return;
        }
        let stream = &mut self.streams[conn as usize];
        for (index, &saying) in sayings.iter().enumerate() {
            stream.say(saying, how.wrapping_add(u8::try_from(index).unwrap_or_default()));
        }
        let count = if how & 0x10 == 0 { usize::MAX } else { usize::from(how >> 5) * 3 + 1 };
        self.server_reads(conn, count);
    }

    fn choose_stream(&self, how: u8) -> Option<u32> {
        let of_session = self.session.conn().or(self.session.candidate());
        let alone = self.released.last().map(|&(conn, _)| conn);
        let chosen = if how & 0x0e == 0 { alone.or(of_session) } else { of_session.or(alone) };
        chosen.filter(|&conn| !self.streams[conn as usize].has_ended)
    }

    fn server_reads(&mut self, conn: u32, count: usize) {
        let (mut bytes, said) = self.streams[conn as usize].read(count);
        if let Some((_, websocket)) = self.released.iter_mut().find(|(alone, _)| *alone == conn) {
            let mut input = Input::new(&mut bytes);
            while !matches!(websocket.receive(&mut input, &mut self.log), Heard::Nothing) {}
            return self.tend();
        }
        self.session.receive(conn, &mut bytes, self.now, &mut self.log);
        for (saying, number) in said {
            self.model.said(conn, saying, number, self.now);
        }
        self.settle();
    }

    pub(super) fn stream_ends(&mut self, how: u8) {
        self.flush();
        let Some(conn) = self.choose_stream(how) else { return };
        let end = match how >> 4 & 3 {
            0 | 1 => StreamEnd::Eof,
            2 => StreamEnd::Broken,
            _ => StreamEnd::WriteFailed,
        };
        let stream = &mut self.streams[conn as usize];
        stream.has_ended = true;
        stream.is_broken |= end != StreamEnd::Eof;
        if let Some((_, websocket)) = self.released.iter_mut().find(|(alone, _)| *alone == conn) {
            if end == StreamEnd::Eof {
                websocket.end_of_input();
            } else {
                websocket.abandon();
                self.model.stream_lost(self.log.transports.contains(&conn));
            }
            return self.tend();
        }
        self.session.stream_ended(conn, end, self.now, &mut self.log);
        match end {
            StreamEnd::Eof => self.model.stream_ended(conn, self.now),
            _ => self.model.stream_broke(conn, end == StreamEnd::WriteFailed),
        }
        self.settle();
    }

    /// The streams take so many bytes more, and then none.
    pub(super) fn block(&mut self, room: usize) {
        for stream in &mut self.streams {
            stream.room = Some(room);
        }
    }

    pub(super) fn unblock(&mut self) {
        for stream in &mut self.streams {
            stream.room = None;
        }
        let conns = [self.session.conn(), self.session.candidate()];
        for conn in conns.into_iter().flatten() {
            if let Some(websocket) = self.session.websocket_mut(conn) {
                websocket.is_blocked = false;
            }
        }
        for (_, websocket) in &mut self.released {
            websocket.is_blocked = false;
        }
        self.settle();
    }

    // Time.

    /// Time passes. Whoever is not punctual looks at the clock once, when it is over.
    pub(super) fn pass(&mut self, ms: u64, is_punctual: bool) {
        self.flush();
        let end = self.now + ms;
        while is_punctual && !self.has_closed() && self.session.next_deadline() <= end {
            self.now = self.now.max(self.session.next_deadline());
            self.tick();
            // A ping that is too much for the budget of one that has stopped reading is due to be ended now.
            assert!(
                self.has_closed()
                    || self.session.next_deadline() > self.now
                    || self.session.is_stalled(self.now)
            );
        }
        self.now = end;
        if !self.has_closed() && self.session.next_deadline() <= end {
            self.tick();
        }
    }

    fn tick(&mut self) {
        if self.session.is_stalled(self.now) {
            self.session.try_stream();
            self.settle();
        }
        let is_stalled = self.session.is_stalled(self.now);
        self.session.tick(self.now, &mut self.log);
        if is_stalled {
            assert!(self.now >= self.taken_at + u64::from(self.config.ping_timeout_ms));
            self.ends_unread();
        } else {
            self.model.ticked(self.now);
        }
        self.settle();
    }

    fn ends_unread(&mut self) {
        assert!(self.model.greatest_weight() > self.config.outbox.limit());
        if let Some(conn) = self.model.conn() {
            // It is dropped in the middle of a frame.
            self.streams[conn as usize].is_broken = true;
        }
        self.model.ended_unread();
    }

    /// Nobody could listen until now.
    pub(super) fn excuse(&mut self) {
        self.session.unheard_until(self.now);
        self.model.excused(self.now);
    }

    // What a shard does after each step.

    fn flush(&mut self) {
        if self.is_dirty {
            return self.settle();
        }
        assert!(self.model.get().is_none() || self.model.outgoing.is_empty(), "not flushed");
        let conn = self.session.conn();
        let websocket = conn.and_then(|conn| self.session.websocket_mut(conn));
        assert!(websocket.is_none_or(|it| it.is_blocked || it.outbox.is_empty()), "not flushed");
    }

    fn settle(&mut self) {
        self.is_dirty = false;
        if !self.session.is_closed() {
            self.session.flush_polling(&mut self.log);
            self.model.flush();
            let streams = [self.session.conn(), self.session.candidate()];
            for conn in streams.into_iter().flatten() {
                self.write(conn);
            }
            if self.session.is_held_up() {
                self.session.hold(&self.ledger, self.now);
                self.session.keep_to_budget(self.now, &mut self.log);
                if self.session.is_closed() {
                    assert_eq!(self.config.outbox.policy, OutboxPolicy::Disconnect);
                    self.ends_unread();
                }
            }
            self.session.pending_change(&mut self.log);
        }
        self.compare();
        self.tend();
    }

    /// Writes what a stream of the session takes.
    fn write(&mut self, conn: u32) {
        let is_transport = self.session.conn() == Some(conn);
        let Some(websocket) = self.session.websocket_mut(conn) else { return };
        let stream = &mut self.streams[conn as usize];
        if websocket.is_blocked && !websocket.outbox.is_empty() {
            return;
        }
        let (bytes, words) = take(&mut websocket.outbox, &mut stream.room);
        websocket.is_blocked = !websocket.outbox.is_empty();
        if websocket.is_blocked {
            websocket.outbox.begin_batch();
        }
        let is_blocked = websocket.is_blocked;
        self.words += words;
        self.read_by_client(conn, &bytes);
        if is_transport && !is_blocked {
            assert!(self.streams[conn as usize].is_between_frames());
            self.model.outgoing.all_taken();
        }
    }

    fn read_by_client(&mut self, conn: u32, bytes: &[u8]) {
        let is_transport = self.log.transports.contains(&conn);
        if is_transport && !bytes.is_empty() {
            self.taken_at = self.now;
        }
        for packet in self.streams[conn as usize].write(self.config.protocol, bytes) {
            if packet != Received::text(PacketType::Pong, b"probe") {
                assert!(is_transport, "{packet:?} to a candidate");
                self.model.outgoing.received(&packet);
            }
        }
    }

    /// Goes on with the closing handshakes of streams that the session let go.
    fn tend(&mut self) {
        for (conn, websocket) in self.log.released.drain(..) {
            assert!(websocket.deadline().is_some(), "it would stay for ever");
            assert!(self.released.iter().all(|&(other, _)| other != conn), "released twice");
            self.released.push((conn, websocket));
        }
        for index in 0..self.released.len() {
            let (conn, websocket) = &mut self.released[index];
            let conn = *conn;
            if !websocket.is_blocked || websocket.outbox.is_empty() {
                let stream = &mut self.streams[conn as usize];
                let (bytes, _) = take(&mut websocket.outbox, &mut stream.room);
                websocket.is_blocked = !websocket.outbox.is_empty();
                if websocket.is_fin_due() {
                    websocket.fin_sent();
                    stream.has_read_fin = true;
                }
                self.read_by_client(conn, &bytes);
            }
        }
    }

    /// The owner was told what the model says, and both have the same streams and deadlines.
    fn compare(&mut self) {
        let expected = self.model.take_told();
        let told = mem::take(&mut self.log.told);
        let mut answers = mem::take(&mut self.log.answers).into_iter();
        assert_eq!(told.len(), expected.len(), "{told:?} {expected:?}");
        for (told, expected) in told.iter().zip(&expected) {
            match (told, expected) {
                (Told::Content(request, _), &Told::Content(expected, units)) => {
                    assert_eq!(*request, expected);
                    self.model.answered(&answers.next().expect("an answer"), units);
                }
                _ => assert_eq!(told, expected),
            }
        }
        self.words += mem::take(&mut self.log.words);
        assert_eq!(self.session.is_closed(), self.model.is_closed());
        assert_eq!(self.session.conn(), self.model.conn());
        assert_eq!(self.session.candidate(), self.model.candidate());
        assert!(
            self.model.get().is_none() || self.model.outgoing.is_empty(),
            "a GET waits for nothing"
        );
        if !self.session.is_closed() {
            let (deadline, expected) = (self.session.next_deadline(), self.model.next_deadline());
            let may_be_earlier = self.config.outbox.max_bytes.is_some();
            assert!(deadline == expected || may_be_earlier && deadline < expected);
        }
    }

    // The end of the script.

    /// Lets the client take everything, closes the session, and sees to it that nothing is left.
    pub(super) fn bring_to_an_end(&mut self) {
        self.flush();
        if !self.has_closed() && !self.model.is_polling() && self.session.conn().is_none() {
            self.attach();
        }
        self.unblock();
        while self.model.is_polling() && !self.model.outgoing.is_empty() && !self.has_closed() {
            self.poll();
        }
        if (self.model.is_open() || self.model.is_ending()) && !self.is_surveyed {
            assert_eq!(self.words, self.model.outgoing.words, "word of what was taken");
        }
        if !self.has_closed() {
            self.close(false);
        }
        while !self.has_closed() {
            self.poll();
        }
        assert_eq!(self.log.ends, 1);
        self.unblock();
        self.model.outgoing.all_taken();
        for index in 0..self.released.len() {
            self.end_stream(index);
        }
        assert_eq!(self.released.len(), self.streams.len(), "each stream was let go");
        self.released.clear();
        assert_eq!(self.ledger.bytes(), 0);
    }

    /// The client takes part in a closing handshake until it is over.
    fn end_stream(&mut self, index: usize) {
        let conn = self.released[index].0;
        if !self.streams[conn as usize].is_broken {
            self.server_reads(conn, usize::MAX);
            let stream = &mut self.streams[conn as usize];
            assert!(stream.is_between_frames());
            if !stream.has_ended && !stream.has_said_close {
                stream.say(Saying::FrameClose, 0);
                self.server_reads(conn, usize::MAX);
            }
            let stream = &self.streams[conn as usize];
            assert!(
                stream.has_read_fin,
                "the client has closed, and the server has not: {stream:?}"
            );
            assert!(stream.has_read_close || stream.has_ended);
            self.released[index].1.end_of_input();
        }
        assert!(self.released[index].1.is_done());
    }
}

/// Takes what there is room for. Returns it, and how many units that asked for word are gone thereby.
fn take(outbox: &mut Outbox, room: &mut Option<usize>) -> (Vec<u8>, u32) {
    let (mut bytes, mut words) = (Vec::new(), 0);
    while !outbox.is_empty() && *room != Some(0) {
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = outbox.fill_slices(&mut slices);
        let mut written: Vec<u8> =
            slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
        if let Some(room) = room {
            written.truncate(*room);
            *room -= written.len();
        }
        words += outbox.advance(written.len()).messages;
        bytes.append(&mut written);
    }
    (bytes, words)
}
