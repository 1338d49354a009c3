//! When the queue rings, what a drain takes, and that no thread is left waiting.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{BATCH_BYTES, Drained, EventQueue};
use crate::engine::CloseReason;
use crate::server::event::deferred;
use crate::server::record::Records;
use crate::server::slots::Slots;

/// A queue whose rings are counted.
struct Bench {
    queue: Arc<EventQueue>,
    slots: Arc<Slots>,
    rings: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Self {
        let (slots, rings) = (Arc::new(Slots::default()), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&rings);
        let wake = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        Self { queue: EventQueue::new(wake, Arc::clone(&slots)), slots, rings }
    }

    /// The kinds that one drain gives, and whether more is left.
    fn drain(&self) -> (Vec<u32>, bool) {
        let mut out = vec![0; 256 * 1024];
        let Drained::Bytes { written, more } = self.queue.drain(&mut out) else {
            panic!("the buffer is large")
        };
        (kinds(&out[..written]), more)
    }

    fn message(&self, slot: u32) -> u64 {
        let mut writer = self.queue.writer();
        writer.text(slot, "hello");
        writer.finish()
    }

    fn closed(&self, slot: u32, last_message: u64) {
        let mut writer = self.queue.writer();
        writer.closed(slot, CloseReason::TransportClose, "", last_message, false);
        writer.ended(slot);
    }

    fn rings(&self) -> usize {
        self.rings.load(Ordering::Relaxed)
    }
}

fn kinds(records: &[u8]) -> Vec<u32> {
    Records::new(records).map(|record| record.unwrap().kind).collect()
}

#[test]
fn the_doorbell_rings_once_until_all_is_drained() {
    let bench = Bench::new();
    assert_eq!(bench.drain(), (vec![], false));
    bench.message(1);
    bench.message(1);
    assert_eq!(bench.rings(), 1);
    assert_eq!(bench.drain(), (vec![1, 1], false));
    assert_eq!(bench.drain(), (vec![], false));
    bench.message(1);
    assert_eq!(bench.rings(), 2);
    drop(bench.queue.writer());
    assert_eq!(bench.queue.writer().finish(), 0);
    assert_eq!(bench.drain(), (vec![1], false), "a writer without records makes no unit");
}

#[test]
fn only_whole_units_are_taken_and_who_has_no_room_is_told() {
    let bench = Bench::new();
    let mut writer = bench.queue.writer();
    writer.binary(1, &[7; 10]);
    writer.heartbeat(1);
    writer.finish();
    bench.message(2);
    let first_len = 8 + 8 + 12 + 8 + 4;
    assert_eq!(bench.queue.drain(&mut vec![0; first_len - 1]), Drained::NeedsRoom(first_len));
    assert_eq!(bench.queue.drained(), 0);

    let mut out = vec![0; first_len + 4];
    assert_eq!(bench.queue.drain(&mut out), Drained::Bytes { written: first_len, more: true });
    assert_eq!(kinds(&out[..first_len]), [1, 9]);
    assert_eq!(bench.queue.drained(), 1);
    bench.message(3);
    assert_eq!(bench.rings(), 1, "who was told that there is more comes back unrung");
    assert_eq!(bench.drain(), (vec![1, 1], false));
    assert_eq!((bench.queue.drained(), bench.queue.undrained_bytes()), (3, 0));
}

#[test]
fn a_message_that_was_inflated_has_a_drain_of_its_own() {
    let bench = Bench::new();
    let mut writer = bench.queue.writer();
    let before = bench.message(1);
    assert_eq!(writer.begin_turn(before), before);
    writer.text(1, "inflated");
    writer.text(1, "as it came");
    let second = writer.begin_turn(before);
    assert_eq!(second, before + 1);
    writer.text(1, "inflated");
    writer.finish();
    bench.message(2);
    assert_eq!(bench.drain(), (vec![1], true));
    assert_eq!(bench.drain(), (vec![1, 1], true));
    assert_eq!(bench.drain(), (vec![1, 1], false));
    let mut writer = bench.queue.writer();
    writer.begin_turn(second);
    writer.text(1, "with nothing before it");
    writer.finish();
    bench.message(2);
    assert_eq!(bench.drain(), (vec![1, 1], false));
}

