//! The budget of a session's outbox: how much may wait for a client that takes too little, and what becomes of what is more.
//!
//! A message is never refused when it is sent, for `emit` never fails. It is when the stream, or the next GET, has been seen not to take it
//! that the policy acts. `drained` is whatever the stream takes, be it one byte, or a GET.

use std::sync::Arc;

use crate::config::OutboxBudget;
use crate::config::OutboxPolicy;
use crate::engine::CloseReason;
use crate::engine::Events;
use crate::engine::Ledger;
use crate::engine::Session;
use crate::engine::outbox::Loss;
use crate::engine::session::End;
use crate::engine::session::State;
use crate::engine::transport::Transport;

impl Session {
    /// Replaces the budget that it was opened with.
    pub const fn set_outbox_budget(&mut self, budget: OutboxBudget) {
        self.config.outbox = budget;
    }

    /// Looks at what has to wait: from the first time on, and until all of it has left, it is counted.
    pub fn hold(&mut self, ledger: &Arc<Ledger>, now: u64) {
        if self.transport.is_held_up() {
            self.transport.outbox_mut().hold(ledger, now);
        }
    }

    /// Whether something has to wait that [`hold`](Self::hold) should look at.
    pub const fn is_held_up(&self) -> bool {
        self.transport.is_held_up() && !self.transport.outbox().is_empty()
    }

    /// How many bytes have to wait, to be told to whoever looks at them.
    pub const fn pending(&mut self) -> usize {
        let bytes = if self.is_held_up() { self.transport.outbox().bytes() } else { 0 };
        self.has_pending |= bytes > 0;
        bytes
    }

    /// The same, if some have to wait, or had to the last time. When none do any more, whoever sends on a stream gets word.
    pub fn pending_change(&mut self, events: &mut impl Events) -> Option<usize> {
        let had_pending = std::mem::take(&mut self.has_pending);
        let bytes = self.pending();
        if bytes == 0 && had_pending && matches!(self.transport, Transport::WebSocket(_)) {
            events.sent(self.slot, 0);
        }
        (bytes > 0 || had_pending).then_some(bytes)
    }

    /// Does what the policy says, if more has to wait than may. Called when the transport was seen to take no more.
    pub fn keep_to_budget(&mut self, now: u64, events: &mut impl Events) {
        let limit = self.config.outbox.limit();
        let outbox = self.transport.outbox_mut();
        if outbox.weight() <= limit || !self.is_held_up() || self.state != State::Open {
            return;
        }
        let outbox = self.transport.outbox_mut();
        let dropped = match self.config.outbox.policy {
            OutboxPolicy::Stalled => return,
            OutboxPolicy::Disconnect => {
                let weight = outbox.weight();
                let why = format!("outbox over its budget: {weight} bytes wait, and {limit} may");
                return self.end_unread(why, now, events);
            }
            OutboxPolicy::DropVolatile => outbox.drop_oldest(limit, |loss| loss == Loss::Expected),
            OutboxPolicy::DropOldest => outbox.drop_oldest(limit, |loss| loss != Loss::Forbidden),
        };
        if dropped.messages > 0 {
            events.sent(self.slot, dropped.messages);
        }
    }

    /// When the session is to be ended, unless the client takes something before.
    pub(super) fn stall_deadline(&self) -> Option<u64> {
        let outbox = self.transport.outbox();
        if outbox.weight() <= self.config.outbox.limit() || self.state != State::Open {
            return None;
        }
        Some(outbox.drained_at()?.saturating_add(self.config.ping_timeout_ms.into()))
    }

    /// Whether more waits than may, and the client has taken nothing for `pingTimeout`.
    pub fn is_stalled(&self, now: u64) -> bool {
        self.stall_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The stream may take something, though nobody has said so: a kernel speaks up only when there is much room.
    pub fn try_stream(&mut self) {
        if let Transport::WebSocket(websocket) = &mut self.transport {
            websocket.is_blocked = false;
        }
    }

    pub(super) fn end_stalled(&mut self, now: u64, events: &mut impl Events) {
        let why = format!(
            "outbox over its budget: {} bytes wait, and the client has taken none for {} ms",
            self.transport.outbox().weight(),
            self.config.ping_timeout_ms
        );
        self.end_unread(why, now, events);
    }

    /// What waits, and since when nothing of it was taken; `None` if nothing has to wait.
    pub fn backlog(&self) -> Option<(usize, u64)> {
        let outbox = self.transport.outbox();
        Some((outbox.weight(), outbox.drained_at()?))
    }

    /// Ends the session for what waits in it, and drops that: its peer would not read a closing handshake either.
    pub fn end_unread(&mut self, why: String, now: u64, events: &mut impl Events) {
        self.transport.outbox_mut().give_up();
        if let Transport::WebSocket(websocket) = &mut self.transport {
            websocket.abandon();
        }
        self.end(&End::new(CloseReason::TransportError, why), now, events);
    }
}

/// Whether the budget has to be looked at when an outbox that waits has grown so: it is exceeded now, or has been for a while.
pub(super) const fn is_noteworthy(before: usize, after: usize, limit: usize) -> bool {
    after > limit && (before <= limit || before / REVIEW_BYTES != after / REVIEW_BYTES)
}

/// How much more may wait before a budget that is exceeded is looked at again.
const REVIEW_BYTES: usize = 64 * 1024;
