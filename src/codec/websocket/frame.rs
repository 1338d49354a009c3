//! The header of a frame from a client: read from a byte slice, judged at once by all rules that a header can break.
//!
//! Not the payload, and not the frames that go out: see `message` and `server_frame`.

use crate::codec::websocket::ProtocolError;

/// What a frame carries (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that an earlier frame began.
    Continuation = 0x0,
    /// Text, or the first fragment of it.
    Text = 0x1,
    /// Bytes, or the first fragment of them.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Asks for a pong with the same payload.
    Ping = 0x9,
    /// Answers a ping, or comes unasked.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode of these four bits, if it is not a reserved one.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// Whether frames of it are control frames, which may come between the fragments of a message.
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// What the frames before say about the next one.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// A fragmented message has begun and has not ended.
    pub in_message: bool,
    /// Compression was negotiated.
    pub can_inflate: bool,
    /// How many bytes the next data frame may add to the message.
    pub max_payload_bytes: u64,
}

/// The header of a client's frame, valid in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame carries.
    pub opcode: Opcode,
    /// The FIN bit: no fragment of this message follows.
    pub is_final: bool,
    /// The RSV1 bit: the message that begins here is compressed (RFC 7692 section 7).
    pub is_compressed: bool,
    /// The key that [`apply_mask`](crate::codec::websocket::apply_mask) takes.
    pub mask_key: [u8; 4],
    /// How many bytes of payload follow the header; within the limit that was given.
    pub payload_len: u64,
}

impl FrameHeader {
    /// Two bytes, a 64-bit length, the mask key.
    pub const MAX_LEN: usize = 14;

    /// Reads the header at the start of `bytes` and tells how long it is; `None` while there are too few bytes.
    ///
    /// The rules are tried in the order of `ws`, each as soon as its bytes are there: a frame over the limit is refused
    /// on its length field alone.
    pub fn parse(bytes: &[u8], expected: Expected) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let is_final = first & FIN != 0;
        let short_len = second & LENGTH;
        let opcode = check_first_bytes(first, short_len, expected)?;
        if second & MASKED == 0 {
            return Err(ProtocolError::UnmaskedFrame);
        }

        // A length that is not written in the shortest form is accepted, as `ws` does.
        let (payload_len, rest) = match short_len {
            LENGTH_IN_16_BITS => match rest.split_first_chunk::<2>() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            LENGTH_IN_64_BITS => match rest.split_first_chunk::<8>() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            len => (u64::from(len), rest),
        };
        if payload_len > MAX_SAFE_INTEGER {
            return Err(ProtocolError::UnsupportedLength);
        }
        if !opcode.is_control() && payload_len > expected.max_payload_bytes {
            return Err(ProtocolError::MessageTooLarge);
        }

        let Some((mask_key, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let is_compressed = first & RSV1 != 0;
        let header = Self { opcode, is_final, is_compressed, mask_key: *mask_key, payload_len };
        Ok(Some((header, bytes.len() - rest.len())))
    }
}

/// The rules about the first byte and the 7-bit length, in the order of `ws`.
fn check_first_bytes(
    first: u8,
    short_len: u8,
    expected: Expected,
) -> Result<Opcode, ProtocolError> {
    if first & (RSV2 | RSV3) != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    let is_compressed = first & RSV1 != 0;
    if is_compressed && !expected.can_inflate {
        return Err(ProtocolError::CompressedFrame);
    }
    let bits = first & OPCODE;
    let opcode = Opcode::new(bits).ok_or(ProtocolError::InvalidOpcode(bits))?;
    if opcode.is_control() {
        if first & FIN == 0 {
            return Err(ProtocolError::FragmentedControl);
        }
        if is_compressed {
            return Err(ProtocolError::CompressedFrame);
        }
        if short_len > MAX_CONTROL_LEN || (opcode == Opcode::Close && short_len == 1) {
            return Err(ProtocolError::InvalidControlLength(short_len));
        }
    } else if is_compressed && opcode == Opcode::Continuation {
        return Err(ProtocolError::CompressedFrame);
    } else if expected.in_message != (opcode == Opcode::Continuation) {
        return Err(ProtocolError::InvalidOpcode(bits));
    }
    Ok(opcode)
}

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_IN_16_BITS: u8 = 126;
const LENGTH_IN_64_BITS: u8 = 127;

/// RFC 6455 section 5.5.
const MAX_CONTROL_LEN: u8 = 125;

/// JavaScript's `Number.MAX_SAFE_INTEGER`, 2^53 - 1: the longest frame that `ws` can count.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::{Expected, FrameHeader, Opcode};
    use crate::codec::websocket::ProtocolError;

    const ANYTHING: Expected =
        Expected { in_message: false, can_inflate: false, max_payload_bytes: u64::MAX };

