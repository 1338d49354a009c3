//! All floors together, over real streams: what crosses from and to JavaScript, and what comes and goes on a stream.
//!
//! The kernel's own work is not in the figures. The core's thread and the one that plays JavaScript take turns, each waiting
//! for the other, and do so for some rounds before anything is measured: then neither finds the other at work. Broadcasts
//! are not read by the peers, whose buffers hold all of them.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
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
const CLIENTS: u32 = 400;

/// Messages of one read.
const MESSAGES: u32 = 64;

/// Longer than anything here takes, also under callgrind.
const LIMIT: Duration = Duration::from_secs(30);

/// Rounds that come before those that count.
const WARM_UP: u32 = 20;

const NAMESPACE: u32 = 1;
const ROOM: u32 = 1;

pub(crate) fn cases() -> Vec<Case> {
    let small = |name, unit, prepare| Case { name, unit, units: 1, rounds: 500, prepare };
    let large = |name, unit, units, prepare| Case { name, unit, units, rounds: 50, prepare };
    vec![
        small("send", "message of 32 B", || send(32)),
        small("send-1k", "message of 1 KiB", || send(1024)),
        large("send-many", "message of 32 B", CLIENTS, send_many),
        large("broadcast", "delivery of 32 B", CLIENTS, || broadcast(1)),
        large("broadcast-merged", "delivery of 32 B", CLIENTS * MERGED, || broadcast(MERGED)),
        large("receive-and-drain", "message of 32 B", MESSAGES, receive_and_drain),
        small("echo", "message of 32 B and its answer", echo),
    ]
}

/// A round that has been done some times.
fn warmed_up(mut round: impl FnMut() + 'static) -> Round {
    for _ in 0..WARM_UP {
        round();
    }
    Box::new(round)
}

/// JavaScript, and clients at the other ends of their streams.
struct World {
    link: Arc<Link>,
    slots: Vec<u32>,
    peers: Vec<TcpStream>,
    /// What JavaScript drains into.
    events: Vec<u8>,
    /// What a client reads into.
    heard: Vec<u8>,
    /// Ends last: its threads with it.
    _core: Core,
}

impl World {
    fn new(clients: u32) -> Self {
        let core = Core::new(1);
        let javascript = thread::current();
        let link = core.link(Box::new(move || javascript.unpark())).expect("threads");
        let (slots, peers) = (Vec::new(), Vec::new());
        let (events, heard) = (vec![0; 256 * 1024], vec![0; 4096]);
        let mut world = Self { link, slots, peers, events, heard, _core: core };
        for member in 0..clients {
            world.connect(member);
        }
        assert!(world.link.wait(LIMIT), "the core is stuck");
        for _ in 0..clients.min(1) {
            world.hear(); // the open packet
        }
        world
    }

    fn connect(&mut self, member: u32) {
        let slot = self.link.reserve_slot();
        let options = Options { is_websocket: true, ..Options::default() };
        self.submit(Commands::default().open(slot, options));
        // TCP: with a pair of local sockets, each read of the peer would wake the core's thread.
        let (ours, peer) = connected();
        self.link.adopt(ours.as_fd(), Role::Direct, slot, b"", b"", None).expect("descriptors");
        let mut joins = Commands::default();
        joins.member_add(NAMESPACE, member, slot).join(NAMESPACE, member, ROOM);
        self.submit(&joins);
        self.slots.push(slot);
        self.peers.push(peer);
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

    /// Waits until the first client was told something, and takes it.
    fn hear(&mut self) {
        let read = self.peers[0].read(&mut self.heard).expect("an open stream");
        assert_ne!(read, 0, "the stream has ended");
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

/// Both ends of a connection, the first as libuv has it.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("a port");
    let (ours, _) = listener.accept().expect("a connection");
    ours.set_nonblocking(true).expect("a socket");
    for end in [&ours, &peer] {
        end.set_nodelay(true).expect("a socket");
    }
    (ours, peer)
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
    let mut world = World::new(1);
    let mut commands = Commands::default();
    commands.send(world.slots[0], 0, &[Part::Text(&message(len))]);
    let mut turn = Turn::new(&commands);
    warmed_up(move || {
        world.link.submit(&turn.begin().bytes).expect("right commands");
        world.hear();
    })
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
    warmed_up(move || world.submit_and_wait(turn.begin()))
}

/// Broadcasts of one turn.
const MERGED: u32 = 8;

/// One frame to everybody in a room, so many times in a turn: a write for all that one client gets.
fn broadcast(times: u32) -> Round {
    let world = World::new(CLIENTS);
    let message = message(32);
    let target = Target { is_filtered: true, rooms: &[ROOM], ..Target::default() };
    let mut commands = Commands::default();
    for _ in 0..times {
        commands.broadcast(NAMESPACE, target, 0, &[Part::Text(&message)]);
    }
    let mut turn = Turn::new(&commands);
    warmed_up(move || world.submit_and_wait(turn.begin()))
}

/// From a stream that has many messages to the memory that JavaScript reads.
fn receive_and_drain() -> Round {
    let mut world = World::new(1);
    let frames = client_frame(0x81, &text(32)).repeat(MESSAGES as usize);
    warmed_up(move || {
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
    warmed_up(move || {
        world.peers[0].write_all(&frame).expect("room");
        black_box(world.drain());
        world.link.submit(&turn.begin().bytes).expect("right commands");
        world.hear();
    })
}
