//! The event queue of one link: units wait here until JavaScript drains them.
//!
//! Shards append and ring the doorbell; the link's JavaScript thread drains. The queue itself has no bound: what fills
//! it is read from sockets, and shards stop reading by what [`EventQueue::drained`] and
//! [`EventQueue::undrained_bytes`] tell.

use std::mem;
use std::pin::pin;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::server::event::backlog::Backlog;
use crate::server::event::{Ended, Unit, UnitWriter, deferred};
use crate::server::record::Records;
use crate::server::slots::Slots;
use crate::server::tally::Delays;
use crate::sync;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, Notify};

/// Rings the doorbell of a link; called on the threads of the shards, and must not wait for anything.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What a drain did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Whole units were taken, perhaps none.
    Bytes {
        /// How many bytes of the buffer hold records.
        written: usize,
        /// Units are left. Nobody rings for them: drain again, in a callback of its own.
        more: bool,
    },
    /// The first unit needs a buffer of so many bytes, and nothing was taken. Drain again at once; nobody rings.
    NeedsRoom(usize),
}

/// Units in order, from all shards.
pub(crate) struct EventQueue {
    /// For those who ring it later.
    itself: Weak<Self>,
    /// Locked for the copying of a unit or of a batch, never while anything is awaited or decoded.
    state: Mutex<State>,
    /// The number of the last unit that was drained; written with `state` locked.
    drained: AtomicU64,
    /// The number of the last unit that the drain before the last one took; written with `state` locked.
    dispatched: AtomicU64,
    /// The bytes in the queue; written with `state` locked.
    undrained_bytes: AtomicUsize,
    /// Tells paused readers that something was drained.
    progress: Notify,
    /// How long JavaScript took to come; written with `state` locked.
    delays: Delays,
    /// Held while it is called, so that [`close`](Self::close) returns only when no thread uses it any more: Node
    /// aborts the process when a thread calls into an environment that is gone. Locked after `state`, never with it.
    wake: Mutex<Option<Wake>>,
    /// The slots and conns that ended in the last drain. They come free at the next one, when JavaScript has dispatched
    /// their events: what it opens while it does so must not get a number that it is about to take for ended.
    ended: Mutex<Vec<Ended>>,
    /// Where they come free.
    slots: Arc<Slots>,
}

#[derive(Debug, Default)]
struct State {
    backlog: Backlog,
    /// JavaScript was rung and has not come back yet, or it was told to come back.
    ///
    /// It changes together with `backlog`, under one lock, so no wake-up is lost: who appends a unit either finds it
    /// false and rings, or the drain that makes it false comes later and finds the unit.
    is_scheduled: bool,
    /// When JavaScript was rung, or told to come back, for what waits now.
    called_at: Option<Instant>,
    /// When JavaScript came back the last time that it had let [`BLOCKED_AFTER`] pass.
    unblocked_at: Option<Instant>,
    /// The link is gone: nothing is posted any more.
    is_closed: bool,
}

impl State {
    fn is_blocked(&self, now: Instant) -> bool {
        self.called_at.is_some_and(|called_at| now.duration_since(called_at) >= BLOCKED_AFTER)
    }
}

