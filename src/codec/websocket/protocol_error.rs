//! What a peer can do wrong on a WebSocket: the texts and close codes of npm's `ws`, to the letter.
//!
//! The texts reach users as the description of a `transport error`, so they are part of the contract.

use crate::codec::websocket::CloseCode;

/// A peer's violation of the WebSocket protocol or of a limit.
///
/// Answer each of them with a close frame of [`close_code`](Self::close_code) and an empty reason, end the session
/// with `transport error`, and ignore what the peer still sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A reserved bit that no extension ever gives a meaning.
    #[error("Invalid WebSocket frame: RSV2 and RSV3 must be clear")]
    ReservedBits,
    /// A frame marked as compressed, though no compression was negotiated, or where the mark has no meaning: on a control
    /// frame, or on a fragment that is not the first.
    #[error("Invalid WebSocket frame: RSV1 must be clear")]
    CompressedFrame,
    /// A reserved opcode, a continuation of nothing, or a new message inside a fragmented one.
    #[error("Invalid WebSocket frame: invalid opcode {0}")]
    InvalidOpcode(u8),
    /// A fragmented control frame.
    #[error("Invalid WebSocket frame: FIN must be set")]
    FragmentedControl,
    /// A control frame over 125 bytes, or a close frame of a single byte. The number is the 7-bit length field.
    #[error("Invalid WebSocket frame: invalid payload length {0}")]
    InvalidControlLength(u8),
    /// A client's frame without a mask.
    #[error("Invalid WebSocket frame: MASK must be set")]
    UnmaskedFrame,
    /// A 64-bit length that a JavaScript number cannot hold.
    #[error("Unsupported WebSocket frame: payload length > 2^53 - 1")]
    UnsupportedLength,
    /// A message, all its fragments together, over the limit.
    #[error("Max payload size exceeded")]
    MessageTooLarge,
    /// A message in more pieces than anybody honest sends.
    #[error("Too many message fragments")]
    TooManyFragments,
    /// Text or a close reason that is not UTF-8.
    #[error("Invalid WebSocket frame: invalid UTF-8 sequence")]
    InvalidUtf8,
    /// A compressed message that cannot be inflated, in the words of zlib.
    #[error("{0}")]
    InvalidDeflate(&'static str),
    /// A close frame whose code may not be sent.
    #[error("Invalid WebSocket frame: invalid status code {0}")]
    InvalidCloseCode(u16),
}

impl ProtocolError {
    /// The code of the close frame that answers it.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::CompressedFrame
            | Self::InvalidOpcode(_)
            | Self::FragmentedControl
            | Self::InvalidControlLength(_)
            | Self::UnmaskedFrame
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidDeflate(_) => CloseCode::INVALID_PAYLOAD,
            Self::TooManyFragments => CloseCode::POLICY_VIOLATION,
            Self::UnsupportedLength | Self::MessageTooLarge => CloseCode::MESSAGE_TOO_BIG,
        }
    }

    /// The class of the JavaScript error that `ws` throws for it; Engine.IO reports `<name>: <message>`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate(_) => "Error",
            _ => "RangeError",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProtocolError;

    #[test]
    fn every_error_has_the_code_the_class_and_the_text_of_ws() {
        let table = [
            (
                ProtocolError::ReservedBits,
                1002,
                "RangeError: Invalid WebSocket frame: RSV2 and RSV3 must be clear",
            ),
            (
                ProtocolError::CompressedFrame,
                1002,
                "RangeError: Invalid WebSocket frame: RSV1 must be clear",
            ),
            (
                ProtocolError::InvalidOpcode(11),
                1002,
                "RangeError: Invalid WebSocket frame: invalid opcode 11",
            ),
            (
                ProtocolError::FragmentedControl,
                1002,
                "RangeError: Invalid WebSocket frame: FIN must be set",
            ),
            (
                ProtocolError::InvalidControlLength(126),
                1002,
                "RangeError: Invalid WebSocket frame: invalid payload length 126",
            ),
            (
                ProtocolError::UnmaskedFrame,
                1002,
                "RangeError: Invalid WebSocket frame: MASK must be set",
            ),
            (
                ProtocolError::UnsupportedLength,
                1009,
                "RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1",
            ),
            (ProtocolError::MessageTooLarge, 1009, "RangeError: Max payload size exceeded"),
            (ProtocolError::TooManyFragments, 1008, "RangeError: Too many message fragments"),
            (
                ProtocolError::InvalidUtf8,
                1007,
                "Error: Invalid WebSocket frame: invalid UTF-8 sequence",
            ),
            (
                ProtocolError::InvalidDeflate("invalid block type"),
                1007,
                "Error: invalid block type",
            ),
            (
                ProtocolError::InvalidCloseCode(1005),
                1002,
                "RangeError: Invalid WebSocket frame: invalid status code 1005",
            ),
        ];
        for (error, code, description) in table {
            assert_eq!(error.close_code().get(), code, "{error:?}");
            assert_eq!(format!("{}: {error}", error.name()), description);
        }
    }
}
