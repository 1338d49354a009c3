//! What the fuzz targets of opening handshakes and upgrades check, for any bytes at all.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

use sio::codec::engine_io::{PacketData, PacketType};
use sio::codec::websocket::{Opcode, ServerFrames, accept_key, switching_protocols};
use sio::config::{Config, Protocol};
use sio::engine::{
    CloseReason, Entry, Events, Part, Response, Session, StreamEnd, UpgradeFailure, WebSocket,
};

/// The opening handshake: lines of text are a key, a subprotocol, and headers as `name:value`. What goes out has as many
/// lines as were asked for, whatever is in them.
pub(crate) fn handshake(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Other line ends than this one stay in the values.
    let mut lines = text.split('\u{1f}');
    let accept = accept_key(lines.next().unwrap_or_default());
    if let Ok(accept) = &accept {
        assert_eq!(accept.len(), 28, "the base64 of a SHA-1");
    }
    let subprotocol = lines.next().filter(|value| !value.is_empty());
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let accept = accept.unwrap_or_default();
    let response = switching_protocols(&accept, subprotocol, headers.iter().copied());
    let Ok(response) = response else { return };
    let head = response.strip_suffix(b"\r\n\r\n").expect("an empty line ends it");
    let ends = head.iter().filter(|byte| b"\r\n".contains(byte)).count();
    assert_eq!(ends, 2 * (3 + usize::from(subprotocol.is_some()) + headers.len()));
    assert!(head.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
}

const SLOT: u32 = 3;
const CONN: u32 = 7;
/// A GET that waits when the candidate comes.
const REQUEST: u32 = 11;

/// An upgrade: a session on polling gets a candidate that sends any bytes, cut in any way. The first byte says which
/// protocol, whether a GET waits, and how long the reads are; the second how many messages were sent before.
pub(crate) fn upgrade(data: &[u8]) {
    let Some((&[options, sent], bytes)) = data.split_first_chunk::<2>() else { return };
    let protocol = if options & 1 == 0 { Protocol::V4 } else { Protocol::V3 };
    let has_request = options & 2 != 0;
    let read_len = usize::from(options >> 2).max(1);
    let run = |read_len| run_upgrade(protocol, has_request, sent % 8, bytes.chunks(read_len));
    let whole = run(bytes.len().max(1));
    check_order(&whole);
    assert_eq!(run(read_len), whole);
}

fn run_upgrade<'a>(
    protocol: Protocol,
    has_request: bool,
    sent: u8,
    reads: impl Iterator<Item = &'a [u8]>,
) -> Log {
    let config = Config { protocol, max_message_bytes: Some(1_000), ..Config::default() };
    let mut log = Log::default();
    let mut session = Session::open(SLOT, 0, config, false, b"{}", 0);
    session.poll(0, 0, &mut log);
    for count in 0..sent {
        let text = [b'm', count];
        session.send(count.into(), 1, false, |form, _| {
            Entry::message([Part::Text(&text)].into_iter(), form)
        });
    }
    if has_request {
        session.poll(REQUEST, 0, &mut log);
    }
    assert!(session.attach_candidate(CONN, Vec::new().into(), 0));
    for read in reads {
        session.receive(CONN, &mut read.to_vec(), 0, &mut log);
        log.take_output(session.websocket_mut(CONN));
    }
    session.stream_ended(CONN, StreamEnd::Eof, 0, &mut log);
    session.close(true, 0, &mut log);
    assert!(session.is_closed());
    log
}

/// What may come before what.
fn check_order(log: &Log) {
    let count = |name: &str| log.events.iter().filter(|event| event.starts_with(name)).count();
    let place = |name: &str| log.events.iter().position(|event| event.starts_with(name));
    assert_eq!((count("closed"), count("failed") + count("upgraded")), (1, 1));
    assert!(place("closed") == Some(log.events.len() - 1), "{:?}", log.events);
    assert!(count("respond 11 ") <= 1, "{:?}", log.events);
    for later in ["message", "heartbeat"] {
        assert!(place(later).is_none_or(|at| place("upgraded").is_some_and(|from| from < at)));
    }
    // All that goes out is whole frames, those of messages in order.
    let messages: Vec<&[u8]> = ServerFrames::new(&log.output)
        .filter_map(|(_, payload)| payload.strip_prefix(b"4m"))
        .collect();
    assert!(messages.is_sorted());
    let framed: usize = ServerFrames::new(&log.output).map(|(_, payload)| payload.len()).sum();
    assert!(framed <= log.output.len());
}

/// What a session tells, and what it writes to the candidate.
#[derive(Debug, Default, PartialEq)]
struct Log {
    events: Vec<String>,
    output: Vec<u8>,
}

impl Log {
    fn take_output(&mut self, websocket: Option<&mut WebSocket>) {
        let Some(websocket) = websocket else { return };
        while let Some(entry) = websocket.outbox.pop() {
            self.output.extend_from_slice(entry.frames());
        }
    }
}

impl Events for Log {
    fn message(&mut self, slot: u32, data: &PacketData<'_>) {
        self.events.push(format!("message {slot} {data:?}"));
    }

    fn inflated(&mut self) {}

    fn is_owner_behind(&self) -> bool {
        false
    }

    fn closed(&mut self, slot: u32, reason: CloseReason, description: &str, is_awaited: bool) {
        assert!(!is_awaited);
        self.events.push(format!("closed {slot} {reason:?} {description}"));
    }

    fn respond(&mut self, _: u32, request: u32, response: Response<'_>) {
        self.events.push(format!("respond {request} {:?}", response.payload));
    }

    fn upgrading(&mut self, _: u32, conn: u32) {
        self.events.push(format!("upgrading {conn}"));
    }

    fn upgraded(&mut self, _: u32, conn: u32) {
        self.events.push(format!("upgraded {conn}"));
    }

    fn upgrade_failed(&mut self, _: u32, conn: u32, _: UpgradeFailure) {
        self.events.push(format!("failed {conn}"));
    }

    fn heartbeat(&mut self, slot: u32) {
        self.events.push(format!("heartbeat {slot}"));
    }

    fn control(&mut self, slot: u32, packet_type: PacketType, text: &str) {
        self.events.push(format!("control {slot} {packet_type:?} {text}"));
    }

    fn ping_sent(&mut self, slot: u32) {
        self.events.push(format!("ping {slot}"));
    }

    fn sent(&mut self, _: u32, count: u32) {
        self.events.push(format!("sent {count}"));
    }

    fn frame(&mut self, conn: u32, opcode: Opcode, payload: &[u8]) {
        self.events.push(format!("{opcode:?} of {conn}: {payload:?}"));
    }

    fn release(&mut self, _: u32, mut websocket: WebSocket) {
        self.take_output(Some(&mut websocket));
    }
}
