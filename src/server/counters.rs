//! What the core holds at a moment, over all links and shards of the process, for tests and for whoever watches it.

use std::sync::Arc;

use crate::engine::Ledger;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The counters as read at one moment; taken one by one, so their sum may be off by what changed meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Engine.IO sessions.
    pub sessions: u64,
    /// Streams, those in their closing handshake included.
    pub connections: u64,
    /// Sockets that a broadcast can reach.
    pub members: u64,
    /// Rooms with members; one whose members live in two shards counts twice. Counting it once would take a table that all
    /// shards share, and JavaScript, which has the rooms in its adapters, knows the number.
    pub rooms: u64,
    /// Broadcasts and multicasts carried out since the process began.
    pub broadcasts: u64,
    /// Bytes of memory in outboxes that wait; a frame that many sessions share counts once, and as long as it is delivered.
    pub outbox_bytes: u64,
    /// Sessions ended since the process began because their clients took too little of what was sent.
    pub slow_sessions_ended: u64,
}

/// The counters while the shards change them.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) sessions: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) members: Gauge,
    pub(crate) rooms: Gauge,
    pub(crate) broadcasts: Gauge,
    /// What waits in the outboxes.
    pub(crate) outboxes: Arc<Ledger>,
}

impl Gauges {
    /// Reads all of them.
    pub(crate) fn read(&self) -> Counters {
        Counters {
            sessions: self.sessions.read(),
            connections: self.connections.read(),
            members: self.members.read(),
            rooms: self.rooms.read(),
            broadcasts: self.broadcasts.read(),
            outbox_bytes: self.outboxes.bytes() as u64,
            slow_sessions_ended: self.outboxes.ended(),
        }
    }
}

/// One number that several shards change.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    /// Counts one more.
    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one less.
    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// A shard's share of the number went from `before` to `after`.
    pub(crate) fn adjust(&self, before: usize, after: usize) {
        if before != after {
            // Modulo 2^64 a negative difference adds up just as well.
            self.0.fetch_add((after as u64).wrapping_sub(before as u64), Ordering::Relaxed);
        }
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Gauges};

    #[test]
    fn shares_of_several_shards_add_up() {
        let gauges = Gauges::default();
        gauges.rooms.adjust(0, 5);
        gauges.rooms.adjust(0, 7);
        gauges.rooms.adjust(5, 1);
        gauges.sessions.increment();
        gauges.sessions.increment();
        gauges.sessions.decrement();
        assert_eq!(gauges.read(), Counters { sessions: 1, rooms: 8, ..Counters::default() });
    }
}
