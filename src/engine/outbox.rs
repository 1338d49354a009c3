//! What waits to be written for one session, and the one form in which it waits.
//!
//! An entry is a unit that nothing may separate: the complete WebSocket frames of a message and its attachments, or
//! one control packet. The same bytes serve every receiver of a broadcast that takes binary messages in the same form,
//! whatever its transport: a polling payload is derived from the frames. Nothing here knows a stream; whoever writes
//! asks for slices and says how far it got.
//!
//! What waits for a stream or a poll that does not take it is counted in a [`Ledger`]. How much may wait is the session's
//! business; here is only what can be dropped without harm: whole units, of which nothing has left, and never the engine's own.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::iter;
use std::ops::AddAssign;
use std::sync::Arc;

use bytes::Bytes;

use crate::codec::engine_io::BinaryForm;
use crate::codec::engine_io::PacketType;
use crate::codec::engine_io::append_binary_frame;
use crate::codec::engine_io::append_text_frame;
use crate::codec::websocket::Deflater;
use crate::codec::websocket::frame_len;
use crate::engine::ledger::Held;
use crate::engine::ledger::Ledger;

/// One piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// UTF-8, without the packet type; it is not checked.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
}

/// A unit of output.
#[derive(Clone, Debug)]
pub struct Entry {
    frames: Bytes,
    /// It may be compressed: a polling payload that holds it, or its messages on a WebSocket that has agreed to that.
    compress: bool,
    /// Who wants to know when it was taken.
    word: Word,
    /// It found the transport free, so it is a batch of its own.
    is_first: bool,
    /// Whether it may be dropped while it waits.
    loss: Loss,
    /// Other outboxes may have the same frames, which are counted elsewhere.
    is_shared: bool,
}

/// Whether an entry may be dropped while it waits, which is up to whoever sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Never: the session or the layer above would not work without it.
    #[default]
    Forbidden,
    /// Where the oldest have to make room for the newest.
    Bearable,
    /// Wherever room has to be made: it is volatile.
    Expected,
}

/// Who is told that an entry was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Nobody,
    /// The session's owner: it is a message.
    Session,
    /// The owner of the stream: it is a frame of the user's own.
    Stream,
}

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

