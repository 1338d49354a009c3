//! One engine packet: its type, and its form on a text channel and in WebSocket frames.
//!
//! Outgoing text is taken as bytes: it came out of a JavaScript string, so it is UTF-8, and is not checked again.

use std::borrow::Cow;

use crate::codec::engine_io::base64::append_base64;
use crate::codec::engine_io::base64::base64_len;
use crate::codec::engine_io::base64::decode_base64;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::append_frame;
use crate::codec::websocket::frame_len;

/// What an engine packet is for. On the wire: its digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    /// The first packet of a session, with its parameters.
    Open = b'0',
    /// Ends a session over polling.
    Close = b'1',
    /// The server's half of the heartbeat; also the client's probe of an upgrade.
    Ping = b'2',
    /// The client's half of the heartbeat; also the answer to a probe.
    Pong = b'3',
    /// Carries a message.
    Message = b'4',
    /// The client's switch to the upgraded transport.
    Upgrade = b'5',
    /// Sets a waiting poll free.
    Noop = b'6',
}

impl PacketType {
    /// The type that this digit stands for.
    pub const fn new(digit: u8) -> Option<Self> {
        match digit {
            b'0' => Some(Self::Open),
            b'1' => Some(Self::Close),
            b'2' => Some(Self::Ping),
            b'3' => Some(Self::Pong),
            b'4' => Some(Self::Message),
            b'5' => Some(Self::Upgrade),
            b'6' => Some(Self::Noop),
            _ => None,
        }
    }

    /// The ASCII digit on the wire.
    pub const fn digit(self) -> u8 {
        self as u8
    }
}

/// A decoded engine packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is for.
    pub packet_type: PacketType,
    /// What it carries.
    pub data: PacketData<'a>,
}

/// What an engine packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketData<'a> {
    /// Text; empty where upstream's packet has no `data`.
    Text(&'a str),
    /// Bytes, in packets of type message only; owned if they came as base64.
    Binary(Cow<'a, [u8]>),
}

/// Not an engine packet: empty, or of no known type. End the session with `parse error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parser error")]
pub struct PacketError;

impl<'a> Packet<'a> {
    /// Decodes a packet from a text channel: a WebSocket text message, or one packet of a polling payload.
    pub fn decode_text(text: &'a str) -> Result<Self, PacketError> {
        if let Some(base64) = text.strip_prefix(char::from(BASE64_PREFIX)) {
            let data = PacketData::Binary(Cow::Owned(decode_base64(base64)));
            return Ok(Self { packet_type: PacketType::Message, data });
        }
        let packet_type = text.bytes().next().and_then(PacketType::new).ok_or(PacketError)?;
        Ok(Self { packet_type, data: PacketData::Text(text.get(1..).unwrap_or_default()) })
    }

    /// A WebSocket binary message is a packet of type message, whatever its bytes.
    pub const fn decode_binary(bytes: &'a [u8]) -> Self {
        Self { packet_type: PacketType::Message, data: PacketData::Binary(Cow::Borrowed(bytes)) }
    }
}

/// Appends the WebSocket frame of a packet that carries text, or nothing.
pub fn append_text_frame(out: &mut Vec<u8>, packet_type: PacketType, text: &[u8]) {
    append_frame(out, Opcode::Text, &[&[packet_type.digit()], text]);
}

/// How a WebSocket carries a binary message: revision 3 names the packet type too, and some clients take only text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryForm {
    /// Revision 4: a binary frame, nothing but the bytes.
    Bytes,
    /// Revision 4, text only: `b` and base64.
    Base64,
    /// Revision 3: a binary frame, the type as a number before the bytes.
    TypedBytes,
    /// Revision 3, text only: `b`, the type's digit and base64.
    TypedBase64,
}

impl BinaryForm {
    /// How many bytes the frame of a message of `len` bytes takes.
    pub const fn frame_len(self, len: usize) -> usize {
        frame_len(match self {
            Self::Bytes => len,
            Self::TypedBytes => len.saturating_add(1),
            Self::Base64 => base64_len(len).saturating_add(1),
            Self::TypedBase64 => base64_len(len).saturating_add(2),
        })
    }
}

