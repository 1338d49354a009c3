//! What carries a session: polling, or a stream.

mod frame;
mod framing;
mod polling;
mod websocket;

pub use frame::{Frame, Watch};
pub use framing::Framing;
pub(crate) use polling::{Polling, answer};
pub(crate) use websocket::{CLOSE_TIMEOUT_MS, empty_close_frame};
pub use websocket::{Received, WebSocket};

use crate::codec::websocket::Deflater;
use crate::engine::outbox::Outbox;

/// The transport of a session at this moment.
#[derive(Debug)]
pub(crate) enum Transport {
    /// GETs that wait, POSTs that are decoded in JavaScript.
    Polling(Polling),
    /// One WebSocket, or another stream that behaves like one.
    WebSocket(WebSocket),
}

impl Transport {
    /// What waits to be written.
    pub(crate) const fn outbox(&self) -> &Outbox {
        match self {
            Self::Polling(polling) => &polling.outbox,
            Self::WebSocket(websocket) => &websocket.outbox,
        }
    }

    /// The same, to be changed.
    pub(crate) const fn outbox_mut(&mut self) -> &mut Outbox {
        match self {
            Self::Polling(polling) => &mut polling.outbox,
            Self::WebSocket(websocket) => &mut websocket.outbox,
        }
    }

    /// What compresses the messages that go into its outbox, if that was negotiated.
    pub(crate) fn deflater_mut(&mut self) -> Option<&mut Deflater> {
        match self {
            Self::Polling(_) => None,
            Self::WebSocket(websocket) => websocket.deflater_mut(),
        }
    }

    /// Whether nothing leaves for now: a stream that takes no more, or no GET that waits.
    pub(crate) const fn is_held_up(&self) -> bool {
        match self {
            Self::Polling(polling) => !polling.has_request(),
            Self::WebSocket(websocket) => websocket.is_blocked,
        }
    }

    /// Whether a packet would leave now. This, and not more, is what a volatile packet asks.
    pub(crate) const fn is_writable(&self) -> bool {
        match self {
            Self::Polling(polling) => polling.has_request() && polling.outbox.is_empty(),
            Self::WebSocket(websocket) => !websocket.is_blocked,
        }
    }
}