impl Entry {
    /// A message: text, or text with attachments, for sessions that take binary messages in this form.
    pub fn message<'a>(parts: impl Iterator<Item = Part<'a>> + Clone, form: BinaryForm) -> Self {
        let len = parts.clone().map(|part| match part {
            Part::Text(text) => frame_len(text.len().saturating_add(1)),
            Part::Binary(bytes) => form.frame_len(bytes.len()),
        });
        let mut frames = Vec::with_capacity(len.sum());
        for part in parts {
            match part {
                Part::Text(text) => append_text_frame(&mut frames, PacketType::Message, text),
                Part::Binary(bytes) => append_binary_frame(&mut frames, form, bytes),
            }
        }
        Self::raw(frames.into())
    }

    /// A packet that is not a message. A polling payload that holds it may be compressed, as with Engine.IO.
    pub fn packet(packet_type: PacketType, data: &[u8]) -> Self {
        let mut frames = Vec::with_capacity(frame_len(data.len().saturating_add(1)));
        append_text_frame(&mut frames, packet_type, data);
        Self::raw(frames.into()).flagged(true, false)
    }

    /// Bytes that only a stream can carry: an HTTP response, a WebSocket control frame.
    pub const fn raw(bytes: Bytes) -> Self {
        Self {
            frames: bytes,
            compress: false,
            word: Word::Nobody,
            loss: Loss::Forbidden,
            is_shared: false,
            is_first: false,
        }
    }

    /// A frame of the user's own.
    pub const fn frame(frame: Bytes, compress: bool, notify: bool) -> Self {
        let word = if notify { Word::Stream } else { Word::Nobody };
        Self {
            frames: frame,
            compress,
            word,
            loss: Loss::Forbidden,
            is_shared: false,
            is_first: false,
        }
    }

    /// Marks what it is for: one that may be compressed, a sender that waits for word.
    #[must_use]
    pub const fn flagged(mut self, compress: bool, notify: bool) -> Self {
        self.compress = compress;
        self.word = if notify { Word::Session } else { Word::Nobody };
        self
    }

    /// Marks whether it found the transport free: then it leaves by itself, as Engine.IO writes it.
    #[must_use]
    pub(super) const fn first(mut self, is_first: bool) -> Self {
        self.is_first = is_first;
        self
    }

    /// Says whether it may be dropped while it waits.
    #[must_use]
    pub const fn with_loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// An entry for many outboxes, which count its frames together.
    #[must_use]
    pub(super) fn shared(mut self, ledger: &Arc<Ledger>) -> Self {
        self.frames = ledger.share(self.frames);
        self.is_shared = true;
        self
    }

    /// What it takes of memory that nobody else takes.
    fn own_weight(&self) -> usize {
        ENTRY_BYTES + if self.is_shared { 0 } else { self.frames.len() }
    }

    /// The WebSocket frames.
    pub const fn frames(&self) -> &Bytes {
        &self.frames
    }

    /// Whether its first frame is compressed.
    pub fn is_deflated(&self) -> bool {
        self.frames.first().is_some_and(|first| first & RSV1 != 0)
    }

    /// Its form for a WebSocket with this deflater, if it has one.
    #[must_use]
    pub fn deflated(mut self, deflater: Option<&mut Deflater>) -> Self {
        if self.compress
            && let Some(frames) = deflater.and_then(|deflater| deflater.deflate(&self.frames))
        {
            self.frames = frames;
        }
        self
    }

    /// The same entry with other frames.
    #[must_use]
    pub(super) const fn with_frames(&self, frames: Bytes) -> Self {
        Self {
            frames,
            compress: self.compress,
            word: self.word,
            loss: self.loss,
            is_shared: false,
            is_first: self.is_first,
        }
    }

    /// Whether it may be compressed.
    pub const fn compress(&self) -> bool {
        self.compress
    }

    /// Whether the session's owner wants to know when it was taken.
    pub const fn notify(&self) -> bool {
        matches!(self.word, Word::Session)
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
    pub(super) fn extend_batch(&mut self) {
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
    pub(super) fn drop_waiting(&mut self, is_blocked: bool, sent: usize) {
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
    pub(super) fn survey(
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

    /// How many bytes the stream has not taken.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

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
    pub(super) fn give_up(&mut self) {
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
        if weight > limit
            && let Some(held) = &mut self.held
        {
            // Looking through all of them again is worth it only when there are many more.
            held.futile_up_to = weight.saturating_add(weight / 8);
        }
        dropped
    }

    fn iter(&self) -> impl Iterator<Item = &Entry> {
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

/// In the first byte of a frame: it begins a compressed message (RFC 7692 section 6).
const RSV1: u8 = 0x40;

/// Room for a few packets; more is rare between two writes.
const FIRST_CAPACITY: usize = 4;

/// What an entry takes besides its frames: itself, and what an allocator adds to it and them. Without it, messages of a few bytes would take
/// ten times what a budget allows.
const ENTRY_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::Arc;

    use super::{Entry, Loss, Outbox, Part, Taken};
    use crate::codec::engine_io::{BinaryForm, PacketType};
    use crate::engine::Ledger;

    fn text(text: &str) -> Entry {
        Entry::message([Part::Text(text.as_bytes())].into_iter(), BinaryForm::Bytes)
    }

    /// What a stream would be given by one vectored write.
    fn gathered(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = outbox.fill_slices(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn a_message_and_its_attachments_are_one_entry() {
        let parts = [Part::Text(b"2[1]"), Part::Binary(&[7, 8]), Part::Binary(&[9])];
        let entry = Entry::message(parts.into_iter(), BinaryForm::Bytes);
        assert_eq!(entry.frames(), &b"\x81\x0542[1]\x82\x02\x07\x08\x82\x01\x09"[..]);
        assert_eq!(Entry::packet(PacketType::Ping, b"probe").frames(), &b"\x81\x062probe"[..]);
    }

    #[test]
    fn entries_leave_in_order() {
        let mut outbox = Outbox::default();
        for word in ["a", "b", "c"] {
            outbox.push(text(word));
        }
        assert_eq!(
            (outbox.bytes(), gathered(&outbox)),
            (12, b"\x81\x024a\x81\x024b\x81\x024c".to_vec())
        );
        let frames: Vec<_> =
            std::iter::from_fn(|| outbox.pop()).map(|entry| entry.frames()[3]).collect();
        assert_eq!(frames, b"abc");
        assert!(outbox.is_empty());
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn a_write_may_stop_anywhere() {
        let words = ["first", "", "third", "4"];
        let mut whole = Outbox::default();
        for word in words {
            whole.push(text(word));
        }
        let all = gathered(&whole);
        for stop in 0..=all.len() {
            for again in 0..=all.len() - stop {
                let mut outbox = Outbox::default();
                for word in words {
                    outbox.push(text(word));
                }
                outbox.advance(stop);
                outbox.advance(again);
                let rest = &all[stop + again..];
                assert_eq!((gathered(&outbox).as_slice(), outbox.bytes()), (rest, rest.len()));
                assert_eq!(outbox.is_empty(), rest.is_empty());
            }
        }
    }

    #[test]
    fn word_is_given_once_the_last_byte_of_an_entry_is_taken() {
        let mut outbox = Outbox::default();
        outbox.push(text("a").flagged(false, true));
        outbox.push(text("b"));
        outbox.push(Entry::frame(b"\x89\x00".as_slice().into(), false, true));
        outbox.push(text("c").flagged(false, true));
        let taken = |messages, frames| Taken { messages, frames };
        assert_eq!(outbox.advance(3), taken(0, 0));
        assert_eq!(outbox.advance(1), taken(1, 0));
        assert_eq!(outbox.advance(10), taken(1, 1));
        assert!(outbox.is_empty());
    }

    /// What waits, and how many words are to come before it.
    fn surveyed(outbox: &mut Outbox, is_blocked: bool, sent: usize) -> (u32, Vec<u8>) {
        let mut waiting = Vec::new();
        let (before, count) =
            outbox.survey(is_blocked, sent, |entry| waiting.push(entry.frames()[3]));
        assert_eq!(count as usize, waiting.len());
        (before, waiting)
    }

    #[test]
    fn behind_a_packet_that_found_the_stream_free_all_waits() {
        let mut outbox = Outbox::default();
        outbox.push(text("a").first(true));
        outbox.push(text("b"));
        outbox.push(text("c"));
        outbox.begin_batch();
        assert_eq!(surveyed(&mut outbox, true, 0), (1, b"bc".to_vec()));
        assert_eq!(outbox.advance(4), Taken { messages: 1, frames: 0 });
        assert_eq!(surveyed(&mut outbox, true, 0), (2, vec![]), "they are the next batch");
        outbox.push(text("d"));
        assert_eq!(surveyed(&mut outbox, true, 0), (2, b"d".to_vec()));
    }

    #[test]
    fn a_batch_ends_where_the_stream_was_free_again_and_grows_with_its_turn() {
        let mut outbox = Outbox::default();
        outbox.push(text("b"));
        outbox.push(text("c"));
        outbox.push(text("d").first(true));
        outbox.begin_batch();
        assert_eq!(surveyed(&mut outbox, true, 0).1, b"d");
        assert_eq!(surveyed(&mut outbox, true, 2).1, b"cd", "two were sent in this turn");

        let mut outbox = Outbox::default();
        outbox.push(text("b"));
        outbox.begin_batch();
        outbox.push(text("c"));
        outbox.extend_batch();
        assert_eq!(surveyed(&mut outbox, true, 0).1, b"");
        assert_eq!(surveyed(&mut outbox, false, 1).1, b"c");
    }

    #[test]
    fn what_waits_is_dropped_but_for_what_the_stream_has_begun_to_take() {
        let filled = || {
            let mut outbox = Outbox::default();
            for word in ["a", "b", "c"] {
                outbox.push(text(word));
            }
            outbox
        };
        for (sent, taken, left) in
            [(0, 0, "abc"), (1, 0, "ab"), (3, 0, ""), (9, 0, ""), (9, 2, "a"), (3, 5, "b")]
        {
            let mut outbox = filled();
            outbox.advance(taken);
            outbox.drop_waiting(false, sent);
            let bytes = outbox.bytes();
            assert_eq!(gathered(&outbox).len(), bytes, "{sent} {taken}");
            let frames: String = std::iter::from_fn(|| outbox.pop())
                .map(|entry| char::from(entry.frames()[3]))
                .collect();
            assert_eq!(frames, left, "{sent} {taken}");
            assert!(outbox.is_empty() && outbox.bytes() == 0);
        }
        let mut one = Outbox::default();
        one.push(text("a"));
        one.drop_waiting(false, 1);
        assert!(one.is_empty() && one.bytes() == 0);
    }

    #[test]
    fn an_outbox_appended_keeps_its_order() {
        let mut outbox = Outbox::default();
        outbox.push(text("a"));
        let mut other = Outbox::default();
        other.push(text("b"));
        other.push(text("c"));
        outbox.append(other);
        assert_eq!(gathered(&outbox), b"\x81\x024a\x81\x024b\x81\x024c");
    }

    fn bearable(text: &str) -> Entry {
        self::text(text).with_loss(Loss::Bearable)
    }

    fn filled(entries: impl IntoIterator<Item = Entry>) -> (Outbox, Arc<Ledger>) {
        let (mut outbox, ledger) = (Outbox::default(), Arc::default());
        entries.into_iter().for_each(|entry| outbox.push(entry));
        outbox.hold(&ledger, 0);
        (outbox, ledger)
    }

    #[test]
    fn the_oldest_are_dropped_whole_and_the_account_follows() {
        let (mut outbox, ledger) = filled(["a", "b", "c", "d"].map(bearable));
        assert_eq!((outbox.weight(), ledger.bytes()), (4 * 68, 4 * 68));
        assert_eq!(outbox.drop_oldest(2 * 68, |loss| loss == Loss::Bearable), Taken::default());
        assert_eq!(gathered(&outbox), b"\x81\x024c\x81\x024d");
        assert_eq!((outbox.bytes(), ledger.bytes()), (8, 2 * 68));
        outbox.drop_oldest(0, |_| true);
        assert_eq!(gathered(&outbox), b"\x81\x024d", "the newest stays");
        outbox.pop();
        assert_eq!((ledger.bytes(), outbox.drained_at()), (0, None));
    }

    #[test]
    fn an_entry_of_which_something_has_left_is_not_dropped_at_any_cut() {
        let words = ["first", "second", "third"];
        let (whole, _) = filled(words.map(bearable));
        let all = gathered(&whole);
        let lengths = words.map(|word| word.len() + 3);
        for cut in 0..all.len() {
            let (mut outbox, _ledger) = filled(words.map(bearable));
            outbox.advance(cut);
            outbox.drop_oldest(0, |_| true);
            // What the peer gets is whole frames, whatever was dropped.
            let got = [&all[..cut], &gathered(&outbox)].concat();
            let begun = if cut == 0 || cut == lengths[0] || cut == lengths[0] + lengths[1] {
                cut
            } else if cut < lengths[0] {
                lengths[0]
            } else if cut < lengths[0] + lengths[1] {
                lengths[0] + lengths[1]
            } else {
                all.len()
            };
            let newest = &all[(lengths[0] + lengths[1]).max(begun)..];
            assert_eq!(got, [&all[..begun], newest].concat(), "{cut}");
            assert_eq!(outbox.bytes(), gathered(&outbox).len());
        }
    }

    #[test]
    fn an_empty_outbox_is_not_held_and_whoever_lets_go_of_one_ends_its_account() {
        let (outbox, ledger) = filled([]);
        assert_eq!((outbox.drained_at(), ledger.bytes()), (None, 0));
        let (outbox, ledger) = filled(["a", "b"].map(bearable));
        let mut moved = Outbox::default();
        moved.append(outbox);
        assert_eq!((ledger.bytes(), moved.drained_at()), (0, None));
        let (mut outbox, ledger) = filled(["a", "b"].map(bearable));
        outbox.give_up();
        assert_eq!((ledger.bytes(), ledger.ended()), (0, 1));
        assert!(outbox.is_empty());
    }
}
