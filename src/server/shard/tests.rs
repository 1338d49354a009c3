//! A shard on the clock of a test: what takes half a minute, and what must never happen.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::Instant;

use super::run::run;
use super::{Inbox, Shard};
use crate::codec::websocket::DeflateParameters;
use crate::config::Config;
use crate::engine::Session;
use crate::server::counters::{Counters, Gauges};
use crate::server::link::{Drained, Link, Role};
use crate::server::record::{Records, append_record};
use crate::server::slots::Slots;

// Kinds of commands and events.
const OPEN: u32 = 1;
const SEND: u32 = 2;
const CLOSE: u32 = 9;
const CONN_DESTROY: u32 = 17;
const FINISH: u32 = 24;
const MESSAGE: u32 = 1;
const CLOSED: u32 = 2;
const ENDED: u32 = 3;
const CONN_ENDED: u32 = 4;
const RESPOND: u32 = 5;
const PING_SENT: u32 = 10;
const FRAME: u32 = 17;
const LOG: u32 = 23;

/// A link whose shard runs on the runtime of the test, where time passes as soon as everybody waits for it.
struct Bench {
    link: Arc<Link>,
    gauges: Arc<Gauges>,
    rung: UnboundedReceiver<()>,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        let inboxes: Arc<[Inbox]> = Arc::new([Inbox::default()]);
        let (slots, gauges) = (Arc::<Slots>::default(), Arc::<Gauges>::default());
        spawn_local(run(0, Arc::clone(&inboxes), Arc::clone(&slots), Arc::clone(&gauges)));
        let (doorbell, rung) = unbounded_channel();
        let wake = Box::new(move || {
            // The test is over when nobody listens.
            let _ = doorbell.send(());
        });
        let link = Link::new(inboxes, slots, Arc::clone(&gauges), wake);
        Self { link, gauges, rung, start: Instant::now() }
    }

    fn submit(&self, kind: u32, numbers: &[u32], bytes: &[u8]) {
        let mut command = Vec::new();
        append_record(&mut command, kind, u32::from(kind == OPEN), numbers, bytes);
        self.link.submit(&command).unwrap();
    }

    /// Opens a session on a WebSocket over a stream that is not TCP.
    fn open(&self, ping_interval_ms: u32, ping_timeout_ms: u32) -> (u32, UnixStream) {
        let slot = self.link.reserve_slot();
        self.submit(OPEN, &[slot, ping_interval_ms, ping_timeout_ms, 10_000, 1_000, 2], b"{}");
        let (server, peer) = UnixStream::pair().unwrap();
        self.link.adopt(server.as_fd(), Role::Direct, slot, b"101", b"", None).unwrap();
        (slot, peer)
    }

    /// Drains once, as JavaScript does: the kinds and flags of the events.
    fn drain(&self) -> Vec<(u32, u32)> {
        let mut out = vec![0; 4096];
        let Drained::Bytes { written, .. } = self.link.drain(&mut out) else { panic!("room") };
        Records::new(&out[..written]).flatten().map(|record| (record.kind, record.flags)).collect()
    }

    /// Drains until an event of this kind came, and says how many milliseconds that took.
    async fn expect(&mut self, kind: u32) -> u128 {
        let mut out = vec![0; 4096];
        loop {
            self.rung.recv().await.unwrap();
            let Drained::Bytes { written, .. } = self.link.drain(&mut out) else { panic!("room") };
            if Records::new(&out[..written]).flatten().any(|record| record.kind == kind) {
                return self.start.elapsed().as_millis();
            }
        }
    }
}

fn on_paused_time(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_peer_that_never_answers_our_close_frame_is_dropped_after_thirty_seconds() {
    on_paused_time(async {
        let mut bench = Bench::new();
        let (slot, mut peer) = bench.open(25_000, 20_000);
        bench.submit(CLOSE, &[slot], b"");
        bench.expect(ENDED).await;
        let elapsed = bench.expect(CONN_ENDED).await;
        assert!((30_000..30_010).contains(&elapsed), "{elapsed}");
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"101\x81\x030{}\x88\0");
        assert_eq!(bench.gauges.read(), Counters::default());
    });
}

#[test]
fn a_link_whose_log_is_on_is_told_of_all_its_sessions_those_of_later_too() {
    on_paused_time(async {
        let mut bench = Bench::new();
        let (_, mut early) = bench.open(100, 20_000);
        early.write_all(b"\x81\x81\0\0\0\x003").unwrap();
        bench.submit(LOG, &[1], b"");
        assert!((100..110).contains(&bench.expect(PING_SENT).await));
        let (_, mut late) = bench.open(25_000, 20_000);
        late.write_all(b"\x81\x81\0\0\0\x003").unwrap();
        bench.expect(FRAME).await;
    });
}

