//! The account of an outbox that has to wait, and what is dropped when it is too much.

use std::sync::Arc;

use crate::engine::ledger::Held;
use crate::engine::ledger::Ledger;
use crate::engine::outbox::Entries;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Loss;
use crate::engine::outbox::Outbox;
use crate::engine::outbox::Taken;
use crate::engine::outbox::entry::ENTRY_BYTES;

impl Outbox {
    /// What it takes of memory, as if nothing in it were shared: its bytes, and what each entry takes besides them.
    pub fn weight(&self) -> usize {
        self.bytes.saturating_add(self.len().saturating_mul(ENTRY_BYTES))
    }

    /// It has to wait: from now on, and until it is empty, it is counted.
    pub fn hold(&mut self, ledger: &Arc<Ledger>, now: u64) {
        if let Some(held) = &mut self.held {
            held.wait(now);
        } else if !self.is_empty() {
            let bytes = self.iter().map(Entry::own_weight).sum();
            self.held = Some(Box::new(Held::new(ledger, bytes, now)));
        }
    }

    /// When something was taken last, or the waiting began; `None` if it does not wait.
    pub fn drained_at(&self) -> Option<u64> {
        Some(self.held.as_ref()?.drained_at())
    }

    /// Until then nobody could have taken anything.
    pub fn excuse(&mut self, until: u64) {
        if let Some(held) = &mut self.held {
            held.excuse(until);
        }
    }

    /// Drops everything: the session is ended because this is too much.
    pub(in crate::engine) fn give_up(&mut self) {
        if let Some(held) = &self.held {
            held.count_ended();
        }
        *self = Self::default();
    }

    /// Drops entries, the oldest first, until it weighs no more than `limit`: those whose loss is `bearable`, and of which nothing has
    /// left; the newest stays. Returns how many of them had asked for word.
    pub fn drop_oldest(&mut self, limit: usize, bearable: impl Fn(Loss) -> bool) -> Taken {
        let mut dropped = Taken::default();
        let weight = self.weight();
        let is_futile = self.held.as_ref().is_some_and(|held| weight <= held.futile_up_to);
        let mut index = usize::from(self.taken > 0);
        if weight <= limit || is_futile {
            return dropped;
        }
        while self.weight() > limit {
            let Entries::Many(entries) = &mut self.entries else { break };
            let newest = entries.len() - 1;
            let Some(entry) = entries.get(index).filter(|_| index < newest) else { break };
            if !bearable(entry.loss) {
                index += 1;
                continue;
            }
            let Some(entry) = entries.remove(index) else { break };
            self.bytes = self.bytes.saturating_sub(entry.frames.len());
            if index < self.batch {
                self.batch -= 1;
            }
            if let Some(held) = &mut self.held {
                held.subtract(entry.own_weight());
            }
            dropped.count(entry.word);
        }
        let weight = self.weight();
        // The newest may go as soon as it is that no more.
        let newest = self.iter().next_back().filter(|entry| bearable(entry.loss));
        let kept = weight.saturating_sub(newest.map_or(0, Entry::weight));
        if let Some(held) = &mut self.held {
            // Looking through all of them again is worth it only when there are many more.
            held.futile_up_to = if weight > limit { kept.saturating_add(kept / 8) } else { 0 };
        }
        dropped
    }
}
