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

#[cfg(test)]
mod tests {
    use super::Variants;
    use crate::codec::websocket::Compression;
    use crate::codec::websocket::DeflateParameters;
    use crate::codec::websocket::Deflater;
    use crate::engine::outbox::Entry;
    use crate::engine::outbox::Part;

    fn variants(text: &str, compress: bool) -> Variants {
        Variants::new(
            Entry::message([Part::Text(text.as_bytes())].into_iter()).flagged(compress, false),
        )
    }

    fn deflater(window_bits: u8, has_outgoing_context: bool) -> Deflater {
        let compression = Compression { window_bits, threshold: 20, ..Compression::default() };
        let parameters = DeflateParameters { compression, ..DeflateParameters::default() };
        Deflater::new(&DeflateParameters { has_outgoing_context, ..parameters })
    }

    #[test]
    fn a_form_is_made_once_for_all_who_can_take_it() {
        let mut variants = variants(&"again ".repeat(50), true);
        let mut form = |deflater: Option<&mut Deflater>| variants.entry(deflater).frames().as_ptr();
        let (plain, large) = (form(None), form(Some(&mut deflater(15, false))));
        let small = form(Some(&mut deflater(9, true)));
        assert_eq!(form(Some(&mut deflater(15, true))), large);
        assert_eq!(form(Some(&mut deflater(9, false))), small);
        assert_eq!(form(None), plain);
        assert_eq!(variants.deflated.len(), 2);
        let plain_len = variants.plain.frames().len();
        assert!(
            variants.deflated.iter().flat_map(|(_, entry)| entry).all(|entry| {
                entry.frames()[0] == 0xc1 && entry.frames().len() < plain_len / 10
            })
        );
    }

    #[test]
    fn what_is_short_or_not_to_be_compressed_has_one_form() {
        for (text, compress) in [("again ".repeat(50), false), ("short".to_owned(), true)] {
            let mut variants = variants(&text, compress);
            let plain = variants.entry(None).frames().as_ptr();
            assert_eq!(variants.entry(Some(&mut deflater(15, true))).frames().as_ptr(), plain);
        }
    }
}
