//! What each fuzz target checks, for any bytes at all. `tests/fuzz_corpus.rs` runs the same on the committed seeds.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

use sio::codec::engine_io::{
    BinaryForm, Packet, PacketData, PacketDecoder, PacketError, PacketType, Packets, StreamPacket,
    append_binary, append_binary_frame, append_prefixed, append_text, append_text_frame, v3,
};
use sio::codec::websocket::{
    Compression, DeflateParameters, Deflater, Expected, FrameHeader, Incoming, Inflater, Input,
    MessageDecoder, Opcode, ProtocolError, ServerFrames, append_frame,
};
use sio::server::command::{Command, CommandError, Commands, Part, Parts};

/// A frame's header: its length is within the input, its payload within the limit, and it does not depend on what
/// follows it. The first byte says what the frames before have announced.
pub(crate) fn frame_decode(data: &[u8]) {
    let Some((&options, bytes)) = data.split_first() else { return };
    let expected = Expected {
        in_message: options & 1 != 0,
        can_inflate: options & 2 != 0,
        max_payload_bytes: 1 << (options >> 2),
    };
    let parsed = FrameHeader::parse(bytes, expected);
    let Ok(Some((header, header_len))) = parsed else {
        return;
    };
    assert!(header_len <= FrameHeader::MAX_LEN.min(bytes.len()));
    assert!(header.opcode.is_control() || header.payload_len <= expected.max_payload_bytes);
    assert!(!header.opcode.is_control() || (header.is_final && header.payload_len <= 125));
    assert_eq!(FrameHeader::parse(&bytes[..header_len], expected), parsed);
    for len in 0..header_len {
        assert_eq!(FrameHeader::parse(&bytes[..len], expected), Ok(None));
    }
}

