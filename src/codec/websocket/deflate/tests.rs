//! What was compressed is inflated again, whatever was negotiated; and what a peer may send instead.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;

use super::{Compression, DeflateParameters, DeflateStrategy, Deflater, Inflater, deflate_frames};
use crate::codec::websocket::{Opcode, ProtocolError, append_frame};

/// Data that a compressor finds more and less in.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..2_000),
        vec(prop_oneof![Just(b'a'), Just(b'b')], 0..5_000),
        (vec(any::<u8>(), 1..400), 1..200_usize).prop_map(|(piece, count)| piece.repeat(count)),
        (0..140_000_usize).prop_map(|len| vec![7; len]),
    ]
}

fn compression() -> impl Strategy<Value = Compression> {
    let strategy = prop_oneof![
        Just(DeflateStrategy::Default),
        Just(DeflateStrategy::Filtered),
        Just(DeflateStrategy::HuffmanOnly),
        Just(DeflateStrategy::Rle),
        Just(DeflateStrategy::Fixed),
    ];
    (0..3_000_u32, 8..=15_u8, 0..=9_u8, 1..=9_u8, strategy, 1..4_u8).prop_map(
        |(threshold, window_bits, level, memory_level, strategy, max_compressors)| Compression {
            threshold,
            window_bits,
            level,
            memory_level,
            strategy,
            max_compressors,
        },
    )
}

/// Frames with these messages, one a text and the next one binary.
fn frames(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut frames = Vec::new();
    for (message, opcode) in messages.iter().zip([Opcode::Text, Opcode::Binary].iter().cycle()) {
        append_frame(&mut frames, *opcode, &[message]);
    }
    frames
}

/// The peer: reads frames, and inflates those that are marked.
fn read(inflater: &mut Inflater, mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut messages = Vec::new();
    while let [first, short_len, rest @ ..] = bytes {
        let (len, rest) = match short_len {
            126 => (usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())), &rest[2..]),
            127 => {
                (u64::from_be_bytes(rest[..8].try_into().unwrap()).try_into().unwrap(), &rest[8..])
            }
            len => (usize::from(*len), rest),
        };
        let (payload, rest) = rest.split_at(len);
        bytes = rest;
        let message = if first & 0x40 == 0 {
            payload.to_vec()
        } else {
            inflater.inflate(payload, u64::MAX).unwrap();
            inflater.message().to_vec()
        };
        messages.push((first & 0xbf, message));
    }
    messages
}

fn expected(messages: &[Vec<u8>]) -> Vec<(u8, Vec<u8>)> {
    messages
        .iter()
        .cloned()
        .zip([0x81, 0x82].into_iter().cycle())
        .map(|(m, first)| (first, m))
        .collect()
}

proptest! {
    #![proptest_config(Config::with_cases(64))]

    #[test]
    fn what_was_compressed_is_inflated_again(
        compression in compression(),
        has_outgoing_context in any::<bool>(),
        units in vec((any::<bool>(), vec(message(), 1..4)), 1..6),
    ) {
        let parameters = DeflateParameters {
            compression,
            has_outgoing_context,
            incoming_window_bits: compression.window_bits,
            has_incoming_context: has_outgoing_context,
        };
        let mut deflater = Deflater::new(&parameters);
        let mut inflater = Inflater::new(&parameters);
        for (is_shared, messages) in units {
            let plain = frames(&messages);
            let deflated = if is_shared {
                let deflated = deflate_frames(&plain, compression);
                if deflated.is_some() {
                    deflater.shared_was_sent(&plain);
                }
                deflated
            } else {
                deflater.deflate(&plain)
            };
            let is_worth_it = |message: &Vec<u8>| message.len() >= compression.threshold as usize;
            assert_eq!(deflated.is_some(), messages.iter().any(is_worth_it));
            let sent = deflated.as_deref().unwrap_or(&plain);
            assert_eq!(read(&mut inflater, sent), expected(&messages));
        }
    }

    #[test]
    fn no_input_makes_the_inflater_panic_or_exceed_the_limit(
        messages in vec(vec(any::<u8>(), 0..300), 1..5),
        limit in 0..2_000_u64,
    ) {
        let mut inflater = Inflater::new(&DeflateParameters::default());
        for message in messages {
            if inflater.inflate(&message, limit).is_ok() {
                assert!(inflater.message().len() as u64 <= limit);
            }
            assert!(inflater.message.capacity() as u64 <= limit + 1);
        }
    }
}

