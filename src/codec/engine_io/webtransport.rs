//! The framing of packets on a stream of WebTransport: each has its length before it, and a bit that tells bytes from text.
//!
//! ```text
//!     0 1 2 3 4 5 6 7
//!    +-+-------------+  length 0 to 125, or 126: two bytes of it follow, or 127: eight bytes of it follow
//!    |B|   length    |  B: the packet is a binary message; else it is text
//!    +-+-------------+
//! ```
//!
//! That is the second byte of a WebSocket frame with another meaning of its first bit, so frames become this by a copy. What
//! the packets mean, and which of them may come first, is not decided here.

use std::mem;
use std::ops::Deref;

use crate::codec::engine_io::packet::PacketError;
use crate::codec::websocket::Input;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::ServerFrames;

/// What stands before a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketPrefix {
    /// The packet is a binary message; else it is text.
    pub is_binary: bool,
    /// How many bytes the packet has.
    pub packet_len: u64,
}

impl PacketPrefix {
    /// A byte, and a 64-bit length.
    pub const MAX_LEN: usize = 9;

    /// Reads the prefix at the start of `bytes` and tells how long it is; `None` while there are too few bytes.
    ///
    /// No packet is empty, none is longer than `max_packet_bytes`, and none than a JavaScript number can count. Each rule is
    /// tried as soon as its bytes are there. A length that is not written in its shortest form is accepted, but as upstream
    /// takes the marks of the longer forms for lengths first, they too have to be within the limit.
    pub fn parse(
        bytes: &[u8],
        max_packet_bytes: u64,
    ) -> Result<Option<(Self, usize)>, PacketError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let is_allowed = |len: u64| 0 < len && len <= max_packet_bytes.min(MAX_SAFE_INTEGER);
        let short_len = first & LENGTH;
        if !is_allowed(short_len.into()) {
            return Err(PacketError);
        }
        let (packet_len, prefix_len) = match short_len {
            LENGTH_IN_16_BITS => match rest.first_chunk() {
                Some(len) => (u16::from_be_bytes(*len).into(), 3),
                None => return Ok(None),
            },
            LENGTH_IN_64_BITS => match rest.first_chunk() {
                Some(len) => (u64::from_be_bytes(*len), Self::MAX_LEN),
                None => return Ok(None),
            },
            len => (len.into(), 1),
        };
        if !is_allowed(packet_len) {
            return Err(PacketError);
        }
        Ok(Some((Self { is_binary: first & BINARY != 0, packet_len }, prefix_len)))
    }

    /// How long a prefix that begins with this byte is.
    const fn len(first: u8) -> usize {
        match first & LENGTH {
            LENGTH_IN_16_BITS => 3,
            LENGTH_IN_64_BITS => Self::MAX_LEN,
            _ => 1,
        }
    }
}

/// The bytes of a prefix.
#[derive(Clone, Copy, Debug)]
pub struct PrefixBytes {
    bytes: [u8; PacketPrefix::MAX_LEN],
    len: usize,
}

impl PrefixBytes {
    /// The prefix of a packet of `packet_len` bytes, the length in its shortest form.
    pub fn new(is_binary: bool, packet_len: usize) -> Self {
        let mut bytes = [0; PacketPrefix::MAX_LEN];
        let len = if let Ok(short_len @ 0..=MAX_SHORT_LEN) = u8::try_from(packet_len) {
            bytes[0] = short_len;
            1
        } else if let Ok(packet_len) = u16::try_from(packet_len) {
            bytes[0] = LENGTH_IN_16_BITS;
            bytes[1..3].copy_from_slice(&packet_len.to_be_bytes());
            3
        } else {
            bytes[0] = LENGTH_IN_64_BITS;
            bytes[1..].copy_from_slice(&(packet_len as u64).to_be_bytes());
            PacketPrefix::MAX_LEN
        };
        if is_binary {
            bytes[0] |= BINARY;
        }
        Self { bytes, len }
    }
}

