//! The forms of one entry that goes to many sessions: plain, and compressed once for each way to compress.
//!
//! A form is made when the first session needs it. All of them are made without a context, so that any session whose
//! compression is equal can take them; one with context takeover notes what it took.

use crate::codec::websocket::Compression;
use crate::codec::websocket::Deflater;
use crate::codec::websocket::deflate_frames;
use crate::engine::outbox::Entry;

/// One entry in all the forms that were needed so far.
#[derive(Debug)]
pub struct Variants {
    plain: Entry,
    /// `None` where it has no message that is long enough.
    deflated: Vec<(Compression, Option<Entry>)>,
}

impl Variants {
    /// Only the plain form, for now.
    pub const fn new(plain: Entry) -> Self {
        Self { plain, deflated: Vec::new() }
    }

    /// The form for a session with this deflater, if it has one.
    pub fn entry(&mut self, deflater: Option<&mut Deflater>) -> Entry {
        let Some(deflater) = deflater.filter(|_| self.plain.compress()) else {
            return self.plain.clone();
        };
        let compression = deflater.compression();
        let Some(entry) = self.deflated(compression) else { return self.plain.clone() };
        deflater.shared_was_sent(self.plain.frames());
        entry
    }

    fn deflated(&mut self, compression: Compression) -> Option<Entry> {
        if let Some((_, entry)) = self.deflated.iter().find(|(of, _)| *of == compression) {
            return entry.clone();
        }
        let frames = deflate_frames(self.plain.frames(), compression);
        let entry = frames.map(|frames| self.plain.with_frames(frames));
        self.deflated.push((compression, entry.clone()));
        entry
    }
}
