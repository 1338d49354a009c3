//! Vectors written by hand after what engine.io 6.6.12 sends and takes.

use super::{BinaryPackets, TextPackets, append_frames, decode_binary, decode_text, encode_bare};
use crate::codec::engine_io::{
    BinaryForm, Packet, PacketData, PacketError, PacketType, append_binary_frame, append_text_frame,
};

fn text(packet_type: PacketType, text: &str) -> Packet<'_> {
    Packet { packet_type, data: PacketData::Text(text) }
}

fn binary(packet_type: PacketType, bytes: &[u8]) -> Packet<'_> {
    Packet { packet_type, data: PacketData::Binary(bytes.into()) }
}

#[test]
fn packets_are_decoded_from_text() {
    let table = [
        ("2probe", Ok(text(PacketType::Ping, "probe"))),
        ("4€", Ok(text(PacketType::Message, "€"))),
        ("b4AQID", Ok(binary(PacketType::Message, &[1, 2, 3]))),
        ("b2", Ok(binary(PacketType::Ping, &[]))),
        ("b", Ok(binary(PacketType::Noop, &[]))),
        ("b9AQID", Ok(binary(PacketType::Noop, &[1, 2, 3]))),
        ("b€AQID", Ok(binary(PacketType::Noop, &[1, 2, 3]))),
        ("", Err(PacketError)),
        ("7", Err(PacketError)),
    ];
    for (input, expected) in table {
        assert_eq!(decode_text(input), expected, "{input:?}");
    }
}

#[test]
fn the_first_byte_of_a_binary_message_is_its_type() {
    assert_eq!(decode_binary(&[4, 1, 2]), binary(PacketType::Message, &[1, 2]));
    assert_eq!(decode_binary(&[2]), binary(PacketType::Ping, &[]));
    assert_eq!(decode_binary(b"4a"), binary(PacketType::Noop, b"a"));
    assert_eq!(decode_binary(&[255, 1]), binary(PacketType::Noop, &[1]));
    assert_eq!(decode_binary(&[]), binary(PacketType::Noop, &[]));
}

#[test]
fn text_payloads_are_decoded_up_to_the_first_bad_packet() {
    let (a, b) = (Ok(text(PacketType::Message, "a")), Ok(text(PacketType::Message, "b")));
    let table = [
        ("2:4a2:4b", vec![a.clone(), b.clone()]),
        ("2:4€1:2", vec![Ok(text(PacketType::Message, "€")), Ok(text(PacketType::Ping, ""))]),
        ("3:4😀2:4b", vec![Ok(text(PacketType::Message, "😀")), b.clone()]),
        ("6:b4AQID", vec![Ok(binary(PacketType::Message, &[1, 2, 3]))]),
        ("0:2:4a0:", vec![a.clone()]),
        ("0:", vec![]),
        ("02:4a", vec![a.clone()]),
        ("3:4:a", vec![Ok(text(PacketType::Message, ":a"))]),
        ("", vec![Err(PacketError)]),
        ("2", vec![Err(PacketError)]),
        (":4a", vec![Err(PacketError)]),
        ("x:4a", vec![Err(PacketError)]),
        ("-1:4a", vec![Err(PacketError)]),
        ("3:4a", vec![Err(PacketError)]),
        ("2:4😀", vec![Err(PacketError)]),
        ("99999999999999999999:4a", vec![Err(PacketError)]),
        ("2:4a1:92:4b", vec![a.clone(), Err(PacketError)]),
        ("2:4a2", vec![a, Err(PacketError)]),
    ];
    for (payload, expected) in table {
        let mut packets = TextPackets::new(payload);
        assert_eq!(packets.by_ref().collect::<Vec<_>>(), expected, "{payload:?}");
        assert_eq!(packets.next(), None, "{payload:?}");
    }
}