#[test]
fn what_was_sent_before_a_stream_is_destroyed_leaves() {
    on_paused_time(async {
        let mut bench = Bench::new();
        let slot = bench.link.reserve_slot();
        bench.submit(OPEN, &[slot, 25_000, 20_000, 10_000, 1_000, 2], b"{}");
        let (server, mut peer) = UnixStream::pair().unwrap();
        let conn = bench.link.adopt(server.as_fd(), Role::Direct, slot, b"101", b"", None).unwrap();
        drop(server);
        let mut commands = Vec::new();
        append_record(&mut commands, SEND, 0, &[slot, 1, 2], b"hi");
        append_record(&mut commands, CONN_DESTROY, 0, &[conn], b"");
        bench.link.submit(&commands).unwrap();
        bench.expect(CONN_ENDED).await;
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"101\x81\x030{}\x81\x034hi");
    });
}

#[test]
fn heartbeats_are_on_time() {
    on_paused_time(async {
        let mut bench = Bench::new();
        let (_slot, mut peer) = bench.open(25_000, 20_000);
        tokio::time::sleep(Duration::from_millis(25_010)).await;
        let mut bytes = [0; 11];
        peer.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, *b"101\x81\x030{}\x81\x012");
        peer.write_all(b"\x81\x81\0\0\0\x003").unwrap();
        // The next ping is an interval after the pong, with those of others, and nobody answers that one.
        let elapsed = bench.expect(CLOSED).await;
        assert!((70_100..70_150).contains(&elapsed), "{elapsed}");
    });
}

/// `4hi` and a close frame, as a client masks them with zeros.
const HI: &[u8] = b"\x81\x83\0\0\0\x004hi";
const CLOSE_FRAME: &[u8] = b"\x88\x80\0\0\0\0";

