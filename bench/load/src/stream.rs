//! One non-blocking TCP stream: what could not be written yet, what was read but is incomplete.
//!
//! All streams read into one shared buffer, so an idle client owns two empty vectors and no more.

use std::io::{ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::failure::Result;

/// The size of the buffer that all streams read into; nothing the servers send in one piece is as
/// long, and merged broadcasts are taken in few reads.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// What the loop's streams share.
pub(crate) struct Scratch {
    buffer: Vec<u8>,
    /// Answers to what one read brought; written in one piece.
    pub(crate) replies: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; READ_BUFFER_BYTES], replies: Vec::new() }
    }
}

/// Which directions epoll has reported.
#[derive(Clone, Copy)]
pub(crate) struct Readiness {
    readable: bool,
    writable: bool,
    /// The peer's end of stream has arrived, perhaps behind bytes that are still unread.
    is_ended: bool,
}

impl Readiness {
    pub(crate) fn of(event: &Event) -> Self {
        // An error shows as readable, so that the read tells which one.
        Self {
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable(),
            is_ended: event.is_read_closed() || event.is_error(),
        }
    }
}

/// A stream to the server under test.
pub(crate) struct Stream {
    tcp: TcpStream,
    /// The start of a frame or response whose end has not come.
    carry: Vec<u8>,
    /// What the kernel did not take yet; at first, what to send once connected.
    outbox: Vec<u8>,
}

impl Stream {
    /// Starts to connect. `greeting` goes out as soon as that is done.
    pub(crate) fn connect(
        address: SocketAddr,
        registry: &Registry,
        token: usize,
        greeting: Vec<u8>,
    ) -> Result<Self> {
        let mut tcp = TcpStream::connect(address)
            .map_err(|error| format!("cannot connect ({error}); see `ulimit -n`"))?;
        tcp.set_nodelay(true)?;
        registry.register(&mut tcp, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { tcp, carry: Vec::new(), outbox: greeting })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.outbox.is_empty() {
            self.outbox.extend_from_slice(bytes);
            return Ok(());
        }
        let written = self.write(bytes)?;
        if let Some(rest @ [_, ..]) = bytes.get(written..) {
            self.outbox = rest.to_vec();
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.tcp.write(bytes) {
            Ok(written) => Ok(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(format!("cannot write: {error}").into()),
        }
    }

    /// Does what epoll says is possible. `consume` gets all bytes not taken so far and returns how
    /// many of them it took; what it adds to the replies is sent at the end of each read. False at
    /// the end of the stream.
    pub(crate) fn ready(
        &mut self,
        readiness: Readiness,
        scratch: &mut Scratch,
        mut consume: impl FnMut(&[u8], &mut Vec<u8>) -> Result<usize>,
    ) -> Result<bool> {
        if readiness.writable && !self.outbox.is_empty() {
            let outbox = mem::take(&mut self.outbox);
            self.send(&outbox)?;
        }
        let mut open = true;
        let mut more = readiness.readable;
        while open && more {
            let kept = self.carry.len();
            let (head, tail) = scratch
                .buffer
                .split_at_mut_checked(kept)
                .filter(|(_, tail)| !tail.is_empty())
                .ok_or("a frame or response longer than the read buffer")?;
            head.copy_from_slice(&self.carry);
            let read = match self.tcp.read(tail) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("cannot read: {error}").into()),
            };
            open = read > 0;
            // epoll(7): a short read of a stream has emptied it, the next bytes make a new event.
            // This spares one system call in two. Only an end that came along makes no event.
            more = read == tail.len() || readiness.is_ended;
            let bytes = scratch.buffer.get(..kept + read).unwrap_or_default();
            let taken = consume(bytes, &mut scratch.replies)?;
            let rest = bytes.get(taken..).unwrap_or_default();
            self.carry = rest.to_vec(); // empty in the common case: no allocation is kept
            if !scratch.replies.is_empty() {
                self.send(&scratch.replies)?;
                scratch.replies.clear();
            }
        }
        Ok(open)
    }
}
