//! A link: what one loaded copy of the JavaScript layer holds of the core. Commands go in, events come out.
//!
//! Everything here is called on that copy's JavaScript thread and returns at once, but for [`Link::wait`] and
//! [`Link::waiting`]. It decides
//! nothing: commands go unread to all shards, and each takes what is its own.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::codec::websocket::DeflateParameters;
use crate::engine::{Framing, Ledger};
use crate::server::command::{CommandError, Survey};
use crate::server::counters::Gauges;
use crate::server::event::EventQueue;
use crate::server::shard::{Inbox, Inline, ShardMessage, WaitingQuery};
use crate::server::slots::Slots;
use crate::server::tally::Tally;

pub use crate::server::counters::Counters;
pub use crate::server::event::{Drained, Wake};
pub use crate::server::tally::{DELAY_BOUNDS_US, DelayHistogram, OutboxSizes, Traffic};

/// The core's end of a link. Its sessions and streams live in the shards, and end with it.
pub struct Link {
    /// For the messages to shards, which keep the link alive as long as they have something of it.
    itself: Weak<Self>,
    /// One of each shard.
    inboxes: Arc<[Inbox]>,
    slots: Arc<Slots>,
    gauges: Arc<Gauges>,
    events: Arc<EventQueue>,
    /// What goes through it, one of each shard.
    tallies: Box<[Arc<Tally>]>,
    /// The turn of the event loop that the last commands were given in.
    turn: AtomicU32,
    is_closed: AtomicBool,
    /// What waits in the outboxes of its sessions.
    ledger: Arc<Ledger>,
    /// How many native bytes JavaScript's garbage collector was told of.
    told_bytes: AtomicI64,
}

/// What a stream is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It carries a session that was opened on a WebSocket.
    Direct,
    /// It may carry a session that is on polling, once the upgrade was probed.
    Candidate,
    /// It carries nothing: it gets its response, a close frame and the closing handshake.
    Refused,
}

/// A stream on its way to its shard.
pub(crate) struct Accept {
    pub(crate) link: Arc<Link>,
    pub(crate) conn: u32,
    pub(crate) role: Role,
    /// The session; means nothing for a refused stream.
    pub(crate) slot: u32,
    /// The response to the opening handshake, to be written first.
    pub(crate) response: Box<[u8]>,
    /// What was read from the stream after the request.
    pub(crate) input: Box<[u8]>,
    /// The compression that the response agrees to.
    pub(crate) deflate: Option<DeflateParameters>,
    pub(crate) stream: AcceptStream,
}

/// Where the bytes of a stream come from and go to.
pub(crate) enum AcceptStream {
    /// A descriptor of our own.
    #[cfg(unix)]
    Descriptor(OwnedFd),
    /// JavaScript, by commands and events.
    Bridge,
    /// The same, whole packets of this framing in the place of bytes.
    Messages(Framing),
}

