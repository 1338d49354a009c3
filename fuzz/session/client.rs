//! The client of a session under test: what it says over its streams, and what it makes of all that it is given.

use std::collections::VecDeque;

use sio::codec::engine_io::{Packet, PacketData, PacketType, Packets, v3};
use sio::codec::websocket::{Opcode, ServerFrames};
use sio::config::Protocol;

/// A packet as the client got it, or is to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) packet_type: PacketType,
    pub(super) is_binary: bool,
    pub(super) bytes: Vec<u8>,
}

impl Received {
    pub(super) fn text(packet_type: PacketType, text: &[u8]) -> Self {
        Self { packet_type, is_binary: false, bytes: text.to_vec() }
    }

    fn new(packet: &Packet<'_>) -> Self {
        let (is_binary, bytes) = match &packet.data {
            PacketData::Text(text) => (false, text.as_bytes().to_vec()),
            PacketData::Binary(bytes) => (true, bytes.to_vec()),
        };
        Self { packet_type: packet.packet_type, is_binary, bytes }
    }
}

/// The packets of the answer to a GET.
pub(super) fn read_payload(protocol: Protocol, payload: &[u8], is_binary: bool) -> Vec<Received> {
    let text = || std::str::from_utf8(payload).expect("a payload of text is UTF-8");
    let read = |packet: Result<Packet<'_>, _>| Received::new(&packet.expect("a packet"));
    match (protocol, is_binary) {
        (Protocol::V4, _) => Packets::new(text()).map(read).collect(),
        (Protocol::V3, false) => v3::TextPackets::new(text()).map(read).collect(),
        (Protocol::V3, true) => v3::BinaryPackets::new(payload).map(read).collect(),
    }
}

/// Something that the client says over a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    Message,
    Binary,
    /// A message in two frames, with a ping frame between them.
    Fragments,
    Ping,
    Pong,
    /// A packet that means nothing to a server.
    Idle,
    Probe,
    Switch,
    /// Text that is no packet.
    NoPacket,
    FramePing,
    FramePong,
    FrameClose,
    /// A frame that is not masked.
    BadFrame,
}

impl Saying {
    /// Its bytes; `number` tells messages apart.
    fn frames(self, number: u8) -> Vec<u8> {
        let digit = b'0' + number % 10;
        match self {
            Self::Message => client_frame(0x81, &[b'4', b'c', digit]),
            Self::Binary => client_frame(0x82, &[4, 0xff, digit]),
            Self::Fragments => [
                client_frame(0x01, b"4c"),
                client_frame(0x89, b"between"),
                client_frame(0x80, &[digit]),
            ]
            .concat(),
            Self::Ping => client_frame(0x81, b"2"),
            Self::Pong => client_frame(0x81, b"3"),
            Self::Idle => client_frame(0x81, b"6"),
            Self::Probe => client_frame(0x81, b"2probe"),
            Self::Switch => client_frame(0x81, b"5"),
            Self::NoPacket => client_frame(0x81, b"x"),
            Self::FramePing => client_frame(0x89, b"are you there"),
            Self::FramePong => client_frame(0x8a, b""),
            Self::FrameClose => client_frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
            Self::BadFrame => vec![0x81, 0x00],
        }
    }

    /// What a message of this kind is told as: its bytes, and whether they are binary.
    pub(super) fn message(self, protocol: Protocol, number: u8) -> (Vec<u8>, bool) {
        let digit = b'0' + number % 10;
        match (self, protocol) {
            // Protocol 3 has the packet's type before the bytes.
            (Self::Binary, Protocol::V3) => (vec![0xff, digit], true),
            (Self::Binary, Protocol::V4) => (vec![4, 0xff, digit], true),
            _ => (vec![b'c', digit], false),
        }
    }
}

