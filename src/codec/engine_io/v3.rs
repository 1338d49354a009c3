//! Revision 3 of the Engine.IO protocol, of socket.io 2 clients: what is different from revision 4.
//!
//! A binary packet names its type in its first byte, or in the digit after `b`. A polling body is a *text payload*, each
//! packet after its length in UTF-16 units, or a *binary payload*, each packet after a byte for its kind and a length
//! in bytes whose decimal digits are one byte each. As in revision 4, a text packet is its digit and its text.

use std::borrow::Cow;

use crate::codec::engine_io::base64::decode_base64;
use crate::codec::engine_io::packet::BASE64_PREFIX;
use crate::codec::engine_io::packet::Packet;
use crate::codec::engine_io::packet::PacketData;
use crate::codec::engine_io::packet::PacketError;
use crate::codec::engine_io::packet::PacketType;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::ServerFrames;

/// Decodes a packet from a text channel.
pub fn decode_text(text: &str) -> Result<Packet<'_>, PacketError> {
    let Some(typed) = text.strip_prefix(char::from(BASE64_PREFIX)) else {
        return Packet::decode_text(text);
    };
    let mut chars = typed.chars();
    let first = chars.next().and_then(|digit| u8::try_from(digit).ok());
    Ok(Packet {
        packet_type: first.and_then(PacketType::new).unwrap_or(UNKNOWN_TYPE),
        data: PacketData::Binary(Cow::Owned(decode_base64(chars.as_str()))),
    })
}

/// Decodes a WebSocket binary message.
pub fn decode_binary(bytes: &[u8]) -> Packet<'_> {
    let (packet_type, data) = match bytes.split_first() {
        Some((&number, data)) => (number.checked_add(FIRST_DIGIT).and_then(PacketType::new), data),
        None => (None, bytes),
    };
    Packet {
        packet_type: packet_type.unwrap_or(UNKNOWN_TYPE),
        data: PacketData::Binary(data.into()),
    }
}

/// Encodes a text payload with packets that carry nothing.
pub fn encode_bare(packet_types: impl IntoIterator<Item = PacketType>) -> Vec<u8> {
    let mut payload = Vec::new();
    for packet_type in packet_types {
        append_text(&mut payload, &[packet_type.digit()]);
    }
    payload
}

/// Appends all packets of a payload, which were built as WebSocket frames with the forms of binary messages that
/// revision 3 has. Returns whether the payload is a binary one: it is if one of the packets is binary.
pub fn append_frames<'a>(
    payload: &mut Vec<u8>,
    frames: impl Iterator<Item = &'a [u8]> + Clone,
) -> bool {
    let mut packets = frames.clone().flat_map(ServerFrames::new);
    let is_binary = packets.any(|(opcode, _)| opcode == Opcode::Binary);
    for (opcode, packet) in frames.flat_map(ServerFrames::new) {
        if is_binary {
            let kind = if opcode == Opcode::Binary { BINARY_KIND } else { STRING_KIND };
            append_entry(payload, kind, packet);
        } else {
            append_text(payload, packet);
        }
    }
    is_binary
}

/// Appends a packet to a text payload. It is UTF-8, and not checked.
fn append_text(payload: &mut Vec<u8>, packet: &[u8]) {
    payload.extend_from_slice(utf16_len(packet).to_string().as_bytes());
    payload.push(LENGTH_END);
    payload.extend_from_slice(packet);
}

/// Appends a packet to a binary payload.
fn append_entry(payload: &mut Vec<u8>, kind: u8, packet: &[u8]) {
    payload.push(kind);
    let digits = packet.len().to_string();
    payload.extend(digits.bytes().map(|digit| digit - FIRST_DIGIT));
    payload.push(ENTRY_LENGTH_END);
    payload.extend_from_slice(packet);
}

/// How many UTF-16 units this UTF-8 text has: one for each character, two for those of four bytes.
fn utf16_len(text: &[u8]) -> usize {
    text.iter().map(|&byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0)).sum()
}

/// The packets of a text payload, one after the other. It ends after the first bad one.
#[derive(Clone, Debug)]
pub struct TextPackets<'a> {
    /// `None` once the last packet, or a bad one, was given.
    rest: Option<&'a str>,
}

impl<'a> TextPackets<'a> {
    /// The packets of `payload`. An empty payload is one bad packet.
    pub const fn new(payload: &'a str) -> Self {
        Self { rest: Some(payload) }
    }

