//! The tasks of a shard's streams: one that reads a descriptor, one that waits for a kernel to take bytes, one that waits
//! for JavaScript to catch up.
//!
//! A task borrows the state of the shard for one step at a time. It ends when its stream does, which aborts it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task;

use crate::engine::StreamEnd;
use crate::server::carrier::Bridge;
use crate::server::carrier::Carrier;
use crate::server::connection::MAX_UNDRAINED_BYTES_OF_LINK;
use crate::server::link::Link;
use crate::server::shard::Shard;
use crate::server::shard::link_of;

#[cfg(unix)]
use std::io::ErrorKind;

#[cfg(unix)]
use socket2::Socket;
#[cfg(unix)]
use tokio::io::unix::AsyncFd;

#[cfg(unix)]
use crate::server::carrier::read;
#[cfg(unix)]
use crate::server::event::deferred;

/// JavaScript is behind: nothing may be read from a stream before it has taken what is there.
struct Pause {
    link: Arc<Link>,
    /// The last unit that has to be taken.
    unit: u64,
}

impl Pause {
    async fn wait(self) {
        self.link.events().drained_past(self.unit).await;
        self.link.events().undrained_at_most(MAX_UNDRAINED_BYTES_OF_LINK).await;
    }
}

/// What to do after a read.
#[cfg(unix)]
struct AfterRead {
    /// The kernel has nothing more for now.
    is_drained: bool,
    /// The stream is over.
    is_over: bool,
    pause: Option<Pause>,
}

#[cfg(unix)]
async fn read_all(
    shard: Rc<RefCell<Shard>>,
    conn: u32,
    stream: Rc<AsyncFd<Socket>>,
    mut input: Box<[u8]>,
) {
    for piece in input.chunks_mut(COMPRESSED_READ_BYTES) {
        let pause = shard.borrow().pause_of(conn);
        if let Some(pause) = pause {
            pause.wait().await;
        }
        shard.borrow_mut().receive_piece(conn, piece);
    }
    drop(input);
    while let Ok(mut ready) = stream.readable().await {
        let after = shard.borrow_mut().read(conn, &stream);
        if after.is_over {
            return;
        }
        if after.is_drained {
            ready.clear_ready();
        }
        if let Some(pause) = after.pause {
            pause.wait().await;
        } else if !after.is_drained {
            // Others first: a peer that sends without end must not have the thread for itself. It also keeps the thread
            // from going to sleep, which is when JavaScript is told of what the others sent.
            deferred::ring_all();
            task::yield_now().await;
        }
    }
}

#[cfg(unix)]
async fn write_all(shard: Rc<RefCell<Shard>>, conn: u32, stream: Rc<AsyncFd<Socket>>) {
    while let Ok(mut ready) = stream.writable().await {
        if !shard.borrow_mut().is_still_blocked(conn) {
            return;
        }
        ready.clear_ready();
    }
}

async fn resume(shard: Rc<RefCell<Shard>>, conn: u32, pause: Pause) {
    pause.wait().await;
    shard.borrow_mut().resume_bridge(conn);
}