impl EventQueue {
    /// An empty queue that rings `wake` whenever it gets something to drain.
    pub(crate) fn new(wake: Wake, slots: Arc<Slots>) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            state: Mutex::default(),
            drained: AtomicU64::new(0),
            dispatched: AtomicU64::new(0),
            undrained_bytes: AtomicUsize::new(0),
            progress: Notify::new(),
            delays: Delays::default(),
            wake: Mutex::new(Some(wake)),
            ended: Mutex::default(),
            slots,
        })
    }

    /// Begins a unit.
    pub(crate) fn writer(&self) -> UnitWriter<'_> {
        UnitWriter::new(self)
    }

    /// The number of the last unit that JavaScript has taken; `u64::MAX` once the link is closed.
    pub(crate) fn drained(&self) -> u64 {
        self.drained.load(Ordering::Acquire)
    }

    /// Whether JavaScript has surely done with this unit, and not only taken it: it drains again when it has dispatched what it
    /// drained before.
    pub(crate) fn is_dispatched(&self, unit: u64) -> bool {
        unit <= self.dispatched.load(Ordering::Acquire)
    }

    /// How many bytes JavaScript has not taken.
    pub(crate) fn undrained_bytes(&self) -> usize {
        self.undrained_bytes.load(Ordering::Acquire)
    }

    /// How long JavaScript took to come, each time that it was rung or told to come back.
    pub(crate) const fn delays(&self) -> &Delays {
        &self.delays
    }

    /// The last moment at which JavaScript was known to be blocked: now, or when it came back.
    pub(crate) fn blocked_at(&self) -> Option<Instant> {
        let (state, now) = (lock(&self.state), sync::now());
        if state.is_blocked(now) { Some(now) } else { state.unblocked_at }
    }

    /// Waits until JavaScript has taken this unit.
    pub(crate) async fn drained_past(&self, unit: u64) {
        self.progress_until(|| self.drained() >= unit).await;
    }

    /// Waits until there are no more than so many bytes that JavaScript has not taken.
    pub(crate) async fn undrained_at_most(&self, bytes: usize) {
        self.progress_until(|| self.undrained_bytes() <= bytes).await;
    }

    async fn progress_until(&self, is_reached: impl Fn() -> bool) {
        let mut notified = pin!(self.progress.notified());
        loop {
            // Listens before it looks, so that a drain between the two is not missed.
            notified.as_mut().enable();
            if is_reached() {
                return;
            }
            notified.as_mut().await;
            notified.set(self.progress.notified());
        }
    }

    /// Moves units into `out`, from its first byte on, up to a unit that does not fit, is fenced off from one that was
    /// taken by this drain, or would make more than [`BATCH_BYTES`] of several.
    pub(crate) fn drain(&self, out: &mut [u8]) -> Drained {
        self.release(mem::take(&mut *lock(&self.ended)));
        let mut written = 0;
        let mut has_end = false;
        let mut state = lock(&self.state);
        let drained_before = state.backlog.drained();
        self.dispatched.store(drained_before, Ordering::Release);
        while let Some(unit) = state.backlog.first()
            && unit.fence <= drained_before
        {
            if written > 0 && written + unit.len > BATCH_BYTES {
                break;
            }
            let Some(target) = out.get_mut(written..).and_then(|rest| rest.get_mut(..unit.len))
            else {
                if written == 0 {
                    return Drained::NeedsRoom(unit.len);
                }
                break;
            };
            state.backlog.take_first(target);
            written += unit.len;
            has_end |= unit.has_end;
        }
        let more = state.backlog.first().is_some();
        state.is_scheduled = more;
        let now = sync::now();
        if state.is_blocked(now) {
            state.unblocked_at = Some(now);
        }
        if let Some(called_at) = state.called_at {
            self.delays.add(now.duration_since(called_at));
        }
        state.called_at = more.then_some(now);
        self.publish(&state);
        drop(state);

        if has_end {
            *lock(&self.ended) = ended_in(out.get(..written).unwrap_or_default()).collect();
        }
        self.progress.notify_waiters();
        Drained::Bytes { written, more }
    }

    /// Drops what waits; from now on nothing is posted and nobody is rung. When it returns, no thread is ringing.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        let state_before = mem::replace(&mut *state, State { is_closed: true, ..State::default() });
        self.publish(&state);
        drop(state);

        self.release(mem::take(&mut *lock(&self.ended)));
        self.release(state_before.backlog.records().flat_map(ended_in));
        self.progress.notify_waiters();
        lock(&self.wake).take();
    }

    /// Takes a writer's unit and gives its number.
    pub(super) fn append(&self, unit: &mut Unit) -> u64 {
        let mut state = lock(&self.state);
        if state.is_closed {
            drop(state);
            if unit.has_end {
                self.release(ended_in(&unit.records));
            }
            return 0;
        }
        let number = state.backlog.append(unit);
        let must_ring = !mem::replace(&mut state.is_scheduled, true);
        if must_ring {
            state.called_at = Some(sync::now());
        }
        self.publish(&state);
        drop(state);

        if !deferred::appended(must_ring.then_some(&self.itself)) && must_ring {
            self.ring();
        }
        number
    }

    /// Calls `wake`, unless the link is closed.
    pub(in crate::server) fn ring(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            wake();
        }
    }

    /// Called with `state` locked, so that the two numbers never go back.
    fn publish(&self, state: &State) {
        let drained = if state.is_closed { u64::MAX } else { state.backlog.drained() };
        self.drained.store(drained, Ordering::Release);
        self.undrained_bytes.store(state.backlog.bytes(), Ordering::Release);
    }

    fn release(&self, ended: impl IntoIterator<Item = Ended>) {
        for ended in ended {
            match ended {
                Ended::Slot(slot) => self.slots.release_slot(slot),
                Ended::Conn(conn) => self.slots.release_conn(conn),
            }
        }
    }
}

/// What JavaScript is given at one time, unless a single unit is longer. Listeners are called for all of a batch before timers
/// and other I/O have their turn, so a batch must not hold many reads, while its cost is nothing beside some hundred messages.
const BATCH_BYTES: usize = 64 * 1024;

/// JavaScript that has not come for so long is busy with something else than events: a busy but healthy loop takes
/// some milliseconds, and no sensible `pingTimeout` is much shorter.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);

fn ended_in(records: &[u8]) -> impl Iterator<Item = Ended> {
    Records::new(records).flatten().filter_map(Ended::new)
}

/// A panic with one of these locks held leaves nothing half done that the next one could stumble over.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, sio_loom))]
mod models;
#[cfg(test)]
mod tests;
