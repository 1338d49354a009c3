//! Compressing: what a server sends.
//!
//! Frames are compressed as whole messages, each long enough one by itself; the compressors belong to the thread.

use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use zlib_rs::Deflate;
use zlib_rs::DeflateConfig;
use zlib_rs::DeflateError;
use zlib_rs::DeflateFlush;
use zlib_rs::Method;
use zlib_rs::Status;

use crate::codec::websocket::ServerFrameHeader;
use crate::codec::websocket::ServerFrames;
use crate::codec::websocket::append_frame;
use crate::codec::websocket::deflate::Compression;
use crate::codec::websocket::deflate::DeflateParameters;
use crate::codec::websocket::deflate::TAIL;
use crate::codec::websocket::deflate::history::History;

/// One connection's half: how to compress, and its context.
#[derive(Debug)]
pub struct Deflater {
    compression: Compression,
    /// Only with context takeover.
    history: Option<History>,
}

impl Deflater {
    /// For a connection that has agreed on `parameters`.
    pub fn new(parameters: &DeflateParameters) -> Self {
        let compression = parameters.compression;
        let history =
            parameters.has_outgoing_context.then(|| History::new(compression.window_bits));
        Self { compression, history }
    }

    /// How it compresses.
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// Whether what is sent may refer to messages before it, so that none of them can be left out once it is compressed.
    pub const fn has_context(&self) -> bool {
        self.history.is_some()
    }

    /// Compresses messages that this connection sends next: see [`deflate_frames`].
    pub fn deflate(&mut self, frames: &[u8]) -> Option<Bytes> {
        deflate(frames, self.compression, self.history.as_mut())
    }

    /// This connection sends next what [`deflate_frames`] made of `frames`, which the peer may be referred to later.
    pub fn shared_was_sent(&mut self, frames: &[u8]) {
        let Some(history) = &mut self.history else { return };
        for (_, payload) in ServerFrames::new(frames) {
            if is_worth_it(payload, self.compression) {
                history.append(payload);
            }
        }
    }
}

/// The messages in `frames`, which are our own, with those compressed that are not under the threshold; `None` if all are.
///
/// No context is used, so the outcome is right for every connection whose compression is equal.
pub fn deflate_frames(frames: &[u8], compression: Compression) -> Option<Bytes> {
    deflate(frames, compression, None)
}

fn deflate(
    frames: &[u8],
    compression: Compression,
    history: Option<&mut History>,
) -> Option<Bytes> {
    let mut payloads = ServerFrames::new(frames).map(|(_, payload)| payload);
    if !payloads.any(|payload| is_worth_it(payload, compression)) {
        return None;
    }
    let mut compressor = Compressor::take(compression);
    let deflated = compressor.deflate(frames, history);
    compressor.give_back();
    deflated
}

/// The rule of `ws` for connections without context takeover. It holds for all here, and does not depend on what comes
/// of it: both ends have to agree on what is in the context.
const fn is_worth_it(payload: &[u8], compression: Compression) -> bool {
    payload.len() >= compression.threshold as usize
}

/// A compressor of this thread, which belongs to nobody between two messages.
struct Compressor {
    compression: Compression,
    stream: Deflate,
    /// Where the last message was compressed to.
    deflated: Vec<u8>,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Compressor")
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The one used last comes last.
    static COMPRESSORS: RefCell<Vec<Compressor>> = const { RefCell::new(Vec::new()) };
}

impl Compressor {
    /// Takes one that is idle, or a new one.
    fn take(compression: Compression) -> Self {
        let idle = COMPRESSORS.with_borrow_mut(|compressors| {
            let is_it = |idle: &Self| idle.compression == compression;
            Some(compressors.remove(compressors.iter().position(is_it)?))
        });
        idle.unwrap_or_else(|| Self {
            compression,
            stream: Deflate::new_with_config(DeflateConfig {
                level: compression.level.min(MAX_LEVEL).into(),
                method: Method::Deflated,
                // Negative for data without zlib's header.
                window_bits: -i32::from(
                    compression.window_bits.clamp(MIN_WINDOW_BITS, super::MAX_WINDOW_BITS),
                ),
                mem_level: compression.memory_level.clamp(1, MAX_MEMORY_LEVEL).into(),
                strategy: compression.strategy,
            }),
            deflated: Vec::new(),
        })
    }

    /// Keeps it for the next message, in the place of the one that was not used for longest if there are too many.
    fn give_back(mut self) {
        self.deflated.clear();
        self.deflated.shrink_to(MAX_KEPT_BYTES);
        COMPRESSORS.with_borrow_mut(|compressors| {
            let max = usize::from(self.compression.max_compressors).max(1);
            compressors.drain(..(compressors.len() + 1).saturating_sub(max));
            compressors.push(self);
        });
    }

    fn deflate(&mut self, frames: &[u8], mut history: Option<&mut History>) -> Option<Bytes> {
        let mut out = Vec::with_capacity(frames.len() / 2);
        for (opcode, payload) in ServerFrames::new(frames) {
            if !is_worth_it(payload, self.compression) {
                append_frame(&mut out, opcode, &[payload]);
                continue;
            }
            let context = history.as_ref().map_or(&[][..], |history| history.as_slice());
            if self.deflate_message(payload, context).is_err() {
                // It cannot fail with valid parameters. Should it, the messages go as they are, and none after them refers
                // to any before.
                if let Some(history) = history {
                    history.clear();
                }
                return None;
            }
            out.extend_from_slice(
                &ServerFrameHeader::new(opcode, self.deflated.len()).compressed(),
            );
            out.extend_from_slice(&self.deflated);
            if let Some(history) = &mut history {
                history.append(payload);
            }
        }
        Some(out.into())
    }

    /// Compresses one message, after what the peer knows.
    fn deflate_message(&mut self, message: &[u8], context: &[u8]) -> Result<(), DeflateError> {
        self.stream.reset();
        if !context.is_empty() {
            self.stream.set_dictionary(context)?;
        }
        self.deflated.clear();
        self.deflated.resize(message.len() / 2 + MIN_OUTPUT_BYTES, 0);
        let (mut taken, mut written) = (0, 0);
        loop {
            let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
            let rest = message.get(taken..).unwrap_or_default();
            let room = self.deflated.get_mut(written..).unwrap_or_default();
            let room_len = room.len();
            let status = self.stream.compress(rest, room, DeflateFlush::SyncFlush)?;
            let count = usize::try_from(self.stream.total_out() - before_out).unwrap_or(room_len);
            taken += usize::try_from(self.stream.total_in() - before_in).unwrap_or(rest.len());
            written += count;
            // Only what leaves room has said all.
            if count < room_len || status == Status::BufError {
                break;
            }
            self.deflated.resize(written + message.len() / 2 + MIN_OUTPUT_BYTES, 0);
        }
        self.deflated.truncate(written);
        if self.deflated.ends_with(&TAIL) {
            self.deflated.truncate(written - TAIL.len());
        }
        Ok(())
    }
}

/// zlib's limits.
const MAX_LEVEL: u8 = 9;
const MAX_MEMORY_LEVEL: u8 = 9;
/// Data without a header cannot be compressed with a window of 8.
const MIN_WINDOW_BITS: u8 = 9;

/// Room for a short message that does not compress, and more than a flush may need.
const MIN_OUTPUT_BYTES: usize = 64;
/// What a compressor keeps of the memory of its last output.
const MAX_KEPT_BYTES: usize = 64 * 1024;
