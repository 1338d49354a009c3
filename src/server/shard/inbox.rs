//! How work comes to a shard from other threads, and who may do it there.
//!
//! ```text
//!     who has work ──▶ Queue ──▶ the shard's thread: locks the shard, takes all, does it, sleeps until it is called
//!          └────── nothing waits, the shard is free: does it there and then (`inline`)
//! ```
//!
//! Whichever way it goes, what one thread asks for is done in the order in which it asked.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::TryLockError;
use std::sync::Weak;

use crate::server::shard::Shard;
use crate::server::shard::ShardMessage;
use crate::sync::Mutex;
use crate::sync::MutexGuard;
use crate::sync::Notify;

/// Where a shard finds what there is to do.
///
/// It has no bound: JavaScript never waits for a shard, as it never waits for a socket, and what it sends in a turn is
/// its own affair.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Whose inbox it is. Locked for one round of the shard's thread, or for a little that another thread does itself.
    /// Lock order: shard, then messages.
    shard: OnceLock<Weak<Mutex<Shard>>>,
    messages: Queue<ShardMessage>,
    /// The conns of streams to be served. Filled and emptied on the shard's own thread.
    ready_streams: Queue<u32>,
    /// Told when the first one of either comes.
    arrival: Notify,
}

impl Inbox {
    /// Appends a message and wakes the shard.
    pub(crate) fn send(&self, message: ShardMessage) {
        self.messages.send(message, &self.arrival);
    }

    /// The shard has begun.
    pub(super) fn is_of(&self, shard: &Arc<Mutex<Shard>>) {
        // A shard begins once; a second one of this number would be a fault of ours, and be served by its thread alone.
        let _ = self.shard.set(Arc::downgrade(shard));
    }

    /// The shard, if it has begun and is not over.
    pub(super) fn shard(&self) -> Option<Arc<Mutex<Shard>>> {
        self.shard.get().and_then(Weak::upgrade)
    }

    /// Locks the shard for somebody who has something to do there, if that overtakes nothing.
    pub(super) fn lock_if_idle<'a>(
        &self,
        shard: &'a Mutex<Shard>,
    ) -> Option<MutexGuard<'a, Shard>> {
        self.messages.lock_if_idle(shard)
    }

    /// Moves all messages into `into`, which is empty.
    pub(in crate::server) fn take(&self, into: &mut Vec<ShardMessage>) {
        self.messages.take(into);
    }

    /// Notes that a stream is to be served, and wakes the shard.
    #[cfg(unix)]
    pub(super) fn stream_is_ready(&self, conn: u32) {
        self.ready_streams.send(conn, &self.arrival);
    }

    /// Moves the conns of all streams that are to be served into `into`, which is empty.
    pub(super) fn take_ready_streams(&self, into: &mut Vec<u32>) {
        self.ready_streams.take(into);
    }

    pub(super) fn has_ready_streams(&self) -> bool {
        !self.ready_streams.is_empty()
    }

    /// Wakes the shard.
    pub(super) fn call(&self) {
        self.arrival.notify_one();
    }

    /// Waits until the shard is called, or was since the last time.
    pub(super) async fn called(&self) {
        self.arrival.notified().await;
    }
}

/// Things to do, in order.
struct Queue<T> {
    /// Locked to append one, or to take all.
    items: Mutex<Vec<T>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { items: Mutex::new(Vec::new()) }
    }
}

impl<T> Queue<T> {
    /// Appends an item. Who takes them is called for the first one only: it takes all that there are.
    fn send(&self, item: T, arrival: &Notify) {
        let mut items = self.lock();
        items.push(item);
        if items.len() == 1 {
            drop(items);
            arrival.notify_one();
        }
    }

    /// Moves all items into `into`, which is empty. Called with `state` locked by whoever does what they ask for.
    fn take(&self, into: &mut Vec<T>) {
        std::mem::swap(&mut *self.lock(), into);
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Locks what the items are about, unless somebody has it or items wait: then what was asked for before comes first.
    fn lock_if_idle<'a, S>(&self, state: &'a Mutex<S>) -> Option<MutexGuard<'a, S>> {
        let guard = match state.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.is_empty().then_some(guard)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, sio_loom))]
mod models {
    use std::sync::Arc;

    use loom::future::block_on;

    use super::Queue;
    use crate::sync::{Mutex, Notify, thread};

    #[derive(Default)]
    struct Bench {
        queue: Queue<u32>,
        arrival: Notify,
        /// What was done, in order.
        done: Mutex<Vec<u32>>,
    }

    impl Bench {
        /// What a shard's thread does, until so many things are done.
        fn serve(&self, count: usize) {
            let mut items = Vec::new();
            block_on(async {
                loop {
                    let mut done = self.done.lock().unwrap();
                    self.queue.take(&mut items);
                    done.append(&mut items);
                    if done.len() == count {
                        return;
                    }
                    drop(done);
                    self.arrival.notified().await;
                }
            });
        }

        fn ask(&self, item: u32) {
            if let Some(mut done) = self.queue.lock_if_idle(&self.done) {
                done.push(item);
                drop(done);
                // For the model alone: what was done elsewhere counts too.
                self.arrival.notify_one();
            } else {
                self.queue.send(item, &self.arrival);
            }
        }
    }

    #[test]
    fn a_shard_that_sleeps_is_called_for_whatever_comes() {
        loom::model(|| {
            let bench = Arc::<Bench>::default();
            let askers = [1, 2].map(|item| {
                let bench = Arc::clone(&bench);
                thread::spawn(move || bench.queue.send(item, &bench.arrival))
            });
            bench.serve(2);
            askers.into_iter().for_each(|asker| asker.join().unwrap());
        });
    }

    #[test]
    fn what_is_done_at_once_overtakes_nothing() {
        loom::model(|| {
            let bench = Arc::<Bench>::default();
            let asking = Arc::clone(&bench);
            let asker = thread::spawn(move || {
                asking.queue.send(1, &asking.arrival);
                asking.ask(2);
                asking.ask(3);
            });
            bench.serve(3);
            asker.join().unwrap();
            assert_eq!(*bench.done.lock().unwrap(), [1, 2, 3]);
        });
    }
}
