//! What a user may do with the WebSocket under a session: put frames of their own among those of the engine, and look at
//! what the peer sends below the packets.

use bytes::Bytes;

use crate::codec::websocket::Opcode;
use crate::codec::websocket::encode_fragment;

/// A frame of the user's own. The engine does not know what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries. Of a control frame JavaScript has checked that the payload is short enough.
    pub opcode: Opcode,
    /// No further fragment of its message follows.
    pub is_final: bool,
    /// It may be compressed.
    pub compress: bool,
    /// Its sender wants to know when it was taken.
    pub notify: bool,
    /// As it goes out; of a close frame the code and the reason.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Its bytes.
    pub(super) fn encode(&self) -> Bytes {
        encode_fragment(self.opcode, self.payload, self.is_final)
    }

    /// Whether it is a message of its own, which is all that is compressed.
    pub(super) const fn is_message(&self) -> bool {
        self.is_final && matches!(self.opcode, Opcode::Text | Opcode::Binary)
    }
}

/// Which frames of the peer are told besides the packets in them. One byte of every WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch(u8);

impl Watch {
    /// Close frames, for their code and reason.
    pub const CLOSE: Self = Self(1);
    /// Pings and pongs.
    pub const HEARTBEATS: Self = Self(2);
    /// Messages, packets of the engine or not.
    pub const MESSAGES: Self = Self(4);
    /// Messages, for the log: whatever users watch, it stays as it is.
    const LOG: Self = Self(8);

    /// What the bits of a mask ask for.
    pub const fn new(mask: u8) -> Self {
        Self(mask & (Self::CLOSE.0 | Self::HEARTBEATS.0 | Self::MESSAGES.0))
    }

    /// Whether it asks for all of this.
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether messages are told, for a user or for the log.
    pub(super) const fn includes_messages(self) -> bool {
        self.0 & (Self::MESSAGES.0 | Self::LOG.0) != 0
    }

    /// What users want instead; the log gets what it had.
    pub(super) const fn replaced_by(self, watch: Self) -> Self {
        Self(watch.0 & !Self::LOG.0 | self.0 & Self::LOG.0)
    }

    /// The same, with or without the log.
    pub(super) const fn logged(self, is_logged: bool) -> Self {
        Self(if is_logged { self.0 | Self::LOG.0 } else { self.0 & !Self::LOG.0 })
    }
}
