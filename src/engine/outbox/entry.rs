//! One unit of output: the frames of a message and its attachments, or of a packet, and what is known of them.

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::engine_io::BinaryForm;
use crate::codec::engine_io::PacketType;
use crate::codec::engine_io::append_binary_frame;
use crate::codec::engine_io::append_text_frame;
use crate::codec::engine_io::reform_frames;
use crate::codec::websocket::Deflater;
use crate::codec::websocket::frame_len;
use crate::engine::ledger::Ledger;

/// One piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// UTF-8, without the packet type; it is not checked.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
}

/// A unit of output.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them goes with any other"
)]
pub struct Entry {
    pub(super) frames: Bytes,
    /// It may be compressed: a polling payload that holds it, or its messages on a WebSocket that has agreed to that.
    pub(super) compress: bool,
    /// Who wants to know when it was taken.
    pub(super) word: Word,
    /// It found the transport free, so it is a batch of its own.
    pub(super) is_first: bool,
    /// The next one goes with it where both go into a polling payload.
    pub(super) is_followed: bool,
    /// Whether it may be dropped while it waits.
    pub(super) loss: Loss,
    /// Other outboxes may have the same frames, which are counted elsewhere.
    pub(super) is_shared: bool,
}

/// Whether an entry may be dropped while it waits, which is up to whoever sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Never: the session or the layer above would not work without it.
    #[default]
    Forbidden,
    /// Where the oldest have to make room for the newest.
    Bearable,
    /// Wherever room has to be made: it is volatile.
    Expected,
}

/// Who is told that an entry was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Nobody,
    /// The session's owner: it is a message.
    Session,
    /// The owner of the stream: it is a frame of the user's own.
    Stream,
}
impl Entry {
    /// A message: text, or text with attachments, for sessions that take binary messages in this form.
    pub fn message<'a>(parts: impl Iterator<Item = Part<'a>> + Clone, form: BinaryForm) -> Self {
        let len = parts.clone().map(|part| match part {
            Part::Text(text) => frame_len(text.len().saturating_add(1)),
            Part::Binary(bytes) => form.frame_len(bytes.len()),
        });
        let mut frames = Vec::with_capacity(len.sum());
        for part in parts {
            match part {
                Part::Text(text) => append_text_frame(&mut frames, PacketType::Message, text),
                Part::Binary(bytes) => append_binary_frame(&mut frames, form, bytes),
            }
        }
        Self::raw(frames.into())
    }

    /// A packet that is not a message. A polling payload that holds it may be compressed, as with Engine.IO.
    pub fn packet(packet_type: PacketType, data: &[u8]) -> Self {
        let mut frames = Vec::with_capacity(frame_len(data.len().saturating_add(1)));
        append_text_frame(&mut frames, packet_type, data);
        Self::raw(frames.into()).flagged(true, false)
    }

    /// Bytes that only a stream can carry: an HTTP response, a WebSocket control frame.
    pub const fn raw(bytes: Bytes) -> Self {
        Self {
            frames: bytes,
            compress: false,
            word: Word::Nobody,
            loss: Loss::Forbidden,
            is_shared: false,
            is_first: false,
            is_followed: false,
        }
    }

    /// A frame of the user's own.
    pub const fn frame(frame: Bytes, compress: bool, notify: bool) -> Self {
        let word = if notify { Word::Stream } else { Word::Nobody };
        Self {
            frames: frame,
            compress,
            word,
            loss: Loss::Forbidden,
            is_shared: false,
            is_first: false,
            is_followed: false,
        }
    }

    /// Marks what it is for: one that may be compressed, a sender that waits for word.
    #[must_use]
    pub const fn flagged(mut self, compress: bool, notify: bool) -> Self {
        self.compress = compress;
        self.word = if notify { Word::Session } else { Word::Nobody };
        self
    }

    /// Marks whether it found the transport free: then it leaves by itself, as Engine.IO writes it.
    #[must_use]
    pub(in crate::engine) const fn first(mut self, is_first: bool) -> Self {
        self.is_first = is_first;
        self
    }

    /// Says whether the next one is to go with it where both go into a polling payload.
    #[must_use]
    pub const fn followed(mut self, is_followed: bool) -> Self {
        self.is_followed = is_followed;
        self
    }

    /// Says whether it may be dropped while it waits.
    #[must_use]
    pub const fn with_loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// An entry for many outboxes, which count its frames together.
    #[must_use]
    pub(in crate::engine) fn shared(mut self, ledger: &Arc<Ledger>) -> Self {
        self.frames = ledger.share(self.frames);
        self.is_shared = true;
        self
    }

    /// What it takes of memory, as if nobody else had the same frames.
    pub(super) fn weight(&self) -> usize {
        ENTRY_BYTES.saturating_add(self.frames.len())
    }

    /// What it takes of memory that nobody else takes.
    pub(super) fn own_weight(&self) -> usize {
        ENTRY_BYTES + if self.is_shared { 0 } else { self.frames.len() }
    }

    /// The WebSocket frames.
    pub const fn frames(&self) -> &Bytes {
        &self.frames
    }

    /// Whether its first frame is compressed.
    pub fn is_deflated(&self) -> bool {
        self.frames.first().is_some_and(|first| first & RSV1 != 0)
    }

    /// Its form for a WebSocket with this deflater, if it has one.
    #[must_use]
    pub fn deflated(mut self, deflater: Option<&mut Deflater>) -> Self {
        if self.compress
            && let Some(frames) = deflater.and_then(|deflater| deflater.deflate(&self.frames))
        {
            self.frames = frames;
        }
        self
    }

    /// The same entry for a transport that takes binary messages in this form.
    #[must_use]
    pub(super) fn reformed(self, form: BinaryForm) -> Self {
        match reform_frames(&self.frames, form) {
            Some(frames) => self.with_frames(frames.into()),
            None => self,
        }
    }

    /// The same entry with other frames.
    #[must_use]
    pub(in crate::engine) const fn with_frames(&self, frames: Bytes) -> Self {
        Self {
            frames,
            compress: self.compress,
            word: self.word,
            loss: self.loss,
            is_shared: false,
            is_first: self.is_first,
            is_followed: self.is_followed,
        }
    }

    /// Whether the next one is to go with it where both go into a polling payload.
    pub const fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// Whether it may be compressed.
    pub const fn compress(&self) -> bool {
        self.compress
    }

    /// Whether the session's owner wants to know when it was taken.
    pub const fn notify(&self) -> bool {
        matches!(self.word, Word::Session)
    }
}

/// In the first byte of a frame: it begins a compressed message (RFC 7692 section 6).
const RSV1: u8 = 0x40;

/// What an entry takes besides its frames: itself, and what an allocator adds to it and them. Without it, messages of a few bytes would take
/// ten times what a budget allows.
pub(super) const ENTRY_BYTES: usize = 64;
