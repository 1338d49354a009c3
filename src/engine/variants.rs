//! One message unit for many sessions: the entry that each of them is given, built once for all that are given the same.
//!
//! Sessions differ in how they take binary messages. Most units have none, and then there is one entry for everybody.

use crate::codec::engine_io::BinaryForm;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Part;

/// The entries of a unit, as far as somebody has asked for them.
#[derive(Debug)]
pub struct Variants<P> {
    parts: P,
    has_binary: bool,
    compress: bool,
    notify: bool,
    built: Vec<(BinaryForm, Entry)>,
}

impl<'a, P: Iterator<Item = Part<'a>> + Clone> Variants<P> {
    /// The unit of these parts; its entries are [flagged](Entry::flagged) so.
    pub fn new(parts: P, compress: bool, notify: bool) -> Self {
        let has_binary = parts.clone().any(|part| matches!(part, Part::Binary(_)));
        Self { parts, has_binary, compress, notify, built: Vec::new() }
    }

    /// The entry for a session that takes binary messages in this form.
    pub fn entry(&mut self, form: BinaryForm) -> Entry {
        let form = if self.has_binary { form } else { BinaryForm::Bytes };
        if let Some((_, entry)) = self.built.iter().find(|(built, _)| *built == form) {
            return entry.clone();
        }
        let entry = Entry::message(self.parts.clone(), form).flagged(self.compress, self.notify);
        self.built.push((form, entry.clone()));
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::Variants;
    use crate::codec::engine_io::BinaryForm;
    use crate::engine::Part;

    const FORMS: [BinaryForm; 4] =
        [BinaryForm::Bytes, BinaryForm::Base64, BinaryForm::TypedBytes, BinaryForm::TypedBase64];

    #[test]
    fn each_form_is_built_once() {
        let parts = [Part::Text(b"2[1]"), Part::Binary(&[7])];
        let mut variants = Variants::new(parts.into_iter(), true, true);
        for form in FORMS {
            let (first, second) = (variants.entry(form), variants.entry(form));
            assert_eq!(first.frames().as_ptr(), second.frames().as_ptr());
            assert!(first.compress() && first.notify());
        }
        assert_eq!(variants.entry(BinaryForm::TypedBytes).frames()[7..], *b"\x82\x02\x04\x07");
        assert_eq!(variants.built.len(), FORMS.len());
    }

    #[test]
    fn a_text_is_the_same_for_all() {
        let mut variants = Variants::new([Part::Text(b"2[1]")].into_iter(), false, false);
        let entries = FORMS.map(|form| variants.entry(form).frames().as_ptr());
        assert!(entries.iter().all(|entry| *entry == entries[0]));
    }
}
