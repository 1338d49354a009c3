//! Input that came in one go: taken at once, or, where it may be compressed, a little at a time.
//!
//! Compressed input can be a thousandth of what comes out. It is taken in small pieces, and no further while JavaScript is
//! behind; the rest waits for the end of the pause, and so does the end of the stream.

use crate::engine::StreamEnd;
use crate::server::connection::Connection;
use crate::server::shard::Shard;

impl Shard {
    /// Receives bytes that are there already, whoever has read them. Returns whether the stream may be read on.
    pub(super) fn receive_in_pieces(&mut self, conn: u32, bytes: &mut [u8]) -> bool {
        let Some(connection) = self.connections.connection(conn) else { return false };
        if !connection.is_compressed {
            self.receive(conn, bytes);
            return self.may_read_on(conn);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_paused = self.connections.connection(conn).is_some_and(Connection::is_paused);
            if is_paused || self.pause_if_ahead(conn) {
                if let Some(connection) = self.connections.connection_mut(conn) {
                    connection.hold(rest);
                }
                return false;
            }
            let (piece, later) = rest.split_at_mut(rest.len().min(COMPRESSED_PIECE_BYTES));
            self.receive(conn, piece);
            rest = later;
        }
        self.may_read_on(conn)
    }

    fn may_read_on(&mut self, conn: u32) -> bool {
        !self.pause_if_ahead(conn)
            && self.connections.connection(conn).is_some_and(|connection| !connection.is_held())
    }

    /// Receives what waited for the end of a pause. Returns whether the stream goes on: it may be paused again, or over.
    pub(super) fn receive_held(&mut self, conn: u32) -> bool {
        let Some(connection) = self.connections.connection_mut(conn) else { return false };
        let Some(mut held) = connection.take_held() else { return true };
        self.wake();
        self.contain(|shard| {
            shard.receive_in_pieces(conn, &mut held.bytes);
        });
        let Some(connection) = self.connections.connection_mut(conn) else { return false };
        if !held.has_ended {
            return !connection.is_paused() && !connection.is_held();
        }
        if !connection.hold_end() {
            self.contain(|shard| shard.stream_ended(conn, StreamEnd::Eof));
        }
        false
    }

    /// How much of a stream may be read at once; nothing if what it brings may be too much for now.
    #[cfg(unix)]
    pub(super) fn read_len(&mut self, conn: u32, most: usize) -> Option<usize> {
        let connection = self.connections.connection(conn)?;
        if connection.is_paused() || connection.is_held() {
            None
        } else if !connection.is_compressed {
            Some(most)
        } else if self.pause_if_ahead(conn) {
            None
        } else {
            Some(COMPRESSED_PIECE_BYTES.min(most))
        }
    }
}

/// Inflated, it is 8 MiB at the most: the longest match of DEFLATE is 258 bytes in 2 bits.
const COMPRESSED_PIECE_BYTES: usize = 8 * 1024;