#[test]
fn a_flood_of_inflated_messages_holds_nobody_up_for_more_turns_than_may_wait() {
    let bench = Bench::new();
    let mut writer = bench.queue.writer();
    let mut last_message = 0;
    for _ in 0..10_000 {
        last_message = writer.begin_turn(last_message);
        writer.text(1, "inflated");
    }
    writer.finish();
    bench.message(2);
    let drains = iter::from_fn(|| {
        let (kinds, _) = bench.drain();
        (!kinds.is_empty()).then_some(kinds.len())
    });
    let counts: Vec<usize> = drains.collect();
    assert_eq!(counts.iter().sum::<usize>(), 10_001);
    // The last of them are as many as a batch holds.
    assert!(counts.len() < 80, "{}", counts.len());
    assert!(counts.iter().take(64).all(|count| *count == 1));
    assert_eq!(bench.message(1), 10_002);
    assert_eq!(bench.drain(), (vec![1], false));
}

#[test]
fn a_batch_ends_before_it_is_long_but_always_has_a_unit() {
    let bench = Bench::new();
    let read_of = |bytes: usize| {
        let mut writer = bench.queue.writer();
        writer.binary(1, &vec![7; bytes]);
        writer.finish();
    };
    for bytes in [BATCH_BYTES / 2, BATCH_BYTES / 2 - 64, BATCH_BYTES * 2, 1, 1] {
        read_of(bytes);
    }
    assert_eq!(bench.drain(), (vec![1, 1], true));
    assert_eq!(bench.drain(), (vec![1], true));
    assert_eq!(bench.drain(), (vec![1, 1], false));
}

#[test]
fn the_end_of_a_session_waits_for_another_drain_than_its_messages() {
    let bench = Bench::new();
    let last_message = bench.message(1);
    bench.message(2);
    bench.closed(1, last_message);
    bench.message(2);
    assert_eq!(bench.drain(), (vec![1, 1], true));
    assert_eq!(bench.drain(), (vec![2, 3, 1], false));
}

#[test]
fn a_message_and_the_end_in_one_read_are_drained_apart() {
    let bench = Bench::new();
    let mut writer = bench.queue.writer();
    writer.text(1, "bye");
    writer.closed(1, CloseReason::TransportClose, "", 0, false);
    writer.ended(1);
    assert_eq!(writer.finish(), 2);
    assert_eq!(bench.drain(), (vec![1], true));
    assert_eq!(bench.drain(), (vec![2, 3], false));
}

#[test]
fn an_end_whose_messages_were_drained_long_ago_is_not_held_up() {
    let bench = Bench::new();
    let last_message = bench.message(1);
    assert_eq!(bench.drain(), (vec![1], false));
    bench.message(2);
    bench.closed(1, last_message);
    // A unit that no fence can name, as a session without messages has it.
    bench.closed(3, 0);
    assert_eq!(bench.drain(), (vec![1, 2, 3, 2, 3], false));
    bench.closed(4, u64::MAX);
    assert_eq!(bench.drain(), (vec![2, 3], false), "a fence never waits for what is not before it");
}

#[test]
fn numbers_come_free_when_javascript_has_dispatched_their_last_event() {
    let bench = Bench::new();
    let reserve = || (bench.slots.reserve_slot(), bench.slots.reserve_conn());
    let ended = reserve();
    let mut writer = bench.queue.writer();
    writer.ended(ended.0);
    writer.conn_ended(ended.1);
    writer.finish();
    assert_ne!(reserve(), ended);
    assert_eq!(bench.drain(), (vec![3, 4], false));
    assert_ne!(reserve(), ended, "its events are just being dispatched");
    assert_eq!(bench.drain(), (vec![], false));
    assert_eq!(reserve(), ended);
    assert_eq!(bench.drain(), (vec![], false));
    assert_ne!(reserve(), ended);
}

