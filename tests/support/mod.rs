//! Plays JavaScript for the core: a link with its commands and events, and streams of both kinds.
//!
//! A thread of its own drains the link as Node would, pumps the bytes of bridges, and hands everything else to the
//! test, which reads like a talk between JavaScript ([`Js`]) and a peer ([`Peer`]).

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test file uses a part of it")]

mod bridge;
mod commands;
mod events;
mod peer;

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sio::codec::websocket::DeflateParameters;
use sio::server::core::Core;
use sio::server::link::{Counters, Drained, Link, Role};
use socket2::{Domain, SockRef, Socket, Type};

pub use commands::{COMPRESS, Commands, NOTIFY, Options, Part, Target, VOLATILE};
pub use events::{Event, Reason};
pub use peer::Peer;

use bridge::Bridges;

/// Longer than anything here takes, on a machine that is busy with other things too.
pub const LIMIT: Duration = Duration::from_secs(10);

/// What the core writes first on each stream.
pub const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

/// How a stream is given to the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Descriptor,
    Bridge,
}

/// One copy of `lib/`.
pub struct Js {
    pub link: Arc<Link>,
    events: Receiver<Event>,
    doorbell: Sender<Ring>,
    /// JavaScript is busy: it does not come to drain.
    is_busy: Arc<AtomicBool>,
    bridges: Arc<Mutex<Bridges>>,
    thread: Option<JoinHandle<()>>,
    turn: u32,
    pub core: Arc<Core>,
}

enum Ring {
    Drain,
    Stop,
}

impl Js {
    pub fn new() -> Self {
        Self::on(&Arc::new(Core::new(1)))
    }

    /// Another link to a core.
    pub fn on(core: &Arc<Core>) -> Self {
        let (doorbell, rings) = channel();
        let ring = doorbell.clone();
        // The receiver is gone when a test ends before the core does.
        let link = core.link(Box::new(move || drop(ring.send(Ring::Drain)))).unwrap();
        let (events, received) = channel();
        let is_busy = Arc::new(AtomicBool::new(false));
        let bridges = Arc::new(Mutex::new(Bridges::default()));
        let thread = thread::spawn({
            let (link, is_busy, bridges) =
                (Arc::clone(&link), Arc::clone(&is_busy), Arc::clone(&bridges));
            move || drain(&link, &rings, &is_busy, &bridges, &events)
        });
        let (thread, core) = (Some(thread), Arc::clone(core));
        Self { link, events: received, doorbell, is_busy, bridges, thread, turn: 1, core }
    }

    /// Stops draining, as a JavaScript thread in a long loop does.
    pub fn be_busy(&self) {
        self.is_busy.store(true, Ordering::SeqCst);
        self.bridges.lock().unwrap().set_busy(true);
    }

    /// The same, but bridges go on reading.
    pub fn be_busy_but_for_bridges(&self) {
        self.is_busy.store(true, Ordering::SeqCst);
    }

    /// Drains once, while JavaScript is busy otherwise: how many bytes of events there were, and those for the test.
    pub fn drain_once(&self, room: usize) -> (usize, Vec<Event>) {
        let mut buffer = vec![0; room];
        let Drained::Bytes { written, .. } = self.link.drain(&mut buffer) else {
            panic!("more than fits in {room} bytes")
        };
        let mut events = events::parse(&buffer[..written]);
        let mut bridges = self.bridges.lock().unwrap();
        events.retain(|event| !bridges.take(event));
        (written, events)
    }

    /// Drains again.
    pub fn be_idle(&self) {
        self.is_busy.store(false, Ordering::SeqCst);
        self.bridges.lock().unwrap().set_busy(false);
        self.doorbell.send(Ring::Drain).unwrap();
    }

    /// Submits commands of the current turn.
    pub fn submit(&self, commands: &Commands) {
        let mut buffer = Commands::default();
        buffer.turn(self.turn);
        self.link.submit(&[buffer.bytes(), commands.bytes()].concat()).unwrap();
    }

    pub fn next_turn(&mut self) {
        self.turn += 1;
    }

    pub fn send(&self, slot: u32, text: &str) {
        self.submit(Commands::default().send(slot, 0, &[Part::Text(text)]));
    }

    pub fn close(&self, slot: u32) {
        self.submit(Commands::default().close(slot, false));
    }

    /// Opens a session on a WebSocket and connects a peer to it.
    pub fn open_websocket(&self, carrier: Carrier, options: Options) -> (u32, u32, Peer) {
        let slot = self.link.reserve_slot();
        self.submit(Commands::default().open(slot, Options { is_websocket: true, ..options }));
        let (conn, mut peer) = self.connect(carrier, Role::Direct, slot);
        peer.expect_response();
        assert_eq!(peer.text(), "0{}");
        (slot, conn, peer)
    }

    /// Opens a session on polling and fetches its open packet.
    pub fn open_polling(&self, options: Options) -> u32 {
        let slot = self.link.reserve_slot();
        self.submit(
            Commands::default()
                .open(slot, Options { is_websocket: false, ..options })
                .poll(slot, 0),
        );
        assert_eq!(self.event(), Event::respond_compressible(slot, 0, "0{}"));
        slot
    }

