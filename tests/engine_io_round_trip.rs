//! Engine packets and payloads: what is encoded is decoded to the same, over polling and over WebSocket, and no input
//! makes a decoder do anything but decode or refuse.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use sio::codec::engine_io::{
    Packet, PacketData, PacketError, PacketType, Packets, append_binary, append_binary_frame,
    append_frames, append_text, append_text_frame,
};
use sio::codec::websocket::{Opcode, ServerFrames};

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
                    append_binary_frame(&mut frames, bytes);
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
}
