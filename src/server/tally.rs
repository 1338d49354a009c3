//! What has gone through a link since it was made, counted where it happens and added up when somebody asks.
//!
//! Each shard has a tally of its own for each link, and only whoever has that shard locked counts there: a number is
//! loaded and stored, which costs no more than a field that nobody else can read.

use std::iter::Sum;
use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// The numbers of one link on one shard.
///
/// Aligned so that shards do not take a cache line from each other; processors fetch these in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    pub(crate) packets_received: Count,
    pub(crate) bytes_received: Count,
    pub(crate) packets_sent: Count,
    pub(crate) bytes_sent: Count,
    pub(crate) broadcasts: Count,
    pub(crate) deliveries: Count,
    pub(crate) merged: Count,
    pub(crate) slow_clients_ended: Count,
}

/// What has gone through a link since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages from streams; an attachment is one. Those of POSTs are decoded elsewhere.
    pub packets_received: u64,
    /// Bytes from streams, from the opening handshake on.
    pub bytes_received: u64,
    /// Messages that were put into outboxes; an attachment is one.
    pub packets_sent: u64,
    /// Bytes that streams took, and the payloads of polls.
    pub bytes_sent: u64,
    /// Broadcasts and multicasts.
    pub broadcasts: u64,
    /// Sessions that got one, over all of them.
    pub deliveries: u64,
    /// Units that left in the write of the one before.
    pub merged: u64,
    /// Sessions that ended by a fault while bytes waited for their clients.
    pub slow_clients_ended: u64,
}

impl Tally {
    /// A stream took `bytes`, with which so many entries of its outbox are gone.
    pub(crate) fn left(&self, bytes: usize, entries: usize) {
        self.bytes_sent.add(bytes as u64);
        if entries > 1 {
            self.merged.add(entries as u64 - 1);
        }
    }

    /// Reads all of them.
    pub(crate) fn read(&self) -> Traffic {
        Traffic {
            packets_received: self.packets_received.read(),
            bytes_received: self.bytes_received.read(),
            packets_sent: self.packets_sent.read(),
            bytes_sent: self.bytes_sent.read(),
            broadcasts: self.broadcasts.read(),
            deliveries: self.deliveries.read(),
            merged: self.merged.read(),
            slow_clients_ended: self.slow_clients_ended.read(),
        }
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(shards: I) -> Self {
        shards.fold(Self::default(), |sum, shard| Self {
            packets_received: sum.packets_received.wrapping_add(shard.packets_received),
            bytes_received: sum.bytes_received.wrapping_add(shard.bytes_received),
            packets_sent: sum.packets_sent.wrapping_add(shard.packets_sent),
            bytes_sent: sum.bytes_sent.wrapping_add(shard.bytes_sent),
            broadcasts: sum.broadcasts.wrapping_add(shard.broadcasts),
            deliveries: sum.deliveries.wrapping_add(shard.deliveries),
            merged: sum.merged.wrapping_add(shard.merged),
            slow_clients_ended: sum.slow_clients_ended.wrapping_add(shard.slow_clients_ended),
        })
    }
}

/// A number that grows. One thread at a time adds to it, under a lock that it has anyway.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Counts so many more.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.read().wrapping_add(more), Ordering::Relaxed);
    }

    fn raise_to(&self, value: u64) {
        if value > self.read() {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long events have waited for the JavaScript thread: from the ring of the doorbell to the drain.
///
/// Aligned as a [`Tally`] is: the JavaScript thread writes it, and beside it lies what the shards use.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Delays {
    /// One for each of [`DELAY_BOUNDS_US`], and one for what is longer than all of them.
    buckets: [Count; DELAY_BOUNDS_US.len() + 1],
    sum_us: Count,
    max_us: Count,
}

/// The delays of a link since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelayHistogram {
    /// How many were no longer than each of [`DELAY_BOUNDS_US`] and longer than the one before, then how many were longer than all.
    pub counts: Vec<u64>,
    /// All of them, in microseconds.
    pub sum_us: u64,
    /// The longest, in microseconds.
    pub max_us: u64,
}

impl Delays {
    /// Counts one. Called with the lock of the event queue held.
    pub(crate) fn add(&self, delay: Duration) {
        let us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let place = DELAY_BOUNDS_US.iter().take_while(|&&bound| bound < us).count();
        if let Some(bucket) = self.buckets.get(place) {
            bucket.add(1);
        }
        self.sum_us.add(us);
        self.max_us.raise_to(us);
    }