/// Messages: however the stream is cut into reads, the same comes out, and nothing over the limit does. The first byte
/// says how the stream is cut.
pub(crate) fn message_decode(data: &[u8]) {
    const MAX_MESSAGE_BYTES: usize = 1_000;
    let Some((&cut, bytes)) = data.split_first() else { return };
    let whole = decode_messages(MAX_MESSAGE_BYTES, [bytes]);
    let in_pieces = decode_messages(MAX_MESSAGE_BYTES, bytes.chunks(usize::from(cut).max(1)));
    assert_eq!(whole, in_pieces);
    for item in whole {
        let Ok(Message { kind, payload }) = item else { continue };
        match kind {
            "text" => {
                assert!(
                    payload.len() <= MAX_MESSAGE_BYTES && std::str::from_utf8(&payload).is_ok()
                );
            }
            "binary" => assert!(payload.len() <= MAX_MESSAGE_BYTES),
            _ => assert!(payload.len() <= 125),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Message {
    kind: &'static str,
    payload: Vec<u8>,
}

fn decode_messages<'a>(
    max_message_bytes: usize,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<Message, ProtocolError>> {
    let mut decoder = MessageDecoder::new(max_message_bytes as u64);
    let mut items = Vec::new();
    for read in reads {
        let mut read = read.to_vec();
        let mut input = Input::new(&mut read);
        loop {
            let (kind, payload) = match decoder.decode(&mut input) {
                Ok(Some(Incoming::Text(text))) => ("text", text.as_bytes()),
                Ok(Some(Incoming::Binary(bytes))) => ("binary", bytes),
                Ok(Some(Incoming::Ping(bytes))) => ("ping", bytes),
                Ok(Some(Incoming::Pong(bytes))) => ("pong", bytes),
                Ok(Some(Incoming::Close { reason, .. })) => ("close", reason.as_bytes()),
                Ok(None) => break,
                Err(error) => {
                    items.push(Err(error));
                    break;
                }
            };
            items.push(Ok(Message { kind, payload: payload.to_vec() }));
        }
    }
    items
}

/// Compressed messages: whatever a peer sends, nothing over the limit comes out; and what is compressed is the same after
/// it was inflated. The first byte says what was agreed on, the second how long the messages are.
pub(crate) fn deflate(data: &[u8]) {
    const MAX_MESSAGE_BYTES: u64 = 1_000;
    let Some((&[agreement, message_len], bytes)) = data.split_first_chunk::<2>() else { return };
    let window_bits = 8 + (agreement & 7);
    let has_context = agreement & 8 != 0;
    let level = (agreement >> 4) % 10;
    let parameters = DeflateParameters {
        compression: Compression { threshold: 0, window_bits, level, ..Compression::default() },
        has_outgoing_context: has_context,
        incoming_window_bits: window_bits,
        has_incoming_context: has_context,
    };
    let messages = || bytes.chunks(usize::from(message_len).max(1));

    let mut inflater = Inflater::new(&parameters);
    for message in messages() {
        if inflater.inflate(message, MAX_MESSAGE_BYTES).is_err() {
            break;
        }
        assert!(inflater.message().len() as u64 <= MAX_MESSAGE_BYTES);
    }

    let mut deflater = Deflater::new(&parameters);
    let mut inflater = Inflater::new(&parameters);
    for message in messages() {
        let mut frame = Vec::new();
        append_frame(&mut frame, Opcode::Binary, &[message]);
        let mut compressed = deflater.deflate(&frame).expect("no threshold").to_vec();
        assert_eq!(compressed[0], 0xc2);
        compressed[0] = 0x82;
        let (_, payload) = ServerFrames::new(&compressed).next().expect("one frame");
        assert_eq!(inflater.inflate(payload, u64::MAX), Ok(()));
        assert_eq!(inflater.message(), message);
    }
}

/// Payloads: a bad packet is the last, and what was decoded is the same after it was encoded and decoded again.
pub(crate) fn payload_decode(data: &[u8]) {
    let Ok(payload) = std::str::from_utf8(data) else { return };
    let items: Vec<_> = Packets::new(payload).collect();
    let (last, others) = items.split_last().expect("an empty payload is a bad packet");
    assert!(others.iter().all(Result::is_ok));
    let packets: Vec<&Packet<'_>> = others.iter().chain([last]).flatten().collect();

    let mut encoded = Vec::new();
    for packet in &packets {
        match &packet.data {
            PacketData::Text(text) => {
                append_text(&mut encoded, packet.packet_type, text.as_bytes());
            }
            PacketData::Binary(bytes) => append_binary(&mut encoded, bytes),
        }
    }
    let encoded = String::from_utf8(encoded).expect("text and base64 are UTF-8");
    let again: Vec<_> = Packets::new(&encoded).flatten().collect();
    assert!(again.iter().eq(packets));
}

/// Payloads of revision 3, text and binary: the same.
pub(crate) fn payload_v3_decode(data: &[u8]) {
    check_v3(&v3::BinaryPackets::new(data).collect::<Vec<_>>());
    if let Ok(payload) = std::str::from_utf8(data) {
        check_v3(&v3::TextPackets::new(payload).collect::<Vec<_>>());
    }
}

fn check_v3(items: &[Result<Packet<'_>, PacketError>]) {
    assert!(items.iter().rev().skip(1).all(Result::is_ok));
    let mut frames = Vec::new();
    let mut sent = Vec::new();
    for packet in items.iter().flatten() {
        match &packet.data {
            PacketData::Text(text) => {
                append_text_frame(&mut frames, packet.packet_type, text.as_bytes());
            }
            PacketData::Binary(bytes) if packet.packet_type == PacketType::Message => {
                append_binary_frame(&mut frames, BinaryForm::TypedBytes, bytes);
            }
            // A server sends no other binary packets.
            PacketData::Binary(_) => continue,
        }
        sent.push(packet);
    }
    let mut payload = Vec::new();
    let is_binary = v3::append_frames(&mut payload, std::iter::once(&*frames));
    let again: Vec<_> = match std::str::from_utf8(&payload) {
        _ if is_binary || payload.is_empty() => {
            v3::BinaryPackets::new(&payload).flatten().collect()
        }
        payload => v3::TextPackets::new(payload.expect("text is UTF-8")).flatten().collect(),
    };
    assert!(again.iter().eq(sent));
}

/// Packets on a stream of WebTransport: however the stream is cut into reads, the same comes out, nothing over the limit does,
/// and what came out is the same after it was framed and read again. The first byte says how the stream is cut.
pub(crate) fn webtransport_decode(data: &[u8]) {
    const MAX_PACKET_BYTES: usize = 1_000;
    let Some((&cut, bytes)) = data.split_first() else { return };
    let whole = decode_stream(MAX_PACKET_BYTES, [bytes]);
    let in_pieces = decode_stream(MAX_PACKET_BYTES, bytes.chunks(usize::from(cut).max(1)));
    assert_eq!(whole, in_pieces);
    assert!(whole.iter().rev().skip(1).all(Result::is_ok));

    let mut frames = Vec::new();
    for (is_binary, packet) in whole.iter().flatten() {
        // What is no UTF-8 grows when it is replaced: three bytes for one.
        assert!(packet.len() <= if *is_binary { MAX_PACKET_BYTES } else { 3 * MAX_PACKET_BYTES });
        assert!(*is_binary || std::str::from_utf8(packet).is_ok());
        let opcode = if *is_binary { Opcode::Binary } else { Opcode::Text };
        append_frame(&mut frames, opcode, &[packet]);
    }
    let mut stream = Vec::new();
    append_prefixed(&mut stream, &frames);
    let again = decode_stream(usize::MAX, [&*stream]);
    let sent = whole.iter().filter_map(|packet| packet.as_ref().ok());
    // A byte order mark that stood behind another is the first one now, and a packet that was nothing else is empty.
    if sent.clone().all(|(_, packet)| !packet.is_empty() && !packet.starts_with(b"\xef\xbb\xbf")) {
        assert!(again.iter().flatten().eq(sent));
    }
}

fn decode_stream<'a>(
    max_packet_bytes: usize,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<(bool, Vec<u8>), PacketError>> {
    let mut decoder = PacketDecoder::new(max_packet_bytes as u64);
    let mut items = Vec::new();
    for read in reads {
        let mut read = read.to_vec();
        let mut input = Input::new(&mut read);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(StreamPacket::Text(text))) => {
                    items.push(Ok((false, text.as_bytes().to_vec())));
                }
                Ok(Some(StreamPacket::Binary(bytes))) => items.push(Ok((true, bytes.to_vec()))),
                Ok(None) => break,
                Err(error) => items.push(Err(error)),
            }
        }
    }
    items
}

/// Commands: an error is the last item, and no list or part is longer than the buffer that it came from.
pub(crate) fn commands_decode(data: &[u8]) {
    let items: Vec<Result<Command<'_>, CommandError>> = Commands::new(data).collect();
    assert!(items.iter().rev().skip(1).all(Result::is_ok));
    for command in items.into_iter().flatten() {
        match command {
            Command::Open(open) => assert!(open.handshake.len() <= data.len()),
            Command::Send { parts, .. } => check_parts(parts, data.len()),
            Command::Broadcast(broadcast) => {
                let target = broadcast.target;
                let lists =
                    [target.rooms, target.members, target.except_rooms, target.except_members];
                let ids: usize = lists.into_iter().map(Iterator::count).sum();
                assert!(ids <= data.len() / 4);
                check_parts(broadcast.parts, data.len());
            }
            Command::Multicast(multicast) => {
                assert!(multicast.slots.count() <= data.len() / 4);
                check_parts(multicast.parts, data.len());
            }
            Command::BridgeData { bytes, .. } => assert!(bytes.len() <= data.len()),
            _ => {}
        }
    }
}

fn check_parts(parts: Parts<'_>, buffer_len: usize) {
    let (count, byte_count) = (parts.len(), parts.byte_count());
    let lens: Vec<usize> = parts
        .map(|part| match part {
            Part::Text(bytes) | Part::Binary(bytes) => bytes.len(),
        })
        .collect();
    assert!(count > 0 && lens.len() == count);
    assert!(lens.iter().sum::<usize>() == byte_count && byte_count <= buffer_len);
}
