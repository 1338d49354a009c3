//! What `writeBuffer` of Engine.IO would hold of an outbox: what waits behind the batch that a stream has begun to take, or for
//! the end of the turn.

use crate::engine::outbox::Entries;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Outbox;
use crate::engine::outbox::entry::Word;

impl Outbox {
    /// The stream takes no more for now: from here on it is known what waits behind the batch that it has begun.
    pub fn begin_batch(&mut self) {
        if self.batch == 0 {
            let starts = self.iter_mut().skip(1).position(|entry| entry.is_first);
            let is_alone = self.iter_mut().next().is_some_and(|entry| entry.is_first);
            let len = self.len();
            self.batch = if is_alone { 1 } else { starts.map_or(len, |start| start + 1) };
        }
    }

    /// The last entry was sent in the turn of the one before it, so they are of one batch if that one has begun.
    pub(in crate::engine) fn extend_batch(&mut self) {
        if self.batch + 1 == self.len() {
            self.batch += 1;
        }
    }

    /// How many entries wait: those behind the batch of a stream that is blocked, and the last `sent` ones in any case.
    fn waiting(&self, is_blocked: bool, sent: usize) -> usize {
        let behind = if is_blocked { self.len().saturating_sub(self.batch) } else { 0 };
        behind.max(sent).min(self.len())
    }

    /// Drops what waits; see [`waiting`](Self::waiting). An entry that the stream has begun to take stays.
    pub(in crate::engine) fn drop_waiting(&mut self, is_blocked: bool, sent: usize) {
        let begun = usize::from(self.taken > 0);
        let kept = (self.len() - self.waiting(is_blocked, sent)).max(begun);
        if kept == 0 {
            *self = Self::default();
            return;
        }
        let Entries::Many(entries) = &mut self.entries else { return };
        for entry in entries.drain(kept.min(entries.len())..) {
            self.bytes = self.bytes.saturating_sub(entry.frames.len());
            if let Some(held) = &mut self.held {
                held.subtract(entry.own_weight());
            }
        }
    }

    /// Has word given of all that waits, and of the end of the batch before it; `each` is shown what waits. Returns how
    /// many entries of the batch word will be given of, and how many wait.
    pub(in crate::engine) fn survey(
        &mut self,
        is_blocked: bool,
        sent: usize,
        mut each: impl FnMut(&Entry),
    ) -> (u32, u32) {
        let taken = self.len() - self.waiting(is_blocked, sent);
        let mut words = 0;
        let mut waiting = 0;
        for (index, entry) in self.iter_mut().enumerate() {
            if index < taken {
                if index + 1 == taken && entry.word == Word::Nobody {
                    entry.word = Word::Session;
                }
                words += u32::from(entry.word == Word::Session);
            } else if entry.word != Word::Stream {
                entry.word = Word::Session;
                waiting += 1;
                each(entry);
            }
        }
        (words, waiting)
    }
}