fn inflater(has_incoming_context: bool) -> Inflater {
    Inflater::new(&DeflateParameters { has_incoming_context, ..DeflateParameters::default() })
}

/// One message, compressed.
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    append_frame(&mut frame, Opcode::Binary, &[message]);
    let compression = Compression { threshold: 0, ..Compression::default() };
    let frame = deflate_frames(&frame, compression).unwrap();
    let header_len = [2, 4, 10][usize::from(frame[1]).saturating_sub(125).min(2)];
    frame[header_len..].to_vec()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // RFC 7692 section 7.2.3: one block, a second message that refers to the first, a block without compression, a last
    // block, two blocks.
    let messages: [&[u8]; 5] = [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ];
    let mut inflater = inflater(true);
    for message in messages {
        assert_eq!(inflater.inflate(message, 5), Ok(()));
        assert_eq!(inflater.message(), b"Hello", "{message:x?}");
    }
}

#[test]
fn without_a_context_nothing_before_can_be_referred_to() {
    let mut inflater = inflater(false);
    assert_eq!(inflater.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 5), Ok(()));
    let error = ProtocolError::InvalidDeflate("invalid distance too far back");
    assert_eq!(inflater.inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00], 5), Err(error));
}

#[test]
fn the_limit_is_that_of_what_comes_out() {
    let message = vec![b'x'; 100_000];
    let deflated = deflated(&message);
    assert!(deflated.len() < 200);
    for (limit, fits) in
        [(100_000, true), (99_999, false), (1, false), (0, false), (u64::MAX, true)]
    {
        let mut inflater = inflater(true);
        let result = inflater.inflate(&deflated, limit);
        assert_eq!(result, if fits { Ok(()) } else { Err(ProtocolError::MessageTooLarge) });
        if !fits {
            assert!(inflater.message.capacity() as u64 <= limit + 1, "it stopped at the limit");
        }
    }
    let mut empty = inflater(true);
    assert_eq!((empty.inflate(&[0], 0), empty.message()), (Ok(()), &[][..]));
}

#[test]
fn what_is_no_deflate_is_told_in_the_words_of_zlib() {
    let table: [(&[u8], &str); 3] = [
        (&[0xff; 20], "invalid block type"),
        (&[0x00, 0x05, 0x00, 0x00, 0x00], "invalid stored block lengths"),
        (&[0x04, 0x00, 0xff, 0xff, 0xff, 0xff], "invalid code lengths set"),
    ];
    for (data, text) in table {
        let error = inflater(true).inflate(data, 1_000);
        assert_eq!(error, Err(ProtocolError::InvalidDeflate(text)), "{data:x?}");
    }
}

#[test]
fn data_that_ends_too_early_gives_what_it_has() {
    let whole = deflated(b"a text that is not the same all over");
    let mut inflater = inflater(false);
    for len in 0..whole.len() {
        if inflater.inflate(&whole[..len], 1_000).is_ok() {
            assert!(inflater.message().len() <= 300);
        }
    }
    assert_eq!(inflater.inflate(&whole, 1_000), Ok(()));
    assert_eq!(inflater.message(), b"a text that is not the same all over");
}

#[test]
fn an_idle_connection_keeps_what_was_said_and_no_compressor() {
    let mut inflater = inflater(true);
    assert_eq!(inflater.inflate(&deflated(&[1; 100]), 1_000), Ok(()));
    inflater.settle();
    assert_eq!(inflater.message.capacity(), 0);
    assert!(size_of::<Inflater>() + size_of::<Deflater>() <= 128);
}
