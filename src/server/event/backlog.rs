//! The bytes of an event queue: units back to back in chunks that come and go with the load.
//!
//! No lock, no doorbell and no rule of when to drain: see `queue`.

use std::collections::VecDeque;
use std::iter;
use std::mem;

use crate::server::event::Unit;

/// Units in order, and their numbers, counted from 1.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// None of the units lies in two chunks, and none of the chunks is empty.
    chunks: VecDeque<Vec<u8>>,
    /// How many bytes of the first chunk were taken.
    taken: usize,
    /// A chunk that was taken, for the next units: all that an idle queue keeps.
    spare: Vec<u8>,
    /// Where the units end, and what else a drain has to know of them.
    waiting: VecDeque<Waiting>,
    /// The bytes of all units that wait.
    bytes: usize,
    /// The number of the last unit appended.
    appended: u64,
    /// How many of the units wait for a turn of their own.
    turns: usize,
}

/// A unit that waits, by its length. The records themselves are in the chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) len: usize,
    /// There is an `ENDED` or a `CONN_ENDED` among its records.
    pub(super) has_end: bool,
    /// The number of an earlier unit that has to be drained by an earlier drain; 0 if there is none.
    pub(super) fence: u64,
    /// There is one because the unit should have a turn of its own.
    has_turn: bool,
}

impl Backlog {
    /// The number of the last unit that was taken.
    pub(super) fn drained(&self) -> u64 {
        self.appended - self.waiting.len() as u64
    }

    /// The bytes of all units that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The unit to be taken next.
    pub(super) fn first(&self) -> Option<Waiting> {
        self.waiting.front().copied()
    }

    /// All records that wait, in pieces that do not cut any of them.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let taken = iter::once(self.taken).chain(iter::repeat(0));
        self.chunks.iter().zip(taken).map(|(chunk, taken)| chunk.get(taken..).unwrap_or_default())
    }

    /// Puts a unit at the end and gives its number; its buffer is either left to the caller or taken.
    pub(super) fn append(&mut self, unit: &mut Unit) -> u64 {
        let len = unit.records.len();
        let has_turn = unit.turn_fence > self.drained() && self.turns < MAX_TURNS;
        self.turns += usize::from(has_turn);
        let fence = if has_turn { unit.fence.max(unit.turn_fence) } else { unit.fence };
        // What is not before this unit could never be drained before it.
        let fence = fence.min(self.appended);
        self.waiting.push_back(Waiting { len, has_end: unit.has_end, fence, has_turn });
        self.bytes += len;
        self.appended += 1;
        if len > MAX_COPIED_BYTES {
            self.chunks.push_back(mem::take(&mut unit.records));
            return self.appended;
        }
        match self.chunks.back_mut() {
            Some(chunk) if chunk.capacity() - chunk.len() >= len => {
                chunk.extend_from_slice(&unit.records);
            }
            _ => {
                let mut chunk = mem::take(&mut self.spare);
                chunk.clear();
                chunk.reserve_exact(CHUNK_BYTES);
                chunk.extend_from_slice(&unit.records);
                self.chunks.push_back(chunk);
            }
        }
        self.appended
    }

    /// Moves the first unit into `target`, which is as long as it is.
    pub(super) fn take_first(&mut self, target: &mut [u8]) {
        let start = self.taken;
        self.taken += target.len();
        self.bytes -= target.len();
        if self.waiting.pop_front().is_some_and(|unit| unit.has_turn) {
            self.turns -= 1;
        }
        if self.waiting.is_empty() {
            self.waiting.shrink_to(MAX_IDLE_WAITING);
        }
        let Some(chunk) = self.chunks.front() else { return };
        if let Some(records) = chunk.get(start..self.taken) {
            target.copy_from_slice(records);
        }
        if self.taken == chunk.len() {
            self.taken = 0;
            let chunk = self.chunks.pop_front().unwrap_or_default();
            if chunk.capacity() == CHUNK_BYTES {
                self.spare = chunk;
            }
        }
    }
}

/// What units share a chunk of.
const CHUNK_BYTES: usize = 64 * 1024;

/// A longer unit becomes a chunk of its own: it is moved, not copied.
const MAX_COPIED_BYTES: usize = CHUNK_BYTES / 2;

/// How many units may wait for turns of their own: behind them wait those of everybody else. A peer that sends more before JavaScript
/// comes has the rest dealt with in one turn, as if it had not been compressed.
const MAX_TURNS: usize = 64;

/// For how many units an idle queue keeps room: 24 bytes each.
const MAX_IDLE_WAITING: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_oneof, proptest};

    use super::{Backlog, CHUNK_BYTES};
    use crate::server::event::Unit;

    fn append(backlog: &mut Backlog, bytes: &[u8]) -> u64 {
        backlog.append(&mut Unit { records: bytes.to_vec(), ..Unit::default() })
    }

    fn take(backlog: &mut Backlog) -> Option<Vec<u8>> {
        let mut target = vec![0; backlog.first()?.len];
        backlog.take_first(&mut target);
        Some(target)
    }

    #[test]
    fn a_burst_gives_its_memory_back() {
        let mut backlog = Backlog::default();
        for _ in 0..10_000 {
            append(&mut backlog, &[0; 1_000]);
        }
        append(&mut backlog, &vec![0; 1_000_000]);
        assert_eq!((backlog.bytes(), backlog.drained()), (11_000_000, 0));
        while take(&mut backlog).is_some() {}
        assert_eq!((backlog.bytes(), backlog.drained()), (0, 10_001));
        assert!(backlog.chunks.is_empty());
        assert!(backlog.spare.capacity() <= CHUNK_BYTES);
        assert!(backlog.waiting.capacity() <= 2_048, "{}", backlog.waiting.capacity());
    }

    proptest! {
        #[test]
        fn units_of_any_length_come_out_as_they_went_in(
            steps in vec((prop_oneof![1..100_usize, 20_000..70_000_usize], any::<bool>()), 1..12),
        ) {
            let mut backlog = Backlog::default();
            let mut taken = Vec::new();
            let mut expected = Vec::new();
            for (number, (len, is_taken)) in (1_u8..).zip(steps) {
                let unit = vec![number; len];
                assert_eq!(append(&mut backlog, &unit), u64::from(number));
                expected.push(unit);
                if is_taken {
                    taken.extend(take(&mut backlog));
                }
            }
            let waiting: Vec<&[u8]> = backlog.records().collect();
            assert_eq!(waiting.concat(), expected[taken.len()..].concat());
            assert_eq!(backlog.bytes(), waiting.concat().len());
            while let Some(unit) = take(&mut backlog) {
                taken.push(unit);
            }
            assert_eq!(taken, expected);
        }
    }
}