    /// Splits the first packet off; `None` if its length is missing, no number, or more than there is. engine.io takes
    /// whatever JavaScript takes for a number; no client writes anything but digits.
    fn split(payload: &'a str) -> Option<(&'a str, &'a str)> {
        let (digits, rest) = payload.split_once(char::from(LENGTH_END))?;
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let len: usize = is_number.then(|| digits.parse().ok())??;
        let mut units = 0;
        let end = rest.char_indices().find_map(|(index, character)| {
            let is_end = units >= len;
            units += character.len_utf16();
            is_end.then_some(index)
        });
        let (packet, rest) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        (utf16_len(packet.as_bytes()) == len).then_some((packet, rest))
    }
}

impl<'a> Iterator for TextPackets<'a> {
    type Item = Result<Packet<'a>, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest.take()?;
        loop {
            let Some((packet, after)) = Self::split(rest) else { return Some(Err(PacketError)) };
            // engine.io passes over packets without a single character.
            if packet.is_empty() && !after.is_empty() {
                rest = after;
                continue;
            }
            if packet.is_empty() {
                return None;
            }
            let packet = decode_text(packet);
            if packet.is_ok() && !after.is_empty() {
                self.rest = Some(after);
            }
            return Some(packet);
        }
    }
}

/// The packets of a binary payload. It ends after the first bad one; a payload that cannot be taken apart is nothing but
/// one bad packet.
#[derive(Clone, Debug)]
pub struct BinaryPackets<'a> {
    rest: &'a [u8],
    /// The payload cannot be taken apart.
    is_malformed: bool,
}

impl<'a> BinaryPackets<'a> {
    /// The packets of `payload`; none if it is empty.
    pub fn new(payload: &'a [u8]) -> Self {
        let mut rest = payload;
        while !rest.is_empty() {
            match split_entry(rest) {
                Some((_, _, after)) => rest = after,
                None => return Self { rest: &[], is_malformed: true },
            }
        }
        Self { rest: payload, is_malformed: false }
    }
}

impl<'a> Iterator for BinaryPackets<'a> {
    type Item = Result<Packet<'a>, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        if std::mem::take(&mut self.is_malformed) {
            return Some(Err(PacketError));
        }
        let (kind, bytes, after) = split_entry(self.rest)?;
        let packet = if kind == STRING_KIND {
            simdutf8::basic::from_utf8(bytes).map_err(|_| PacketError).and_then(decode_text)
        } else {
            Ok(decode_binary(bytes))
        };
        self.rest = if packet.is_ok() { after } else { &[] };
        Some(packet)
    }
}

/// Splits the first entry of a binary payload off: its kind, its bytes, and what comes after it. `None` if its length is
/// not one. An entry that ends too early is taken as it is, as engine.io does.
fn split_entry(payload: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, rest) = payload.split_first()?;
    let searched = rest.get(..rest.len().min(MAX_LENGTH_DIGITS + 1))?;
    let digit_count = memchr::memchr(ENTRY_LENGTH_END, searched)?;
    let (digits, rest) = rest.split_at_checked(digit_count)?;
    if digits.is_empty() || digits.iter().any(|&digit| digit > 9) {
        return None;
    }
    let len = digits
        .iter()
        .fold(0_usize, |len, &digit| len.saturating_mul(10).saturating_add(usize::from(digit)));
    let rest = rest.get(1..)?;
    let (bytes, rest) = rest.split_at_checked(len.min(rest.len()))?;
    Some((kind, bytes, rest))
}

/// For a packet of a type that does not exist. engine.io has no type for it and so nobody heeds it; nobody heeds this.
const UNKNOWN_TYPE: PacketType = PacketType::Noop;

/// The type of a binary packet is a number, not a digit.
const FIRST_DIGIT: u8 = b'0';

/// Ends the length in a text payload.
const LENGTH_END: u8 = b':';
/// Ends the length in a binary payload.
const ENTRY_LENGTH_END: u8 = 0xff;
/// Begins a text packet of a binary payload.
const STRING_KIND: u8 = 0;
/// Begins a binary packet of a binary payload.
const BINARY_KIND: u8 = 1;
/// engine.io's bound for the length in a binary payload: JavaScript's greatest number has one digit less.
const MAX_LENGTH_DIGITS: usize = 311;

#[cfg(test)]
mod tests;
