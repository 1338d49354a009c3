//! A bridge: a stream that JavaScript carries, because only Node can read it (TLS, any Duplex, Windows), or because its frames
//! are not ours (WebTransport, a `wsEngine`).
//!
//! Like a kernel it takes so many bytes and no more until some of them have left. A bridge of messages takes whole packets, a
//! batch at a time, and nothing more until all of the batch has left: as with Engine.IO's own transports, it is then that the
//! senders who asked for word get it, and that the transport is writable again.

use std::io::IoSlice;

use crate::codec::engine_io::append_prefixed;
use crate::engine::Outbox;
use crate::server::event::UnitWriter;

/// One bridge, as far as the core sees it.
#[derive(Debug, Default)]
pub(in crate::server) struct Bridge {
    /// Bytes that were given to JavaScript and that its stream has not taken.
    unacknowledged: usize,
    cargo: Cargo,
}

/// What a bridge carries.
#[derive(Debug, Default)]
enum Cargo {
    #[default]
    Bytes,
    Messages {
        /// Entries of the batch that asked for word.
        notified: u32,
    },
}

impl Bridge {
    /// A bridge of messages.
    pub(in crate::server) const fn of_messages() -> Self {
        Self { unacknowledged: 0, cargo: Cargo::Messages { notified: 0 } }
    }

    /// See [`Carrier::write`](super::Carrier::write).
    pub(super) fn write(
        &mut self,
        conn: u32,
        outbox: &mut Outbox,
        writer: &mut UnitWriter<'_>,
    ) -> u32 {
        match &mut self.cargo {
            Cargo::Bytes => self.write_bytes(conn, outbox, writer),
            Cargo::Messages { notified } => {
                if self.unacknowledged == 0 {
                    (self.unacknowledged, *notified) = write_batch(conn, outbox, writer);
                }
                0
            }
        }
    }

    fn write_bytes(&mut self, conn: u32, outbox: &mut Outbox, writer: &mut UnitWriter<'_>) -> u32 {
        let mut notified = 0;
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
            notified += outbox.advance(count);
        }
        notified
    }

    /// The stream has taken so many bytes. Returns how many entries that asked for word are thereby gone and were not told of yet.
    pub(in crate::server) fn acknowledge(&mut self, bytes: u32) -> u32 {
        self.unacknowledged = self.unacknowledged.saturating_sub(bytes as usize);
        match &mut self.cargo {
            Cargo::Messages { notified } if self.unacknowledged == 0 => std::mem::take(notified),
            _ => 0,
        }
    }

    /// Whether a batch of messages is on its way.
    pub(in crate::server) const fn is_busy(&self) -> bool {
        matches!(self.cargo, Cargo::Messages { .. }) && self.unacknowledged > 0
    }

    /// Whether the stream's end would lose nothing: it has taken everything, or, of messages, ends only when JavaScript says so.
    pub(super) const fn is_drained(&self) -> bool {
        self.unacknowledged == 0 || matches!(self.cargo, Cargo::Messages { .. })
    }
}

/// Gives JavaScript the next batch of packets: at least one entry, and no more once there is a window full. Returns how many
/// bytes they are, and how many of the entries asked for word.
fn write_batch(conn: u32, outbox: &mut Outbox, writer: &mut UnitWriter<'_>) -> (usize, u32) {
    let (mut count, mut notified) = (0, 0);
    let mut packets = Vec::new();
    while count < WINDOW_BYTES
        && let Some(entry) = outbox.pop()
    {
        packets.clear();
        append_prefixed(&mut packets, entry.frames());
        writer.bridge_write(conn, &packets);
        count += packets.len();
        notified += u32::from(entry.notify());
    }
    (count, notified)
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
