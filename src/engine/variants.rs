//! One message unit for many sessions: the entry that each of them is given, built once for all that are given the same.
//!
//! Sessions differ in how they take binary messages, and in whether and how they have agreed on compression. Most units
//! have no binary message, and then there is one entry for everybody who takes it as it is. What is compressed is so
//! without a context, so that all whose compression is equal can take it.

use std::sync::Arc;

use crate::codec::engine_io::BinaryForm;
use crate::codec::websocket::Compression;
use crate::codec::websocket::Deflater;
use crate::codec::websocket::deflate_frames;
use crate::engine::ledger::Ledger;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Loss;
use crate::engine::outbox::Part;

/// The entries of a unit, as far as somebody has asked for them.
#[derive(Debug)]
pub struct Variants<P> {
    parts: P,
    has_binary: bool,
    compress: bool,
    notify: bool,
    loss: Loss,
    /// Where its frames are counted.
    ledger: Arc<Ledger>,
    built: Vec<(BinaryForm, Entry)>,
    /// `None` where no message is long enough.
    deflated: Vec<(BinaryForm, Compression, Option<Entry>)>,
}

impl<'a, P: Iterator<Item = Part<'a>> + Clone> Variants<P> {
    /// The unit of these parts; its entries are [flagged](Entry::flagged) so, and counted in `ledger`.
    pub fn new(parts: P, compress: bool, notify: bool, loss: Loss, ledger: Arc<Ledger>) -> Self {
        let has_binary = parts.clone().any(|part| matches!(part, Part::Binary(_)));
        let (built, deflated) = (Vec::new(), Vec::new());
        Self { parts, has_binary, compress, notify, loss, ledger, built, deflated }
    }

    /// The entry for a session that takes binary messages in this form, and whose WebSocket has this deflater, if any.
    pub fn entry(&mut self, form: BinaryForm, deflater: Option<&mut Deflater>) -> Entry {
        let form = if self.has_binary { form } else { BinaryForm::Bytes };
        let plain = self.plain(form);
        let Some(deflater) = deflater.filter(|_| self.compress) else { return plain };
        let Some(entry) = self.deflated(form, &plain, deflater.compression()) else { return plain };
        deflater.shared_was_sent(plain.frames());
        entry
    }

    fn deflated(
        &mut self,
        form: BinaryForm,
        plain: &Entry,
        compression: Compression,
    ) -> Option<Entry> {
        let is_it = |(of, by, _): &&(BinaryForm, Compression, _)| (*of, *by) == (form, compression);
        if let Some((_, _, entry)) = self.deflated.iter().find(is_it) {
            return entry.clone();
        }
        let frames = deflate_frames(plain.frames(), compression);
        let entry = frames.map(|frames| plain.with_frames(frames).shared(&self.ledger));
        self.deflated.push((form, compression, entry.clone()));
        entry
    }

    fn plain(&mut self, form: BinaryForm) -> Entry {
        if let Some((_, entry)) = self.built.iter().find(|(built, _)| *built == form) {
            return entry.clone();
        }
        let entry = Entry::message(self.parts.clone(), form)
            .flagged(self.compress, self.notify)
            .with_loss(self.loss)
            .shared(&self.ledger);
        self.built.push((form, entry.clone()));
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::codec::engine_io::BinaryForm;
    use crate::codec::websocket::{Compression, DeflateParameters, Deflater};
    use crate::engine::{Ledger, Loss, Part};

    type Variants<P> = super::Variants<P>;

    fn variants<'a, P: Iterator<Item = Part<'a>> + Clone>(
        parts: P,
        compress: bool,
        notify: bool,
    ) -> Variants<P> {
        Variants::new(parts, compress, notify, Loss::Bearable, Arc::default())
    }

    const FORMS: [BinaryForm; 4] =
        [BinaryForm::Bytes, BinaryForm::Base64, BinaryForm::TypedBytes, BinaryForm::TypedBase64];

    #[test]
    fn each_form_is_built_once() {
        let parts = [Part::Text(b"2[1]"), Part::Binary(&[7])];
        let mut variants = variants(parts.into_iter(), true, true);
        for form in FORMS {
            let (first, second) = (variants.entry(form, None), variants.entry(form, None));
            assert_eq!(first.frames().as_ptr(), second.frames().as_ptr());
            assert!(first.compress() && first.notify());
        }
        assert_eq!(
            variants.entry(BinaryForm::TypedBytes, None).frames()[7..],
            *b"\x82\x02\x04\x07"
        );
        assert_eq!(variants.built.len(), FORMS.len());
    }

    #[test]
    fn a_text_is_the_same_for_all() {
        let mut variants = variants([Part::Text(b"2[1]")].into_iter(), false, false);
        let entries = FORMS.map(|form| variants.entry(form, None).frames().as_ptr());
        assert!(entries.iter().all(|entry| *entry == entries[0]));
    }

    fn deflater(window_bits: u8, has_outgoing_context: bool) -> Deflater {
        let compression = Compression { window_bits, threshold: 20, ..Compression::default() };
        let parameters = DeflateParameters { compression, ..DeflateParameters::default() };
        Deflater::new(&DeflateParameters { has_outgoing_context, ..parameters })
    }

    #[test]
    fn it_is_compressed_once_for_all_whose_compression_is_equal() {
        let (text, bytes) = ("again ".repeat(50), [7; 100]);
        let parts = [Part::Text(text.as_bytes()), Part::Binary(&bytes)];
        let mut variants = variants(parts.into_iter(), true, true);
        let mut entry = |form, window_bits, has_context| {
            let entry = variants.entry(form, Some(&mut deflater(window_bits, has_context)));
            assert!(entry.frames()[0] == 0xc1 && entry.frames().len() < 60 && entry.notify());
            entry.frames().as_ptr()
        };
        let first = entry(BinaryForm::Bytes, 15, false);
        assert_eq!(entry(BinaryForm::Bytes, 15, true), first);
        let others = [entry(BinaryForm::Bytes, 9, false), entry(BinaryForm::TypedBytes, 15, false)];
        assert!(!others.contains(&first));
        assert_eq!(entry(BinaryForm::Bytes, 9, true), others[0]);
        assert_eq!((variants.built.len(), variants.deflated.len()), (2, 3));
    }

    #[test]
    fn what_is_short_or_not_to_be_compressed_goes_to_all_as_it_is() {
        for (text, compress) in [("again ".repeat(50), false), ("short".to_owned(), true)] {
            let parts = [Part::Text(text.as_bytes())];
            let mut variants = variants(parts.into_iter(), compress, false);
            let plain = variants.entry(BinaryForm::Bytes, None).frames().as_ptr();
            let entry = variants.entry(BinaryForm::Bytes, Some(&mut deflater(15, true)));
            assert_eq!(entry.frames().as_ptr(), plain);
        }
    }

    #[test]
    fn its_frames_are_counted_once_for_all_that_hold_them() {
        let ledger = Arc::<Ledger>::default();
        let parts = [Part::Text(b"2[1]")].into_iter();
        let mut variants = Variants::new(parts, false, false, Loss::Bearable, Arc::clone(&ledger));
        let entries = [(); 3].map(|()| variants.entry(BinaryForm::Bytes, None));
        drop(variants);
        assert_eq!(ledger.bytes(), entries[0].frames().len());
        drop(entries);
        assert_eq!(ledger.bytes(), 0);
    }
}
