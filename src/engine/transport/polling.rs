//! The polling transport: at most one GET waits, and takes everything that there is in one payload.
//!
//! The requests themselves are JavaScript's, and so are their rules (two at a time, one that is aborted); here a
//! request is the number to answer.

use crate::codec::engine_io::append_frames;
use crate::engine::Events;
use crate::engine::outbox::Outbox;

/// The transport state of a session on polling.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// What waits for the next GET.
    pub(crate) outbox: Outbox,
    /// The GET that waits.
    request: Option<u32>,
}

impl Polling {
    /// Whether a GET waits.
    pub(crate) const fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// A GET waits from now on.
    pub(crate) const fn park(&mut self, request: u32) {
        self.request = Some(request);
    }

    /// Answers the GET that waits with all of the outbox, if there is both.
    pub(crate) fn flush(&mut self, slot: u32, events: &mut impl Events) {
        if self.outbox.is_empty() {
            return;
        }
        let Some(request) = self.request.take() else { return };
        let mut payload = Vec::with_capacity(self.outbox.bytes());
        let mut compress = false;
        let mut notified = 0;
        while let Some(entry) = self.outbox.pop() {
            append_frames(&mut payload, entry.frames());
            compress |= entry.compress();
            notified += u32::from(entry.notify());
        }
        events.respond(slot, request, &payload, compress);
        if notified > 0 {
            events.sent(slot, notified);
        }
    }

    /// Answers the GET that waits with this payload alone. Returns whether there was one.
    pub(crate) fn answer(&mut self, slot: u32, payload: &str, events: &mut impl Events) -> bool {
        let request = self.request.take();
        if let Some(request) = request {
            events.respond(slot, request, payload.as_bytes(), false);
        }
        request.is_some()
    }
}
