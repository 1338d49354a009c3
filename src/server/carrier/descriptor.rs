//! An adopted descriptor: a TCP or unix-domain stream that Node accepted and gave away.
//!
//! Output is written at once, without asking the reactor; only what the kernel refuses waits for it. Input is read when
//! the reactor says so. `O_NONBLOCK` is shared with whoever else holds the stream, and is never taken off.

use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;
use std::time::Duration;

use socket2::Socket;
use socket2::TcpKeepalive;
use tokio::io::unix::AsyncFd;

use crate::engine::Outbox;
use crate::engine::Taken;
use crate::server::command::Tuning;

/// One stream of the kernel.
pub(in crate::server) struct Descriptor {
    stream: AsyncFd<Socket>,
    /// Told when the kernel has something to say about the stream.
    waker: Waker,
    /// The kernel has refused bytes, and was not seen to take any since.
    pub(in crate::server) awaits_writable: bool,
    /// Nothing more comes.
    has_ended: bool,
}

impl Descriptor {
    /// Registers the stream with the reactor of this thread. Nothing is said before it is polled.
    pub(in crate::server) fn new(descriptor: OwnedFd, waker: Waker) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        socket.set_nonblocking(true)?;
        #[cfg(target_vendor = "apple")]
        socket.set_nosigpipe(true)?;
        // A unix-domain stream has no such option.
        let _ = socket.set_tcp_nodelay(true);
        Ok(Self { stream: register(socket)?, waker, awaits_writable: false, has_ended: false })
    }

    /// Reads once. `Pending` if there is nothing to read: then the waker is told when there is. After the end of the
    /// stream, or an error, it is always pending.
    pub(in crate::server) fn poll_read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.has_ended {
            return Poll::Pending;
        }
        let mut context = Context::from_waker(&self.waker);
        loop {
            let mut guard = ready!(self.stream.poll_read_ready(&mut context))?;
            let mut socket: &Socket = self.stream.get_ref();
            match socket.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    // A read that does not fill the buffer has emptied the stream, so the next one would be in vain.
                    if matches!(read, Ok(count) if count < buffer.len()) {
                        guard.clear_ready();
                    }
                    self.has_ended = matches!(read, Ok(0) | Err(_));
                    return Poll::Ready(read);
                }
            }
        }
    }

    /// Whether there is perhaps something to read; if not, the waker is told when there is.
    pub(in crate::server) fn poll_readable(&self) -> bool {
        let mut context = Context::from_waker(&self.waker);
        !self.has_ended && self.stream.poll_read_ready(&mut context).is_ready()
    }

    /// Whether the kernel perhaps takes bytes; if not, the waker is told when it does.
    pub(in crate::server) fn poll_writable(&self) -> bool {
        let mut context = Context::from_waker(&self.waker);
        self.stream.poll_write_ready(&mut context).is_ready()
    }

    /// The kernel has refused bytes in this very step, so it is not known to take any: the reactor, which belongs to this
    /// thread, cannot have found out since.
    pub(in crate::server) fn forget_writable(&self) {
        let mut context = Context::from_waker(&self.waker);
        if let Poll::Ready(Ok(mut guard)) = self.stream.poll_write_ready(&mut context) {
            guard.clear_ready();
        }
    }

    /// See [`Carrier::write`](super::Carrier::write).
    pub(in crate::server) fn write(&self, outbox: &mut Outbox) -> io::Result<Taken> {
        let socket = self.stream.get_ref();
        let mut taken = Taken::default();
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
                Ok(count) => taken += outbox.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Chooses an option. As with Node, one that the stream does not have is nobody's fault: a unix-domain stream has neither.
    pub(in crate::server) fn tune(&self, tuning: Tuning) {
        let socket = self.stream.get_ref();
        let _ = match tuning {
            Tuning::NoDelay(is_on) => socket.set_tcp_nodelay(is_on),
            Tuning::KeepAlive { is_on: true, idle_s: idle_s @ 1.. } => {
                let idle = Duration::from_secs(idle_s.into());
                socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))
            }
            Tuning::KeepAlive { is_on, .. } => socket.set_keepalive(is_on),
        };
    }

    /// See [`Carrier::finish`](super::Carrier::finish).
    pub(super) fn finish(&self) {
        // It fails when the peer has reset the stream, which the reader finds out.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }
}

#[expect(unsafe_code, reason = "tokio cannot see that a socket keeps its descriptor")]
fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor, which stays open and the same until the socket is dropped with its `AsyncFd`.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Entries in one write. Linux and macOS take up to 1,024 (`IOV_MAX`); the table is on the stack.
const MAX_SLICES: usize = 256;

/// A write to a stream that the peer has closed is an error to us, and must not become a signal to the process.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: i32 = 0;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::task::Waker;

    use socket2::SockRef;

    use super::Descriptor;
    use crate::server::command::Tuning;

    #[test]
    fn options_are_those_of_the_socket() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let duplicate = stream.as_fd().try_clone_to_owned().unwrap();
        let descriptor = Descriptor::new(duplicate, Waker::noop().clone()).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap() && !socket.keepalive().unwrap());
        descriptor.tune(Tuning::NoDelay(false));
        descriptor.tune(Tuning::KeepAlive { is_on: true, idle_s: 60 });
        assert!(!socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        descriptor.tune(Tuning::KeepAlive { is_on: false, idle_s: 0 });
        assert!(!socket.keepalive().unwrap());
        descriptor.tune(Tuning::KeepAlive { is_on: true, idle_s: 0 });
        assert!(socket.keepalive().unwrap());
    }
}
