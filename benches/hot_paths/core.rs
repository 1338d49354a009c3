//! All floors together, over real streams: what crosses from and to JavaScript, and what comes and goes on a stream.
//!
//! The kernel's own work is not in the figures, nor is anything read from the peers' ends: rounds are so few that their
//! buffers hold everything. The core's thread and the one that plays JavaScript take turns, each waiting for the other.

use std::hint::black_box;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sio::server::core::Core;
use sio::server::link::{Drained, Link, Role};

use crate::case::{Case, Round};
use crate::client_frame::client_frame;
use crate::codec::text;
use crate::commands::{Commands, Options, Part, Target};

/// Receivers of a broadcast.
const CLIENTS: u32 = 200;

/// Messages of one read.
const MESSAGES: u32 = 64;

/// Longer than anything here takes, also under callgrind.
const LIMIT: Duration = Duration::from_secs(30);

/// After this long the core's thread is asleep.
const SETTLE: Duration = Duration::from_millis(50);

const NAMESPACE: u32 = 1;
const ROOM: u32 = 1;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, unit, units, prepare| Case { name, unit, units, rounds: 50, prepare };
    vec![
        case("send", "message of 32 B", 1, || send(32)),
        case("send-1k", "message of 1 KiB", 1, || send(1024)),
        case("send-many", "message of 32 B", CLIENTS, send_many),
        case("broadcast", "delivery of 32 B", CLIENTS, broadcast),
        case("broadcast-merged", "delivery of 32 B", CLIENTS * MERGED, broadcast_merged),
        case("receive-and-drain", "message of 32 B", MESSAGES, receive_and_drain),
        case("echo", "message of 32 B and its answer", 1, echo),
    ]
}

/// JavaScript, and clients at the other ends of their streams.
struct World {
    link: Arc<Link>,
    slots: Vec<u32>,
    peers: Vec<UnixStream>,
    events: Vec<u8>,
    /// Ends last: its threads with it.
    _core: Core,
}

impl World {
    fn new(clients: u32) -> Self {
        let core = Core::new(1);
        let javascript = thread::current();
        let link = core.link(Box::new(move || javascript.unpark())).expect("threads");
        let (slots, peers, events) = (Vec::new(), Vec::new(), vec![0; 256 * 1024]);
        let mut world = Self { link, slots, peers, events, _core: core };
        for member in 0..clients {
            world.connect(member);
        }
        world.settle();
        world
    }

    fn connect(&mut self, member: u32) {
        let slot = self.link.reserve_slot();
        let options = Options { is_websocket: true, ..Options::default() };
        self.submit(Commands::default().open(slot, options));
        let (ours, peer) = UnixStream::pair().expect("descriptors");
        ours.set_nonblocking(true).expect("a socket");
        self.link.adopt(ours.as_fd(), Role::Direct, slot, b"", b"", None).expect("descriptors");
        let mut joins = Commands::default();
        joins.member_add(NAMESPACE, member, slot).join(NAMESPACE, member, ROOM);
        self.submit(&joins);
        self.slots.push(slot);
        self.peers.push(peer);
    }

    /// Waits until everything is done and the core's thread sleeps.
    fn settle(&self) {
        assert!(self.link.wait(LIMIT), "the core is stuck");
        thread::sleep(SETTLE);
    }

    /// Gives commands at once, as they are packed.
    fn submit(&self, commands: &Commands) {
        self.link.submit(commands.bytes()).expect("right commands");
    }

    /// Gives commands and waits until they are done.
    fn submit_and_wait(&self, commands: &Turn) {
        self.link.submit(&commands.bytes).expect("right commands");
        assert!(self.link.wait(LIMIT), "the core is stuck");
    }

    /// Waits for the doorbell and takes what there is; how many bytes.
    fn drain(&mut self) -> usize {
        loop {
            match self.link.drain(&mut self.events) {
                Drained::Bytes { written: 0, .. } => thread::park_timeout(LIMIT),
                Drained::Bytes { written, .. } => return written,
                Drained::NeedsRoom(bytes) => self.events.resize(bytes, 0),
            }
        }
    }
}

/// An event, without the packet type of Engine.IO.
fn message(len: usize) -> String {
    String::from_utf8(text(len).split_off(1)).expect("ASCII")
}

/// Commands packed beforehand, to be given in a turn of their own each time: what packs them is JavaScript.
struct Turn {
    bytes: Vec<u8>,
    number: u32,
}

impl Turn {
    fn new(commands: &Commands) -> Self {
        let mut turn = Commands::default();
        turn.turn(0);
        Self { bytes: [turn.bytes(), commands.bytes()].concat(), number: 0 }
    }

    /// The first record is the TURN; its number comes after the header.
    fn begin(&mut self) -> &Self {
        self.number += 2;
        self.bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        self
    }
}

/// What `socket.emit` comes to: done at once, by the thread that asks.
fn send(len: usize) -> Round {
    let world = World::new(1);
    let mut commands = Commands::default();
    commands.send(world.slots[0], 0, &[Part::Text(&message(len))]);
    let mut turn = Turn::new(&commands);
    Box::new(move || world.link.submit(&turn.begin().bytes).expect("right commands"))
}

/// One message for each client in one turn: by the core's thread.
fn send_many() -> Round {
    let world = World::new(CLIENTS);
    let message = message(32);
    let mut commands = Commands::default();
    for &slot in &world.slots {
        commands.send(slot, 0, &[Part::Text(&message)]);
    }
    let mut turn = Turn::new(&commands);
    Box::new(move || world.submit_and_wait(turn.begin()))
}

/// One frame to everybody in a room, a write each.
fn broadcast() -> Round {
    broadcast_times(1)
}

/// Broadcasts of one turn.
const MERGED: u32 = 8;

/// Several of them at once: one write for all that one client gets.
fn broadcast_merged() -> Round {
    broadcast_times(MERGED)
}

fn broadcast_times(times: u32) -> Round {
    let world = World::new(CLIENTS);
    let message = message(32);
    let target = Target { is_filtered: true, rooms: &[ROOM], ..Target::default() };
    let mut commands = Commands::default();
    for _ in 0..times {
        commands.broadcast(NAMESPACE, target, 0, &[Part::Text(&message)]);
    }
    let mut turn = Turn::new(&commands);
    Box::new(move || world.submit_and_wait(turn.begin()))
}

/// From a stream that has many messages to the memory that JavaScript reads.
fn receive_and_drain() -> Round {
    let mut world = World::new(1);
    let frames = client_frame(0x81, &text(32)).repeat(MESSAGES as usize);
    Box::new(move || {
        world.peers[0].write_all(&frames).expect("room");
        black_box(world.drain());
    })
}

/// One message in and one out, nothing else: what a client that asks and waits makes the core do.
fn echo() -> Round {
    let mut world = World::new(1);
    let frame = client_frame(0x81, &text(32));
    let mut commands = Commands::default();
    commands.send(world.slots[0], 0, &[Part::Text(&message(32))]);
    let mut turn = Turn::new(&commands);
    Box::new(move || {
        world.peers[0].write_all(&frame).expect("room");
        black_box(world.drain());
        world.link.submit(&turn.begin().bytes).expect("right commands");
    })
}