/// Appends the WebSocket frame of a binary message.
pub fn append_binary_frame(out: &mut Vec<u8>, form: BinaryForm, bytes: &[u8]) {
    let base64_after = |prefix: &[u8]| {
        let mut text = Vec::with_capacity(base64_len(bytes.len()).saturating_add(prefix.len()));
        text.extend_from_slice(prefix);
        append_base64(&mut text, bytes);
        text
    };
    let digit = PacketType::Message.digit();
    match form {
        BinaryForm::Bytes => append_frame(out, Opcode::Binary, &[bytes]),
        BinaryForm::TypedBytes => append_frame(out, Opcode::Binary, &[&[digit - b'0'], bytes]),
        BinaryForm::Base64 => append_frame(out, Opcode::Text, &[&base64_after(&[BASE64_PREFIX])]),
        BinaryForm::TypedBase64 => {
            append_frame(out, Opcode::Text, &[&base64_after(&[BASE64_PREFIX, digit])]);
        }
    }
}

/// Stands before a binary message on a text channel, instead of the type's digit.
pub(super) const BASE64_PREFIX: u8 = b'b';

#[cfg(test)]
mod tests {
    use super::{
        BinaryForm, Packet, PacketData, PacketError, PacketType, append_binary_frame,
        append_text_frame,
    };

    fn text(packet_type: PacketType, text: &str) -> Packet<'_> {
        Packet { packet_type, data: PacketData::Text(text) }
    }

    fn binary(bytes: &[u8]) -> Packet<'_> {
        Packet { packet_type: PacketType::Message, data: PacketData::Binary(bytes.into()) }
    }

    #[test]
    fn packets_are_decoded_from_text() {
        let table = [
            ("0{\"sid\":\"x\"}", Ok(text(PacketType::Open, "{\"sid\":\"x\"}"))),
            ("1", Ok(text(PacketType::Close, ""))),
            ("2probe", Ok(text(PacketType::Ping, "probe"))),
            ("3probe", Ok(text(PacketType::Pong, "probe"))),
            ("4", Ok(text(PacketType::Message, ""))),
            ("4€\u{1e}", Ok(text(PacketType::Message, "€\u{1e}"))),
            ("5", Ok(text(PacketType::Upgrade, ""))),
            ("6", Ok(text(PacketType::Noop, ""))),
            ("bAQID", Ok(binary(&[1, 2, 3]))),
            ("b", Ok(binary(&[]))),
            ("", Err(PacketError)),
            ("7", Err(PacketError)),
            ("a4", Err(PacketError)),
            ("é", Err(PacketError)),
            ("\u{1e}", Err(PacketError)),
            ("\u{feff}4", Err(PacketError)),
        ];
        for (input, expected) in table {
            assert_eq!(Packet::decode_text(input), expected, "{input:?}");
        }
    }

    #[test]
    fn binary_messages_are_taken_as_they_are() {
        assert_eq!(Packet::decode_binary(b"2probe"), binary(b"2probe"));
    }

    #[test]
    fn every_digit_is_the_type_it_came_from() {
        for digit in 0..=u8::MAX {
            let packet_type = PacketType::new(digit);
            assert_eq!(packet_type.is_some(), (b'0'..=b'6').contains(&digit));
            assert!(packet_type.is_none_or(|packet_type| packet_type.digit() == digit));
        }
    }

    #[test]
    fn frames_hold_the_packet() {
        let mut frames = Vec::new();
        append_text_frame(&mut frames, PacketType::Message, b"hi");
        append_binary_frame(&mut frames, BinaryForm::Bytes, &[1, 2]);
        append_text_frame(&mut frames, PacketType::Noop, b"");
        assert_eq!(frames, b"\x81\x034hi\x82\x02\x01\x02\x81\x016");
    }

    #[test]
    fn a_binary_message_has_four_forms() {
        let table: [(BinaryForm, &[u8]); 4] = [
            (BinaryForm::Bytes, b"\x82\x03\x01\x02\x03"),
            (BinaryForm::Base64, b"\x81\x05bAQID"),
            (BinaryForm::TypedBytes, b"\x82\x04\x04\x01\x02\x03"),
            (BinaryForm::TypedBase64, b"\x81\x06b4AQID"),
        ];
        for (form, expected) in table {
            let mut frame = Vec::new();
            append_binary_frame(&mut frame, form, &[1, 2, 3]);
            assert_eq!(frame, expected, "{form:?}");
            for len in [0, 1, 2, 3, 124, 125, 126, 65_535, 65_536] {
                frame.clear();
                append_binary_frame(&mut frame, form, &vec![0; len]);
                assert_eq!(form.frame_len(len), frame.len(), "{form:?} {len}");
            }
        }
    }
}
