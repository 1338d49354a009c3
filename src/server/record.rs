//! The packed record: the form in which commands come down and events go up.
//!
//! Little-endian words, so that both sides read and write them as they are: kind and flags in one word, the length of
//! the whole record in bytes in the next, then fields, byte strings last, zeros up to a multiple of four. What the
//! kinds mean is said in `command` and `event`.

/// One record, taken apart as far as all kinds are alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// One byte on the wire.
    pub(crate) kind: u32,
    /// What bits mean depends on the kind.
    pub(crate) flags: u32,
    /// The fields.
    pub(crate) fields: Fields<'a>,
}

/// The records of a buffer, one after the other. The item is `None` where the buffer is not a record.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Option<Record<'a>>;

    /// Ends the iteration after the first `None`, since nobody can tell where the next record would begin.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = split_record(self.rest);
        self.rest = record.map_or(&[], |(_, rest)| rest);
        Some(record.map(|(record, _)| record))
    }
}

fn split_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let mut head = Fields(bytes);
    let (word, len) = (head.number()?, head.number()? as usize);
    if len % ALIGNMENT != 0 || len < HEAD_LEN {
        return None;
    }
    let (record, rest) = bytes.split_at_checked(len)?;
    let fields = Fields(record.get(HEAD_LEN..)?);
    Some((Record { kind: word & KIND, flags: word >> FLAGS_SHIFT, fields }, rest))
}

/// The fields of a record that were not taken yet. Each method gives `None` where there are too few bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Takes a number.
    pub(crate) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    /// Takes bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Takes `count` numbers.
    pub(crate) fn ids(&mut self, count: u32) -> Option<Ids<'a>> {
        let len = (count as usize).checked_mul(size_of::<u32>())?;
        Some(Ids(self.bytes(len)?))
    }

    /// Whether all was taken but the zeros that fill up the last word.
    pub(crate) const fn is_used_up(self) -> bool {
        self.0.len() < ALIGNMENT
    }
}

/// A list of numbers inside a record, read as it is gone through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids<'a>(&'a [u8]);

impl Iterator for Ids<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.0.len() / size_of::<u32>();
        (len, Some(len))
    }
}

impl ExactSizeIterator for Ids<'_> {}

/// Appends a record that ends in `bytes`, which may be empty. False, and nothing appended, if it is too long for its
/// length field.
pub(crate) fn append_record(
    out: &mut Vec<u8>,
    kind: u32,
    flags: u32,
    numbers: &[u32],
    bytes: &[u8],
) -> bool {
    let unpadded_len = HEAD_LEN + size_of_val(numbers) + bytes.len();
    let len = unpadded_len.next_multiple_of(ALIGNMENT);
    let Ok(length_field) = u32::try_from(len) else { return false };
    out.reserve(len);
    out.extend_from_slice(&(kind | flags << FLAGS_SHIFT).to_le_bytes());
    out.extend_from_slice(&length_field.to_le_bytes());
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(bytes);
    out.resize(out.len() + (len - unpadded_len), 0);
    true
}

const KIND: u32 = 0xff;
const FLAGS_SHIFT: u32 = 8;

/// The two words before the fields.
const HEAD_LEN: usize = 8;

/// Records begin at multiples of it, in bytes.
const ALIGNMENT: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Records, append_record};

    proptest! {
        #[test]
        fn records_are_read_back(
            records: Vec<(u8, u16, Vec<u32>, Vec<u8>)>,
        ) {
            let mut bytes = Vec::new();
            for (kind, flags, numbers, tail) in &records {
                assert!(append_record(&mut bytes, u32::from(*kind), u32::from(*flags), numbers, tail));
            }
            let mut read = Records::new(&bytes);
            for (kind, flags, numbers, tail) in records {
                let mut record = read.next().flatten().unwrap();
                assert_eq!((record.kind, record.flags), (u32::from(kind), u32::from(flags)));
                let count = u32::try_from(numbers.len()).unwrap();
                assert_eq!(record.fields.ids(count).unwrap().collect::<Vec<_>>(), numbers);
                assert_eq!(record.fields.bytes(tail.len()), Some(tail.as_slice()));
                assert!(record.fields.is_used_up());
            }
            assert!(read.next().is_none());
        }

        #[test]
        fn any_bytes_end_after_the_first_that_is_no_record(bytes: Vec<u8>, words in any::<[u8; 16]>()) {
            for bytes in [bytes.as_slice(), words.as_slice()] {
                let records: Vec<_> = Records::new(bytes).collect();
                assert!(records.iter().rev().skip(1).all(Option::is_some));
            }
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_no_record() {
        for len in [0_u32, 4, 7, 9, 16, u32::MAX, u32::MAX - 3] {
            let mut bytes = 1_u32.to_le_bytes().to_vec();
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
            let records: Vec<_> = Records::new(&bytes).map(|record| record.is_some()).collect();
            assert_eq!(records, [false], "{len}");
        }
    }
}
