//! The deadlines of one shard: at most one that counts for each session and each stream.
//!
//! A deadline that moves into the future is not touched in the heap; it is looked at again when it would have been
//! due. So a message costs a comparison, whatever it does to the heartbeat. Times are milliseconds on the shard's clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Who is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The session of this slot.
    Session(u32),
    /// The stream of this conn.
    Stream(u32),
}

/// The deadlines, soonest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Also holds what was disarmed or armed anew since; [`Self::armed_mut`] tells.
    heap: BinaryHeap<Reverse<(u64, Timer)>>,
    /// By slot: the deadline that counts, or [`DISARMED`].
    sessions: Vec<u64>,
    /// By conn: likewise.
    streams: Vec<u64>,
    /// How many are armed.
    armed_count: usize,
}

impl Timers {
    /// Sees to it that `timer` is due at `deadline` at the latest.
    pub(super) fn arm(&mut self, timer: Timer, deadline: u64) {
        let armed = self.armed_mut(timer);
        if deadline < *armed {
            let is_new = *armed == DISARMED;
            *armed = deadline;
            self.armed_count += usize::from(is_new);
            self.heap.push(Reverse((deadline, timer)));
            self.drop_stale();
        }
    }

    /// Forgets the deadline of `timer`.
    pub(super) fn disarm(&mut self, timer: Timer) {
        let armed = self.armed_mut(timer);
        if *armed != DISARMED {
            *armed = DISARMED;
            self.armed_count -= 1;
        }
    }

    /// Takes out one of those whose deadline has come. It is disarmed.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Timer> {
        while let Some(&Reverse((deadline, timer))) = self.heap.peek() {
            if deadline > now {
                return None;
            }
            self.heap.pop();
            if *self.armed_mut(timer) == deadline {
                self.disarm(timer);
                return Some(timer);
            }
        }
        None
    }

    /// When to call [`pop_due`](Self::pop_due) next.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.heap.peek().map(|&Reverse((deadline, _))| deadline)
    }

    fn armed_mut(&mut self, timer: Timer) -> &mut u64 {
        let (table, index) = match timer {
            Timer::Session(slot) => (&mut self.sessions, slot as usize),
            Timer::Stream(conn) => (&mut self.streams, conn as usize),
        };
        if table.len() <= index {
            table.resize(index + 1, DISARMED);
        }
        &mut table[index]
    }

    /// Keeps the heap from growing with sessions that come and go long before their deadlines.
    fn drop_stale(&mut self) {
        if self.heap.len() > MIN_STALE.saturating_add(self.armed_count.saturating_mul(2)) {
            let (sessions, streams) = (&self.sessions, &self.streams);
            self.heap.retain(|&Reverse((deadline, timer))| {
                let armed = match timer {
                    Timer::Session(slot) => sessions.get(slot as usize),
                    Timer::Stream(conn) => streams.get(conn as usize),
                };
                armed == Some(&deadline)
            });
        }
    }
}

/// No deadline.
const DISARMED: u64 = u64::MAX;

/// A heap of this size is left alone.
const MIN_STALE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::{MIN_STALE, Timer, Timers};

    #[test]
    fn the_soonest_deadline_of_each_counts() {
        let mut timers = Timers::default();
        timers.arm(Timer::Session(1), 100);
        timers.arm(Timer::Stream(1), 90);
        timers.arm(Timer::Session(1), 120);
        timers.arm(Timer::Session(1), 80);
        assert_eq!(timers.next_deadline(), Some(80));
        assert_eq!(timers.pop_due(79), None);
        assert_eq!(timers.pop_due(200), Some(Timer::Session(1)));
        assert_eq!(timers.pop_due(200), Some(Timer::Stream(1)));
        assert_eq!(timers.pop_due(200), None);
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn what_is_disarmed_is_never_due_and_may_be_armed_again() {
        let mut timers = Timers::default();
        timers.arm(Timer::Session(0), 10);
        timers.disarm(Timer::Session(0));
        timers.arm(Timer::Session(0), 20);
        assert_eq!(timers.pop_due(15), None);
        assert_eq!(timers.pop_due(20), Some(Timer::Session(0)));
        assert_eq!(timers.pop_due(u64::MAX - 1), None);
    }

    #[test]
    fn sessions_that_come_and_go_leave_nothing_behind() {
        let mut timers = Timers::default();
        timers.arm(Timer::Session(5), 7);
        for deadline in 0..100_000 {
            timers.arm(Timer::Session(1), 1_000_000 + deadline);
            timers.disarm(Timer::Session(1));
        }
        assert!(timers.heap.len() <= MIN_STALE + 4);
        assert_eq!(timers.pop_due(7), Some(Timer::Session(5)));
    }
}