impl Deref for PrefixBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends packets that were built as WebSocket frames, each behind its prefix. They must not be compressed.
pub fn append_prefixed(out: &mut Vec<u8>, frames: &[u8]) {
    for (opcode, packet) in ServerFrames::new(frames) {
        out.extend_from_slice(&PrefixBytes::new(opcode == Opcode::Binary, packet.len()));
        out.extend_from_slice(packet);
    }
}

/// A packet as it stood on the stream, borrowed from the input or from the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPacket<'a> {
    /// The text of a packet. What is not UTF-8 was replaced, and a byte order mark left out, as JavaScript's `TextDecoder` does.
    Text(&'a str),
    /// The bytes of a message.
    Binary(&'a [u8]),
}

/// Decodes the bytes of one stream, one read after the other.
///
/// ```
/// use sio::codec::engine_io::{PacketDecoder, StreamPacket};
/// use sio::codec::websocket::Input;
///
/// let mut decoder = PacketDecoder::new(1_000_000);
/// let mut bytes = *b"\x034hi\x82\x01";
/// let mut input = Input::new(&mut bytes);
/// assert_eq!(decoder.decode(&mut input), Ok(Some(StreamPacket::Text("4hi"))));
/// assert_eq!(decoder.decode(&mut input), Ok(None));
/// # Ok::<(), sio::codec::engine_io::PacketError>(())
/// ```
#[derive(Debug)]
pub struct PacketDecoder {
    /// A packet that is incomplete, with its prefix; or the one that was handed out of here last. Otherwise empty.
    carry: Vec<u8>,
    /// The text that was handed out last, where it had to be mended.
    mended: String,
    max_packet_bytes: u64,
    /// The carry was handed out.
    is_delivered: bool,
    /// The stream is malformed; what still comes is not looked at.
    is_ended: bool,
}

impl PacketDecoder {
    /// A decoder for packets of up to `max_packet_bytes`; `u64::MAX` is no limit.
    pub const fn new(max_packet_bytes: u64) -> Self {
        Self {
            carry: Vec::new(),
            mended: String::new(),
            max_packet_bytes,
            is_delivered: false,
            is_ended: false,
        }
    }

    /// The next packet; `None` when `input` is used up.
    ///
    /// Call it until it gives `None`: this also frees what it carried over from earlier reads. After an error it skips all
    /// input.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
    ) -> Result<Option<StreamPacket<'a>>, PacketError> {
        self.mended = String::new();
        if mem::take(&mut self.is_delivered) {
            self.carry = Vec::new();
        }
        if self.is_ended {
            input.take_all();
            return Ok(None);
        }
        let found = self.find(input);
        let Ok(Some((prefix, packet))) = found else {
            self.is_ended = found.is_err();
            return found.map(|_| None);
        };
        let packet = match packet {
            Place::Carry { start } => {
                self.is_delivered = true;
                self.carry.get(start..).unwrap_or_default()
            }
            Place::Input(packet) => packet,
        };
        if prefix.is_binary {
            return Ok(Some(StreamPacket::Binary(packet)));
        }
        let text = packet.strip_prefix(BYTE_ORDER_MARK).unwrap_or(packet);
        Ok(Some(StreamPacket::Text(lossy_text(text, &mut self.mended))))
    }

    /// Reads up to the end of the next packet.
    fn find<'a>(
        &mut self,
        input: &'a mut Input<'_>,
    ) -> Result<Option<(PacketPrefix, Place<'a>)>, PacketError> {
        if self.carry.is_empty()
            && let Some((prefix, start)) = PacketPrefix::parse(input.rest(), self.max_packet_bytes)?
            && let Some(len) = whole_len(prefix, start)
            && len <= input.rest().len()
        {
            let packet = input.take(len).get(start..).unwrap_or_default();
            return Ok(Some((prefix, Place::Input(packet))));
        }
        loop {
            let wanted = match PacketPrefix::parse(&self.carry, self.max_packet_bytes)? {
                Some((prefix, start)) => {
                    let wanted = whole_len(prefix, start).unwrap_or(usize::MAX) - self.carry.len();
                    if wanted == 0 {
                        return Ok(Some((prefix, Place::Carry { start })));
                    }
                    wanted
                }
                None => {
                    self.carry.first().map_or(1, |&first| PacketPrefix::len(first))
                        - self.carry.len()
                }
            };
            // The vector grows with what has come, never with what was announced: at most twice the bytes received.
            let taken = input.take(wanted);
            self.carry.extend_from_slice(taken);
            if taken.is_empty() {
                return Ok(None);
            }
        }
    }
}

