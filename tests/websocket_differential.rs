//! The WebSocket codec against an independent one, tungstenite, on random streams of right and wrong frames; and
//! against itself, on random bytes in random pieces.

mod client_frame;

use std::io::{self, Cursor, Read, Write};

use client_frame::client_frame;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use sio::codec::websocket::{
    Incoming, Input, MessageDecoder, Opcode, ProtocolError, encode_close_frame, encode_frame,
};
use tungstenite::error::ProtocolError as PeerError;
use tungstenite::protocol::{CloseFrame, Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

/// Small, so that random streams reach it.
const LIMIT: usize = 300;

proptest! {
    #[test]
    fn tungstenite_hears_the_same(frames in vec(frame(), 0..12)) {
        let bytes = frames.concat();
        let (ours, our_error) = decode(&mut MessageDecoder::new(LIMIT as u64), &bytes);
        let (theirs, their_error) = decode_with_tungstenite(&bytes);
        if their_error == Some(TheirError::Utf8) {
            // It checks text as it comes; `ws` and we at the end of the message, so that control frames in between
            // are still heard, and a message that never ends is no error.
            prop_assert!(ours.starts_with(&theirs), "{ours:?}\n{theirs:?}");
            let later = &ours[theirs.len()..];
            prop_assert!(later.iter().all(|message| !message.is_text() && !message.is_binary()), "{later:?}");
        } else {
            prop_assert_eq!(ours, theirs);
            prop_assert_eq!(our_error.is_some(), their_error.is_some(), "{:?} and {:?}", our_error, their_error);
        }
    }

    #[test]
    fn the_pieces_that_bytes_come_in_make_no_difference(
        frames in vec(frame(), 0..12),
        noise in vec(any::<u8>(), 0..40),
        piece_lens in vec(1_usize..200, 1..50),
    ) {
        let mut bytes = frames.concat();
        bytes.extend(noise);
        let whole = decode(&mut MessageDecoder::new(LIMIT as u64), &bytes);

        let mut decoder = MessageDecoder::new(LIMIT as u64);
        let mut heard = (Vec::new(), None);
        let mut rest = bytes.as_slice();
        for piece_len in piece_lens.into_iter().cycle() {
            let (piece, later) = rest.split_at(piece_len.min(rest.len()));
            let (messages, error) = decode(&mut decoder, piece);
            heard.0.extend(messages);
            heard.1 = heard.1.or(error);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(heard, whole);
    }

    #[test]
    fn tungstenite_reads_what_we_write(
        text: String,
        binary_len in prop_oneof![0_usize..300, 65_500_usize..65_600],
        ping in vec(any::<u8>(), 0..=125),
    ) {
        let binary = vec![0xa5; binary_len];
        let stream = [
            encode_frame(Opcode::Text, &[b"4", text.as_bytes()]),
            encode_frame(Opcode::Binary, &[&binary]),
            encode_frame(Opcode::Ping, &[&ping]),
            encode_frame(Opcode::Pong, &[]),
            encode_close_frame(ProtocolError::MessageTooLarge.close_code().into(), "too big"),
        ];
        let mut client = WebSocket::from_raw_socket(Stream(Cursor::new(stream.concat())), Role::Client, None);
        prop_assert_eq!(client.read().unwrap(), Message::text(format!("4{text}")));
        prop_assert_eq!(client.read().unwrap(), Message::binary(binary));
        prop_assert_eq!(client.read().unwrap(), Message::Ping(ping.into()));
        prop_assert_eq!(client.read().unwrap(), Message::Pong(Vec::new().into()));
        prop_assert_eq!(client.read().unwrap(), close_message(1009, "too big"));
    }
}

/// Mostly frames that make sense together, some that break one rule.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => "[a-zé€😀]{0,8}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..8),
        1 => vec(Just(b'x'), 120..135),
        1 => vec(Just(b'x'), 250..310),
    ];
    let first = prop_oneof![
        4 => Just(0x81_u8),
        3 => Just(0x82),
        3 => Just(0x01),
        1 => Just(0x02),
        3 => Just(0x00),
        4 => Just(0x80),
        2 => Just(0x89),
        1 => Just(0x8a),
        1 => any::<u8>(),
    ];
    let close_code = prop_oneof![Just(1000_u16), Just(1001), Just(4000), any::<u16>()]
        .prop_filter("tungstenite does not know 1014", |code| *code != 1014);
    let close = (close_code, "[a-z€]{0,5}").prop_map(|(code, reason)| {
        client_frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
    });
    prop_oneof![
        20 => (first, payload).prop_map(|(first, payload)| client_frame(first, &payload)),
        1 => close,
        1 => Just(vec![0x81, 2, b'h', b'i']), // unmasked
    ]
}

fn decode(decoder: &mut MessageDecoder, bytes: &[u8]) -> (Vec<Message>, Option<ProtocolError>) {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut heard = Vec::new();
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(incoming)) => heard.push(match incoming {
                Incoming::Text(text) => Message::text(text),
                Incoming::Binary(bytes) => Message::binary(bytes.to_vec()),
                Incoming::Ping(payload) => Message::Ping(payload.to_vec().into()),
                Incoming::Pong(payload) => Message::Pong(payload.to_vec().into()),
                Incoming::Close { code: Some(code), reason } => close_message(code.get(), reason),
                Incoming::Close { code: None, .. } => Message::Close(None),
            }),
            Ok(None) => return (heard, None),
            Err(error) => return (heard, Some(error)),
        }
    }
}

#[derive(Debug, PartialEq)]
enum TheirError {
    Utf8,
    Other,
}

fn decode_with_tungstenite(bytes: &[u8]) -> (Vec<Message>, Option<TheirError>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_frame_size(Some(LIMIT))
        .max_message_size(Some(LIMIT));
    let mut server =
        WebSocket::from_raw_socket(Stream(Cursor::new(bytes.to_vec())), Role::Server, Some(config));
    let mut heard = Vec::new();
    loop {
        match server.read() {
            // It turns a close code that may not be sent into this one; we fail, as `ws` does.
            Ok(Message::Close(Some(CloseFrame { reason, .. })))
                if reason.as_str() == "Protocol violation" =>
            {
                return (heard, Some(TheirError::Other));
            }
            Ok(Message::Close(close)) => {
                heard.push(Message::Close(close));
                return (heard, None);
            }
            Ok(message) => heard.push(message),
            Err(Error::Protocol(PeerError::ResetWithoutClosingHandshake)) => return (heard, None),
            Err(Error::Utf8(_)) => return (heard, Some(TheirError::Utf8)),
            Err(_) => return (heard, Some(TheirError::Other)),
        }
    }
}

fn close_message(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
}

/// Gives its bytes, then the end; takes whatever is written.
struct Stream(Cursor<Vec<u8>>);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
