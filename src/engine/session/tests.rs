//! Sessions stepped by hand: what goes in is written as the peer writes it, what comes out as it would read it.

mod budget;
mod endings;
mod frames;
mod polling;
mod protocol_3;
mod upgrades;
mod websocket;

use bytes::Bytes;

use super::{Session, StreamEnd};
use crate::codec::engine_io::{BinaryForm, PacketData, PacketType};
use crate::codec::websocket::{Opcode, ServerFrames};
use crate::config::{Config, OutboxBudget, OutboxPolicy, Protocol};
use crate::engine::{
    CloseReason, Entry, Events, Outbox, Part, Response, UpgradeFailure, WebSocket,
};

const SLOT: u32 = 7;
const CONN: u32 = 3;
const CANDIDATE: u32 = 4;

/// A session, its time, and what it has told.
struct Bench {
    session: Session,
    now: u64,
    turn: u32,
    told: Told,
}

#[derive(Default)]
struct Told {
    events: Vec<String>,
    is_owner_behind: bool,
    released: Vec<(u32, WebSocket)>,
}

impl Events for Told {
    fn message(&mut self, _: u32, data: &PacketData<'_>) {
        self.events.push(match data {
            PacketData::Text(text) => format!("message {text}"),
            PacketData::Binary(bytes) => format!("message {bytes:?}"),
        });
    }

    fn inflated(&mut self) {
        self.events.push("inflated".to_owned());
    }

    fn is_owner_behind(&self) -> bool {
        self.is_owner_behind
    }

    fn closed(&mut self, slot: u32, reason: CloseReason, description: &str, is_awaited: bool) {
        assert_eq!(slot, SLOT);
        let closed = if is_awaited { "closed, awaited" } else { "closed" };
        self.events
            .push(format!("{closed}: {} {description}", reason.text()).trim_end().to_owned());
    }

    fn respond(&mut self, _: u32, request: u32, response: Response<'_>) {
        let payload = if response.is_binary {
            format!("{:?}", response.payload)
        } else {
            String::from_utf8(response.payload.to_vec()).unwrap().replace('\u{1e}', "|")
        };
        let compressed = if response.compress { " compressed" } else { "" };
        self.events.push(format!("respond {request} {payload}{compressed}"));
    }

    fn upgrading(&mut self, _: u32, conn: u32) {
        self.events.push(format!("upgrading {conn}"));
    }

    fn upgraded(&mut self, _: u32, conn: u32) {
        self.events.push(format!("upgraded {conn}"));
    }

    fn upgrade_failed(&mut self, _: u32, conn: u32, failure: UpgradeFailure) {
        self.events.push(format!("upgrade failed {conn}: {failure:?}"));
    }

    fn heartbeat(&mut self, _: u32) {
        self.events.push("heartbeat".to_owned());
    }

    fn control(&mut self, _: u32, packet_type: PacketType, text: &str) {
        self.events.push(format!("{packet_type:?} {text}").trim_end().to_owned());
    }

    fn ping_sent(&mut self, _: u32) {
        self.events.push("ping sent".to_owned());
    }

    fn sent(&mut self, _: u32, count: u32) {
        self.events.push(format!("sent {count}"));
    }

    fn frame(&mut self, conn: u32, opcode: Opcode, payload: &[u8]) {
        self.events.push(format!("{opcode:?} of {conn}: {}", String::from_utf8_lossy(payload)));
    }

    fn release(&mut self, conn: u32, websocket: WebSocket) {
        self.released.push((conn, websocket));
    }
}

impl Bench {
    fn new(is_websocket: bool, protocol: Protocol) -> Self {
        let config = Config {
            protocol,
            supports_binary: true,
            ping_interval_ms: 1_000,
            ping_timeout_ms: 500,
            upgrade_timeout_ms: 700,
            max_message_bytes: Some(100),
            outbox: OutboxBudget { max_bytes: Some(1_000), policy: OutboxPolicy::Stalled },
        };
        let session = Session::open(SLOT, 0, config, is_websocket, b"{}", 0);
        Self { session, now: 0, turn: 1, told: Told::default() }
    }

