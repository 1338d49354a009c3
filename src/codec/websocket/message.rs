//! Frames to messages: puts fragments together, inflates them, checks limits and UTF-8, lets control frames through in
//! between.
//!
//! Fed with whatever one read gave. A frame that lies whole in the input is unmasked there and handed out without a
//! copy; only what is incomplete at the end of the input is carried over, so an idle connection holds no buffer.
//! It answers nothing: pongs and close frames are sent by whoever drives it.

use std::mem;

use crate::codec::websocket::CloseCode;
use crate::codec::websocket::Expected;
use crate::codec::websocket::FrameHeader;
use crate::codec::websocket::Inflater;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::ProtocolError;
use crate::codec::websocket::apply_mask;
use crate::codec::websocket::carry::{Carry, HeaderBytes, Reading};
use crate::codec::websocket::close_code::parse_close_payload;

/// What a peer sent, borrowed from the input or from the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// Answer it with a pong of the same payload.
    Ping(&'a [u8]),
    /// An answer to a ping, or unasked; needs no answer.
    Pong(&'a [u8]),
    /// The peer's close frame, to be echoed unless ours went out before. Nothing comes after it.
    Close {
        /// Absent when the close frame was empty.
        code: Option<CloseCode>,
        /// Empty when there is no code.
        reason: &'a str,
    },
}

/// The bytes of one read, and how far they were decoded.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a mut [u8],
    position: usize,
}

impl<'a> Input<'a> {
    /// Bytes as they came from the stream. They are unmasked in place, so decode them only once.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// What was not decoded yet.
    pub(in crate::codec) fn rest(&self) -> &[u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        self.position = self.position.saturating_add(count).min(self.bytes.len());
    }

    /// Takes up to `max` bytes as they are.
    pub(in crate::codec) fn take(&mut self, max: usize) -> &[u8] {
        let start = self.position;
        self.skip(max);
        self.bytes.get(start..self.position).unwrap_or_default()
    }

    /// Takes all that is left, as it is: for what is no WebSocket.
    pub fn take_all(&mut self) -> &[u8] {
        self.take(usize::MAX)
    }

    fn skip_all(&mut self) {
        self.position = self.bytes.len();
    }

    /// Takes up to `max` bytes of payload, `offset` bytes into their frame, and unmasks them.
    fn take_unmasked(&mut self, max: u64, key: [u8; 4], offset: u64) -> &mut [u8] {
        let start = self.position;
        self.skip(usize::try_from(max).unwrap_or(usize::MAX));
        let payload = self.bytes.get_mut(start..self.position).unwrap_or_default();
        // Only the lowest two bits of the offset count.
        apply_mask(payload, key, (offset % 4) as usize);
        payload
    }
}

/// Decodes the bytes of one connection, one read after the other.
///
/// ```
/// use sio::codec::websocket::{Incoming, Input, MessageDecoder};
///
/// let mut decoder = MessageDecoder::new(1_000_000);
/// let mut bytes = *b"\x81\x82\0\0\0\0hi\x81";
/// let mut input = Input::new(&mut bytes);
/// let mut texts = Vec::new();
/// while let Some(incoming) = decoder.decode(&mut input)? {
///     if let Incoming::Text(text) = incoming {
///         texts.push(text.to_owned());
///     }
/// }
/// assert_eq!(texts, ["hi"]);
/// # Ok::<(), sio::codec::websocket::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct MessageDecoder {
    /// Only while a frame or a message is incomplete.
    carry: Option<Box<Carry>>,
    /// Only if compression was negotiated.
    inflater: Option<Box<Inflater>>,
    max_message_bytes: u64,
    /// The peer closed or broke the protocol; what it still sends is not looked at.
    is_ended: bool,
}

impl MessageDecoder {
    /// A decoder for messages of up to `max_message_bytes`, all their fragments together; `u64::MAX` is no limit.
    pub const fn new(max_message_bytes: u64) -> Self {
        Self { carry: None, inflater: None, max_message_bytes, is_ended: false }
    }

    /// Takes compressed messages too.
    pub fn inflate_with(&mut self, inflater: Inflater) {
        self.inflater = Some(Box::new(inflater));
    }

