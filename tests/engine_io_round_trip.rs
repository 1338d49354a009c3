//! Engine packets and payloads: what is encoded is decoded to the same, over polling and over WebSocket, and no input
//! makes a decoder do anything but decode or refuse.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use sio::codec::engine_io::{
    BinaryForm, Packet, PacketData, PacketDecoder, PacketError, PacketType, Packets, StreamPacket,
    append_binary, append_binary_frame, append_frames, append_prefixed, append_text,
    append_text_frame, v3,
};
use sio::codec::websocket::{Input, Opcode, ServerFrames};

#[derive(Clone, Debug)]
enum Sent {
    Text(PacketType, String),
    Binary(Vec<u8>),
}

impl Sent {
    fn as_packet(&self) -> Packet<'_> {
        match self {
            Self::Text(packet_type, text) => {
                Packet { packet_type: *packet_type, data: PacketData::Text(text) }
            }
            Self::Binary(bytes) => Packet::decode_binary(bytes),
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let text = (b'0'..=b'6', "[^\u{1e}]{0,200}").prop_map(|(digit, text)| {
        Sent::Text(PacketType::new(digit).expect("a digit of a packet type"), text)
    });
    prop_oneof![text, vec(any::<u8>(), 0..200).prop_map(Sent::Binary)]
}

proptest! {
    #[test]
    fn packets_pass_through_polling_and_websocket_unchanged(sent in vec(sent(), 1..8)) {
        let (mut payload, mut frames) = (Vec::new(), Vec::new());
        for packet in &sent {
            match packet {
                Sent::Text(packet_type, text) => {
                    append_text(&mut payload, *packet_type, text.as_bytes());
                    append_text_frame(&mut frames, *packet_type, text.as_bytes());
                }
                Sent::Binary(bytes) => {
                    append_binary(&mut payload, bytes);
                    append_binary_frame(&mut frames, BinaryForm::Bytes, bytes);
                }
            }
        }
        let expected: Vec<_> = sent.iter().map(|packet| Ok(packet.as_packet())).collect();

        let mut derived = Vec::new();
        append_frames(&mut derived, &frames);
        prop_assert_eq!(&derived, &payload);

        let payload = String::from_utf8(payload).unwrap();
        prop_assert_eq!(Packets::new(&payload).collect::<Vec<_>>(), expected.clone());

        let decoded: Vec<_> = ServerFrames::new(&frames)
            .map(|(opcode, message)| match opcode {
                Opcode::Binary => Ok(Packet::decode_binary(message)),
                _ => Packet::decode_text(std::str::from_utf8(message).unwrap()),
            })
            .collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn packets_pass_through_webtransport_unchanged_however_the_stream_is_cut(
        sent in vec(sent(), 1..8),
        cut in 1_usize..300,
    ) {
        let mut frames = Vec::new();
        for packet in &sent {
            match packet {
                Sent::Text(packet_type, text) => append_text_frame(&mut frames, *packet_type, text.as_bytes()),
                Sent::Binary(bytes) => {
                    // There are no empty packets, and a server sends none over WebTransport that its client would take.
                    let bytes = if bytes.is_empty() { &[0][..] } else { bytes };
                    append_binary_frame(&mut frames, BinaryForm::Bytes, bytes);
                }
            }
        }
        let mut stream = Vec::new();
        append_prefixed(&mut stream, &frames);
        let expected: Vec<_> =
            ServerFrames::new(&frames).map(|(opcode, packet)| (opcode, packet.to_vec())).collect();

        let mut decoder = PacketDecoder::new(u64::MAX);
        let mut decoded = Vec::new();
        for read in stream.chunks_mut(cut) {
            let mut input = Input::new(read);
            while let Some(packet) = decoder.decode(&mut input).unwrap() {
                decoded.push(match packet {
                    StreamPacket::Text(text) => (Opcode::Text, text.as_bytes().to_vec()),
                    StreamPacket::Binary(bytes) => (Opcode::Binary, bytes.to_vec()),
                });
            }
        }
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn any_payload_is_packets_with_at_most_one_error_at_the_end(payload in "[0-9b\u{1e}A-D=é]{0,40}") {
        let packets: Vec<_> = Packets::new(&payload).collect();
        let (last, before) = packets.split_last().unwrap();
        prop_assert!(before.iter().all(Result::is_ok));
        prop_assert!(last.is_ok() || *last == Err(PacketError));
        let parts: Vec<_> = payload.split('\u{1e}').collect();
        prop_assert!(packets.len() == parts.len() || last.is_err());
        for (packet, part) in packets.iter().zip(parts) {
            prop_assert_eq!(packet, &Packet::decode_text(part));
        }
    }

    #[test]
    fn packets_of_revision_3_pass_through_polling_and_websocket_unchanged(
        sent in vec(sent(), 1..8),
        is_text_only: bool,
    ) {
        let form = if is_text_only { BinaryForm::TypedBase64 } else { BinaryForm::TypedBytes };
        let mut frames = Vec::new();
        for packet in &sent {
            match packet {
                Sent::Text(packet_type, text) => append_text_frame(&mut frames, *packet_type, text.as_bytes()),
                Sent::Binary(bytes) => append_binary_frame(&mut frames, form, bytes),
            }
        }
        let expected: Vec<_> = sent.iter().map(|packet| Ok(packet.as_packet())).collect();

        let mut payload = Vec::new();
        let is_binary = v3::append_frames(&mut payload, std::iter::once(&*frames));
        let has_binary = sent.iter().any(|packet| matches!(packet, Sent::Binary(_)));
        prop_assert_eq!(is_binary, has_binary && !is_text_only);
        let decoded: Vec<_> = if is_binary {
            v3::BinaryPackets::new(&payload).collect()
        } else {
            v3::TextPackets::new(std::str::from_utf8(&payload).unwrap()).collect()
        };
        prop_assert_eq!(&decoded, &expected);

        let decoded: Vec<_> = ServerFrames::new(&frames)
            .map(|(opcode, message)| match opcode {
                Opcode::Binary => Ok(v3::decode_binary(message)),
                _ => v3::decode_text(std::str::from_utf8(message).unwrap()),
            })
            .collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn any_text_payload_of_revision_3_has_at_most_one_error_at_the_end(payload in "([0-9]?:?[0-9b:A-Dé😀]?){0,12}") {
        let packets: Vec<_> = v3::TextPackets::new(&payload).collect();
        if let Some((_, before)) = packets.split_last() {
            prop_assert!(before.iter().all(Result::is_ok));
        }
    }

    #[test]
    fn any_binary_payload_of_revision_3_has_at_most_one_error_at_the_end(
        payload in vec(prop_oneof![0..=9_u8, b'0'..=b'b', 255..=255_u8, any::<u8>()], 0..40),
    ) {
        let packets: Vec<_> = v3::BinaryPackets::new(&payload).collect();
        if let Some((_, before)) = packets.split_last() {
            prop_assert!(before.iter().all(Result::is_ok));
        }
    }
}