#[test]
fn binary_payloads_are_decoded() {
    let bytes = Ok(binary(PacketType::Message, &[1, 2, 3]));
    let euro = Ok(text(PacketType::Message, "€"));
    let table: [(&[u8], Vec<_>); 16] = [
        (b"", vec![]),
        (b"\x01\x04\xff\x04\x01\x02\x03\x00\x04\xff4\xe2\x82\xac", vec![bytes.clone(), euro]),
        (b"\x00\x06\xffb4AQID", vec![bytes.clone()]),
        (b"\x00\x01\x00\xff4aaaaaaaaa", vec![Ok(text(PacketType::Message, "aaaaaaaaa"))]),
        (b"\x07\x04\xff\x04\x01\x02\x03", vec![bytes.clone()]),
        (b"\x01\x09\xff\x04\x01\x02\x03", vec![bytes.clone()]),
        (b"\x01\x00\xff", vec![Ok(binary(PacketType::Noop, &[]))]),
        (b"\x00\x00\xff", vec![Err(PacketError)]),
        (b"\x00\x02\xff4\x80\x01\x04\xff\x04\x01\x02\x03", vec![Err(PacketError)]),
        (b"\x01\x04\xff\x04\x01\x02\x03\x00\x02\xff9a", vec![bytes, Err(PacketError)]),
        (b"\x01", vec![Err(PacketError)]),
        (b"\x01\xff", vec![Err(PacketError)]),
        (b"\x01\x04", vec![Err(PacketError)]),
        (b"\x01\x0a\xff\x04", vec![Err(PacketError)]),
        (b"\x01\x04\xff\x04\x01\x02\x03\x01", vec![Err(PacketError)]),
        (b"{}", vec![Err(PacketError)]),
    ];
    for (payload, expected) in table {
        assert_eq!(BinaryPackets::new(payload).collect::<Vec<_>>(), expected, "{payload:?}");
    }
}

#[test]
fn a_length_has_at_most_311_digits() {
    for (digit_count, is_taken) in [(311, true), (312, false)] {
        let payload = [&[0][..], &vec![0; digit_count - 1], &[2, 255], b"4a"].concat();
        let packets: Vec<_> = BinaryPackets::new(&payload).collect();
        let expected = if is_taken { Ok(text(PacketType::Message, "a")) } else { Err(PacketError) };
        assert_eq!(packets, [expected]);
    }
}

#[test]
fn a_payload_is_binary_if_one_packet_is() {
    let mut euro = Vec::new();
    append_text_frame(&mut euro, PacketType::Message, "€😀".as_bytes());
    let mut bytes = Vec::new();
    append_binary_frame(&mut bytes, BinaryForm::TypedBytes, &[1, 2, 3]);
    let mut base64 = Vec::new();
    append_binary_frame(&mut base64, BinaryForm::TypedBase64, &[1, 2, 3]);

    let encode = |frames: &[&[u8]]| {
        let mut payload = Vec::new();
        let is_binary = append_frames(&mut payload, frames.iter().copied());
        (payload, is_binary)
    };
    assert_eq!(encode(&[&euro, &euro]), ("4:4€😀4:4€😀".into(), false));
    assert_eq!(encode(&[&base64, &euro]), ("6:b4AQID4:4€😀".into(), false));
    let (payload, is_binary) = encode(&[&bytes, &euro]);
    assert!(is_binary);
    assert_eq!(payload, b"\x01\x04\xff\x04\x01\x02\x03\x00\x08\xff4\xe2\x82\xac\xf0\x9f\x98\x80");
}

#[test]
fn the_length_of_a_binary_entry_is_written_in_decimal_digits() {
    let mut frames = Vec::new();
    append_binary_frame(&mut frames, BinaryForm::TypedBytes, &[7; 1_233]);
    let mut payload = Vec::new();
    assert!(append_frames(&mut payload, std::iter::once(&*frames)));
    assert_eq!(payload[..7], [1, 1, 2, 3, 4, 255, 4]);
    assert_eq!(payload.len(), 6 + 1_234);
}

#[test]
fn bare_packets_are_a_text_payload() {
    assert_eq!(encode_bare([PacketType::Noop, PacketType::Close]), b"1:61:1");
}