/// A session, its peer, who has read the open packet and does not wait when it reads, and time for the shard to do what there is to do.
async fn open_and_settle(bench: &Bench) -> (u32, UnixStream) {
    let (slot, mut peer) = bench.open(25_000, 20_000);
    settle().await;
    peer.set_nonblocking(true).unwrap();
    assert_eq!(read_all(&mut peer), b"101\x81\x030{}");
    (slot, peer)
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn read_all(peer: &mut UnixStream) -> Vec<u8> {
    let mut bytes = [0; 64];
    let count = peer.read(&mut bytes).unwrap_or_default();
    bytes[..count].to_vec()
}

#[test]
fn an_end_behind_messages_that_javascript_has_not_taken_waits_for_its_answer() {
    on_paused_time(async {
        let bench = Bench::new();
        let (slot, mut peer) = open_and_settle(&bench).await;
        peer.write_all(&[HI, CLOSE_FRAME].concat()).unwrap();
        settle().await;
        assert!(matches!(bench.drain()[..], [(MESSAGE, _)]));
        assert_eq!(bench.drain(), [(CLOSED, 1)]);
        assert!(read_all(&mut peer).is_empty());
        bench.submit(SEND, &[slot, 1, 1], b"a");
        bench.submit(FINISH, &[slot], b"");
        settle().await;
        assert_eq!(read_all(&mut peer), b"\x81\x024a\x88\0");
        assert_eq!(bench.drain(), [(ENDED, 0)]);
    });
}

#[test]
fn messages_that_were_taken_are_dealt_with_when_javascript_comes_again() {
    on_paused_time(async {
        for comes_again in [false, true] {
            let bench = Bench::new();
            let (_slot, mut peer) = open_and_settle(&bench).await;
            peer.write_all(HI).unwrap();
            settle().await;
            assert!(matches!(bench.drain()[..], [(MESSAGE, _)]));
            if comes_again {
                assert!(bench.drain().is_empty());
            }
            peer.write_all(CLOSE_FRAME).unwrap();
            settle().await;
            if comes_again {
                assert_eq!(read_all(&mut peer), b"\x88\0");
                assert_eq!(bench.drain(), [(CLOSED, 0), (ENDED, 0)]);
            } else {
                assert!(read_all(&mut peer).is_empty());
                assert_eq!(bench.drain(), [(CLOSED, 1)]);
            }
        }
    });
}

#[test]
fn an_answer_that_javascript_never_gives_is_waited_for_thirty_seconds() {
    on_paused_time(async {
        let mut bench = Bench::new();
        let (_slot, mut peer) = open_and_settle(&bench).await;
        peer.write_all(&[HI, CLOSE_FRAME].concat()).unwrap();
        settle().await;
        assert!(matches!(bench.drain()[..], [(MESSAGE, _)]));
        assert_eq!(bench.drain(), [(CLOSED, 1)]);
        tokio::time::sleep(Duration::from_millis(29_990)).await;
        assert!(read_all(&mut peer).is_empty());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(read_all(&mut peer), b"\x88\0");
        assert_eq!(bench.drain(), [(ENDED, 0)]);
        drop(peer);
        bench.expect(CONN_ENDED).await;
        assert_eq!(bench.gauges.read(), Counters::default());
    });
}

/// One thread has both ends here: what is there before anything is awaited was done by the thread that asked for it.
#[test]
fn a_little_is_done_by_the_thread_that_asks_for_it() {
    on_paused_time(async {
        let mut bench = Bench::new();
        let (slot, mut peer) = bench.open(25_000, 20_000);
        peer.set_nonblocking(true).unwrap();
        let mut bytes = [0; 64];
        assert!(peer.read(&mut bytes).is_err(), "the shard has not begun");
        yield_now().await;
        assert_eq!(peer.read(&mut bytes).unwrap(), b"101\x81\x030{}".len());

        bench.submit(SEND, &[slot, 1, 1], b"a");
        assert_eq!(peer.read(&mut bytes).unwrap(), 4);
        assert_eq!(bytes[..4], *b"\x81\x024a");

        // Behind what the shard has to do itself it waits, or it would overtake.
        bench.submit(SEND, &[slot, 1, 5_000], &[b'x'; 5_000]);
        bench.submit(SEND, &[slot, 1, 1], b"b");
        assert!(peer.read(&mut bytes).is_err());
        yield_now().await;
        let mut all = vec![0; 6_000];
        let count = peer.read(&mut all).unwrap();
        assert_eq!(all[count - 4..count], *b"\x81\x024b");
        assert_eq!(count, 4 + 1 + 5_000 + 4);

        // Events of it are left to whoever asked.
        while bench.rung.try_recv().is_ok() {}
        let mut close = Vec::new();
        append_record(&mut close, CLOSE, 0, &[slot], b"");
        assert!(bench.link.submit_unrung(&close).unwrap());
        assert!(bench.rung.try_recv().is_err());
        assert_eq!(peer.read(&mut bytes).unwrap(), 2);
        let Drained::Bytes { written, .. } = bench.link.drain(&mut all) else { panic!("room") };
        let told = Records::new(&all[..written]).flatten().map(|record| record.kind);
        assert_eq!(told.collect::<Vec<_>>(), [CLOSED, ENDED]);
    });
}

#[test]
fn what_is_compressed_is_the_shards_work() {
    on_paused_time(async {
        let bench = Bench::new();
        let slot = bench.link.reserve_slot();
        bench.submit(OPEN, &[slot, 25_000, 20_000, 10_000, 1_000, 2], b"{}");
        let (server, mut peer) = UnixStream::pair().unwrap();
        let deflate = Some(DeflateParameters::default());
        bench.link.adopt(server.as_fd(), Role::Direct, slot, b"101", b"", deflate).unwrap();
        yield_now().await;
        peer.set_nonblocking(true).unwrap();
        let mut bytes = [0; 64];
        assert_eq!(peer.read(&mut bytes).unwrap(), 8);
        bench.submit(SEND, &[slot, 1, 1], b"a");
        assert!(peer.read(&mut bytes).is_err());
        yield_now().await;
        assert!(peer.read(&mut bytes).is_ok());
    });
}

#[test]
fn a_fault_in_one_session_ends_that_session_alone() {
    let (slots, gauges) = (Arc::<Slots>::default(), Arc::<Gauges>::default());
    let inboxes: Arc<[Inbox]> = Arc::new([Inbox::default()]);
    let link =
        Link::new(Arc::clone(&inboxes), Arc::clone(&slots), Arc::clone(&gauges), Box::new(|| {}));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let mut shard = Shard::new(Weak::new(), 0, inboxes, slots, Arc::clone(&gauges));
    let owner = shard.owner_of(&link);
    for slot in [1, 2] {
        shard.registry.insert(Session::open(slot, owner, Config::default(), false, b"{}", 0));
        gauges.sessions.increment();
    }

    shard.contain(|shard| {
        shard.step(1, |session, now, events| {
            session.poll(7, now, events);
            panic!("a fault of ours, on purpose");
        });
    });
    assert!(shard.registry.session_mut(1).is_none());
    shard.contain(|shard| {
        shard.step(2, |session, now, events| session.poll(8, now, events));
    });

    let mut out = [0; 256];
    let Drained::Bytes { written, .. } = link.drain(&mut out) else { panic!("room") };
    let told = Records::new(&out[..written]).flatten().map(|mut record| {
        let (slot, number) = (record.fields.number(), record.fields.number());
        (record.kind, slot.unwrap(), number)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(RESPOND, 1, Some(7)), (CLOSED, 1, Some(1)), (ENDED, 1, None), (RESPOND, 2, Some(8)),]
    );
    assert_eq!(gauges.read().sessions, 1);
}
