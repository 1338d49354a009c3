//! The event queue in every order in which shards and JavaScript can come to it.

use std::sync::Arc;

use loom::future::block_on;

use super::{Drained, EventQueue};
use crate::server::event::deferred;
use crate::server::slots::Slots;
use crate::sync::{Mutex, Notify, thread};

#[derive(Clone)]
struct Bench {
    queue: Arc<EventQueue>,
    /// Rung for JavaScript.
    doorbell: Arc<Notify>,
    slots: Arc<Slots>,
}

impl Bench {
    fn new() -> Self {
        let (doorbell, slots) = (Arc::<Notify>::default(), Arc::<Slots>::default());
        let bell = Arc::clone(&doorbell);
        let queue = EventQueue::new(Box::new(move || bell.notify_one()), Arc::clone(&slots));
        Self { queue, doorbell, slots }
    }

    fn tell(&self) {
        let mut writer = self.queue.writer();
        writer.heartbeat(1);
        writer.finish();
    }

    /// Drains once; how many units that were, and whether JavaScript is to come again of its own accord.
    fn drain(&self) -> (usize, bool) {
        let mut out = [0; 256];
        match self.queue.drain(&mut out) {
            Drained::Bytes { written, more } => {
                (super::Records::new(&out[..written]).count(), more)
            }
            Drained::NeedsRoom(_) => panic!("the buffer is large"),
        }
    }

    /// What JavaScript does, until it has had so many units. It sleeps for ever if it is not rung for one.
    fn drain_all(&self, count: usize) {
        let mut drained = 0;
        while drained < count {
            block_on(self.doorbell.notified());
            loop {
                let (units, more) = self.drain();
                drained += units;
                if !more {
                    break;
                }
            }
        }
        assert_eq!(drained, count);
    }
}

#[test]
fn javascript_is_rung_for_whatever_comes() {
    loom::model(|| {
        let bench = Bench::new();
        let shards = [1, 2].map(|units| {
            let bench = bench.clone();
            thread::spawn(move || (0..units).for_each(|_| bench.tell()))
        });
        bench.drain_all(3);
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        assert_eq!(bench.queue.drained(), 3);
    });
}

#[test]
fn javascript_drains_what_it_was_not_rung_for_because_it_did_it_itself() {
    loom::model(|| {
        let bench = Bench::new();
        let shard = bench.clone();
        let shard = thread::spawn(move || {
            deferred::begin();
            shard.tell();
            deferred::ring_all();
        });
        if deferred::without_ringing(&bench.queue, || bench.tell()) {
            bench.doorbell.notify_one();
        }
        bench.drain_all(2);
        shard.join().unwrap();
    });
}

#[test]
fn a_reader_that_waits_for_javascript_goes_on_when_that_has_come() {
    loom::model(|| {
        let bench = Bench::new();
        bench.tell();
        let reader = bench.clone();
        let reader = thread::spawn(move || {
            block_on(reader.queue.drained_past(1));
            block_on(reader.queue.undrained_at_most(0));
            assert_eq!(reader.queue.drained(), 1);
        });
        assert_eq!(bench.drain(), (1, false));
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_that_waits_for_javascript_goes_on_when_that_is_gone() {
    loom::model(|| {
        let bench = Bench::new();
        bench.tell();
        let reader = bench.clone();
        let reader = thread::spawn(move || block_on(reader.queue.drained_past(1)));
        bench.queue.close();
        reader.join().unwrap();
    });
}

#[test]
fn nobody_rings_when_the_link_is_closed() {
    loom::model(|| {
        let is_closed = Arc::new(Mutex::new(false));
        let seen = Arc::clone(&is_closed);
        let wake = Box::new(move || assert!(!*seen.lock().unwrap(), "into what is gone"));
        let queue = EventQueue::new(wake, Arc::default());
        let bench = Bench { queue, doorbell: Arc::default(), slots: Arc::default() };
        let shard = bench.clone();
        let shard = thread::spawn(move || shard.tell());
        bench.queue.close();
        *is_closed.lock().unwrap() = true;
        shard.join().unwrap();
        assert_eq!(bench.drain(), (0, false));
    });
}

#[test]
fn a_slot_that_ends_while_the_link_closes_comes_free_once() {
    loom::model(|| {
        let bench = Bench::new();
        let slot = bench.slots.reserve_slot();
        let shard = bench.clone();
        let shard = thread::spawn(move || shard.queue.writer().ended(slot));
        bench.drain();
        bench.queue.close();
        shard.join().unwrap();
        assert_eq!([bench.slots.reserve_slot(), bench.slots.reserve_slot()], [slot, slot + 1]);
    });
}