    #[test]
    fn lengths_are_read_in_all_three_forms() {
        let table: [(&[u8], u64, usize); 7] = [
            (&[0x82, 0x80, 1, 2, 3, 4], 0, 6),
            (&[0x82, 0xfd, 1, 2, 3, 4], 125, 6),
            (&[0x82, 0xfe, 0, 126, 1, 2, 3, 4], 126, 8),
            (&[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4], 65_535, 8),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65_536, 14),
            // Longer than need be.
            (&[0x82, 0xfe, 0, 1, 1, 2, 3, 4], 1, 8),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4], 1, 14),
        ];
        for (bytes, payload_len, header_len) in table {
            let header = FrameHeader {
                opcode: Opcode::Binary,
                is_final: true,
                is_compressed: false,
                mask_key: [1, 2, 3, 4],
                payload_len,
            };
            assert_eq!(
                FrameHeader::parse(bytes, ANYTHING),
                Ok(Some((header, header_len))),
                "{bytes:?}"
            );
            for short in 0..bytes.len() {
                assert_eq!(
                    FrameHeader::parse(&bytes[..short], ANYTHING),
                    Ok(None),
                    "{bytes:?} cut at {short}"
                );
            }
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_its_mask_key_has_come() {
        let limit = Expected { max_payload_bytes: 100, ..ANYTHING };
        let too_large = Err(ProtocolError::MessageTooLarge);
        let unsupported = Err(ProtocolError::UnsupportedLength);
        check(&[0x82, 0xe4], limit, Ok(None));
        check(&[0x82, 0xe5], limit, too_large);
        check(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0], limit, too_large);
        check(&[0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0], limit, unsupported);
        check(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], limit, unsupported);
        // Control frames do not count.
        check(&[0x89, 0xe5, 0, 0, 0, 0], limit, Ok(Some(6)));
        // The largest length that there is.
        let largest = [0x82, 0xff, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
        check(&largest, ANYTHING, Ok(Some(14)));
    }

    #[test]
    fn where_several_rules_are_broken_the_first_one_of_ws_is_told() {
        let in_message = Expected { in_message: true, max_payload_bytes: 0, ..ANYTHING };
        let inflating = Expected { can_inflate: true, ..ANYTHING };
        let inflating_in_message = Expected { can_inflate: true, ..in_message };
        let cases = [
            ([0xf1, 0x05], ANYTHING, ProtocolError::ReservedBits),
            ([0xc3, 0x05], ANYTHING, ProtocolError::CompressedFrame),
            ([0x83, 0x05], ANYTHING, ProtocolError::InvalidOpcode(3)),
            ([0x80, 0x05], ANYTHING, ProtocolError::InvalidOpcode(0)),
            ([0x81, 0x05], in_message, ProtocolError::InvalidOpcode(1)),
            ([0x02, 0x05], in_message, ProtocolError::InvalidOpcode(2)),
            ([0x09, 0x7f], ANYTHING, ProtocolError::FragmentedControl),
            ([0x89, 0x7e], ANYTHING, ProtocolError::InvalidControlLength(126)),
            ([0x8a, 0x7f], in_message, ProtocolError::InvalidControlLength(127)),
            ([0x88, 0x01], ANYTHING, ProtocolError::InvalidControlLength(1)),
            ([0x80, 0x05], in_message, ProtocolError::UnmaskedFrame),
            ([0x80, 0x85], in_message, ProtocolError::MessageTooLarge),
            ([0xd1, 0x85], inflating, ProtocolError::ReservedBits),
            ([0xc3, 0x05], inflating, ProtocolError::InvalidOpcode(3)),
            ([0xc0, 0x05], inflating, ProtocolError::CompressedFrame),
            ([0xc0, 0x85], inflating_in_message, ProtocolError::CompressedFrame),
            ([0xc1, 0x05], inflating_in_message, ProtocolError::InvalidOpcode(1)),
            ([0x49, 0x7f], inflating, ProtocolError::FragmentedControl),
            ([0xc9, 0x7f], inflating, ProtocolError::CompressedFrame),
            ([0xc8, 0x01], inflating_in_message, ProtocolError::CompressedFrame),
            ([0xc1, 0x05], inflating, ProtocolError::UnmaskedFrame),
        ];
        for (bytes, expected, error) in cases {
            assert_eq!(FrameHeader::parse(&bytes, expected), Err(error), "{bytes:?}");
        }
    }

    /// Compares the length of the header that is read, or why there is none.
    fn check(bytes: &[u8], expected: Expected, header_len: Result<Option<usize>, ProtocolError>) {
        let parsed = FrameHeader::parse(bytes, expected).map(|parsed| parsed.map(|(_, len)| len));
        assert_eq!(parsed, header_len, "{bytes:?}");
    }
}
