//! A shard: one thread with the sessions, streams, rooms and deadlines that live on it.
//!
//! Other threads send it messages through its [`Inbox`], and the reactor tells there which streams can be served. One
//! task does all of it; the others (one for each stream that waits for JavaScript) lock the state for one step and
//! never across an await. A JavaScript thread that has only a little to do locks it too, and does that itself: see
//! [`inline`]. Every step of a session ends in [`Shard::settle`]: its output is written, its deadline armed, its end
//! seen to.

mod apply;
mod bridges;
mod ceiling;
mod contain;
mod frames;
mod inbox;
mod inline;
mod pause;
mod pieces;
#[cfg(unix)]
mod readiness;
mod run;
mod shutdown;
mod streams;
mod waiting;

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::mpsc;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::engine::Registry;
use crate::engine::Session;
use crate::engine::StreamEnd;
use crate::hub::Rooms;
use crate::server::connection::Connections;
use crate::server::counters::Gauges;
use crate::server::event::UnitWriter;
use crate::server::heap::Review;
use crate::server::link::Accept;
use crate::server::link::Link;
use crate::server::slots::Slots;
use crate::server::step::Queued;
use crate::server::step::StepEvents;
use crate::server::tally::Tally;
use crate::server::timers::Timer;
use crate::server::timers::Timers;
use crate::sync::Mutex;
use crate::sync::MutexGuard;

pub(crate) use inbox::Inbox;
pub(crate) use inline::Inline;
pub(super) use run::start;
pub(crate) use waiting::WaitingQuery;

/// What other threads ask of a shard. Messages are dealt with in order.
pub(crate) enum ShardMessage {
    /// Packed commands of a link; a shard does those that name what it has.
    Commands {
        /// Whose they are.
        link: Arc<Link>,
        /// The turn of its event loop in which they begin.
        turn: u32,
        /// The packed buffer, shared by all shards.
        bytes: Arc<[u8]>,
    },
    /// A stream comes to live here.
    Accept(Box<Accept>),
    /// A link is closed: everything of it goes.
    LinkGone(Arc<Link>),
    /// Answers once everything before it is done and written, as far as kernels take it.
    Barrier(mpsc::Sender<()>),
    /// Answers once everything before it is done and written.
    Waiting(WaitingQuery),
    /// Has the next step of this session panic.
    #[cfg(feature = "fault-injection")]
    Fail(u32),
    /// Ends the thread, with all that lives on it.
    Stop,
}

/// The state of one shard.
pub(super) struct Shard {
    /// For the tasks that it spawns.
    itself: Weak<Mutex<Self>>,
    /// For streams that are registered by another thread.
    runtime: Handle,
    /// Which of the shards it is.
    index: u32,
    /// The inboxes of all.
    inboxes: Arc<[Inbox]>,
    /// When its clock began.
    start: Instant,
    /// Milliseconds since then, as of the last time that it woke.
    now: u64,
    /// The links that it has anything of, by a number that sessions and streams carry.
    links: Vec<Option<LinkState>>,
    registry: Registry,
    connections: Connections,
    timers: Timers,
    /// The deadline that the thread sleeps towards.
    sleeping_until: u64,
    /// Sessions with output since the last flush, each once.
    dirty: Vec<u32>,
    /// Deliveries since the last flush.
    queued: usize,
    /// The one buffer that all streams are read into.
    read_buffer: Vec<u8>,
    /// Whose step this is, so that a fault ends that one alone.
    stepping: Option<Timer>,
    slots: Arc<Slots>,
    gauges: Arc<Gauges>,
    /// When it is next looked at whether the outboxes are over the ceiling.
    next_review: u64,
    /// When it is next looked at whether there is memory to be given back.
    heap_review: Review,
}

/// What a shard keeps for one link.
struct LinkState {
    link: Arc<Link>,
    /// The turn of its event loop in which the commands that come now were given.
    turn: u32,
    /// Its members and rooms, as far as their sessions live here.
    rooms: Rooms,
    /// What goes through it here.
    tally: Arc<Tally>,
    /// Its sessions are told for its log.
    is_logged: bool,
}

impl Shard {
    fn new(
        itself: Weak<Mutex<Self>>,
        index: u32,
        inboxes: Arc<[Inbox]>,
        slots: Arc<Slots>,
        gauges: Arc<Gauges>,
    ) -> Self {
        Self {
            itself,
            runtime: Handle::current(),
            index,
            inboxes,
            start: Instant::now(),
            now: 0,
            links: Vec::new(),
            registry: Registry::default(),
            connections: Connections::default(),
            timers: Timers::default(),
            sleeping_until: u64::MAX,
            dirty: Vec::new(),
            queued: 0,
            read_buffer: Vec::new(),
            stepping: None,
            slots,
            gauges,
            next_review: 0,
            heap_review: Review::default(),
        }
    }

