//! How the packets of a session stand on its stream, and what reads them from there.
//!
//! What goes out is not written here: it waits as WebSocket frames whatever the stream, and where others are wanted, whoever
//! carries the stream makes them.

use crate::codec::engine_io::PacketDecoder;
use crate::codec::engine_io::lossy_text;
use crate::codec::websocket::Input;
use crate::codec::websocket::MessageDecoder;
use crate::engine::transport::Received;

/// How packets stand on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// In WebSocket frames.
    WebSocket,
    /// Each behind its length: a stream of WebTransport.
    Prefixed,
    /// Whole messages of a WebSocket whose frames are somebody else's. Each read is one: a byte that is 1 for a binary message and
    /// 0 for text, and its content, which that somebody has held to the limit.
    Whole,
}

/// Reads packets from a stream.
#[derive(Debug)]
pub(super) enum Decoder {
    Frames(MessageDecoder),
    Prefixed(Box<PacketDecoder>),
    Whole {
        /// The text that was handed out last, where it had to be mended.
        mended: String,
    },
}

impl Decoder {
    /// What reads packets of up to so many bytes.
    pub(super) fn new(framing: Framing, max_message_bytes: u64) -> Self {
        match framing {
            Framing::WebSocket => Self::Frames(MessageDecoder::new(max_message_bytes)),
            Framing::Prefixed => Self::Prefixed(Box::new(PacketDecoder::new(max_message_bytes))),
            Framing::Whole => Self::Whole { mended: String::new() },
        }
    }

    /// Whether the closing handshake of a WebSocket is ours to make.
    pub(super) const fn has_close_frames(&self) -> bool {
        matches!(self, Self::Frames(_))
    }
}

/// The one message that the input is. Text that is not UTF-8 is read as JavaScript reads it: the engines need not check it.
pub(super) fn receive_whole<'a>(mended: &'a mut String, input: &'a mut Input<'_>) -> Received<'a> {
    match input.take_all().split_first() {
        None => Received::Nothing,
        Some((&BINARY, bytes)) => Received::Binary(bytes),
        Some((_, text)) => Received::Text(lossy_text(text, mended)),
    }
}

/// Before the content of a binary message.
const BINARY: u8 = 1;

#[cfg(test)]
mod tests {
    use super::{Decoder, Framing, receive_whole};
    use crate::codec::websocket::{Input, MessageDecoder};
    use crate::engine::transport::Received;

    #[test]
    fn other_framings_cost_a_websocket_nothing() {
        assert_eq!(size_of::<Decoder>(), size_of::<MessageDecoder>());
        assert!(Decoder::new(Framing::WebSocket, 1).has_close_frames());
        assert!(!Decoder::new(Framing::Prefixed, 1).has_close_frames());
        assert!(!Decoder::new(Framing::Whole, 1).has_close_frames());
    }

    #[test]
    fn a_read_is_one_whole_message() {
        let table: [(&[u8], &str); 6] = [
            (b"", "Nothing"),
            (b"\0", "Text(\"\")"),
            (b"\x01", "Binary([])"),
            (b"\x004hi", "Text(\"4hi\")"),
            (b"\x01\x004", "Binary([0, 52])"),
            (b"\0\xef\xbb\xbf\xff", "Text(\"\u{feff}\u{fffd}\")"),
        ];
        for (bytes, expected) in table {
            let (mut bytes, mut mended) = (bytes.to_vec(), String::new());
            let mut input = Input::new(&mut bytes);
            let received = receive_whole(&mut mended, &mut input);
            // Debug escapes what cannot be seen.
            let expected = expected.replace('\u{feff}', "\\u{feff}");
            assert_eq!(format!("{received:?}"), expected);
            let mut mended = String::new();
            assert!(matches!(receive_whole(&mut mended, &mut input), Received::Nothing));
        }
    }
}
