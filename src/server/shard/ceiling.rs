//! The ceiling over all outboxes of the process, and over what waits for JavaScript: past it the sessions are ended that hold the most and
//! take nothing.
//!
//! No handshake is refused for it. A session that opens holds nothing, and what is over the ceiling is gone at once.

use std::cmp::Reverse;

use crate::server::shard::Shard;

impl Shard {
    /// Makes room if there is too little. Each shard looks to its own sessions; the others are woken when that was not enough.
    pub(super) fn keep_to_ceiling(&mut self) {
        let ceiling = self.gauges.outboxes.ceiling();
        if self.native_bytes() <= ceiling || self.now < self.next_review {
            return;
        }
        let goal = ceiling - ceiling / HEADROOM;
        self.make_room(goal);
        if self.native_bytes() > goal {
            // What is left is not ours, or nobody's fault: looking through all sessions again has to be worth it.
            self.next_review = self.now.saturating_add(REVIEW_MS);
            for (index, inbox) in self.inboxes.iter().enumerate() {
                if index != self.index as usize {
                    inbox.call();
                }
            }
        }
    }

    /// All that waits: in the outboxes of the process, and for JavaScript, as far as this shard knows its links.
    fn native_bytes(&self) -> usize {
        let links = self.links.iter().flatten();
        let undrained = links.map(|state| state.link.events().undrained_bytes());
        undrained.fold(self.gauges.outboxes.bytes(), usize::saturating_add)
    }

    fn make_room(&mut self, goal: usize) {
        // Their sessions are over already.
        for conn in self.connections.blocked_alone() {
            self.remove_stream(conn);
        }
        let now = self.now;
        let mut holders: Vec<_> = self
            .registry
            .iter_mut()
            .filter_map(|session| {
                let (bytes, drained_at) = session.backlog()?;
                Some((now.saturating_sub(drained_at) < DRAINING_MS, Reverse(bytes), session.slot()))
            })
            .collect();
        holders.sort_unstable();
        for (_, Reverse(bytes), slot) in holders {
            if self.native_bytes() <= goal {
                return;
            }
            self.contain(|shard| {
                shard.step(slot, |session, now, events| {
                    let why = format!(
                        "outboxes over the ceiling of the process: {bytes} bytes wait here"
                    );
                    session.end_unread(why, now, events);
                });
            });
        }
    }
}

/// So much of the ceiling is made free, so that it is not reached again at once.
const HEADROOM: usize = 16;

/// A client that took something in this time is not ended before those that did not.
const DRAINING_MS: u64 = 1_000;

/// How long it takes until it is tried again when there was no room to be made.
const REVIEW_MS: u64 = 1_000;