    /// Steps one session, and sees to what the step led to.
    fn step(
        &mut self,
        slot: u32,
        run: impl FnOnce(&mut Session, u64, &mut StepEvents<'_>),
    ) -> Queued {
        let Some(session) = self.registry.session_mut(slot) else { return Queued::default() };
        let Some(link) = link_of(&self.links, session.owner()) else { return Queued::default() };
        self.stepping = Some(Timer::Session(slot));
        let connection = session.conn().and_then(|conn| self.connections.connection(conn));
        let last_message = connection.map_or(0, |connection| connection.inbound.last_unit);
        let mut events = StepEvents::new(link.events().writer(), last_message);
        let owner = session.owner();
        run(session, self.now, &mut events);
        self.settle(slot, &mut events);
        self.stepping = None;
        if events.polled_bytes > 0
            && let Some(state) = state_of(&self.links, owner)
        {
            state.tally.bytes_sent.add(events.polled_bytes as u64);
        }
        events.finish()
    }

    /// Writes what the session has for its streams and its poll, sees to the streams that it let go, arms its deadline
    /// or forgets it.
    fn settle(&mut self, slot: u32, events: &mut StepEvents<'_>) {
        loop {
            if let Some(session) = self.registry.session_mut(slot)
                && session.is_closed()
            {
                let owner = session.owner();
                if events.has_failed
                    && self.slots.pending(slot) > HEARTBEAT_BYTES
                    && let Some(state) = state_of(&self.links, owner)
                {
                    state.tally.slow_clients_ended.add(1);
                }
                self.forget(slot, &mut events.writer);
            }
            while let Some((conn, websocket)) = events.released.pop() {
                self.leave_alone(conn, websocket, &mut events.writer);
            }
            let Some(session) = self.registry.session_mut(slot) else { return };
            session.flush_polling(events);
            let (conn, candidate) = (session.conn(), session.candidate());
            let streams = [conn, candidate].into_iter().flatten();
            let broken = streams
                .into_iter()
                .find(|&conn| !self.flush_stream(slot, conn, &mut events.writer));
            let Some(session) = self.registry.session_mut(slot) else { return };
            if let Some(conn) = broken {
                session.stream_ended(conn, StreamEnd::WriteFailed, self.now, events);
                continue;
            }
            if session.is_held_up() {
                if let Some(state) = state_of(&self.links, session.owner()) {
                    session.hold(state.link.ledger(), self.now);
                }
                session.keep_to_budget(self.now, events);
                if session.is_closed() {
                    continue;
                }
            }
            if let Some(bytes) = session.pending_change(events) {
                self.slots.set_pending(slot, bytes);
            }
            let deadline = session.next_deadline();
            return self.arm(Timer::Session(slot), deadline);
        }
    }

    /// Forgets a session that has closed.
    fn forget(&mut self, slot: u32, writer: &mut UnitWriter<'_>) {
        if self.registry.remove(slot).is_some() {
            self.timers.disarm(Timer::Session(slot));
            self.slots.set_pending(slot, 0);
            self.gauges.sessions.decrement();
            writer.ended(slot);
        }
    }

    /// Does what has become due.
    fn fire_due(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now) {
            self.contain(|shard| match timer {
                Timer::Session(slot) => shard.tick(slot),
                Timer::Stream(conn) => shard.stream_is_due(conn),
            });
        }
    }

    /// Tells a session the time, unless JavaScript was blocked so far: it carries the bytes of bridges and polls, and a
    /// stream that is far ahead of it is not read, so the peer may have answered long ago. With everything on
    /// JavaScript's thread, Engine.IO's own deadlines stand still while it is blocked.
    fn tick(&mut self, slot: u32) {
        let owner = self.registry.session_mut(slot).map(|session| session.owner());
        let link = owner.and_then(|owner| link_of(&self.links, owner));
        let blocked_at = link.and_then(|link| link.events().blocked_at());
        let start = self.start.into_std();
        let mut is_stalled = false;
        self.step(slot, |session, now, events| {
            if let Some(blocked_at) = blocked_at {
                let heard_at = blocked_at.saturating_duration_since(start).as_millis();
                session.unheard_until(u64::try_from(heard_at).unwrap_or(u64::MAX));
            }
            is_stalled = session.is_stalled(now);
            if is_stalled {
                session.try_stream();
            } else {
                session.tick(now, events);
            }
        });
        if is_stalled {
            self.step(slot, |session, now, events| session.tick(now, events));
        }
    }

    /// Sees to it that `timer` is looked at by `deadline`.
    fn arm(&mut self, timer: Timer, deadline: u64) {
        self.timers.arm(timer, deadline);
        if deadline < self.sleeping_until
            && let Some(inbox) = self.inboxes.get(self.index as usize)
        {
            self.sleeping_until = deadline;
            inbox.call();
        }
    }
}

/// The frame of a ping. Whoever polls no more leaves one waiting, and is gone rather than slow.
const HEARTBEAT_BYTES: u32 = 3;

/// A panic with a shard locked was contained, or ended its thread.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept for the link of this number.
fn state_of(links: &[Option<LinkState>], owner: u32) -> Option<&LinkState> {
    links.get(owner as usize)?.as_ref()
}

/// The link of this number.
fn link_of(links: &[Option<LinkState>], owner: u32) -> Option<Arc<Link>> {
    state_of(links, owner).map(|state| Arc::clone(&state.link))
}

#[cfg(test)]
mod tests;