impl Link {
    /// A link to these shards. `wake` is called when there is something to drain: see [`Drained`].
    pub(crate) fn new(
        inboxes: Arc<[Inbox]>,
        slots: Arc<Slots>,
        gauges: Arc<Gauges>,
        wake: Wake,
    ) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            tallies: inboxes.iter().map(|_| Arc::default()).collect(),
            inboxes,
            events: EventQueue::new(wake, Arc::clone(&slots)),
            slots,
            ledger: Ledger::part_of(&gauges.outboxes),
            gauges,
            turn: AtomicU32::new(0),
            is_closed: AtomicBool::new(false),
            told_bytes: AtomicI64::new(0),
        })
    }

    /// Reserves the slot of a session that is to be opened.
    pub fn reserve_slot(&self) -> u32 {
        self.slots.reserve_slot()
    }

    /// Reserves the number of a namespace, which no other link has.
    pub fn reserve_namespace(&self) -> u32 {
        self.slots.reserve_namespace()
    }

    /// Hands packed commands to the shards: see [`Commands`](super::command::Commands). A little is done at once, on
    /// this thread.
    ///
    /// A buffer that cannot be decoded is a fault of our own library. It is refused here and as a whole, where the error
    /// has the stack of whoever wrote it; a shard could only drop the rest of it without a word.
    pub fn submit(&self, commands: &[u8]) -> Result<(), CommandError> {
        if self.submit_unrung(commands)? {
            self.events.ring();
        }
        Ok(())
    }

    /// The same for the thread that `wake` would wake: true if what was done at once led to events, for which nobody
    /// rings then. They have to be drained without being told.
    pub fn submit_unrung(&self, commands: &[u8]) -> Result<bool, CommandError> {
        if commands.is_empty() {
            return Ok(false);
        }
        let survey = Survey::of(commands, self.inboxes.len())?;
        // Each message says it, for a shard that was spared the one with the TURN.
        let turn = self.turn.load(Ordering::Relaxed);
        if let Some(begun) = survey.turn {
            self.turn.store(begun, Ordering::Relaxed);
        }
        if let Some(inbox) = survey.inline_home.and_then(|index| self.inboxes.get(index))
            && let Some(link) = self.link_unless_closed()
            && let Inline::Done { has_events } = inbox.apply_inline(&link, turn, commands)
        {
            return Ok(has_events);
        }
        let bytes: Arc<[u8]> = commands.into();
        self.send_to_all(|link| ShardMessage::Commands { link, turn, bytes: Arc::clone(&bytes) });
        Ok(false)
    }

    /// Takes over the stream behind a descriptor, which is duplicated before this returns. Gives the stream's conn.
    #[cfg(unix)]
    pub fn adopt(
        &self,
        fd: BorrowedFd<'_>,
        role: Role,
        slot: u32,
        response: &[u8],
        input: &[u8],
        deflate: Option<DeflateParameters>,
    ) -> io::Result<u32> {
        // With close-on-exec, so that no child process holds the connection open.
        let descriptor = fd.try_clone_to_owned()?;
        let stream = AcceptStream::Descriptor(descriptor);
        Ok(self.accept(role, slot, response, input, deflate, stream))
    }

    /// Opens a byte bridge: a stream whose bytes JavaScript carries both ways. Gives the stream's conn.
    pub fn bridge(
        &self,
        role: Role,
        slot: u32,
        response: &[u8],
        input: &[u8],
        deflate: Option<DeflateParameters>,
    ) -> u32 {
        self.accept(role, slot, response, input, deflate, AcceptStream::Bridge)
    }

    /// Opens a message bridge: a stream whose packets JavaScript carries, in one of the framings that are no WebSocket frames.
    /// What goes out is prefixed whatever the framing of what comes in. Gives the stream's conn.
    pub fn message_bridge(&self, role: Role, slot: u32, framing: Framing) -> u32 {
        self.accept(role, slot, &[], &[], None, AcceptStream::Messages(framing))
    }

    fn accept(
        &self,
        role: Role,
        slot: u32,
        response: &[u8],
        input: &[u8],
        deflate: Option<DeflateParameters>,
        stream: AcceptStream,
    ) -> u32 {
        let conn = self.slots.reserve_conn();
        // A stream lives where its session does.
        let home = if role == Role::Refused { conn } else { slot };
        let (response, input) = (response.into(), input.into());
        if let Some(inbox) = self.inboxes.get(home as usize % self.inboxes.len().max(1))
            && let Some(link) = self.link_unless_closed()
        {
            let accept = Accept { link, conn, role, slot, response, input, deflate, stream };
            if let Err(accept) = inbox.accept_inline(Box::new(accept)) {
                inbox.send(ShardMessage::Accept(accept));
            }
        } else {
            self.slots.release_conn(conn);
        }
        conn
    }

    /// Moves events into `out`: see [`Drained`]. What was drained before has to be dispatched, since the slots and conns
    /// that ended in it are given again from now on.
    pub fn drain(&self, out: &mut [u8]) -> Drained {
        self.events.drain(out)
    }

    /// How many bytes the kernel, or the bridge, has not taken of a session, at most `u32::MAX`.
    pub fn pending(&self, slot: u32) -> u32 {
        self.slots.pending(slot)
    }

    /// What waits to be written for a session in this turn: see `lib/engine/waiting-packets.ts`. `None` if its shard takes
    /// longer than `limit`.
    pub fn waiting(&self, slot: u32, turn: u32, limit: Duration) -> Option<Vec<u8>> {
        let inbox = self.inboxes.get(slot as usize % self.inboxes.len().max(1))?;
        let (answer, answered) = mpsc::channel();
        let query = WaitingQuery { link: self.link_unless_closed()?, turn, slot, answer };
        if !inbox.answer_inline(&query) {
            inbox.send(ShardMessage::Waiting(query));
        }
        answered.recv_timeout(limit).ok()
    }

    /// Has the core panic in a step of this session, so that tests see what a fault of ours costs. No published binary can do it.
    #[cfg(feature = "fault-injection")]
    pub fn fail(&self, slot: u32) {
        if let Some(inbox) = self.inboxes.get(slot as usize % self.inboxes.len().max(1)) {
            inbox.send(ShardMessage::Fail(slot));
        }
    }

    /// Waits until all shards have done what was submitted before; false if that takes longer than `limit`.
    ///
    /// Only for the end of the process, so that `emit(); process.exit()` still delivers.
    pub fn wait(&self, limit: Duration) -> bool {
        let (done, all_done) = mpsc::channel();
        self.send_to_all(|_| ShardMessage::Barrier(done.clone()));
        // With this sender gone, a shard that has ended answers by dropping its own.
        drop(done);
        let start = Instant::now();
        self.inboxes
            .iter()
            .all(|_| all_done.recv_timeout(limit.saturating_sub(start.elapsed())).is_ok())
    }

    /// By how many bytes of native memory this link holds more or less than the last time that this was not 0: in outboxes that wait, and
    /// for JavaScript. It is 0 for changes that are not worth the call, so it may be asked often.
    pub fn native_bytes_change(&self) -> i64 {
        let bytes = self.ledger.bytes().saturating_add(self.events.undrained_bytes());
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let change = bytes - self.told_bytes.load(Ordering::Relaxed);
        if change.abs() < MIN_TOLD_BYTES {
            return 0;
        }
        self.told_bytes.store(bytes, Ordering::Relaxed);
        change
    }

    /// Sets how many bytes may wait in all outboxes of the process and for JavaScript; `usize::MAX` is no limit.
    pub fn set_ceiling(&self, bytes: usize) {
        self.gauges.outboxes.set_ceiling(bytes);
    }

    /// What the core holds at this moment, over all links.
    pub fn counters(&self) -> Counters {
        self.gauges.read()
    }

    /// What has gone through this link since it was made.
    pub fn traffic(&self) -> Traffic {
        self.tallies.iter().map(|tally| tally.read()).sum()
    }

    /// How long events have waited for the thread that drains this link, since it was made.
    pub fn delays(&self) -> DelayHistogram {
        self.events.delays().read()
    }

    /// How many bytes wait for the sessions of the process. Takes some nanoseconds for each of them.
    pub fn outbox_sizes(&self) -> OutboxSizes {
        OutboxSizes::new(self.slots.all_pending(), self.counters().sessions)
    }

    /// How many shards there are, each with a thread of its own.
    pub fn shard_count(&self) -> usize {
        self.inboxes.len()
    }

    /// Where this shard counts what goes through the link.
    pub(crate) fn tally(&self, shard: u32) -> Arc<Tally> {
        self.tallies.get(shard as usize).map_or_else(Arc::default, Arc::clone)
    }

    /// Ends the link with all its sessions and streams. When this returns, nobody calls `wake` any more.
    pub fn close(&self) {
        self.events.close();
        self.send_to_all(ShardMessage::LinkGone);
        self.is_closed.store(true, Ordering::Release);
    }

    /// Where the outboxes of its sessions are counted.
    pub(crate) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Where shards post events.
    pub(crate) fn events(&self) -> &EventQueue {
        &self.events
    }

    /// Calls `message` once for each shard.
    fn send_to_all(&self, message: impl Fn(Arc<Self>) -> ShardMessage) {
        for inbox in &*self.inboxes {
            let Some(link) = self.link_unless_closed() else { return };
            inbox.send(message(link));
        }
    }

    fn link_unless_closed(&self) -> Option<Arc<Self>> {
        if self.is_closed.load(Ordering::Acquire) { None } else { self.itself.upgrade() }
    }
}

