//! What the kernel has to say about the adopted descriptors of a shard: which of them can be read, which take bytes again.
//!
//! The reactor notes whom it was about and wakes the one task of the shard, which then serves them in turn. A task for
//! each stream would take 640 bytes of every idle connection, its waker takes 48 (malloc, on 64-bit Linux).

use std::sync::Arc;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;

use crate::engine::StreamEnd;
use crate::server::carrier::Carrier;
use crate::server::carrier::Descriptor;
use crate::server::shard::Inbox;
use crate::server::shard::Shard;

/// Notes that a stream has to be served.
struct StreamWaker {
    inboxes: Arc<[Inbox]>,
    /// Whose stream it is.
    shard: u32,
    conn: u32,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(inbox) = self.inboxes.get(self.shard as usize) {
            inbox.stream_is_ready(self.conn);
        }
    }
}

impl Shard {
    /// What the reactor tells about a stream.
    pub(super) fn waker(&self, conn: u32) -> Waker {
        let inboxes = Arc::clone(&self.inboxes);
        Waker::from(Arc::new(StreamWaker { inboxes, shard: self.index, conn }))
    }

    /// Does what has become possible with a stream. The word about it may be an old one, about another stream of this
    /// number: nothing is done then.
    pub(super) fn serve(&mut self, conn: u32) {
        self.write_again(conn);
        self.read(conn);
    }

    /// Begins to read a stream, or goes on. A bridge is read by JavaScript.
    pub(super) fn start_reading(&mut self, conn: u32) {
        if let Some(descriptor) = self.descriptor_mut(conn)
            && descriptor.poll_readable()
        {
            self.serve_later(conn);
        }
    }

    /// Waits for a stream to take bytes again. A bridge is told so by JavaScript.
    pub(super) fn await_writable(&mut self, conn: u32) {
        if let Some(descriptor) = self.descriptor_mut(conn)
            && !descriptor.awaits_writable
        {
            descriptor.awaits_writable = true;
            self.serve_later(conn);
        }
    }

    fn write_again(&mut self, conn: u32) {
        let is_writable =
            |descriptor: &mut Descriptor| descriptor.awaits_writable && descriptor.poll_writable();
        if !self.descriptor_mut(conn).is_some_and(is_writable) {
            return;
        }
        let mut is_blocked = false;
        self.contain(|shard| is_blocked = shard.writable(conn));
        let Some(descriptor) = self.descriptor_mut(conn) else { return };
        descriptor.awaits_writable = is_blocked;
        if is_blocked {
            descriptor.forget_writable();
            if descriptor.poll_writable() {
                self.serve_later(conn);
            }
        }
    }

    /// Reads once, so that a peer that sends without end does not have the thread for itself.
    fn read(&mut self, conn: u32) {
        let Some(max_len) = self.read_len(conn, READ_BUFFER_BYTES) else { return };
        let mut buffer = std::mem::take(&mut self.read_buffer);
        buffer.resize(READ_BUFFER_BYTES, 0);
        let read = match self.descriptor_mut(conn) {
            Some(descriptor) => descriptor.poll_read(buffer.get_mut(..max_len).unwrap_or_default()),
            None => Poll::Pending,
        };
        match read {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => self.contain(|shard| shard.stream_ended(conn, StreamEnd::Eof)),
            Poll::Ready(Ok(count)) => {
                let bytes = buffer.get_mut(..count).unwrap_or_default();
                self.contain(|shard| shard.receive(conn, bytes));
            }
            Poll::Ready(Err(_)) => {
                self.contain(|shard| shard.stream_ended(conn, StreamEnd::Broken));
            }
        }
        self.read_buffer = buffer;
        if read.is_ready() && !self.pause_if_ahead(conn) {
            self.start_reading(conn);
        }
    }

    fn serve_later(&self, conn: u32) {
        if let Some(inbox) = self.inboxes.get(self.index as usize) {
            inbox.stream_is_ready(conn);
        }
    }

    fn descriptor_mut(&mut self, conn: u32) -> Option<&mut Descriptor> {
        match &mut self.connections.connection_mut(conn)?.carrier {
            Carrier::Descriptor(descriptor) => Some(descriptor),
            Carrier::Bridge(_) => None,
        }
    }
}

/// Read at once at the most: what a stream of Node reads.
const READ_BUFFER_BYTES: usize = 64 * 1024;
