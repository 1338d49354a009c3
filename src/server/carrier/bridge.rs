//! The byte bridge: a stream whose bytes JavaScript carries, because only Node can read it (TLS, any Duplex, Windows).
//!
//! Like a kernel it takes so many bytes and no more until some of them have left.

use tokio::task::AbortHandle;

use crate::engine::Outbox;
use crate::server::event::UnitWriter;

/// One bridge, as far as the core sees it.
#[derive(Debug, Default)]
pub(in crate::server) struct Bridge {
    /// Bytes that were given to JavaScript and that its stream has not taken.
    unacknowledged: usize,
    /// Waits for JavaScript to catch up, so that the stream may be read again.
    resuming: Option<AbortHandle>,
}

impl Bridge {
    /// See [`Carrier::write`](super::Carrier::write).
    pub(super) fn write(
        &mut self,
        conn: u32,
        outbox: &mut Outbox,
        writer: &mut UnitWriter<'_>,
    ) -> u32 {
        let mut notified = 0;
        while !outbox.is_empty() && self.unacknowledged < WINDOW_BYTES {
            let slice = outbox.first_slice();
            let room = WINDOW_BYTES - self.unacknowledged;
            let bytes = slice.get(..room).unwrap_or(slice);
            if !bytes.is_empty() {
                writer.bridge_write(conn, bytes);
            }
            let count = bytes.len();
            self.unacknowledged += count;
            notified += outbox.advance(count);
        }
        notified
    }

    /// The stream has taken so many bytes.
    pub(in crate::server) fn acknowledge(&mut self, bytes: u32) {
        self.unacknowledged = self.unacknowledged.saturating_sub(bytes as usize);
    }

    /// Whether the stream has taken everything.
    pub(super) const fn is_drained(&self) -> bool {
        self.unacknowledged == 0
    }

    /// Whether JavaScript was told not to read.
    pub(in crate::server) const fn is_paused(&self) -> bool {
        self.resuming.is_some()
    }

    /// JavaScript was told not to read; `resuming` will tell it to read again.
    pub(in crate::server) fn pause(&mut self, resuming: AbortHandle) {
        self.resuming = Some(resuming);
    }

    /// JavaScript was told to read again.
    pub(in crate::server) fn resume(&mut self) {
        self.resuming = None;
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Some(resuming) = &self.resuming {
            resuming.abort();
        }
    }
}

/// Bytes on their way through JavaScript at one time, as much as the default `highWaterMark` of a Node stream of today.
const WINDOW_BYTES: usize = 64 * 1024;
