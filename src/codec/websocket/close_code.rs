//! Close frames: which codes may travel, and how the payload of a close frame is read and written.
//!
//! Not the closing handshake: who closes first and who waits for whom is the session's business.

use bytes::Bytes;

use crate::codec::websocket::Opcode;
use crate::codec::websocket::ProtocolError;
use crate::codec::websocket::encode_frame;

/// A code that may stand in a close frame: what `ws` accepts, 1000–1003, 1007–1014 and 3000–4999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1007: the content does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the peer broke a policy that no other code names.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message over the limit.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);

    /// The code, if it may be sent in a close frame.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A complete close frame. Without a code it is empty (`88 00`), as Engine.IO closes.
///
/// A reason without a code cannot be expressed on the wire and is left out. A reason over 123 bytes is cut at a
/// character, since a control frame holds no more; one that came from a peer always fits.
pub fn encode_close_frame(code: Option<CloseCode>, reason: &str) -> Bytes {
    match code {
        None => encode_frame(Opcode::Close, &[]),
        Some(code) => {
            let end =
                (0..=reason.len().min(MAX_REASON_BYTES)).rfind(|&end| reason.is_char_boundary(end));
            let reason = reason.get(..end.unwrap_or_default()).unwrap_or_default();
            encode_frame(Opcode::Close, &[&code.get().to_be_bytes(), reason.as_bytes()])
        }
    }
}

/// Reads the payload of a close frame. A single byte was refused with the frame's header.
pub(super) fn parse_close_payload(
    payload: &[u8],
) -> Result<(Option<CloseCode>, &str), ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Ok((None, ""));
    };
    let code = u16::from_be_bytes(*code);
    let code = CloseCode::new(code).ok_or(ProtocolError::InvalidCloseCode(code))?;
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
    Ok((Some(code), reason))
}

/// RFC 6455 section 5.5: a control frame's payload is at most 125 bytes, two of which are the code.
const MAX_REASON_BYTES: usize = 123;

#[cfg(test)]
mod tests {
    use super::{CloseCode, encode_close_frame, parse_close_payload};
    use crate::codec::websocket::ProtocolError;

    #[test]
    fn valid_codes_are_those_of_ws() {
        let valid = |code: u16| {
            (1000..=1014).contains(&code) && !(1004..=1006).contains(&code)
                || (3000..=4999).contains(&code)
        };
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), valid(code).then_some(code));
        }
    }

    #[test]
    fn payloads_are_read() {
        assert_eq!(parse_close_payload(b""), Ok((None, "")));
        assert_eq!(parse_close_payload(&[0x03, 0xe8]), Ok((Some(CloseCode::NORMAL), "")));
        assert_eq!(parse_close_payload(b"\x0f\xa0bye"), Ok((CloseCode::new(4000), "bye")));
        assert_eq!(parse_close_payload(&[0x03, 0xed]), Err(ProtocolError::InvalidCloseCode(1005)));
        assert_eq!(parse_close_payload(&[0x03, 0xe8, 0xff]), Err(ProtocolError::InvalidUtf8));
        // The code is judged before the reason.
        assert_eq!(parse_close_payload(&[0, 0, 0xff]), Err(ProtocolError::InvalidCloseCode(0)));
    }

    #[test]
    fn frames_are_written() {
        assert_eq!(encode_close_frame(None, ""), [0x88, 0].as_slice());
        assert_eq!(encode_close_frame(None, "lost"), [0x88, 0].as_slice());
        assert_eq!(
            encode_close_frame(Some(CloseCode::NORMAL), ""),
            [0x88, 2, 0x03, 0xe8].as_slice()
        );
        assert_eq!(
            encode_close_frame(Some(CloseCode::PROTOCOL_ERROR), "no"),
            b"\x88\x04\x03\xeano".as_slice()
        );
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let frame = encode_close_frame(Some(CloseCode::NORMAL), &format!("{}€", "a".repeat(122)));
        assert_eq!(frame.len(), 2 + 2 + 122);
        let frame = encode_close_frame(Some(CloseCode::NORMAL), &"a".repeat(200));
        assert_eq!(frame.len(), 2 + 125);
    }
}