    /// Connects a peer and gives its stream to the core.
    pub fn connect(&self, carrier: Carrier, role: Role, slot: u32) -> (u32, Peer) {
        let (server, client) = connected();
        (self.give(carrier, role, slot, server, &[]), Peer::new(client))
    }

    /// Gives a stream to the core.
    pub fn give(
        &self,
        carrier: Carrier,
        role: Role,
        slot: u32,
        stream: TcpStream,
        input: &[u8],
    ) -> u32 {
        self.give_compressed(carrier, role, slot, stream, input, None)
    }

    /// Gives a stream to the core whose response agrees to compression.
    pub fn give_compressed(
        &self,
        carrier: Carrier,
        role: Role,
        slot: u32,
        stream: TcpStream,
        input: &[u8],
        deflate: Option<DeflateParameters>,
    ) -> u32 {
        match carrier {
            // As libuv does before anybody else has it.
            Carrier::Descriptor => {
                stream.set_nonblocking(true).unwrap();
                self.link.adopt(stream.as_fd(), role, slot, RESPONSE, input, deflate).unwrap()
            }
            Carrier::Bridge => {
                // Under the lock, so that no event of the bridge comes before it is known here.
                let mut bridges = self.bridges.lock().unwrap();
                let conn = self.link.bridge(role, slot, RESPONSE, input, deflate);
                bridges.add(conn, stream, &self.link);
                conn
            }
        }
    }

    /// The next event.
    pub fn event(&self) -> Event {
        self.events.recv_timeout(LIMIT).expect("an event")
    }

    /// The next events.
    pub fn events<const N: usize>(&self) -> [Event; N] {
        [(); N].map(|()| self.event())
    }

    /// Asserts that nothing is told, once the core has done all there is to do.
    pub fn expect_silence(&self) {
        assert!(self.link.wait(LIMIT));
        match self.events.recv_timeout(Duration::from_millis(30)) {
            Err(RecvTimeoutError::Timeout) => {}
            event => panic!("silence, not {event:?}"),
        }
    }

    /// Waits until the counters of the core are as expected.
    pub fn expect_counters(&self, is_expected: impl Fn(&Counters) -> bool) {
        let start = Instant::now();
        while !is_expected(&self.link.counters()) {
            assert!(start.elapsed() < LIMIT, "{:?}", self.link.counters());
            thread::yield_now();
        }
    }

    /// Waits until the core holds nothing any more.
    pub fn expect_nothing_left(&self) {
        self.expect_counters(|counters| {
            *counters == Counters { broadcasts: counters.broadcasts, ..Counters::default() }
        });
    }
}

impl Drop for Js {
    fn drop(&mut self) {
        self.link.close();
        let _ = self.doorbell.send(Ring::Stop);
        let thread = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            thread.unwrap().unwrap();
        }
    }
}

fn drain(
    link: &Arc<Link>,
    rings: &Receiver<Ring>,
    is_busy: &AtomicBool,
    bridges: &Mutex<Bridges>,
    events: &Sender<Event>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(Ring::Drain) = rings.recv() {
        while !is_busy.load(Ordering::SeqCst) {
            match link.drain(&mut buffer) {
                Drained::NeedsRoom(bytes) => buffer.resize(bytes, 0),
                Drained::Bytes { written, more } => {
                    for event in events::parse(&buffer[..written]) {
                        // Says nothing: the core only sees whether it is taken.
                        if matches!(event, Event::Sent { count: 0, .. }) {
                            continue;
                        }
                        if let Event::FinishAwaited { slot } = event {
                            link.submit(Commands::default().finish(slot).bytes()).unwrap();
                            continue;
                        }
                        if !bridges.lock().unwrap().take(&event) && events.send(event).is_err() {
                            return;
                        }
                    }
                    if !more {
                        break;
                    }
                }
            }
        }
    }
}

/// Two ends of a TCP connection: the one that was accepted, and the other.
///
/// The kernel gets little room, and as it is set by hand it stays as it is: a stream that is full remains full.
pub fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_send_buffer_size(KERNEL_BUFFER_BYTES).unwrap();
    let address = listener.local_addr().unwrap();
    let client = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    client.set_recv_buffer_size(KERNEL_BUFFER_BYTES).unwrap();
    client.connect(&address.into()).unwrap();
    (listener.accept().unwrap().0, client.into())
}

const KERNEL_BUFFER_BYTES: usize = 64 * 1024;

/// Makes one test for each carrier out of functions that take one: both have to behave alike.
#[macro_export]
macro_rules! over_both_carriers {
    ($($name:ident)*) => {
        mod over_a_descriptor {
            $(#[test] fn $name() { super::$name($crate::support::Carrier::Descriptor); })*
        }
        mod over_a_bridge {
            $(#[test] fn $name() { super::$name($crate::support::Carrier::Bridge); })*
        }
    };
}
