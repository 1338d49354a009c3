//! Floor 1: frames in, frames out, polling payloads.

use std::hint::black_box;

use sio::codec::engine_io::{
    BinaryForm, Packet, PacketType, Packets, append_binary_frame, append_frames, append_text_frame,
};
use sio::codec::websocket::{Incoming, Input, MessageDecoder};

use crate::case::{Case, Round};
use crate::client_frame::client_frame;

/// Frames of one read.
const FRAMES: u32 = 64;

const MAX_MESSAGE_BYTES: u64 = 1_000_000;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, unit, units, prepare| Case { name, unit, units, rounds: 200, prepare };
    vec![
        case("decode-text-32", "frame of 32 B", FRAMES, || decode(0x81, &text(32))),
        case("decode-text-1k", "frame of 1 KiB", FRAMES, || decode(0x81, &text(1024))),
        case("decode-binary-1k", "frame of 1 KiB", FRAMES, || decode(0x82, &text(1024))),
        case("decode-in-pieces", "frame of 32 B in two reads", FRAMES, decode_in_pieces),
        case("encode-text-32", "frame of 32 B", FRAMES, || encode(32)),
        case("encode-text-1k", "frame of 1 KiB", FRAMES, || encode(1024)),
        case("encode-binary-1k", "frame of 1 KiB", FRAMES, encode_binary),
        case("payload-decode", "packet of 32 B", FRAMES, payload_decode),
        case("payload-encode", "packet of 32 B", FRAMES, payload_encode),
    ]
}

/// An event with one string, so many bytes with the packet type.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let (head, tail) = ("42[\"news\",\"", "\"]");
    let fill = "x".repeat(len.saturating_sub(head.len() + tail.len()));
    [head, &fill, tail].concat().into_bytes()
}

/// One read of many whole frames. What is decoded was unmasked in place, so that each round copies the input: a few
/// instructions for each frame.
fn decode(first: u8, payload: &[u8]) -> Round {
    let input = client_frame(first, payload).repeat(FRAMES as usize);
    let mut decoder = MessageDecoder::new(MAX_MESSAGE_BYTES);
    let mut buffer = input.clone();
    Box::new(move || {
        buffer.copy_from_slice(&input);
        assert_eq!(decode_all(&mut decoder, &mut buffer), FRAMES);
    })
}

fn decode_all(decoder: &mut MessageDecoder, bytes: &mut [u8]) -> u32 {
    let mut input = Input::new(bytes);
    let mut count = 0;
    while let Some(incoming) = decoder.decode(&mut input).expect("a right frame") {
        match black_box(incoming) {
            Incoming::Text(text) => {
                black_box(Packet::decode_text(text).expect("a packet"));
            }
            Incoming::Binary(bytes) => {
                black_box(bytes);
            }
            other => panic!("not a message: {other:?}"),
        }
        count += 1;
    }
    count
}

/// Each frame ends in another read than it begins.
fn decode_in_pieces() -> Round {
    let frame = client_frame(0x81, &text(32));
    let mut decoder = MessageDecoder::new(MAX_MESSAGE_BYTES);
    let mut buffer = frame.clone();
    Box::new(move || {
        for _ in 0..FRAMES {
            buffer.copy_from_slice(&frame);
            let (head, tail) = buffer.split_at_mut(frame.len() / 2);
            assert_eq!(decode_all(&mut decoder, head), 0);
            assert_eq!(decode_all(&mut decoder, tail), 1);
        }
    })
}

fn encode(len: usize) -> Round {
    let message = text(len).split_off(1);
    Box::new(move || {
        for _ in 0..FRAMES {
            let mut frame = Vec::new();
            append_text_frame(&mut frame, PacketType::Message, black_box(&message));
            black_box(&frame);
        }
    })
}

fn encode_binary() -> Round {
    let message = vec![7; 1024];
    Box::new(move || {
        for _ in 0..FRAMES {
            let mut frame = Vec::new();
            append_binary_frame(&mut frame, BinaryForm::Bytes, black_box(&message));
            black_box(&frame);
        }
    })
}

/// The body of a POST.
fn payload_decode() -> Round {
    let packet = String::from_utf8(text(32)).expect("ASCII");
    let payload = vec![packet.as_str(); FRAMES as usize].join("\u{1e}");
    Box::new(move || {
        let packets = Packets::new(black_box(&payload));
        assert_eq!(packets.filter(|packet| black_box(packet).is_ok()).count(), FRAMES as usize);
    })
}

/// The answer to a poll, out of what waits as frames.
fn payload_encode() -> Round {
    let message = text(32).split_off(1);
    let mut frames = Vec::new();
    for _ in 0..FRAMES {
        append_text_frame(&mut frames, PacketType::Message, &message);
    }
    Box::new(move || {
        let mut payload = Vec::new();
        append_frames(&mut payload, black_box(&frames));
        black_box(&payload);
    })
}
