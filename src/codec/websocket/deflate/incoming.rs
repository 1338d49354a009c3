//! Inflating: what a peer sends. The limit for a message holds for what comes out, and inflating stops there.

use std::cell::RefCell;
use std::fmt;

use zlib_rs::Inflate;
use zlib_rs::InflateFlush;
use zlib_rs::Status;

use crate::codec::websocket::ProtocolError;
use crate::codec::websocket::deflate::DeflateParameters;
use crate::codec::websocket::deflate::TAIL;
use crate::codec::websocket::deflate::history::History;

/// One connection's half: its context, and the message that was inflated last.
pub struct Inflater {
    /// Only with context takeover.
    history: Option<History>,
    pub(super) message: Vec<u8>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inflater").field("history", &self.history).finish_non_exhaustive()
    }
}

thread_local! {
    /// The inflater of this thread, which belongs to nobody between two messages. It takes every window.
    static INFLATE: RefCell<Option<Inflate>> = const { RefCell::new(None) };
}

impl Inflater {
    /// For a connection that has agreed on `parameters`.
    pub fn new(parameters: &DeflateParameters) -> Self {
        let history =
            parameters.has_incoming_context.then(|| History::new(parameters.incoming_window_bits));
        Self { history, message: Vec::new() }
    }

    /// Inflates one whole message, all its fragments together.
    ///
    /// As in `ws`, data that ends too early gives what it has, and what follows a block that is marked as the last one is
    /// ignored.
    pub fn inflate(&mut self, deflated: &[u8], max_len: u64) -> Result<(), ProtocolError> {
        self.settle();
        let mut stream =
            INFLATE.take().unwrap_or_else(|| Inflate::new(false, super::MAX_WINDOW_BITS));
        stream.reset(false);
        let max_len = usize::try_from(max_len).unwrap_or(usize::MAX);
        let inflated = self.inflate_with(&mut stream, deflated, max_len);
        INFLATE.set(Some(stream));
        inflated
    }

    /// The message.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The message has been dealt with: what the next one may refer to is kept of it.
    pub fn settle(&mut self) {
        let message = std::mem::take(&mut self.message);
        if let Some(history) = &mut self.history {
            history.append(&message);
        }
    }

    fn inflate_with(
        &mut self,
        stream: &mut Inflate,
        deflated: &[u8],
        max_len: usize,
    ) -> Result<(), ProtocolError> {
        if let Some(history) = &self.history
            && stream.set_dictionary(history.as_slice()).is_err()
        {
            return Err(ProtocolError::InvalidDeflate("stream error"));
        }
        let mut written = 0;
        for mut input in [deflated, &TAIL] {
            loop {
                if written == self.message.len() {
                    if written > max_len {
                        return Err(ProtocolError::MessageTooLarge);
                    }
                    self.grow(deflated.len(), max_len);
                }
                let (before_in, before_out) = (stream.total_in(), stream.total_out());
                let room = self.message.get_mut(written..).unwrap_or_default();
                let room_len = room.len();
                let status = match stream.decompress(input, room, InflateFlush::SyncFlush) {
                    Ok(status) => status,
                    Err(error) => {
                        let text = stream.error_message().unwrap_or(error.as_str());
                        return Err(ProtocolError::InvalidDeflate(text));
                    }
                };
                let count = usize::try_from(stream.total_out() - before_out).unwrap_or(room_len);
                let taken = usize::try_from(stream.total_in() - before_in).unwrap_or(usize::MAX);
                written += count;
                input = input.get(taken..).unwrap_or_default();
                if written > max_len {
                    return Err(ProtocolError::MessageTooLarge);
                }
                if status == Status::StreamEnd {
                    self.message.truncate(written);
                    return Ok(());
                }
                // Only what leaves room has given all.
                if count < room_len {
                    break;
                }
            }
        }
        self.message.truncate(written);
        Ok(())
    }

    /// Makes room for more: first for what such a message usually comes to, then for twice as much as there is, and
    /// never for more than one byte over the limit.
    fn grow(&mut self, deflated_len: usize, max_len: usize) {
        let usual = deflated_len.saturating_mul(USUAL_RATIO).saturating_add(MIN_OUTPUT_BYTES);
        let len = usual.max(self.message.len().saturating_mul(2)).min(max_len.saturating_add(1));
        self.message.reserve_exact(len.saturating_sub(self.message.len()));
        self.message.resize(len, 0);
    }
}

/// How many times longer text becomes when it is inflated.
const USUAL_RATIO: usize = 4;
/// Room for a short message.
const MIN_OUTPUT_BYTES: usize = 64;
