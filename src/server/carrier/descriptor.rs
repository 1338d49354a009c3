//! An adopted descriptor: a TCP or unix-domain stream that Node accepted and gave away.
//!
//! Output is written at once, without asking the reactor; only what the kernel refuses waits for it. Input is read by
//! one task of the shard. `O_NONBLOCK` is shared with whoever else holds the stream, and is never taken off.

use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use socket2::Socket;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use crate::engine::Outbox;

/// One stream of the kernel.
pub(in crate::server) struct Descriptor {
    /// Shared with the tasks that wait for it.
    stream: Rc<AsyncFd<Socket>>,
    /// Reads, as long as the peer sends.
    reading: Option<AbortHandle>,
    /// Waits for the kernel to take bytes again.
    flushing: Option<AbortHandle>,
}

impl Descriptor {
    /// Registers the stream with the reactor of this thread.
    pub(in crate::server) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        socket.set_nonblocking(true)?;
        #[cfg(target_vendor = "apple")]
        socket.set_nosigpipe(true)?;
        // A unix-domain stream has no such option.
        let _ = socket.set_tcp_nodelay(true);
        Ok(Self { stream: Rc::new(register(socket)?), reading: None, flushing: None })
    }

    /// The stream, for a task that waits for it.
    pub(in crate::server) fn stream(&self) -> Rc<AsyncFd<Socket>> {
        Rc::clone(&self.stream)
    }

    /// The task that reads. It ends with the stream.
    pub(in crate::server) fn set_reading(&mut self, task: AbortHandle) {
        self.reading = Some(task);
    }

    /// The task that waits to write, if there is one. It ends with the stream.
    pub(in crate::server) const fn flushing_mut(&mut self) -> &mut Option<AbortHandle> {
        &mut self.flushing
    }

    /// See [`Carrier::write`](super::Carrier::write).
    pub(in crate::server) fn write(&self, outbox: &mut Outbox) -> io::Result<u32> {
        let socket = self.stream.get_ref();
        let mut notified = 0;
        while !outbox.is_empty() {
            let written = if outbox.is_many() {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let filled = outbox.fill_slices(&mut slices);
                socket
                    .send_vectored_with_flags(slices.get(..filled).unwrap_or_default(), SEND_FLAGS)
            } else {
                socket.send_with_flags(outbox.first_slice(), SEND_FLAGS)
            };
            match written {
                Ok(count) => notified += outbox.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(notified)
    }

    /// See [`Carrier::finish`](super::Carrier::finish).
    pub(super) fn finish(&self) {
        // It fails when the peer has reset the stream, which the reader finds out.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        for task in [&self.reading, &self.flushing].into_iter().flatten() {
            task.abort();
        }
    }
}

#[expect(unsafe_code, reason = "tokio cannot see that a socket keeps its descriptor")]
fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor, which stays open and the same until the socket is dropped with its `AsyncFd`.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Reads what is there into `buffer`.
pub(in crate::server) fn read(stream: &AsyncFd<Socket>, buffer: &mut [u8]) -> io::Result<usize> {
    let mut socket: &Socket = stream.get_ref();
    socket.read(buffer)
}

/// Entries in one write. Linux and macOS take up to 1,024 (`IOV_MAX`); the table is on the stack.
const MAX_SLICES: usize = 256;

/// A write to a stream that the peer has closed is an error to us, and must not become a signal to the process.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: i32 = 0;
