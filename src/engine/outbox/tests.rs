//! Entries go in, leave in order at any cut of a write, wait for word, are dropped when there are too many.

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
    let (before, count) = outbox.survey(is_blocked, sent, |entry| waiting.push(entry.frames()[3]));
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
