//! When a transport of Engine.IO would be free again after a packet was given to it, and what waits behind it till then.
//!
//! A stream of Engine.IO is busy from a packet until the end of the tick. What is sent meanwhile waits in `writeBuffer`,
//! leaves as one batch when the tick ends, and keeps the stream busy for one tick more. Here a kernel has most of it long
//! before, but what a volatile packet finds, and what `close(true)` drops, are to be the same. `lib/engine/session-base.ts`
//! counts alike.
//!
//! JavaScript numbers its turns so that the count of a session is one number: a turn that follows at the end of the one
//! before, without a moment between them, has the next number, any other one leaves a number out.
//!
//! ```text
//!            sent in turn t                   sent in turn t
//!     free ──────────────────▶ free at t + 1 ───────────────▶ free at t + 2 ◀─┐ sent in turn t
//!      ▲                                                         │    └───────┘
//!      └────────────────── the turn has come ────────────────────┘
//! ```

/// The pace of one session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The turn in which the transport is free again.
    free_at: u32,
    /// How many units wait for the end of the turn in which the last one was sent, if it is not over.
    waiting: u32,
}

impl Pace {
    /// Whether the transport is busy in this turn.
    pub(super) const fn is_busy(self, turn: u32) -> bool {
        matches!(self.free_at.wrapping_sub(turn), 1 | 2)
    }

    /// How many of the units that were sent in this turn wait for its end.
    pub(super) const fn waiting(self, turn: u32) -> u32 {
        if self.free_at.wrapping_sub(turn) == 2 { self.waiting } else { 0 }
    }

    /// A unit of so many packets is sent. Returns whether the transport was free, so that it leaves at once.
    pub(super) const fn send(&mut self, turn: u32, packets: usize) -> bool {
        let is_free = !self.is_busy(turn);
        self.waiting = if is_free { 0 } else { self.waiting(turn).saturating_add(1) };
        // Attachments wait behind their packet, though nothing here separates them.
        let turns = if is_free && packets < 2 { 1 } else { 2 };
        self.free_at = turn.wrapping_add(turns);
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn one_packet_keeps_a_transport_busy_for_its_turn() {
        let mut pace = Pace::default();
        assert!(!pace.is_busy(1));
        assert!(pace.send(1, 1));
        assert!(pace.is_busy(1));
        assert_eq!(pace.waiting(1), 0);
        assert!(!pace.is_busy(2));
        assert!(!pace.is_busy(3));
    }

    #[test]
    fn what_waited_for_the_end_of_a_turn_takes_the_one_that_follows_at_once() {
        let mut pace = Pace::default();
        assert!(pace.send(1, 1));
        assert!(!pace.send(1, 1));
        assert!(!pace.send(1, 1));
        assert_eq!(pace.waiting(1), 2);
        assert!(pace.is_busy(2));
        assert_eq!(pace.waiting(2), 0, "they are on their way");
        assert!(!pace.send(2, 1));
        assert_eq!(pace.waiting(2), 1);
        assert!(pace.is_busy(3));
        assert!(!pace.is_busy(4));
    }

    #[test]
    fn what_waited_is_gone_by_a_later_turn() {
        let mut pace = Pace::default();
        pace.send(1, 1);
        pace.send(1, 1);
        assert!(!pace.is_busy(3), "a number was left out");
        assert!(pace.send(3, 1));
    }

    #[test]
    fn attachments_wait_behind_their_packet() {
        let mut pace = Pace::default();
        assert!(pace.send(7, 3));
        assert_eq!(pace.waiting(7), 0, "they are one unit");
        assert!(pace.is_busy(8));
        assert!(!pace.is_busy(9));
    }
}