/// Where a packet lies.
enum Place<'a> {
    Input(&'a [u8]),
    Carry { start: usize },
}

/// Text as JavaScript reads it: what is not UTF-8 is replaced, which takes `mended` to hold it.
pub fn lossy_text<'a>(text: &'a [u8], mended: &'a mut String) -> &'a str {
    if let Ok(text) = simdutf8::basic::from_utf8(text) {
        return text;
    }
    *mended = String::from_utf8_lossy(text).into_owned();
    mended
}

/// The length of a packet with its prefix, if memory can hold so much.
fn whole_len(prefix: PacketPrefix, prefix_len: usize) -> Option<usize> {
    usize::try_from(prefix.packet_len).ok()?.checked_add(prefix_len)
}

const BINARY: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const MAX_SHORT_LEN: u8 = 125;
const LENGTH_IN_16_BITS: u8 = 126;
const LENGTH_IN_64_BITS: u8 = 127;

/// JavaScript's `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::{PacketDecoder, PacketPrefix, PrefixBytes, StreamPacket, append_prefixed};
    use crate::codec::engine_io::{
        BinaryForm, PacketError, PacketType, append_binary_frame, append_text_frame,
    };
    use crate::codec::websocket::Input;

    /// What comes out of `bytes`, printed.
    fn decode(decoder: &mut PacketDecoder, bytes: &[u8]) -> Vec<String> {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes);
        let mut heard = Vec::new();
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(packet)) => heard.push(format!("{packet:?}")),
                Ok(None) => return heard,
                Err(error) => heard.push(error.to_string()),
            }
        }
    }

    fn print(packets: &[StreamPacket<'_>]) -> Vec<String> {
        packets.iter().map(|packet| format!("{packet:?}")).collect()
    }

    #[test]
    fn lengths_are_written_in_the_shortest_form_and_read_back() {
        let table: [(bool, usize, &[u8]); 9] = [
            (false, 1, &[1]),
            (true, 1, &[0x81]),
            (false, 125, &[125]),
            (true, 125, &[0xfd]),
            (false, 126, &[126, 0, 126]),
            (true, 126, &[0xfe, 0, 126]),
            (false, 65_535, &[126, 0xff, 0xff]),
            (true, 65_536, &[0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
            (false, 0x0102_0304, &[127, 0, 0, 0, 0, 1, 2, 3, 4]),
        ];
        for (is_binary, packet_len, bytes) in table {
            assert_eq!(*PrefixBytes::new(is_binary, packet_len), *bytes);
            let packet_len = packet_len as u64;
            let prefix = PacketPrefix { is_binary, packet_len };
            for len in 0..bytes.len() {
                assert_eq!(PacketPrefix::parse(&bytes[..len], u64::MAX), Ok(None));
            }
            assert_eq!(PacketPrefix::parse(bytes, u64::MAX), Ok(Some((prefix, bytes.len()))));
        }
    }

    #[test]
    fn a_packet_that_is_empty_or_over_the_limit_is_refused_on_its_length_alone() {
        let refused: [(&[u8], u64); 10] = [
            (&[0], 1000),
            (&[0x80], 1000),
            (&[126, 0, 0], 1000),
            (&[127, 0, 0, 0, 0, 0, 0, 0, 0], 1000),
            (&[11], 10),
            (&[126, 3, 0xe9], 1000),
            (&[127, 0, 0, 0, 0, 0, 0, 3, 0xe9], 1000),
            // 2^53
            (&[127, 0, 0x20, 0, 0, 0, 0, 0, 0], u64::MAX),
            // The marks of the longer forms are taken for lengths first.
            (&[126], 125),
            (&[127], 126),
        ];
        for (bytes, max) in refused {
            assert_eq!(PacketPrefix::parse(bytes, max), Err(PacketError), "{bytes:?}");
        }
        let accepted: [(&[u8], u64, u64); 4] = [
            (&[126, 0, 1], 1000, 1),
            (&[126, 3, 0xe8], 1000, 1000),
            (&[127, 0, 0, 0, 0, 0, 0, 0, 1], 1000, 1),
            (&[127, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], u64::MAX, (1 << 53) - 1),
        ];
        for (bytes, max, packet_len) in accepted {
            let prefix = PacketPrefix { is_binary: false, packet_len };
            assert_eq!(PacketPrefix::parse(bytes, max), Ok(Some((prefix, bytes.len()))));
        }
    }

    #[test]
    fn frames_become_prefixed_packets() {
        let mut frames = Vec::new();
        append_text_frame(&mut frames, PacketType::Message, b"hi");
        append_binary_frame(&mut frames, BinaryForm::Bytes, &[1, 2]);
        append_text_frame(&mut frames, PacketType::Message, &[b'x'; 200]);
        let mut out = Vec::new();
        append_prefixed(&mut out, &frames);
        assert_eq!(out[..9], *b"\x034hi\x82\x01\x02\x7e\0");
        assert_eq!(out[9..11], [201, b'4']);
        assert_eq!(out.len(), 4 + 3 + 3 + 201);
    }

    #[test]
    fn packets_come_out_however_the_stream_is_cut_and_nothing_is_kept() {
        let long = "x".repeat(300);
        let bytes =
            [b"\x034hi\x83\0\x81\xff\x7e\x01\x2c".as_slice(), long.as_bytes(), b"\x012"].concat();
        let packets = [
            StreamPacket::Text("4hi"),
            StreamPacket::Binary(&[0, 0x81, 0xff]),
            StreamPacket::Text(&long),
            StreamPacket::Text("2"),
        ];
        for cut in 1..=bytes.len() {
            let mut decoder = PacketDecoder::new(300);
            let heard: Vec<_> =
                bytes.chunks(cut).flat_map(|chunk| decode(&mut decoder, chunk)).collect();
            assert_eq!(heard, print(&packets), "cut into {cut}");
            assert_eq!(decoder.carry.capacity(), 0);
        }
    }

    #[test]
    fn an_announced_terabyte_takes_no_memory_until_it_comes() {
        let mut decoder = PacketDecoder::new(u64::MAX);
        assert!(decode(&mut decoder, &[0xff, 0, 0, 1, 0, 0, 0, 0, 0]).is_empty());
        let mut received = 9;
        for len in [1, 10, 1000, 65_536, 65_536] {
            assert!(decode(&mut decoder, &vec![7; len]).is_empty());
            received += len;
            assert!(decoder.carry.capacity() <= 2 * received);
        }
    }

    #[test]
    fn after_an_error_nothing_is_looked_at() {
        let mut decoder = PacketDecoder::new(100);
        assert_eq!(
            decode(&mut decoder, b"\x012\0\x012"),
            ["Text(\"2\")".to_owned(), PacketError.to_string()]
        );
        assert!(decode(&mut decoder, b"\x012").is_empty());
    }

    #[test]
    fn text_is_read_as_a_text_decoder_reads_it() {
        let mut decoder = PacketDecoder::new(100);
        let bytes = b"\x06\xef\xbb\xbf4hi\x054a\xff\xe2\x82\x054\xef\xbb\xbfa\x034\xe2\x82";
        let packets = [
            StreamPacket::Text("4hi"),
            StreamPacket::Text("4a\u{fffd}\u{fffd}"),
            StreamPacket::Text("4\u{feff}a"),
            StreamPacket::Text("4\u{fffd}"),
        ];
        assert_eq!(decode(&mut decoder, bytes), print(&packets));
    }
}
