//! How many bytes of memory the outboxes hold, each byte counted once, however many sessions wait for it.
//!
//! Only what waits is counted: an outbox from the moment that its stream or its polls do not take it, so that whoever is served at once costs
//! nothing here; and a frame that many sessions share from its making to its end.

use std::sync::Arc;

use bytes::Bytes;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The bytes of one owner's outboxes, or of the whole process.
#[derive(Debug)]
pub struct Ledger {
    bytes: AtomicUsize,
    /// Sessions that were ended because they took too little.
    ended: AtomicU64,
    /// How many bytes there may be; kept by whoever can end sessions.
    ceiling: AtomicUsize,
    /// What it is a part of.
    whole: Option<Arc<Self>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            ceiling: AtomicUsize::new(usize::MAX),
            whole: None,
        }
    }
}

impl Ledger {
    /// The ledger of one owner, which is counted in `whole` too.
    pub fn part_of(whole: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { whole: Some(Arc::clone(whole)), ..Self::default() })
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many sessions were ended because they took too little.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// How many bytes there may be; `usize::MAX` is no ceiling.
    pub fn ceiling(&self) -> usize {
        self.ceiling.load(Ordering::Relaxed)
    }

    /// Sets the ceiling.
    pub fn set_ceiling(&self, bytes: usize) {
        self.ceiling.store(bytes, Ordering::Relaxed);
    }

    /// Frames for many outboxes: their bytes are counted as long as one of those holds them.
    pub(super) fn share(self: &Arc<Self>, frames: Bytes) -> Bytes {
        self.add(frames.len());
        Bytes::from_owner(Shared { frames, ledger: Arc::clone(self) })
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.add(bytes);
        }
    }

    fn subtract(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.subtract(bytes);
        }
    }

    fn count_ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.count_ended();
        }
    }
}

struct Shared {
    frames: Bytes,
    ledger: Arc<Ledger>,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.frames
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ledger.subtract(self.frames.len());
    }
}

/// The account of one outbox that has to wait. It ends with the waiting, or with the outbox, whatever becomes of that.
#[derive(Debug)]
pub(super) struct Held {
    ledger: Arc<Ledger>,
    counted: usize,
    /// When something was taken last, or the waiting began.
    drained_at: u64,
    /// Something was taken since somebody last told the time.
    has_drained: bool,
    /// Dropping is not tried up to this weight: what was left the last time may not be dropped, or not yet.
    pub(super) futile_up_to: usize,
}

impl Held {
    pub(super) fn new(ledger: &Arc<Ledger>, bytes: usize, now: u64) -> Self {
        ledger.add(bytes);
        let ledger = Arc::clone(ledger);
        Self { ledger, counted: bytes, drained_at: now, has_drained: false, futile_up_to: 0 }
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.counted = self.counted.saturating_add(bytes);
        self.ledger.add(bytes);
    }

    pub(super) fn subtract(&mut self, bytes: usize) {
        let bytes = bytes.min(self.counted);
        self.counted -= bytes;
        self.ledger.subtract(bytes);
    }

    /// The peer takes.
    pub(super) const fn drained(&mut self) {
        self.has_drained = true;
    }

    /// Tells the time.
    pub(super) fn wait(&mut self, now: u64) {
        if std::mem::take(&mut self.has_drained) {
            self.drained_at = now;
        }
    }

    /// Until then nobody could have taken anything.
    pub(super) fn excuse(&mut self, until: u64) {
        self.drained_at = self.drained_at.max(until);
    }

    pub(super) const fn drained_at(&self) -> u64 {
        self.drained_at
    }

    /// The session is ended for it.
    pub(super) fn count_ended(&self) {
        self.ledger.count_ended();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.subtract(self.counted);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Held, Ledger};

    #[test]
    fn a_shared_frame_is_counted_once_and_until_the_last_of_its_holders_is_gone() {
        let whole = Arc::<Ledger>::default();
        let ledger = Ledger::part_of(&whole);
        let first = ledger.share(vec![0; 100].into());
        let second = first.clone();
        assert_eq!((ledger.bytes(), whole.bytes()), (100, 100));
        drop(first);
        assert_eq!(whole.bytes(), 100);
        drop(second);
        assert_eq!((ledger.bytes(), whole.bytes()), (0, 0));
    }

    #[test]
    fn an_account_ends_with_whoever_has_it() {
        let whole = Arc::<Ledger>::default();
        let (one, other) = (Ledger::part_of(&whole), Ledger::part_of(&whole));
        let mut held = Held::new(&one, 10, 5);
        held.add(7);
        held.subtract(2);
        let another = Held::new(&other, 100, 5);
        assert_eq!((one.bytes(), other.bytes(), whole.bytes()), (15, 100, 115));
        another.count_ended();
        drop((held, another));
        assert_eq!((one.bytes(), other.bytes(), whole.bytes()), (0, 0, 0));
        assert_eq!((one.ended(), whole.ended()), (0, 1));
    }

    #[test]
    fn time_stands_still_while_the_peer_takes() {
        let mut held = Held::new(&Arc::default(), 1, 100);
        held.wait(200);
        assert_eq!(held.drained_at(), 100);
        held.drained();
        held.wait(300);
        held.wait(400);
        assert_eq!(held.drained_at(), 300);
        held.excuse(350);
        held.excuse(10);
        assert_eq!(held.drained_at(), 350);
    }
}

#[cfg(all(test, sio_loom))]
mod models {
    use std::sync::Arc;

    use super::{Held, Ledger};
    use crate::sync::thread;

    #[test]
    fn what_several_shards_count_comes_to_nothing_when_nothing_waits() {
        loom::model(|| {
            let whole = Arc::<Ledger>::default();
            let ledger = Ledger::part_of(&whole);
            let shared = ledger.share(vec![0; 100].into());
            let (here, there) = (Arc::clone(&ledger), shared.clone());
            let other = thread::spawn(move || {
                let mut held = Held::new(&here, 10, 0);
                held.add(7);
                drop(there);
                held.subtract(10);
            });
            drop(shared);
            drop(Held::new(&ledger, 5, 0));
            other.join().unwrap();
            assert_eq!((ledger.bytes(), whole.bytes()), (0, 0));
        });
    }
}
