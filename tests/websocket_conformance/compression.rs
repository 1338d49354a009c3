//! Groups 12 and 13: compressed messages of every size, under all that can be agreed on, and what may not be compressed.
//!
//! The client compresses with our own codec; that zlib's data is read, and that zlib reads ours, is tested from Jest.

use sio::codec::websocket::{
    Compression, DeflateParameters, DeflateStrategy, Deflater, Incoming, Inflater, MessageDecoder,
    Opcode, ProtocolError, ServerFrames, append_frame,
};

use crate::check::{
    BINARY, BINARY_BEGINS, CLOSE, Case, ENDS, GOES_ON, LIMIT, PING, TEXT, TEXT_BEGINS, check_with,
};
use crate::client_frame::client_frame;

/// RSV1 on the first frame of a message.
const COMPRESSED: u8 = 0x40;

#[test]
fn group_12_messages_of_every_size() {
    for size in [0, 1, 16, 64, 256, 1_024, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072] {
        let text = "a text that says the same time and again. ".repeat(size / 42 + 1);
        let text = &text[..size];
        let noise = noise(size);
        let heard = [Incoming::Text(text), Incoming::Binary(&noise), Incoming::Text(text)];
        for threshold in [0, 1_024] {
            let parameters = parameters(15, true, threshold);
            let mut deflater = Deflater::new(&parameters);
            let frames: Vec<u8> = heard
                .iter()
                .flat_map(|message| frames(&mut deflater, *message, usize::MAX))
                .collect();
            check(&format!("{size}, threshold {threshold}"), &parameters, &frames, &heard, None);
        }
    }
}

#[test]
fn group_13_parameters() {
    let text = "what is said again can be said in few words ".repeat(30);
    let noise = noise(3_000);
    let heard = [Incoming::Text(&text), Incoming::Binary(&noise), Incoming::Text(&text)];
    for window_bits in 8..=15 {
        for has_context in [false, true] {
            for fragment_len in [usize::MAX, 700, 1] {
                let parameters = parameters(window_bits, has_context, 0);
                let mut deflater = Deflater::new(&parameters);
                let frames: Vec<u8> = heard
                    .iter()
                    .flat_map(|message| frames(&mut deflater, *message, fragment_len))
                    .collect();
                let name = format!("window {window_bits}, context {has_context}, {fragment_len}");
                check(&name, &parameters, &frames, &heard, None);
            }
        }
    }
}

#[test]
fn every_way_to_compress_is_read() {
    let text = "aaaaaaaaaa bbbbbbbbbb aaaaaaaaaa ".repeat(40);
    let heard = [Incoming::Text(&text)];
    let strategies = [
        DeflateStrategy::Default,
        DeflateStrategy::Filtered,
        DeflateStrategy::HuffmanOnly,
        DeflateStrategy::Rle,
        DeflateStrategy::Fixed,
    ];
    for level in 0..=9 {
        for memory_level in [1, 5, 9] {
            for strategy in strategies {
                let mut parameters = parameters(15, true, 0);
                parameters.compression =
                    Compression { level, memory_level, strategy, ..parameters.compression };
                let frames = frames(&mut Deflater::new(&parameters), heard[0], usize::MAX);
                let name = format!("level {level}, memory {memory_level}, {strategy:?}");
                check(&name, &parameters, &frames, &heard, None);
            }
        }
    }
}

#[test]
fn what_may_be_compressed_and_what_may_not() {
    let parameters = parameters(15, true, 0);
    let deflated = deflated(b"Hello");
    let (begin, end) = deflated.split_at(3);
    let hello = Incoming::Text("Hello");
    let error = Some(ProtocolError::CompressedFrame);
    let cases: [Case<'_>; 9] = [
        ("whole", &[(TEXT | COMPRESSED, &deflated)], &[hello], None),
        (
            "after a plain one",
            &[(TEXT, b"plain"), (TEXT | COMPRESSED, &deflated)],
            &[Incoming::Text("plain"), hello],
            None,
        ),
        (
            "fragments around a ping",
            &[
                (TEXT_BEGINS | COMPRESSED, begin),
                (PING, b"p"),
                (GOES_ON, b""),
                (ENDS, end),
                (BINARY, b"b"),
            ],
            &[Incoming::Ping(b"p"), hello, Incoming::Binary(b"b")],
            None,
        ),
        (
            "a fragment that is not the first",
            &[(TEXT_BEGINS | COMPRESSED, begin), (ENDS | COMPRESSED, end)],
            &[],
            error,
        ),
        (
            "a fragment of a plain one",
            &[(BINARY_BEGINS, b"a"), (ENDS | COMPRESSED, end)],
            &[],
            error,
        ),
        ("a continuation of nothing", &[(ENDS | COMPRESSED, &deflated)], &[], error),
        ("a ping", &[(PING | COMPRESSED, b"")], &[], error),
        ("a close frame", &[(CLOSE | COMPRESSED, b"")], &[], error),
        (
            "with RSV2",
            &[(TEXT | COMPRESSED | 0x20, &deflated)],
            &[],
            Some(ProtocolError::ReservedBits),
        ),
    ];
    for (name, sent, heard, error) in cases {
        let bytes: Vec<u8> =
            sent.iter().flat_map(|(first, payload)| client_frame(*first, payload)).collect();
        check(name, &parameters, &bytes, heard, error);
    }
}

