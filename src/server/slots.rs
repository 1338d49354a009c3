//! The numbers of the process: slots of sessions, conns of streams, namespaces; and for each slot its pending bytes.
//!
//! JavaScript reserves them synchronously, on any of its threads. A slot or conn is free again once JavaScript has
//! dispatched the event that ends it (`event` does that), so while one side can name it, it means the same on the other.

use std::sync::{OnceLock, PoisonError};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};

/// The numbers in use, of all links.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    of_sessions: Numbers,
    of_streams: Numbers,
    /// Namespaces are few, and their numbers are never used again.
    next_namespace: AtomicU32,
    /// What JavaScript reads without asking a shard: see [`Slots::pending`]. Each chunk is twice as long as the one
    /// before, made when it is first needed, and stays: readers take no lock.
    pending: [OnceLock<Box<[AtomicU32]>>; PENDING_CHUNKS],
}

impl Slots {
    /// A slot that is nobody else's until it is released.
    pub(crate) fn reserve_slot(&self) -> u32 {
        self.of_sessions.reserve()
    }

    /// Called when the `ENDED` of this slot was dispatched.
    pub(crate) fn release_slot(&self, slot: u32) {
        self.of_sessions.release(slot);
    }

    /// A conn that is nobody else's until it is released.
    pub(crate) fn reserve_conn(&self) -> u32 {
        self.of_streams.reserve()
    }

    /// Called when the `CONN_ENDED` of this conn was dispatched.
    pub(crate) fn release_conn(&self, conn: u32) {
        self.of_streams.release(conn);
    }

    /// A namespace number, never given before.
    pub(crate) fn reserve_namespace(&self) -> u32 {
        self.next_namespace.fetch_add(1, Ordering::Relaxed)
    }

    /// How many bytes the kernel, or the bridge, has not taken of this session; at most `u32::MAX`.
    pub(crate) fn pending(&self, slot: u32) -> u32 {
        let (chunk, offset) = pending_place(slot);
        let cell =
            self.pending.get(chunk).and_then(OnceLock::get).and_then(|chunk| chunk.get(offset));
        cell.map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }

    /// What is pending of each session of which anything is.
    pub(crate) fn all_pending(&self) -> Vec<u32> {
        let cells = self.pending.iter().filter_map(OnceLock::get).flatten();
        cells.map(|bytes| bytes.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0).collect()
    }

    /// Publishes how many bytes are pending. Set it to 0 when the session ends.
    pub(crate) fn set_pending(&self, slot: u32, bytes: usize) {
        let (chunk, offset) = pending_place(slot);
        let Some(cells) = self.pending.get(chunk) else { return };
        if bytes == 0 && cells.get().is_none() {
            return;
        }
        let cells = cells
            .get_or_init(|| (0..FIRST_PENDING_CHUNK << chunk).map(|_| AtomicU32::new(0)).collect());
        if let Some(cell) = cells.get(offset) {
            cell.store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }
}

/// Numbers from 0 on; those that came back are given again first, so that tables indexed by them stay short.
#[derive(Debug, Default)]
struct Numbers(Mutex<FreeNumbers>);

#[derive(Debug, Default)]
struct FreeNumbers {
    released: Vec<u32>,
    /// All numbers from here on were never given.
    next: u32,
}

impl Numbers {
    fn reserve(&self) -> u32 {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.released.pop().unwrap_or_else(|| {
            let number = free.next;
            // Each number in use has memory behind it that runs out long before the numbers do.
            free.next = number.wrapping_add(1);
            number
        })
    }

    fn release(&self, number: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).released.push(number);
    }
}

/// In which chunk a slot's cell lies, and where in it.
fn pending_place(slot: u32) -> (usize, usize) {
    let position = slot as usize + FIRST_PENDING_CHUNK;
    let chunk = (position.ilog2() - FIRST_PENDING_CHUNK.ilog2()) as usize;
    (chunk, position - (FIRST_PENDING_CHUNK << chunk))
}

/// Cells in the first chunk: 4 KiB.
const FIRST_PENDING_CHUNK: usize = 1 << 10;

/// Chunks of 2^10, 2^11, ... 2^32 cells: enough for every `u32`.
const PENDING_CHUNKS: usize = 23;

#[cfg(test)]
mod tests {
    use super::{FIRST_PENDING_CHUNK, PENDING_CHUNKS, Slots, pending_place};

    #[test]
    fn released_numbers_are_given_again_and_others_never() {
        let slots = Slots::default();
        assert_eq!([slots.reserve_slot(), slots.reserve_slot(), slots.reserve_slot()], [0, 1, 2]);
        slots.release_slot(1);
        assert_eq!([slots.reserve_slot(), slots.reserve_slot()], [1, 3]);
        assert_eq!([slots.reserve_conn(), slots.reserve_conn()], [0, 1]);
        slots.release_conn(0);
        assert_eq!([slots.reserve_conn(), slots.reserve_conn()], [0, 2]);
        assert_eq!([slots.reserve_namespace(), slots.reserve_namespace()], [0, 1]);
    }

    #[test]
    fn each_slot_has_a_cell_of_its_own() {
        let mut expected = (0, 0);
        for slot in 0..10_000 {
            assert_eq!(pending_place(slot), expected, "{slot}");
            expected.1 += 1;
            if expected.1 == FIRST_PENDING_CHUNK << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        let (chunk, offset) = pending_place(u32::MAX);
        assert!(chunk < PENDING_CHUNKS && offset < FIRST_PENDING_CHUNK << chunk);
    }

    #[test]
    fn pending_bytes_are_read_as_they_were_set() {
        let slots = Slots::default();
        assert_eq!([slots.pending(0), slots.pending(u32::MAX)], [0, 0]);
        for slot in [0, 1_023, 1_024, 5_000] {
            slots.set_pending(slot, 0);
            slots.set_pending(slot, slot as usize + 1);
        }
        for slot in [0, 1_023, 1_024, 5_000] {
            assert_eq!(slots.pending(slot), slot + 1);
        }
        assert_eq!(slots.pending(1), 0);
        assert_eq!(slots.all_pending(), [1, 1_024, 1_025, 5_001]);
        slots.set_pending(1, usize::MAX);
        assert_eq!(slots.pending(1), u32::MAX);
        slots.set_pending(1, 0);
        assert_eq!(slots.pending(1), 0);
    }
}