impl Shard {
    /// Begins to read a stream, with input that came before. A bridge is read by JavaScript.
    pub(super) fn start_reading(&mut self, conn: u32, input: Box<[u8]>) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        let Some(shard) = self.itself.upgrade() else { return };
        match &mut connection.carrier {
            #[cfg(unix)]
            Carrier::Descriptor(descriptor) => {
                let task = task::spawn_local(read_all(shard, conn, descriptor.stream(), input));
                descriptor.set_reading(task.abort_handle());
            }
            Carrier::Bridge(_) => {
                drop(shard);
                if !input.is_empty() {
                    self.receive_in_pieces(conn, &mut input.into_vec());
                }
            }
        }
    }

    /// Waits for a stream to take bytes again. A bridge is told so by JavaScript.
    pub(super) fn await_writable(&mut self, conn: u32) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        let Some(shard) = self.itself.upgrade() else { return };
        match &mut connection.carrier {
            #[cfg(unix)]
            Carrier::Descriptor(descriptor) => {
                let stream = descriptor.stream();
                let flushing = descriptor.flushing_mut();
                if flushing.is_none() {
                    *flushing =
                        Some(task::spawn_local(write_all(shard, conn, stream)).abort_handle());
                }
            }
            Carrier::Bridge(_) => drop(shard),
        }
    }

    /// Receives a part of what came together.
    #[cfg(unix)]
    fn receive_piece(&mut self, conn: u32, bytes: &mut [u8]) {
        self.wake();
        self.contain(|shard| shard.receive(conn, bytes));
    }

    /// Reads once.
    #[cfg(unix)]
    fn read(&mut self, conn: u32, stream: &AsyncFd<Socket>) -> AfterRead {
        self.wake();
        let mut max_len = READ_BUFFER_BYTES;
        if self.connections.connection(conn).is_some_and(|connection| connection.is_compressed) {
            max_len = COMPRESSED_READ_BYTES;
            let pause = self.pause_of(conn);
            if pause.is_some() {
                return AfterRead { is_drained: false, is_over: false, pause };
            }
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        buffer.resize(READ_BUFFER_BYTES, 0);
        let read = read(stream, buffer.get_mut(..max_len).unwrap_or_default());
        match read {
            Ok(0) => self.contain(|shard| shard.stream_ended(conn, StreamEnd::Eof)),
            Ok(count) => {
                let bytes = buffer.get_mut(..count).unwrap_or_default();
                self.contain(|shard| shard.receive(conn, bytes));
            }
            Err(ref error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.contain(|shard| shard.stream_ended(conn, StreamEnd::Broken)),
        }
        self.read_buffer = buffer;
        AfterRead {
            // A read that does not fill the buffer has emptied the stream, so the next one would be in vain.
            is_drained: match &read {
                Ok(count) => *count < max_len,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            },
            is_over: matches!(read, Ok(0)) || self.connections.connection(conn).is_none(),
            pause: self.pause_of(conn),
        }
    }

    #[cfg(unix)]
    fn is_still_blocked(&mut self, conn: u32) -> bool {
        self.wake();
        let mut is_blocked = false;
        self.contain(|shard| is_blocked = shard.writable(conn));
        if !is_blocked
            && let Some(connection) = self.connections.connection_mut(conn)
            && let Carrier::Descriptor(descriptor) = &mut connection.carrier
        {
            *descriptor.flushing_mut() = None;
        }
        is_blocked
    }

    /// The pause that reading a stream has to make now.
    fn pause_of(&self, conn: u32) -> Option<Pause> {
        let connection = self.connections.connection(conn)?;
        let unit = connection.inbound.last_unit;
        let events = self.links.get(connection.owner as usize)?.as_ref()?.link.events();
        let is_behind = connection.inbound.is_full() && events.drained() < unit;
        if is_behind || events.undrained_bytes() > MAX_UNDRAINED_BYTES_OF_LINK {
            Some(Pause {
                link: link_of(&self.links, connection.owner)?,
                unit: if is_behind { unit } else { 0 },
            })
        } else {
            None
        }
    }

    /// The bridge of this conn, if it is one of this link.
    fn bridge_mut(&mut self, owner: u32, conn: u32) -> Option<&mut Bridge> {
        let connection = self.connections.connection_mut(conn)?;
        match &mut connection.carrier {
            Carrier::Bridge(bridge) if connection.owner == owner => Some(bridge),
            _ => None,
        }
    }

    /// The bridge of this conn, whose link is known to be right.
    fn bridge_of(&mut self, conn: u32) -> Option<&mut Bridge> {
        match &mut self.connections.connection_mut(conn)?.carrier {
            Carrier::Bridge(bridge) => Some(bridge),
            #[cfg(unix)]
            Carrier::Descriptor(_) => None,
        }
    }

    /// A bridge has read bytes.
    pub(super) fn receive_from_bridge(&mut self, owner: u32, conn: u32, bytes: &[u8]) {
        // Unmasked in place, and the command buffer is shared with other shards.
        if self.bridge_mut(owner, conn).is_some() {
            self.receive_in_pieces(conn, &mut bytes.to_vec());
        }
    }

    /// Receives what a bridge has read. Compressed input is taken a little at a time, and held back while JavaScript is
    /// behind: the bridge may have been told to pause after it had read this.
    fn receive_in_pieces(&mut self, conn: u32, bytes: &mut [u8]) {
        let Some(connection) = self.connections.connection(conn) else { return };
        if !connection.is_compressed {
            self.receive(conn, bytes);
            self.pause_bridge(conn);
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.pause_bridge(conn) {
                if let Some(bridge) = self.bridge_of(conn) {
                    bridge.hold(rest);
                }
                return;
            }
            let (piece, later) = rest.split_at_mut(rest.len().min(COMPRESSED_READ_BYTES));
            self.receive(conn, piece);
            rest = later;
        }
        self.pause_bridge(conn);
    }

    /// Pauses a bridge if JavaScript is behind. Returns whether it is paused, for this or from before.
    fn pause_bridge(&mut self, conn: u32) -> bool {
        let pause = self.pause_of(conn);
        let Some(shard) = self.itself.upgrade() else { return false };
        let Some(bridge) = self.bridge_of(conn) else { return false };
        if !bridge.is_paused()
            && let Some(pause) = pause
        {
            let link = Arc::clone(&pause.link);
            bridge.pause(task::spawn_local(resume(shard, conn, pause)).abort_handle());
            link.events().writer().bridge_pause(conn);
            return true;
        }
        bridge.is_paused()
    }

    /// JavaScript has caught up.
    fn resume_bridge(&mut self, conn: u32) {
        self.wake();
        let Some(bridge) = self.bridge_of(conn) else { return };
        bridge.resume();
        let (mut held, has_ended) = bridge.release();
        self.contain(|shard| shard.receive_in_pieces(conn, &mut held));
        let Some(bridge) = self.bridge_of(conn) else { return };
        if has_ended && bridge.is_paused() {
            bridge.hold_end();
        } else if has_ended {
            self.contain(|shard| shard.stream_ended(conn, StreamEnd::Eof));
        } else if !bridge.is_paused()
            && let Some(connection) = self.connections.connection(conn)
            && let Some(link) = link_of(&self.links, connection.owner)
        {
            link.events().writer().bridge_resume(conn);
        }
    }

    /// The peer of a bridge has ended its half.
    pub(super) fn bridge_ended(&mut self, owner: u32, conn: u32) {
        let Some(bridge) = self.bridge_mut(owner, conn) else { return };
        if bridge.is_holding() {
            bridge.hold_end();
        } else {
            self.stream_ended(conn, StreamEnd::Eof);
        }
    }

    /// The stream of a bridge has taken bytes.
    pub(super) fn acknowledge(&mut self, owner: u32, conn: u32, bytes: u32) {
        if let Some(bridge) = self.bridge_mut(owner, conn) {
            bridge.acknowledge(bytes);
            self.writable(conn);
        }
    }
}

/// Read at once at the most: what a stream of Node reads.
#[cfg(unix)]
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The same where it may be compressed, which can be a thousandth of what comes out (RFC 1951 says 258 bytes in 2 bits).
const COMPRESSED_READ_BYTES: usize = 8 * 1024;
