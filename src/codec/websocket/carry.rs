//! What a message decoder carries from one read to the next: part of a header, part of a payload, or
//! the fragments of a message. It exists only while something is incomplete.

use crate::codec::websocket::FrameHeader;
use crate::codec::websocket::Opcode;

/// What is incomplete between two reads.
#[derive(Debug, Default)]
pub(super) struct Carry {
    pub(super) reading: Reading,
    /// The fragments of the message so far, then the payload of the frame that is being read. All unmasked.
    pub(super) bytes: Vec<u8>,
    /// How many of `bytes` are complete fragments.
    pub(super) message_len: usize,
    /// The opcode of a fragmented message that has not ended.
    pub(super) message: Option<Opcode>,
    /// Its first frame said that it is compressed, or that of a whole message that came in pieces did.
    pub(super) is_compressed: bool,
    /// How many frames of it are complete.
    pub(super) fragments: u32,
}

/// Which part of a frame comes next.
#[derive(Debug)]
pub(super) enum Reading {
    Header(HeaderBytes),
    Payload { header: FrameHeader, received: u64 },
}

impl Default for Reading {
    fn default() -> Self {
        Self::Header(HeaderBytes::default())
    }
}

impl Carry {
    /// Called when all of a frame's payload is in. Tells the opcode if the frame ends a message or is a control frame.
    pub(super) fn end_frame(&mut self, header: FrameHeader) -> Option<Opcode> {
        if header.opcode.is_control() {
            return Some(header.opcode);
        }
        if self.message.is_none() {
            self.is_compressed = header.is_compressed;
        }
        let opcode = self.message.unwrap_or(header.opcode);
        self.message_len = self.bytes.len();
        self.fragments = self.fragments.saturating_add(1);
        self.message = (!header.is_final).then_some(opcode);
        header.is_final.then_some(opcode)
    }

    /// The payload that [`end_frame`](Self::end_frame) has just completed.
    pub(super) fn payload(&self, opcode: Opcode) -> &[u8] {
        let start = if opcode.is_control() { self.message_len } else { 0 };
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Cuts off a control frame's payload. (After a message the whole carry is empty and goes.)
    pub(super) fn drop_delivered(&mut self) {
        if let Reading::Header(_) = self.reading {
            self.bytes.truncate(self.message_len);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.message.is_none() && matches!(&self.reading, Reading::Header(bytes) if bytes.len == 0)
    }
}

/// The first bytes of a frame, up to the longest header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeaderBytes {
    bytes: [u8; FrameHeader::MAX_LEN],
    pub(super) len: usize,
}

impl HeaderBytes {
    /// Takes as many of `input` as there is room for.
    pub(super) fn extend(&mut self, input: &[u8]) {
        let end = FrameHeader::MAX_LEN.min(self.len.saturating_add(input.len()));
        if let Some(room) = self.bytes.get_mut(self.len..end)
            && let Some(taken) = input.get(..room.len())
        {
            room.copy_from_slice(taken);
            self.len = end;
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
