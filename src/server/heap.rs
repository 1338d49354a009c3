//! Gives memory back to the system after a burst.
//!
//! glibc keeps what was freed for the next allocation, in the arena of each thread, and small blocks between large ones
//! keep it from shrinking by itself: a process that once had 100 MB of large messages on their way stayed that large. So
//! large blocks are counted as they come and go, and a shard that finds the burst over asks glibc to give back what is
//! free. It takes some tenths of a millisecond for each MB, during which threads that allocate may wait, so it is done
//! seldom and only when it pays. Other allocators do it by themselves.
//!
//! Nothing is counted, and nothing done, unless the process has [`CountingHeap`] as its allocator.

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The system's allocator, with an account of large blocks. Small ones, which nearly all are, cost a comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingHeap;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its signature; this one calls the system's"
)]
// SAFETY: every block comes from `System`, with the layout that was asked for, and goes back to it.
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGE_BLOCKS.add(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGE_BLOCKS.add(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        LARGE_BLOCKS.subtract(layout.size());
        LARGE_BLOCKS.add(new_size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LARGE_BLOCKS.subtract(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The account of the process.
static LARGE_BLOCKS: Account = Account::new();

/// How many bytes there are in large blocks, and have been. An allocation that fails ends the process, so none is taken back.
#[derive(Debug)]
struct Account {
    now: AtomicUsize,
    /// The most since memory was given back.
    most: AtomicUsize,
}

impl Account {
    const fn new() -> Self {
        Self { now: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    fn add(&self, bytes: usize) {
        if bytes < LARGE_BYTES {
            return;
        }
        let now = self.now.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if now > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(now, Ordering::Relaxed);
        }
    }

    fn subtract(&self, bytes: usize) {
        if bytes >= LARGE_BYTES {
            self.now.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Whether there has been so much that it is worth looking whether it is over.
    fn is_burst(&self) -> bool {
        self.most.load(Ordering::Relaxed) >= BURST_BYTES
    }

    /// Whether enough has been freed since to give it back; true only once for each burst.
    fn take_burst(&self) -> bool {
        let (most, now) = (self.most.load(Ordering::Relaxed), self.now.load(Ordering::Relaxed));
        most.saturating_sub(now) >= BURST_BYTES
            && self.most.compare_exchange(most, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// When a shard next looks whether a burst is over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Review {
    due: Option<u64>,
}

impl Review {
    /// Gives memory back if it is time to. Returns when to come again.
    pub(super) fn at(&mut self, now: u64) -> Option<u64> {
        if self.is_due(&LARGE_BLOCKS, now) {
            give_back();
        }
        self.due
    }

    fn is_due(&mut self, account: &Account, now: u64) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now) && account.take_burst();
        if self.due.is_none_or(|due| due <= now) {
            self.due = account.is_burst().then(|| now.saturating_add(PAUSE_MS));
        }
        is_due
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library")]
fn give_back() {
    // SAFETY: it may be called at any time, on any thread.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn give_back() {}

/// Smaller blocks are not counted.
const LARGE_BYTES: usize = 16 * 1024;

/// Less than this is not worth the time.
const BURST_BYTES: usize = 16 * 1024 * 1024;

/// Bursts that come one after the other are one: what is given back must be had again.
const PAUSE_MS: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::{Account, BURST_BYTES, LARGE_BYTES, PAUSE_MS, Review};

    #[test]
    fn memory_is_given_back_once_when_a_burst_is_over() {
        let (account, mut review) = (Account::new(), Review::default());
        account.add(BURST_BYTES);
        assert!(!review.is_due(&account, 0));
        assert_eq!(review.due, Some(PAUSE_MS));
        account.subtract(BURST_BYTES);
        assert!(!review.is_due(&account, PAUSE_MS - 1));
        assert!(review.is_due(&account, PAUSE_MS));
        assert!(!review.is_due(&account, 2 * PAUSE_MS));
        assert_eq!(review.due, None);
    }

    #[test]
    fn what_is_still_held_is_looked_at_again() {
        let (account, mut review) = (Account::new(), Review::default());
        account.add(2 * BURST_BYTES);
        for round in 0..3 {
            assert!(!review.is_due(&account, round * PAUSE_MS));
            assert_eq!(review.due, Some((round + 1) * PAUSE_MS));
        }
        account.subtract(BURST_BYTES);
        assert!(review.is_due(&account, 3 * PAUSE_MS));
        assert!(!review.is_due(&account, 4 * PAUSE_MS), "the rest is still in use");
    }

    #[test]
    fn small_blocks_do_not_count() {
        let (account, mut review) = (Account::new(), Review::default());
        for _ in 0..BURST_BYTES / LARGE_BYTES * 2 {
            account.add(LARGE_BYTES - 1);
        }
        assert!(!review.is_due(&account, 0));
        assert_eq!(review.due, None);
    }

    #[test]
    fn of_two_shards_one_gives_back() {
        let account = Account::new();
        let mut reviews = [Review::default(); 2];
        account.add(BURST_BYTES);
        for review in &mut reviews {
            assert!(!review.is_due(&account, 0));
        }
        account.subtract(BURST_BYTES);
        assert_eq!(reviews.map(|mut review| review.is_due(&account, PAUSE_MS)), [true, false]);
    }
}
