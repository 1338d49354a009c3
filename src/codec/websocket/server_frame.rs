//! Frames from the server: never masked, each message of the engine one frame.
//!
//! A frame is built once and may be shared by every receiver of a broadcast, so it is immutable from then on.
//! [`ServerFrames`] reads such frames back, for receivers that are not on a WebSocket.

use std::ops::Deref;

use bytes::Bytes;

use crate::codec::websocket::Opcode;

/// The header of an unmasked frame: two, four or ten bytes.
#[derive(Clone, Copy, Debug)]
pub struct ServerFrameHeader {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl ServerFrameHeader {
    /// Two bytes and a 64-bit length.
    pub const MAX_LEN: usize = 10;

    /// The header of a final frame with a payload of `payload_len` bytes, the length in its shortest form.
    pub fn new(opcode: Opcode, payload_len: usize) -> Self {
        let mut bytes = [0; Self::MAX_LEN];
        bytes[0] = FIN | opcode as u8;
        let len = if let Ok(short_len @ 0..=MAX_SHORT_LEN) = u8::try_from(payload_len) {
            bytes[1] = short_len;
            2
        } else if let Ok(payload_len) = u16::try_from(payload_len) {
            bytes[1] = LENGTH_IN_16_BITS;
            bytes[2..4].copy_from_slice(&payload_len.to_be_bytes());
            4
        } else {
            bytes[1] = LENGTH_IN_64_BITS;
            bytes[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        };
        Self { bytes, len }
    }

    /// The same for a payload that is compressed.
    #[must_use]
    pub const fn compressed(mut self) -> Self {
        self.bytes[0] |= RSV1;
        self
    }
}

impl Deref for ServerFrameHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// How many bytes a frame with a payload of `payload_len` bytes takes, for reserving a buffer that fits.
pub const fn frame_len(payload_len: usize) -> usize {
    let header_len = match payload_len {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => ServerFrameHeader::MAX_LEN,
    };
    header_len + payload_len
}

/// Appends one frame to `out`; its payload is `parts`, one after the other.
pub fn append_frame(out: &mut Vec<u8>, opcode: Opcode, parts: &[&[u8]]) {
    let payload_len = parts.iter().map(|part| part.len()).sum();
    out.reserve(frame_len(payload_len));
    out.extend_from_slice(&ServerFrameHeader::new(opcode, payload_len));
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// One frame in a buffer of its own; its payload is `parts`, one after the other.
pub fn encode_frame(opcode: Opcode, parts: &[&[u8]]) -> Bytes {
    let mut frame = Vec::new();
    append_frame(&mut frame, opcode, parts);
    frame.into()
}

/// One frame of a message that may have further ones: only the last one is final, and all but the first are continuations.
pub fn encode_fragment(opcode: Opcode, payload: &[u8], is_final: bool) -> Bytes {
    let mut frame = Vec::new();
    append_frame(&mut frame, opcode, &[payload]);
    if !is_final && let Some(first) = frame.first_mut() {
        *first &= !FIN;
    }
    frame.into()
}

/// Walks frames that [`append_frame`] wrote, giving opcode and payload of each.
///
/// For our own frames only: it judges nothing, and ends where the bytes are not such a frame.
#[derive(Clone, Debug)]
pub struct ServerFrames<'a> {
    rest: &'a [u8],
}

impl<'a> ServerFrames<'a> {
    /// The frames in `bytes`, which begin at a frame's first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for ServerFrames<'a> {
    type Item = (Opcode, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[first, short_len], rest) = self.rest.split_first_chunk::<2>()?;
        let (payload_len, rest) = match short_len {
            LENGTH_IN_16_BITS => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            LENGTH_IN_64_BITS => {
                let (len, rest) = rest.split_first_chunk::<8>()?;
                (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
            }
            len => (usize::from(len), rest),
        };
        let opcode = Opcode::new(first & OPCODE)?;
        let (payload, rest) = rest.split_at_checked(payload_len)?;
        self.rest = rest;
        Some((opcode, payload))
    }
}

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const OPCODE: u8 = 0x0f;
const MAX_SHORT_LEN: u8 = 125;
const LENGTH_IN_16_BITS: u8 = 126;
const LENGTH_IN_64_BITS: u8 = 127;

#[cfg(test)]
mod tests {
    use super::{
        ServerFrameHeader, ServerFrames, append_frame, encode_fragment, encode_frame, frame_len,
    };
    use crate::codec::websocket::Opcode;

    #[test]
    fn lengths_are_written_in_the_shortest_form() {
        let table: [(usize, &[u8]); 7] = [
            (0, &[0x81, 0]),
            (1, &[0x81, 1]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (0x0102_0304, &[0x81, 127, 0, 0, 0, 0, 1, 2, 3, 4]),
        ];
        for (payload_len, header) in table {
            assert_eq!(
                *ServerFrameHeader::new(Opcode::Text, payload_len),
                *header,
                "{payload_len}"
            );
            assert_eq!(frame_len(payload_len), header.len() + payload_len);
        }
    }

    #[test]
    fn frames_are_built_from_parts() {
        assert_eq!(encode_frame(Opcode::Text, &[b"4", b"hello"]), b"\x81\x064hello".as_slice());
        assert_eq!(encode_frame(Opcode::Binary, &[&[1, 2, 3]]), [0x82, 3, 1, 2, 3].as_slice());
        assert_eq!(encode_frame(Opcode::Pong, &[]), [0x8a, 0].as_slice());
        assert_eq!(encode_fragment(Opcode::Text, b"a", false), [0x01, 1, b'a'].as_slice());
        assert_eq!(encode_fragment(Opcode::Continuation, b"", true), [0x80, 0].as_slice());
    }

    #[test]
    fn frames_are_read_back() {
        let payloads = [0, 1, 125, 126, 127, 65_535, 65_536].map(|len| vec![7; len]);
        let mut bytes = Vec::new();
        for payload in &payloads {
            append_frame(&mut bytes, Opcode::Binary, &[payload]);
        }
        let frames: Vec<_> = ServerFrames::new(&bytes).collect();
        assert_eq!(frames.len(), payloads.len());
        for (payload, frame) in payloads.iter().zip(frames) {
            assert_eq!(frame, (Opcode::Binary, payload.as_slice()));
        }
        assert_eq!(ServerFrames::new(&bytes[..bytes.len() - 1]).count(), payloads.len() - 1);
    }
}