    /// The next message or control frame; `None` when `input` is used up.
    ///
    /// Call it until it gives `None`: this also frees what it carried over from earlier reads. After a close frame or
    /// an error it skips all input.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
    ) -> Result<Option<Incoming<'a>>, ProtocolError> {
        self.decode_telling(input, || {})
    }

    /// The same, and calls `inflated` before it hands out a message that came compressed.
    pub fn decode_telling<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
        inflated: impl FnOnce(),
    ) -> Result<Option<Incoming<'a>>, ProtocolError> {
        self.free_delivered();
        let found = match self.find(input) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.carry = None;
                self.is_ended = true;
                return Err(error);
            }
        };
        let payload = match (found.place, self.carry.as_deref()) {
            (Place::Carry, Some(carry)) => carry.payload(found.opcode),
            (Place::Carry, None) => &[],
            (Place::Inflater, _) => {
                inflated();
                self.inflater.as_deref().map(Inflater::message).unwrap_or_default()
            }
            (Place::Input { start }, _) => {
                input.bytes.get(start..input.position).unwrap_or_default()
            }
        };
        let incoming = interpret(found.opcode, payload);
        self.is_ended = matches!(incoming, Ok(Incoming::Close { .. }) | Err(_));
        incoming.map(Some)
    }

    /// Lets go of what the last call handed out of the carry and of the inflater.
    fn free_delivered(&mut self) {
        if self.is_ended {
            self.inflater = None;
        } else if let Some(inflater) = self.inflater.as_deref_mut() {
            inflater.settle();
        }
        if let Some(carry) = self.carry.as_deref_mut() {
            carry.drop_delivered();
            if self.is_ended || carry.is_empty() {
                self.carry = None;
            }
        }
    }

    /// Reads frames up to the end of the next message or control frame.
    fn find(&mut self, input: &mut Input<'_>) -> Result<Option<Found>, ProtocolError> {
        if self.is_ended {
            input.skip_all();
            return Ok(None);
        }
        loop {
            let reading = self
                .carry
                .as_deref_mut()
                .map(|carry| mem::take(&mut carry.reading))
                .unwrap_or_default();
            let (header, received) = match reading {
                Reading::Payload { header, received } => (header, received),
                Reading::Header(bytes) => match self.read_header(bytes, input)? {
                    Some(header) => (header, 0),
                    None => return Ok(None),
                },
            };
            if received == 0
                && is_whole_message(header)
                && header.payload_len <= input.rest().len() as u64
            {
                let start = input.position;
                let payload = input.take_unmasked(header.payload_len, header.mask_key, 0);
                let place = match self.inflater.as_deref_mut().filter(|_| header.is_compressed) {
                    None => Place::Input { start },
                    Some(inflater) => {
                        inflater.inflate(payload, self.max_message_bytes)?;
                        Place::Inflater
                    }
                };
                return Ok(Some(Found { opcode: header.opcode, place }));
            }
            let part = input.take_unmasked(
                header.payload_len.saturating_sub(received),
                header.mask_key,
                received,
            );
            let carry = self.carry.get_or_insert_default();
            // The vector grows with what has come, never with what was announced: at most twice the bytes received.
            carry.bytes.extend_from_slice(part);
            let received = received.saturating_add(part.len() as u64);
            if received < header.payload_len {
                carry.reading = Reading::Payload { header, received };
                return Ok(None);
            }
            if let Some(opcode) = carry.end_frame(header) {
                let is_compressed = carry.is_compressed && !opcode.is_control();
                let place = match self.inflater.as_deref_mut().filter(|_| is_compressed) {
                    None => Place::Carry,
                    Some(inflater) => {
                        inflater.inflate(carry.payload(opcode), self.max_message_bytes)?;
                        Place::Inflater
                    }
                };
                return Ok(Some(Found { opcode, place }));
            }
        }
    }

    /// Reads the next header, of which `bytes` came before; `None` when `input` ends before it does.
    fn read_header(
        &mut self,
        mut bytes: HeaderBytes,
        input: &mut Input<'_>,
    ) -> Result<Option<FrameHeader>, ProtocolError> {
        let carried = bytes.len;
        bytes.extend(input.rest());
        let Some((header, len)) = FrameHeader::parse(bytes.as_slice(), self.expected())? else {
            // Fewer bytes than the longest header has, so all of the input is in `bytes` now.
            input.skip_all();
            if bytes.len > 0 {
                self.carry.get_or_insert_default().reading = Reading::Header(bytes);
            }
            return Ok(None);
        };
        input.skip(len.saturating_sub(carried));
        let fragments = self.carry.as_ref().map_or(0, |carry| carry.fragments);
        if header.opcode == Opcode::Continuation && fragments >= MAX_FRAGMENTS {
            return Err(ProtocolError::TooManyFragments);
        }
        Ok(Some(header))
    }

    fn expected(&self) -> Expected {
        let carry = self.carry.as_deref();
        let message_bytes = carry.map_or(0, |carry| carry.message_len as u64);
        Expected {
            in_message: carry.is_some_and(|carry| carry.message.is_some()),
            can_inflate: self.inflater.is_some(),
            max_payload_bytes: self.max_message_bytes.saturating_sub(message_bytes),
        }
    }
}