/// A smaller change says nothing to a garbage collector, whose heap is tens of megabytes.
const MIN_TOLD_BYTES: i64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Accept, AcceptStream, Link, Role};
    use crate::engine::{Entry, Outbox};
    use crate::server::command::CommandError;
    use crate::server::shard::{Inbox, ShardMessage};
    use crate::server::slots::Slots;

    /// TURN 1: a command that every shard takes.
    const TURN_1: [u8; 12] = [12, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0];

    /// A link to shards that do nothing.
    struct Bench {
        link: Arc<Link>,
        inboxes: Arc<[Inbox]>,
        slots: Arc<Slots>,
    }

    impl Bench {
        fn new(shards: usize) -> Self {
            let inboxes: Arc<[Inbox]> = (0..shards).map(|_| Inbox::default()).collect();
            let slots = Arc::new(Slots::default());
            let link = Link::new(
                Arc::clone(&inboxes),
                Arc::clone(&slots),
                Arc::default(),
                Box::new(|| {}),
            );
            Self { link, inboxes, slots }
        }

        /// What came to a shard since the last time.
        fn messages(&self, shard: usize) -> Vec<ShardMessage> {
            let mut messages = Vec::new();
            self.inboxes[shard].take(&mut messages);
            messages
        }

        fn accepted(&self, shard: usize) -> Accept {
            match self.messages(shard).pop() {
                Some(ShardMessage::Accept(accept)) => *accept,
                _ => panic!("shard {shard} was given no stream"),
            }
        }
    }

    #[test]
    fn commands_go_to_all_shards_in_one_buffer() {
        let bench = Bench::new(2);
        bench.link.submit(b"").unwrap();
        bench.link.submit(&TURN_1).unwrap();
        let buffers = [0, 1].map(|shard| match bench.messages(shard).as_slice() {
            [ShardMessage::Commands { link, bytes, turn: 0 }] => {
                assert!(Arc::ptr_eq(link, &bench.link));
                Arc::clone(bytes)
            }
            _ => panic!("shard {shard} was given something else"),
        });
        assert_eq!(*buffers[0], TURN_1);
        assert!(Arc::ptr_eq(&buffers[0], &buffers[1]));
    }

    #[test]
    fn a_buffer_with_a_malformed_command_is_refused_as_a_whole() {
        let bench = Bench::new(1);
        let unknown = [99, 0, 0, 0, 8, 0, 0, 0];
        let commands = [&TURN_1[..], &unknown].concat();
        assert_eq!(bench.link.submit(&commands), Err(CommandError::UnknownKind(99)));
        assert_eq!(bench.link.submit(&TURN_1[..10]), Err(CommandError::NoRecord));
        assert!(bench.messages(0).is_empty());
    }

    #[test]
    fn a_stream_goes_where_its_session_lives() {
        let bench = Bench::new(3);
        assert_eq!(bench.link.bridge(Role::Direct, 5, b"response", b"input", None), 0);
        let accept = bench.accepted(2);
        assert_eq!((accept.conn, accept.role, accept.slot), (0, Role::Direct, 5));
        assert_eq!((&*accept.response, &*accept.input), (&b"response"[..], &b"input"[..]));
        assert!(matches!(accept.stream, AcceptStream::Bridge));

        assert_eq!(bench.link.bridge(Role::Refused, 5, b"", b"", None), 1);
        assert_eq!(bench.accepted(1).conn, 1);
    }

    #[cfg(unix)]
    #[test]
    fn an_adopted_descriptor_outlives_the_one_that_was_given() {
        use std::io::{Read, Write};
        use std::os::fd::AsFd;
        use std::os::unix::net::UnixStream;

        let bench = Bench::new(1);
        let (mut near, far) = UnixStream::pair().unwrap();
        assert_eq!(bench.link.adopt(far.as_fd(), Role::Candidate, 7, b"", b"", None).unwrap(), 0);
        drop(far);
        let AcceptStream::Descriptor(descriptor) = bench.accepted(0).stream else {
            panic!("a descriptor was given")
        };
        UnixStream::from(descriptor).write_all(b"hello").unwrap();
        let mut read = String::new();
        near.read_to_string(&mut read).unwrap();
        assert_eq!(read, "hello");
    }

    #[test]
    fn waiting_ends_when_every_shard_has_come_so_far() {
        let bench = Bench::new(2);
        assert!(!bench.link.wait(Duration::ZERO));
        for shard in [0, 1] {
            assert!(matches!(bench.messages(shard).as_slice(), [ShardMessage::Barrier(_)]));
        }

        let answer = |shard| {
            loop {
                match bench.messages(shard).pop() {
                    Some(ShardMessage::Barrier(done)) => return done.send(()).unwrap(),
                    _ => std::thread::yield_now(),
                }
            }
        };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| bench.link.wait(Duration::from_secs(10)));
            answer(0);
            answer(1);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn native_bytes_are_told_in_coarse_steps() {
        let bench = Bench::new(1);
        let mut outbox = Outbox::default();
        let frames = |len: usize| Entry::raw(vec![0; len].into());
        outbox.push(frames(1_000_000));
        outbox.hold(bench.link.ledger(), 0);
        assert_eq!(bench.link.native_bytes_change(), 0);
        outbox.push(frames(100_000));
        let told = bench.link.native_bytes_change();
        assert!((1_100_000..1_101_000).contains(&told), "{told}");
        assert_eq!(bench.link.native_bytes_change(), 0);
        drop(outbox);
        assert_eq!(bench.link.native_bytes_change(), -told);
    }

    #[test]
    fn a_closed_link_gives_the_shards_nothing_more() {
        let bench = Bench::new(1);
        bench.link.close();
        bench.link.close();
        bench.link.submit(&TURN_1).unwrap();
        let conn = bench.link.bridge(Role::Direct, 0, b"", b"", None);
        assert!(matches!(bench.messages(0).as_slice(), [ShardMessage::LinkGone(_)]));
        assert_eq!(bench.slots.reserve_conn(), conn, "the number is free again");
    }
}
