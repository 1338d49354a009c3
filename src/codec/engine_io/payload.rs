//! Payloads: several packets in one polling body, joined by a separator that no packet should contain.
//!
//! Upstream does not escape the separator, so a text message with U+001E in it comes out as several packets there
//! too. The limit on a body's size is checked where the body is read.

use crate::codec::engine_io::base64::append_base64;
use crate::codec::engine_io::packet::BASE64_PREFIX;
use crate::codec::engine_io::packet::Packet;
use crate::codec::engine_io::packet::PacketError;
use crate::codec::engine_io::packet::PacketType;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::ServerFrames;

/// The packets of a payload, one after the other. It ends after the first bad one.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    /// `None` once the last packet, or a bad one, was given.
    rest: Option<&'a str>,
}

impl<'a> Packets<'a> {
    /// The packets of `payload`. An empty payload is one bad packet.
    pub const fn new(payload: &'a str) -> Self {
        Self { rest: Some(payload) }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (text, rest) = match memchr::memchr(SEPARATOR, rest.as_bytes())
            .and_then(|end| rest.split_at_checked(end))
        {
            Some((text, rest)) => (text, rest.get(1..)),
            None => (rest, None),
        };
        let packet = Packet::decode_text(text);
        if packet.is_ok() {
            self.rest = rest;
        }
        Some(packet)
    }
}

/// Appends a packet that carries text, or nothing, to a payload.
pub fn append_text(payload: &mut Vec<u8>, packet_type: PacketType, text: &[u8]) {
    append_separator(payload);
    payload.push(packet_type.digit());
    payload.extend_from_slice(text);
}

/// Appends a binary message to a payload, as base64.
pub fn append_binary(payload: &mut Vec<u8>, bytes: &[u8]) {
    append_separator(payload);
    payload.push(BASE64_PREFIX);
    append_base64(payload, bytes);
}

/// Encodes packets that carry nothing.
pub fn encode_bare(packet_types: impl IntoIterator<Item = PacketType>) -> Vec<u8> {
    let mut payload = Vec::new();
    for packet_type in packet_types {
        append_text(&mut payload, packet_type, &[]);
    }
    payload
}

/// Appends packets to a payload that were built as WebSocket frames, by
/// [`append_text_frame`](crate::codec::engine_io::append_text_frame) and
/// [`append_binary_frame`](crate::codec::engine_io::append_binary_frame).
pub fn append_frames(payload: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, packet) in ServerFrames::new(frames) {
        if opcode == Opcode::Binary {
            append_binary(payload, packet);
        } else {
            append_separator(payload);
            payload.extend_from_slice(packet);
        }
    }
}

/// No packet is empty, so an empty payload has none.
fn append_separator(payload: &mut Vec<u8>) {
    if !payload.is_empty() {
        payload.push(SEPARATOR);
    }
}

/// U+001E, the record separator of ASCII.
const SEPARATOR: u8 = 0x1e;

#[cfg(test)]
mod tests {
    use super::{Packets, append_binary, append_frames, append_text};
    use crate::codec::engine_io::{
        BinaryForm, Packet, PacketData, PacketError, PacketType, append_binary_frame,
        append_text_frame,
    };

    fn text(packet_type: PacketType, text: &str) -> Packet<'_> {
        Packet { packet_type, data: PacketData::Text(text) }
    }

    #[test]
    fn payloads_are_decoded_up_to_the_first_bad_packet() {
        let bytes = Ok(Packet {
            packet_type: PacketType::Message,
            data: PacketData::Binary(vec![1, 2, 3, 4].into()),
        });
        let table = [
            ("4hello", vec![Ok(text(PacketType::Message, "hello"))]),
            (
                "4€\u{1e}2\u{1e}bAQIDBA==",
                vec![Ok(text(PacketType::Message, "€")), Ok(text(PacketType::Ping, "")), bytes],
            ),
            ("", vec![Err(PacketError)]),
            ("abc", vec![Err(PacketError)]),
            ("\u{1e}", vec![Err(PacketError)]),
            ("4a\u{1e}", vec![Ok(text(PacketType::Message, "a")), Err(PacketError)]),
            ("4a\u{1e}x\u{1e}4b", vec![Ok(text(PacketType::Message, "a")), Err(PacketError)]),
            ("4a\u{1e}\u{1e}4b", vec![Ok(text(PacketType::Message, "a")), Err(PacketError)]),
        ];
        for (payload, expected) in table {
            let mut packets = Packets::new(payload);
            assert_eq!(packets.by_ref().collect::<Vec<_>>(), expected, "{payload:?}");
            assert_eq!(packets.next(), None, "{payload:?}");
        }
    }

    #[test]
    fn packets_are_appended_with_a_separator_between() {
        let mut payload = Vec::new();
        append_text(&mut payload, PacketType::Open, b"{}");
        append_text(&mut payload, PacketType::Message, b"");
        append_binary(&mut payload, &[1, 2, 3, 4]);
        append_binary(&mut payload, &[]);
        append_text(&mut payload, PacketType::Close, b"");
        assert_eq!(payload, b"0{}\x1e4\x1ebAQIDBA==\x1eb\x1e1");
    }

    #[test]
    fn frames_become_the_packets_they_were_built_from() {
        let mut frames = Vec::new();
        append_text_frame(&mut frames, PacketType::Message, "€".repeat(100).as_bytes());
        append_binary_frame(&mut frames, BinaryForm::Bytes, &[1, 2, 3, 4]);
        append_text_frame(&mut frames, PacketType::Noop, b"");
        let mut payload = Vec::new();
        append_frames(&mut payload, &frames);
        assert_eq!(
            String::from_utf8(payload),
            Ok(format!("4{}\u{1e}bAQIDBA==\u{1e}6", "€".repeat(100)))
        );
    }
}
