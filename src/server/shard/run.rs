//! The thread of a shard: it sleeps until a message, a stream or a deadline comes.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::mpsc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime;
use tokio::runtime::LocalOptions;
use tokio::task;
use tokio::time::Instant;
use tokio::time::sleep_until;

use crate::hub::Rooms;
use crate::server::counters::Gauges;
use crate::server::event::deferred;
use crate::server::link::Link;
use crate::server::shard::Inbox;
use crate::server::shard::LinkState;
use crate::server::shard::Shard;
use crate::server::shard::ShardMessage;
use crate::server::shard::lock;
use crate::server::slots::Slots;
use crate::sync::Mutex;

/// Starts the thread of the shard whose inbox is number `index`.
pub(in crate::server) fn start(
    index: u32,
    inboxes: Arc<[Inbox]>,
    slots: Arc<Slots>,
    gauges: Arc<Gauges>,
) -> io::Result<JoinHandle<()>> {
    let (built, was_built) = mpsc::channel();
    let thread = thread::Builder::new().name(format!("sio-io-{index}")).spawn(move || {
        // A local runtime instead of a `LocalSet` on a common one: what a read wakes costs no write to the reactor's eventfd.
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(deferred::ring_all)
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                // Who started the thread waits for the answer.
                let _ = built.send(Ok(()));
                deferred::begin();
                // It serves many streams in a turn and yields by itself; the budget of a task would have it yield every 64.
                runtime.block_on(task::unconstrained(run(index, inboxes, slots, gauges)));
            }
            Err(error) => {
                let _ = built.send(Err(error));
            }
        }
    })?;
    was_built.recv().map_err(io::Error::other)??;
    Ok(thread)
}

pub(super) async fn run(index: u32, inboxes: Arc<[Inbox]>, slots: Arc<Slots>, gauges: Arc<Gauges>) {
    let Some(inbox) = inboxes.get(index as usize) else { return };
    let shard = Arc::new_cyclic(|itself| {
        Mutex::new(Shard::new(Weak::clone(itself), index, Arc::clone(&inboxes), slots, gauges))
    });
    inbox.is_of(&shard);
    let start = lock(&shard).start;
    let mut messages = Vec::new();
    let mut streams = Vec::new();
    // Seldom changes, so it is kept: a new timer for every wake-up would cost more.
    let mut sleep = pin!(sleep_until(start));
    loop {
        let (is_running, deadline) = lock(&shard).run(inbox, &mut messages, &mut streams);
        if !is_running {
            return;
        }
        if inbox.has_ready_streams() {
            // A peer that sends without end must not have the thread for itself: first what the reactor has to say of others.
            // It also keeps the thread from going to sleep, which is when JavaScript is told of what the others sent.
            deferred::ring_all();
            task::yield_now().await;
            continue;
        }
        if let Some(deadline) = deadline.map(|deadline| start + Duration::from_millis(deadline))
            && sleep.deadline() != deadline
        {
            sleep.as_mut().reset(deadline);
        }
        tokio::select! {
            () = inbox.called() => {}
            () = sleep.as_mut(), if deadline.is_some() => {}
        }
    }
}

impl Shard {
    /// Takes note of the time. Every entry from outside begins with it.
    pub(super) fn wake(&mut self) {
        self.now = u64::try_from(Instant::now().duration_since(self.start).as_millis())
            .unwrap_or(u64::MAX);
    }

    /// Does all messages, serves the streams, then does what has become due. Returns whether the thread is to go on, and
    /// until when it may sleep.
    fn run(
        &mut self,
        inbox: &Inbox,
        messages: &mut Vec<ShardMessage>,
        streams: &mut Vec<u32>,
    ) -> (bool, Option<u64>) {
        // Taken with the shard locked: who finds the inbox empty and gets the lock overtakes nothing.
        inbox.take(messages);
        inbox.take_ready_streams(streams);
        self.wake();
        // It is awake: nobody has to call it.
        self.sleeping_until = 0;
        let mut barriers = Vec::new();
        let mut queries = Vec::new();
        for message in messages.drain(..) {
            match message {
                ShardMessage::Commands { link, turn, bytes } => self.apply(&link, turn, &bytes),
                ShardMessage::Accept(accept) => self.contain(|shard| shard.accept(*accept)),
                ShardMessage::LinkGone(link) => self.drop_link(&link),
                ShardMessage::Barrier(done) => barriers.push(done),
                ShardMessage::Waiting(query) => queries.push(query),
                #[cfg(feature = "fault-injection")]
                ShardMessage::Fail(slot) => self.fail(slot),
                ShardMessage::Stop => return (false, None),
            }
        }
        messages.shrink_to(MAX_KEPT_MESSAGES);
        self.flush_dirty();
        for query in queries {
            self.answer(&query);
        }
        for conn in streams.drain(..) {
            #[cfg(unix)]
            self.serve(conn);
            #[cfg(not(unix))]
            let _ = conn;
        }
        self.fire_due();
        self.keep_to_ceiling();
        for done in barriers {
            // Who asked may have given up waiting.
            let _ = done.send(());
        }
        let deadlines = [self.timers.next_deadline(), self.heap_review.at(self.now)];
        let deadline = deadlines.into_iter().flatten().min();
        self.sleeping_until = deadline.unwrap_or(u64::MAX);
        (true, deadline)
    }

    /// The number of a link here; a link that is new gets one.
    pub(super) fn owner_of(&mut self, link: &Arc<Link>) -> u32 {
        let is_it = |state: &Option<LinkState>| {
            state.as_ref().is_some_and(|state| Arc::ptr_eq(&state.link, link))
        };
        let index = self.links.iter().position(is_it).unwrap_or_else(|| {
            let state = LinkState {
                link: Arc::clone(link),
                turn: 0,
                rooms: Rooms::default(),
                tally: link.tally(self.index),
                is_logged: false,
            };
            let index = self.links.iter().position(Option::is_none).unwrap_or(self.links.len());
            if index == self.links.len() {
                self.links.push(None);
            }
            if let Some(place) = self.links.get_mut(index) {
                *place = Some(state);
            }
            index
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

/// Room for so many messages is kept; a burst gives its memory back.
const MAX_KEPT_MESSAGES: usize = 1024;