/// Where the payload of a complete message or control frame lies.
struct Found {
    /// Of a fragmented message: the opcode of its first frame.
    opcode: Opcode,
    place: Place,
}

enum Place {
    /// From here to the input's position.
    Input {
        start: usize,
    },
    Carry,
    Inflater,
}

/// Whether no other frame has to come before it can be handed out.
fn is_whole_message(header: FrameHeader) -> bool {
    header.is_final && header.opcode != Opcode::Continuation
}

fn interpret(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Text => Incoming::Text(
            simdutf8::basic::from_utf8(payload).map_err(|_| ProtocolError::InvalidUtf8)?,
        ),
        // A continuation was given its message's opcode before.
        Opcode::Binary | Opcode::Continuation => Incoming::Binary(payload),
        Opcode::Ping => Incoming::Ping(payload),
        Opcode::Pong => Incoming::Pong(payload),
        Opcode::Close => {
            let (code, reason) = parse_close_payload(payload)?;
            Incoming::Close { code, reason }
        }
    })
}

/// Default of `ws`: more frames than this in one message end the connection with 1008.
const MAX_FRAGMENTS: u32 = 16_384;

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::{Incoming, Input, MAX_FRAGMENTS, MessageDecoder};
    use crate::codec::websocket::ProtocolError;

    /// A frame with a key of zeros, so that its payload reads as it is; lengths up to 125.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let len = u8::try_from(payload.len()).unwrap();
        [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
    }

    /// What comes out of `bytes`, printed, and nothing carried over that is not needed.
    fn decode(decoder: &mut MessageDecoder, bytes: &[u8]) -> Vec<String> {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes);
        let mut heard = Vec::new();
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(incoming)) => heard.push(format!("{incoming:?}")),
                Ok(None) => return heard,
                Err(error) => heard.push(format!("{error:?}")),
            }
        }
    }

    fn print(heard: impl Debug) -> String {
        format!("{heard:?}")
    }

    fn carried_capacity(decoder: &MessageDecoder) -> usize {
        decoder.carry.as_ref().map_or(0, |carry| carry.bytes.capacity())
    }

    #[test]
    fn an_idle_decoder_is_small_and_holds_no_heap() {
        assert!(size_of::<MessageDecoder>() <= 32);
        let mut decoder = MessageDecoder::new(100);
        let stream = [
            frame(0x81, b"whole"),
            frame(0x01, b"in "),
            frame(0x89, b"ping"),
            frame(0x80, b"two"),
            frame(0x82, b""),
            frame(0x01, b""),
            frame(0x80, b""),
        ];
        for chunk_len in [1, 2, 3, 5, 8, 13, 100] {
            let bytes = stream.concat();
            let mut heard = Vec::new();
            for chunk in bytes.chunks(chunk_len) {
                heard.extend(decode(&mut decoder, chunk));
            }
            let expected = [
                Incoming::Text("whole"),
                Incoming::Ping(b"ping"),
                Incoming::Text("in two"),
                Incoming::Binary(b""),
                Incoming::Text(""),
            ];
            assert_eq!(heard, expected.map(print));
            assert!(decoder.carry.is_none());
        }
    }

    #[test]
    fn a_whole_frame_is_handed_out_where_it_lies() {
        let mut decoder = MessageDecoder::new(100);
        let mut bytes = frame(0x82, b"bytes");
        let range = bytes.as_ptr_range();
        let mut input = Input::new(&mut bytes);
        let Ok(Some(Incoming::Binary(payload))) = decoder.decode(&mut input) else {
            panic!("a binary message")
        };
        assert_eq!(payload, b"bytes");
        assert!(range.contains(&payload.as_ptr()));
        assert!(decoder.carry.is_none());
    }

    #[test]
    fn a_read_may_be_left_half_decoded() {
        let mut decoder = MessageDecoder::new(100);
        let mut bytes = [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x81, b"c")].concat();
        let mut input = Input::new(&mut bytes);
        assert_eq!(decoder.decode(&mut input), Ok(Some(Incoming::Text("ab"))));
        assert_eq!(decoder.decode(&mut input), Ok(Some(Incoming::Text("c"))));
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert_eq!(decoder.decode(&mut input), Ok(None));
    }

    #[test]
    fn an_announced_terabyte_takes_no_memory_until_it_comes() {
        let mut decoder = MessageDecoder::new(u64::MAX);
        let header = [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(decode(&mut decoder, &header), [""; 0]);
        assert_eq!(carried_capacity(&decoder), 0);
        let mut received = 0;
        for len in [1, 1, 10, 100, 1000, 65_536, 65_536, 65_536] {
            assert_eq!(decode(&mut decoder, &vec![0; len]), [""; 0]);
            received += len;
            assert!(carried_capacity(&decoder) <= (2 * received).max(64), "{received}");
        }

        let mut decoder = MessageDecoder::new(1_000_000);
        assert_eq!(decode(&mut decoder, &header[..10]), [print(ProtocolError::MessageTooLarge)]);
        assert!(decoder.carry.is_none());
    }

    #[test]
    fn a_message_in_16384_fragments_passes_and_one_more_fails() {
        let empty = frame(0x00, b"");
        let mut decoder = MessageDecoder::new(100);
        assert_eq!(decode(&mut decoder, &frame(0x01, b"a")), [""; 0]);
        for _ in 2..MAX_FRAGMENTS {
            assert_eq!(decode(&mut decoder, &empty), [""; 0]);
        }
        assert!(carried_capacity(&decoder) <= 64);
        assert_eq!(decode(&mut decoder, &frame(0x80, b"z")), [print(Incoming::Text("az"))]);

        assert_eq!(decode(&mut decoder, &frame(0x01, b"a")), [""; 0]);
        for _ in 2..=MAX_FRAGMENTS {
            assert_eq!(decode(&mut decoder, &empty), [""; 0]);
        }
        assert_eq!(decode(&mut decoder, &frame(0x89, b"")), [print(Incoming::Ping(b""))]);
        assert_eq!(decode(&mut decoder, &empty), [print(ProtocolError::TooManyFragments)]);
        assert!(decoder.carry.is_none());
    }

    #[test]
    fn a_million_bytes_come_through_one_by_one() {
        let mut decoder = MessageDecoder::new(1_000_000);
        let mut bytes = vec![0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0];
        bytes.resize(14 + 1_000_000, b'x');
        let last = bytes.pop().unwrap();
        for byte in &mut bytes {
            let mut input = Input::new(std::slice::from_mut(byte));
            assert_eq!(decoder.decode(&mut input), Ok(None));
        }
        let mut last = [last];
        let mut input = Input::new(&mut last);
        assert!(
            matches!(decoder.decode(&mut input), Ok(Some(Incoming::Binary(payload))) if payload.len() == 1_000_000)
        );
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert!(decoder.carry.is_none());
    }

    #[test]
    fn nothing_is_heard_after_a_close_frame_or_an_error() {
        let mut decoder = MessageDecoder::new(100);
        let heard = decode(
            &mut decoder,
            &[frame(0x01, b"a"), frame(0x88, b""), frame(0x80, b"b")].concat(),
        );
        assert_eq!(heard, [print(Incoming::Close { code: None, reason: "" })]);
        assert_eq!(decode(&mut decoder, &frame(0x81, b"c")), [""; 0]);
        assert!(decoder.carry.is_none());

        let mut decoder = MessageDecoder::new(100);
        let heard = decode(
            &mut decoder,
            &[frame(0x01, b"a"), frame(0x80, b"\xff"), frame(0x81, b"b")].concat(),
        );
        assert_eq!(heard, [print(ProtocolError::InvalidUtf8)]);
        assert_eq!(decode(&mut decoder, &frame(0x81, b"c")), [""; 0]);
        assert!(decoder.carry.is_none());
    }
}
