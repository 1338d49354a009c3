//! Where the bytes of a stream come from and go to: an adopted descriptor, or JavaScript.
//!
//! Polling needs no carrier: its requests and responses stay in JavaScript, and a payload is an event.

mod bridge;
#[cfg(unix)]
mod descriptor;
#[cfg(unix)]
pub mod endpoint;

use std::io;

use crate::engine::Outbox;
use crate::engine::Taken;
use crate::server::event::UnitWriter;

pub(super) use crate::server::carrier::bridge::Bridge;
#[cfg(unix)]
pub(super) use crate::server::carrier::descriptor::Descriptor;

/// One of the two. They behave alike.
pub(super) enum Carrier {
    /// A descriptor in this thread's reactor.
    #[cfg(unix)]
    Descriptor(Descriptor),
    /// Bytes that JavaScript pumps.
    Bridge(Bridge),
}

impl Carrier {
    /// Writes as much of the outbox as the stream takes now; an outbox that is not empty afterwards has to wait.
    /// Returns how many entries that asked for word are gone.
    pub(super) fn write(
        &mut self,
        conn: u32,
        outbox: &mut Outbox,
        writer: &mut UnitWriter<'_>,
    ) -> io::Result<Taken> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(descriptor) => descriptor.write(outbox),
            Self::Bridge(bridge) => Ok(bridge.write(conn, outbox, writer)),
        }
    }

    /// Whether nothing more is to be given to it for now, though it may have taken all of the outbox.
    pub(super) const fn is_busy(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Descriptor(_) => false,
            Self::Bridge(bridge) => bridge.is_busy(),
        }
    }

    /// Closes our half of the stream, once what was written before has left.
    pub(super) fn finish(&self, conn: u32, writer: &mut UnitWriter<'_>) {
        match self {
            #[cfg(unix)]
            Self::Descriptor(descriptor) => descriptor.finish(),
            Self::Bridge(_) => writer.bridge_end(conn),
        }
    }

    /// Whether what was written would survive the stream's end.
    pub(super) const fn is_drained(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Descriptor(_) => true,
            Self::Bridge(bridge) => bridge.is_drained(),
        }
    }

    /// Gives the stream up. A descriptor closes when it is dropped.
    pub(super) fn destroy(&self, conn: u32, writer: &mut UnitWriter<'_>) {
        match self {
            #[cfg(unix)]
            Self::Descriptor(_) => {}
            Self::Bridge(_) => writer.bridge_destroy(conn),
        }
    }
}