    /// Reads them.
    pub(crate) fn read(&self) -> DelayHistogram {
        DelayHistogram {
            counts: self.buckets.iter().map(Count::read).collect(),
            sum_us: self.sum_us.read(),
            max_us: self.max_us.read(),
        }
    }
}

/// What the buckets of a [`DelayHistogram`] end with, in microseconds. A healthy loop comes within a millisecond or two.
pub const DELAY_BOUNDS_US: [u64; 12] =
    [100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// How many bytes wait for the sessions of the process at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxSizes {
    /// Half of the sessions have no more.
    pub p50: u32,
    /// 99 of 100 sessions have no more.
    pub p99: u32,
    /// The most that one session has.
    pub max: u32,
    /// All of them together.
    pub total: u64,
}

impl OutboxSizes {
    /// Of what waits where anything does, and the number of sessions.
    pub(crate) fn new(mut waiting: Vec<u32>, sessions: u64) -> Self {
        waiting.sort_unstable();
        let sessions = sessions.max(waiting.len() as u64);
        let empty = sessions - waiting.len() as u64;
        let quantile = |percent: u64| {
            // Nearest rank; the sessions for which nothing waits come first.
            let rank = sessions.saturating_mul(percent).div_ceil(100).saturating_sub(1);
            let index = rank.checked_sub(empty).and_then(|index| usize::try_from(index).ok());
            index.and_then(|index| waiting.get(index)).copied().unwrap_or(0)
        };
        Self {
            p50: quantile(50),
            p99: quantile(99),
            max: waiting.last().copied().unwrap_or(0),
            total: waiting.iter().copied().map(u64::from).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Delays, OutboxSizes, Tally, Traffic};

    #[test]
    fn what_the_shards_counted_adds_up() {
        let shards = [Tally::default(), Tally::default()];
        shards[0].left(100, 3);
        shards[1].left(50, 1);
        shards[1].left(5, 0);
        shards[1].broadcasts.add(2);
        let traffic: Traffic = shards.iter().map(Tally::read).sum();
        let expected = Traffic { bytes_sent: 155, merged: 2, broadcasts: 2, ..Traffic::default() };
        assert_eq!(traffic, expected);
    }

    #[test]
    fn a_delay_is_counted_under_the_first_bound_that_it_does_not_exceed() {
        let delays = Delays::default();
        for us in [0, 100, 101, 999_999, 5_000_000, 5_000_001] {
            delays.add(Duration::from_micros(us));
        }
        let read = delays.read();
        assert_eq!(read.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!((read.sum_us, read.max_us), (11_000_201, 5_000_001));
    }

    #[test]
    fn quantiles_count_the_sessions_for_which_nothing_waits() {
        let sizes = |waiting: &[u32], sessions| {
            let OutboxSizes { p50, p99, max, total } = OutboxSizes::new(waiting.to_vec(), sessions);
            (p50, p99, max, total)
        };
        assert_eq!(sizes(&[], 0), (0, 0, 0, 0));
        assert_eq!(sizes(&[], 1_000), (0, 0, 0, 0));
        assert_eq!(sizes(&[7], 1), (7, 7, 7, 7));
        assert_eq!(sizes(&[9, 5], 200), (0, 0, 9, 14));
        assert_eq!(sizes(&[9, 5], 100), (0, 5, 9, 14));
        assert_eq!(sizes(&[3, 1, 2], 4), (1, 3, 3, 6));
        assert_eq!(sizes(&[1, 2], 1), (1, 2, 2, 3), "a session may just have gone");
        assert_eq!(sizes(&[u32::MAX; 2], 2).3, 2 * u64::from(u32::MAX));
    }
}

#[cfg(all(test, sio_loom))]
mod models {
    use std::sync::Arc;

    use super::Count;
    use crate::sync::{Mutex, thread};

    #[test]
    fn who_has_the_shard_locked_loses_no_count_of_another_thread() {
        loom::model(|| {
            let counted = Arc::new((Mutex::new(()), Count::default()));
            let others = Arc::clone(&counted);
            let other = thread::spawn(move || {
                let _shard = others.0.lock().unwrap();
                others.1.add(2);
            });
            let shard = counted.0.lock().unwrap();
            counted.1.add(3);
            drop(shard);
            assert!([3, 5].contains(&counted.1.read()));
            other.join().unwrap();
            assert_eq!(counted.1.read(), 5);
        });
    }
}
