//! What waits to be written for one session, and the one form in which it waits.
//!
//! An entry is a unit that nothing may separate: the complete WebSocket frames of a message and its attachments, or
//! one control packet. The same bytes serve every receiver of a broadcast that takes binary messages in the same form,
//! whatever its transport: a polling payload is derived from the frames. Nothing here knows a stream; whoever writes
//! asks for slices and says how far it got.
//!
//! What waits for a stream or a poll that does not take it is counted in a [`Ledger`]. How much may wait is the session's
//! business; here is only what can be dropped without harm: whole units, of which nothing has left, and never the engine's own.

mod account;
mod entry;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::iter;
use std::ops::AddAssign;

use crate::codec::engine_io::BinaryForm;
use crate::engine::ledger::Held;

pub use crate::engine::outbox::entry::Entry;
pub use crate::engine::outbox::entry::Loss;
pub use crate::engine::outbox::entry::Part;
use crate::engine::outbox::entry::Word;

/// How many entries that asked for word a stream has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Messages of the session.
    pub messages: u32,
    /// Frames of the user's own.
    pub frames: u32,
}

impl Taken {
    const fn count(&mut self, word: Word) {
        match word {
            Word::Session => self.messages += 1,
            Word::Stream => self.frames += 1,
            Word::Nobody => {}
        }
    }
}

impl AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.frames += other.frames;
    }
}
/// The entries that wait, in order. Holds no heap while there is none, nor for a single one.
///
/// It has no bound of its own, as the `writeBuffer` of Engine.IO has none: `emit` never fails in JavaScript. The session sees to it
/// that it does not grow for ever.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: Entries,
    /// How much of the first entry the stream has taken.
    taken: usize,
    /// Bytes of all entries that the stream has not taken.
    bytes: usize,
    /// How many entries Engine.IO would have given to a stream that takes no more for now: one batch. The others wait
    /// behind it. It is counted only while the stream is blocked.
    batch: usize,
    /// Its account, while somebody has found that it has to wait.
    held: Option<Box<Held>>,
}

#[derive(Debug, Default)]
enum Entries {
    #[default]
    None,
    One(Entry),
    Many(VecDeque<Entry>),
}

impl Outbox {
    /// Appends one entry.
    pub fn push(&mut self, entry: Entry) {
        self.bytes = self.bytes.saturating_add(entry.frames.len());
        if let Some(held) = &mut self.held {
            held.add(entry.own_weight());
        }
        match &mut self.entries {
            Entries::Many(entries) => entries.push_back(entry),
            Entries::None => self.entries = Entries::One(entry),
            Entries::One(_) => {
                if let Entries::One(first) = std::mem::take(&mut self.entries) {
                    let mut entries = VecDeque::with_capacity(FIRST_CAPACITY);
                    entries.push_back(first);
                    entries.push_back(entry);
                    self.entries = Entries::Many(entries);
                }
            }
        }
    }

    /// Appends what waits in `other`, of which nothing may have been taken yet.
    pub fn append(&mut self, mut other: Self) {
        while let Some(entry) = other.pop() {
            self.push(entry);
        }
    }

    /// The same, with binary messages in this form.
    pub fn append_reformed(&mut self, mut other: Self, form: BinaryForm) {
        while let Some(entry) = other.pop() {
            self.push(entry.reformed(form));
        }
    }

    /// Takes the first entry out, whole.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = match &mut self.entries {
            Entries::None => None,
            Entries::Many(entries) if entries.len() > 1 => entries.pop_front(),
            Entries::Many(entries) => {
                let last = entries.pop_front();
                self.entries = Entries::None;
                last
            }
            Entries::One(_) => match std::mem::take(&mut self.entries) {
                Entries::One(entry) => Some(entry),
                Entries::None | Entries::Many(_) => None,
            },
        }?;
        self.bytes = self.bytes.saturating_sub(entry.frames.len().saturating_sub(self.taken));
        self.taken = 0;
        if self.batch > 0 {
            self.batch -= 1;
            if self.batch == 0 {
                self.batch = self.len(); // what waited leaves as the next one
            }
        }
        if let Some(held) = &mut self.held {
            held.subtract(entry.own_weight());
            held.drained();
            held.futile_up_to = held.futile_up_to.saturating_sub(entry.weight());
            if self.is_empty() {
                self.held = None;
            }
        }
        Some(entry)
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        matches!(self.entries, Entries::None)
    }

    /// How many entries wait.
    pub fn len(&self) -> usize {
        match &self.entries {
            Entries::None => 0,
            Entries::One(_) => 1,
            Entries::Many(entries) => entries.len(),
        }
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let (one, many) = match &mut self.entries {
            Entries::None => (None, None),
            Entries::One(entry) => (Some(entry), None),
            Entries::Many(entries) => (None, Some(entries)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// How many bytes the stream has not taken.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let (one, many) = match &self.entries {
            Entries::None => (None, None),
            Entries::One(entry) => (Some(entry), None),
            Entries::Many(entries) => (None, Some(entries)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// What the stream has to take first.
    pub fn first_slice(&self) -> &[u8] {
        let first = match &self.entries {
            Entries::None => return &[],
            Entries::One(entry) => Some(entry),
            Entries::Many(entries) => entries.front(),
        };
        first.and_then(|entry| entry.frames.get(self.taken..)).unwrap_or_default()
    }

    /// Whether a write can take more than [`first_slice`](Self::first_slice).
    pub const fn is_many(&self) -> bool {
        matches!(self.entries, Entries::Many(_))
    }

    /// Fills `slices` with what the stream has to take next and says how many were filled.
    pub fn fill_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let later = match &self.entries {
            Entries::Many(entries) => Some(entries.iter().skip(1)),
            Entries::None | Entries::One(_) => None,
        };
        let later = later.into_iter().flatten().map(|entry| &*entry.frames);
        let waiting = iter::once(self.first_slice()).chain(later);
        slices.iter_mut().zip(waiting).map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count()
    }

    /// The stream has taken `count` bytes. Returns how many of the entries that are thereby gone had asked for word.
    pub fn advance(&mut self, mut count: usize) -> Taken {
        let mut taken = Taken::default();
        loop {
            let rest = self.first_slice().len();
            if self.is_empty() || count < rest {
                self.taken = self.taken.saturating_add(count);
                self.bytes = self.bytes.saturating_sub(count);
                if count > 0
                    && let Some(held) = &mut self.held
                {
                    held.drained();
                }
                return taken;
            }
            count -= rest;
            if let Some(entry) = self.pop() {
                taken.count(entry.word);
            }
        }
    }
}

/// Room for a few packets; more is rare between two writes.
const FIRST_CAPACITY: usize = 4;
