//! permessage-deflate (RFC 7692): messages compressed one by one, in both directions.
//!
//! What was negotiated is [`DeflateParameters`]; offers and answers are read and written where requests are known.
//! A compressor takes 140 to 380 KB and an inflater 48 KB, so no connection owns one: each thread keeps a few of them
//! for whoever is next. What a connection keeps with *context takeover*, where a message may refer back to those before
//! it, is the end of those messages, as long as the window at the most, and the compressor or inflater is primed with it.

mod history;
mod incoming;
mod outgoing;

pub use incoming::Inflater;
pub use outgoing::{Deflater, deflate_frames};
pub use zlib_rs::Strategy as DeflateStrategy;

/// What a connection has agreed on, and how the server compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParameters {
    /// How what goes out is compressed.
    pub compression: Compression,
    /// What goes out may refer to the messages before it. It need not: the peer cannot tell.
    pub has_outgoing_context: bool,
    /// The base-2 logarithm of the peer's window, 8 to 15.
    pub incoming_window_bits: u8,
    /// What comes in may refer to the messages before it.
    pub has_incoming_context: bool,
}

/// How messages are compressed. Connections for which it is equal can share what was compressed without a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Shorter messages, in bytes, go out as they are.
    pub threshold: u32,
    /// The base-2 logarithm of the window, 8 to 15. As in zlib, 8 is compressed with 9, of which it uses no distance that
    /// a window of 8 does not have.
    pub window_bits: u8,
    /// From 0 (none) over 1 (fast) to 9 (small).
    pub level: u8,
    /// How much memory the compressor takes for its symbols, 1 to 9.
    pub memory_level: u8,
    /// What kind of data it is tuned to.
    pub strategy: DeflateStrategy,
    /// How many compressors a thread keeps.
    pub max_compressors: u8,
}

impl Default for Compression {
    /// The defaults of `ws` and of zlib.
    fn default() -> Self {
        Self {
            threshold: THRESHOLD_BYTES,
            window_bits: MAX_WINDOW_BITS,
            level: 6,
            memory_level: 8,
            strategy: DeflateStrategy::Default,
            max_compressors: 10,
        }
    }
}

impl Default for DeflateParameters {
    /// What the shortest offer, without any parameter, leads to.
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            has_outgoing_context: false,
            incoming_window_bits: MAX_WINDOW_BITS,
            has_incoming_context: true,
        }
    }
}

/// Default of `ws` and of Engine.IO.
const THRESHOLD_BYTES: u32 = 1024;
/// RFC 7692 section 7.1.2: 32 KiB, also when nothing was said.
const MAX_WINDOW_BITS: u8 = 15;
/// The same section: what a flushed message ends with, which is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[cfg(test)]
mod tests;