/// One of its streams.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what has happened on a stream, each on its own")]
pub(super) struct Stream {
    /// How many bytes it takes from the server before it is full.
    pub(super) room: Option<usize>,
    /// What the client has said and the server has not read.
    unread: Vec<u8>,
    /// Where in `unread` each saying ends, with its number.
    ends: VecDeque<(usize, Saying, u8)>,
    /// The server has read the client's close frame, or a fault that has the same effect.
    pub(super) has_said_close: bool,
    /// The client has ended its half, or the stream is broken.
    pub(super) has_ended: bool,
    pub(super) is_broken: bool,
    /// What the server has written, from the last frame's end on.
    written: Vec<u8>,
    has_read_response: bool,
    /// The server's close frame came.
    pub(super) has_read_close: bool,
    /// The server has ended its half.
    pub(super) has_read_fin: bool,
}

/// What goes out before anything else.
pub(super) const RESPONSE: &[u8] = b"HTTP/1.1 101\r\n\r\n";

impl Stream {
    pub(super) fn say(&mut self, saying: Saying, number: u8) {
        if self.unread.len() < MAX_UNREAD {
            self.unread.extend(saying.frames(number));
            self.ends.push_back((self.unread.len(), saying, number));
        }
    }

    /// Takes so many bytes of what was said, and what was said in full by their end.
    pub(super) fn read(&mut self, count: usize) -> (Vec<u8>, Vec<(Saying, u8)>) {
        let count = count.min(self.unread.len());
        let bytes = self.unread.drain(..count).collect();
        let mut said = Vec::new();
        while let Some(&(end, saying, number)) = self.ends.front()
            && end <= count
        {
            self.ends.pop_front();
            self.has_said_close |= matches!(saying, Saying::FrameClose | Saying::BadFrame);
            said.push((saying, number));
        }
        for (end, ..) in &mut self.ends {
            *end -= count;
        }
        (bytes, said)
    }

    /// The server has written this. Returns the packets that came with it.
    pub(super) fn write(&mut self, protocol: Protocol, bytes: &[u8]) -> Vec<Received> {
        self.written.extend_from_slice(bytes);
        if !self.has_read_response {
            if self.written.len() < RESPONSE.len() {
                return Vec::new();
            }
            assert!(self.written.starts_with(RESPONSE), "{:?}", self.written);
            self.written.drain(..RESPONSE.len());
            self.has_read_response = true;
        }
        let mut packets = Vec::new();
        let mut used = 0;
        for (opcode, payload) in ServerFrames::new(&self.written) {
            assert!(!self.has_read_close, "something follows the close frame");
            let header_len = if payload.len() > 125 { 4 } else { 2 };
            used += header_len + payload.len();
            let packet = match opcode {
                Opcode::Text => {
                    let text = std::str::from_utf8(payload).expect("text is UTF-8");
                    match protocol {
                        Protocol::V4 => Packet::decode_text(text),
                        Protocol::V3 => v3::decode_text(text),
                    }
                    .expect("a packet")
                }
                Opcode::Binary if protocol == Protocol::V4 => Packet::decode_binary(payload),
                Opcode::Binary => v3::decode_binary(payload),
                Opcode::Close => {
                    self.has_read_close = true;
                    continue;
                }
                Opcode::Pong => continue,
                Opcode::Ping | Opcode::Continuation => panic!("{opcode:?} of the server"),
            };
            packets.push(Received::new(&packet));
        }
        self.written.drain(..used);
        packets
    }

    /// Whether the client has read whole frames.
    pub(super) fn is_between_frames(&self) -> bool {
        self.written.is_empty()
    }
}

/// A client that says more at once gets no further.
const MAX_UNREAD: usize = 1_000;

/// One masked frame with a payload of up to 125 bytes; `first` is FIN and the opcode.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let len = u8::try_from(payload.len()).expect("a short frame");
    let masked = payload.iter().zip(MASK_KEY.iter().cycle()).map(|(byte, key)| byte ^ key);
    [first, 0x80 | len].into_iter().chain(MASK_KEY).chain(masked).collect()
}