#[test]
fn what_is_inflated_is_held_to_the_limit_and_to_utf_8() {
    let parameters = parameters(15, false, 0);
    let limit = usize::try_from(LIMIT).unwrap();
    let full = vec![0; limit];
    let bomb = |len| client_frame(BINARY | COMPRESSED, &deflated(&vec![0; len]));
    check("at the limit", &parameters, &bomb(limit), &[Incoming::Binary(&full)], None);
    for len in [limit + 1, 10 * limit] {
        let error = Some(ProtocolError::MessageTooLarge);
        check("over the limit", &parameters, &bomb(len), &[], error);
    }
    let bytes = client_frame(TEXT | COMPRESSED, &deflated(b"\xe2\x82"));
    check("not UTF-8", &parameters, &bytes, &[], Some(ProtocolError::InvalidUtf8));
}

fn parameters(window_bits: u8, has_context: bool, threshold: u32) -> DeflateParameters {
    DeflateParameters {
        compression: Compression { window_bits, threshold, ..Compression::default() },
        has_outgoing_context: has_context,
        incoming_window_bits: window_bits,
        has_incoming_context: has_context,
    }
}

fn check(
    name: &str,
    parameters: &DeflateParameters,
    bytes: &[u8],
    heard: &[Incoming<'_>],
    error: Option<ProtocolError>,
) {
    let decoder = || {
        let mut decoder = MessageDecoder::new(LIMIT);
        decoder.inflate_with(Inflater::new(parameters));
        decoder
    };
    check_with(name, decoder, bytes, heard, error);
}

/// A message as a client sends it, in fragments of this many bytes.
fn frames(deflater: &mut Deflater, message: Incoming<'_>, fragment_len: usize) -> Vec<u8> {
    let (opcode, payload) = match message {
        Incoming::Text(text) => (Opcode::Text, text.as_bytes()),
        Incoming::Binary(bytes) => (Opcode::Binary, bytes),
        other => panic!("{other:?} is never compressed"),
    };
    let mut plain = Vec::new();
    append_frame(&mut plain, opcode, &[payload]);
    let compressed = deflater.deflate(&plain);
    let (rsv, payload) = match &compressed {
        Some(frame) => (COMPRESSED, payload_of(frame)),
        None => (0, payload.to_vec()),
    };
    let mut pieces: Vec<&[u8]> = payload.chunks(fragment_len.min(payload.len()).max(1)).collect();
    if pieces.is_empty() {
        pieces.push(b"");
    }
    let first = if opcode == Opcode::Text { TEXT_BEGINS } else { BINARY_BEGINS };
    let last = pieces.len() - 1;
    let frame = |(index, piece): (usize, &&[u8])| {
        let opcode = if index == 0 { first | rsv } else { GOES_ON };
        client_frame(if index == last { opcode | ENDS } else { opcode }, piece)
    };
    pieces.iter().enumerate().flat_map(frame).collect()
}

/// The payload of a compressed message.
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    append_frame(&mut plain, Opcode::Binary, &[message]);
    payload_of(&Deflater::new(&parameters(15, false, 0)).deflate(&plain).unwrap())
}

fn payload_of(frame: &[u8]) -> Vec<u8> {
    // RSV1 is nothing that a reader of plain frames knows.
    let mut frame = frame.to_vec();
    frame[0] &= !COMPRESSED;
    let (_, payload) = ServerFrames::new(&frame).next().unwrap();
    payload.to_vec()
}

/// Bytes in which a compressor finds nothing (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}