#[test]
fn a_closed_queue_posts_nothing_and_frees_all_numbers() {
    let bench = Bench::new();
    let reserved = [(); 3].map(|()| (bench.slots.reserve_slot(), bench.slots.reserve_conn()));
    for (slot, conn) in reserved {
        let mut writer = bench.queue.writer();
        writer.binary(slot, &vec![0; 100_000]);
        writer.ended(slot);
        writer.conn_ended(conn);
        writer.finish();
        if slot == 0 {
            bench.queue.drain(&mut vec![0; 200_000]);
        } else if slot == 1 {
            bench.queue.close();
        }
    }
    assert_eq!(bench.rings(), 2, "the last unit came after the end");
    assert_eq!((bench.queue.drained(), bench.queue.undrained_bytes()), (u64::MAX, 0));
    assert_eq!(bench.drain(), (vec![], false));
    assert_eq!(bench.queue.drained(), u64::MAX);
    let mut again = [(); 3].map(|()| (bench.slots.reserve_slot(), bench.slots.reserve_conn()));
    again.sort_unstable();
    assert_eq!(again, reserved);
}

#[tokio::test]
async fn paused_readers_are_told_when_javascript_has_caught_up() {
    let bench = Bench::new();
    let (first, second) = (bench.message(1), bench.message(1));
    let readers = async {
        bench.queue.drained_past(first).await;
        bench.queue.undrained_at_most(0).await;
        bench.queue.drained_past(second).await;
    };
    let javascript = async {
        tokio::task::yield_now().await;
        let mut out = [0; 24];
        assert_eq!(bench.queue.drain(&mut out), Drained::Bytes { written: 24, more: true });
        tokio::task::yield_now().await;
        assert_eq!(bench.drain(), (vec![1], false));
    };
    tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(readers, javascript) })
        .await
        .unwrap();

    let unit = bench.message(1);
    let closing = async { bench.queue.close() };
    let reader = async { tokio::join!(bench.queue.drained_past(unit), closing) };
    tokio::time::timeout(Duration::from_secs(10), reader).await.unwrap();
}

#[test]
fn no_wake_up_is_lost_between_threads() {
    const SHARDS: u32 = 3;
    const UNITS: u32 = 20_000;
    let (ring, rings) = channel();
    let wake = Box::new(move || ring.send(()).unwrap());
    let queue = EventQueue::new(wake, Arc::default());
    let shards: Vec<_> = (0..SHARDS)
        .map(|shard| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for number in 0..UNITS {
                    let mut writer = queue.writer();
                    writer.sent(shard, number);
                    writer.finish();
                }
            })
        })
        .collect();

    // As JavaScript does it: drains when rung, and once more for each `more`. A lost ring leaves it waiting.
    let mut next = [0; SHARDS as usize];
    let mut out = [0; 1_000];
    while next != [UNITS; SHARDS as usize] {
        rings.recv_timeout(Duration::from_secs(10)).expect("rung while units wait");
        loop {
            let Drained::Bytes { written, more } = queue.drain(&mut out) else {
                panic!("units are small")
            };
            for record in Records::new(&out[..written]) {
                let mut fields = record.unwrap().fields;
                let next = &mut next[fields.number().unwrap() as usize];
                assert_eq!(fields.number(), Some(*next), "the units of a shard stay in order");
                *next += 1;
            }
            if !more {
                break;
            }
        }
    }
    for shard in shards {
        shard.join().unwrap();
    }
}

#[test]
fn a_shard_rings_before_it_sleeps_or_after_many_units() {
    thread::spawn(|| {
        deferred::begin();
        let bench = Bench::new();
        let rings = || bench.rings.load(Ordering::Relaxed);
        bench.message(1);
        bench.message(2);
        assert_eq!(rings(), 0);
        deferred::ring_all();
        deferred::ring_all();
        assert_eq!(rings(), 1);

        bench.drain();
        for _ in 0..64 {
            bench.message(1);
        }
        assert_eq!(rings(), 2);
    })
    .join()
    .unwrap();
}
