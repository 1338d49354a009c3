//! The byte bridge: a stream whose bytes JavaScript carries, because only Node can read it (TLS, any Duplex, Windows).
//!
//! Like a kernel it takes so many bytes and no more until some of them have left.

use std::io::IoSlice;

use crate::engine::Outbox;
use crate::engine::Taken;
use crate::server::event::UnitWriter;

/// One bridge, as far as the core sees it.
#[derive(Debug, Default)]
pub(in crate::server) struct Bridge {
    /// Bytes that were given to JavaScript and that its stream has not taken.
    unacknowledged: usize,
}

impl Bridge {
    /// See [`Carrier::write`](super::Carrier::write).
    pub(super) fn write(
        &mut self,
        conn: u32,
        outbox: &mut Outbox,
        writer: &mut UnitWriter<'_>,
    ) -> Taken {
        let mut taken = Taken::default();
        while !outbox.is_empty() && self.unacknowledged < WINDOW_BYTES {
            let room = WINDOW_BYTES - self.unacknowledged;
            let first = outbox.first_slice();
            let count = if outbox.is_many() && first.len() < MAX_GATHERED_BYTES {
                let bytes = gather(outbox, room.min(MAX_GATHERED_BYTES));
                writer.bridge_write(conn, &bytes);
                bytes.len()
            } else {
                let bytes = first.get(..room).unwrap_or(first);
                writer.bridge_write(conn, bytes);
                bytes.len()
            };
            self.unacknowledged += count;
            taken += outbox.advance(count);
        }
        taken
    }

    /// The stream has taken so many bytes.
    pub(in crate::server) fn acknowledge(&mut self, bytes: u32) {
        self.unacknowledged = self.unacknowledged.saturating_sub(bytes as usize);
    }

    /// Whether the stream has taken everything.
    pub(super) const fn is_drained(&self) -> bool {
        self.unacknowledged == 0
    }
}

/// The first bytes of several entries. A write costs JavaScript, and TLS a record, more than this copy costs here.
fn gather(outbox: &Outbox, max: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); MAX_GATHERED];
    let filled = outbox.fill_slices(&mut slices);
    let mut bytes = Vec::new();
    for slice in slices.iter().take(filled) {
        let rest = max - bytes.len();
        bytes.extend_from_slice(slice.get(..rest).unwrap_or(slice));
    }
    bytes
}

/// Entries in one write.
const MAX_GATHERED: usize = 64;
/// Bytes in a write that several entries share: what a TLS record holds.
const MAX_GATHERED_BYTES: usize = 16 * 1024;

/// Bytes on their way through JavaScript at one time, as much as the default `highWaterMark` of a Node stream of today.
const WINDOW_BYTES: usize = 64 * 1024;