    /// On a WebSocket, with the 101 and the open packet written.
    fn websocket() -> Self {
        let mut bench = Self::new(true, Protocol::V4);
        assert!(bench.session.attach(CONN, Bytes::from_static(b"101")));
        assert_eq!(bench.written(CONN), ["101", "0{}"]);
        bench
    }

    /// On polling, with the open packet fetched.
    fn polling() -> Self {
        let mut bench = Self::new(false, Protocol::V4);
        bench.poll(0);
        assert_eq!(bench.events(), ["respond 0 0{} compressed"]);
        bench
    }

    /// On polling with a candidate, whose 101 is written.
    fn upgrading() -> Self {
        let mut bench = Self::polling();
        assert!(bench.session.attach_candidate(CANDIDATE, Bytes::from_static(b"101"), bench.now));
        assert_eq!(bench.written(CANDIDATE), ["101"]);
        bench
    }

    fn receive(&mut self, conn: u32, frames: &[Vec<u8>]) -> &mut Self {
        self.session.receive(conn, &mut frames.concat(), self.now, &mut self.told);
        self
    }

    fn poll(&mut self, request: u32) -> &mut Self {
        self.session.poll(request, self.now, &mut self.told);
        self
    }

    fn send(&mut self, text: &str) -> bool {
        self.session.send(self.turn, 1, false, |_, _| message(text))
    }

    fn send_bytes(&mut self, bytes: &[u8]) {
        let parts = [Part::Binary(bytes)];
        self.session.send(self.turn, 1, false, |form, _| Entry::message(parts.into_iter(), form));
    }

    fn send_volatile(&mut self, text: &str) {
        self.session.send(self.turn, 1, true, |_, _| message(text));
    }

    fn flush(&mut self) -> &mut Self {
        self.session.flush_polling(&mut self.told);
        self
    }

    fn close(&mut self, discard: bool) -> &mut Self {
        self.session.close(discard, self.now, &mut self.told);
        self
    }

    fn stream_ended(&mut self, conn: u32, end: StreamEnd) -> &mut Self {
        self.session.stream_ended(conn, end, self.now, &mut self.told);
        self
    }

    /// Lets time pass, with a step at each deadline on the way.
    fn pass(&mut self, ms: u64) -> &mut Self {
        let until = self.now + ms;
        while !self.session.is_closed() && self.session.next_deadline() <= until {
            self.now = self.session.next_deadline();
            self.session.tick(self.now, &mut self.told);
        }
        self.now = until;
        self
    }

    fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told.events)
    }

    /// What was put out for a stream since the last time, whoever has it now.
    fn written(&mut self, conn: u32) -> Vec<String> {
        let released = self.told.released.iter_mut().find(|(released, _)| *released == conn);
        let websocket =
            released.map(|(_, websocket)| websocket).or_else(|| self.session.websocket_mut(conn));
        read(&mut websocket.unwrap().outbox)
    }

    fn released(&mut self) -> Vec<u32> {
        self.told.released.iter().map(|(conn, _)| *conn).collect()
    }
}

fn read(outbox: &mut Outbox) -> Vec<String> {
    let mut written = Vec::new();
    while let Some(entry) = outbox.pop() {
        if entry.frames().starts_with(b"101") {
            written.push("101".to_owned());
        }
        for (opcode, payload) in ServerFrames::new(entry.frames()) {
            written.push(match opcode {
                Opcode::Text => String::from_utf8(payload.to_vec()).unwrap(),
                Opcode::Close => {
                    let code =
                        payload.first_chunk().map(|code| u16::from_be_bytes(*code).to_string());
                    format!("close {}", code.unwrap_or_default()).trim_end().to_owned()
                }
                _ => format!("{opcode:?} {payload:?}"),
            });
        }
    }
    written
}

fn message(text: &str) -> Entry {
    Entry::message([Part::Text(text.as_bytes())].into_iter(), BinaryForm::Bytes)
}

/// A client's frame, masked with zeros.
fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame =
        vec![0x80 | opcode as u8, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

fn text(text: &str) -> Vec<u8> {
    frame(Opcode::Text, text.as_bytes())
}
