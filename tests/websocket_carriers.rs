//! The carriers make no difference: random streams, cut into random pieces, lead to the same events and the same bytes
//! over an adopted descriptor as over a byte bridge. And what comes in very many pieces comes all the same.

mod client_frame;
mod support;

use std::io::{Read, Write};

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::Config;
use sio::codec::websocket::{DeflateParameters, Deflater, Opcode, append_frame};
use sio::server::link::Role;

use client_frame::client_frame;
use support::{Carrier, Commands, Event, Js, Options, Peer, Reason, connected};

over_both_carriers! {
    a_hundred_thousand_pieces_of_one_byte_are_one_message
    sixteen_thousand_fragments_are_one_message_and_one_more_is_refused
}

/// Small, so that random streams reach it.
const LIMIT: u32 = 300;

proptest! {
    #![proptest_config(Config::with_cases(200))]

    #[test]
    fn both_carriers_give_the_same_trace(
        frames in vec(frame(), 0..10),
        noise in vec(any::<u8>(), 0..20),
        piece_lens in vec(prop_oneof![1_usize..4, 1_usize..120], 1..20),
        is_compressed: bool,
    ) {
        let bytes = [frames.concat(), noise].concat();
        let descriptor = trace(Carrier::Descriptor, &bytes, &piece_lens, is_compressed);
        let bridge = trace(Carrier::Bridge, &bytes, &piece_lens, is_compressed);
        prop_assert_eq!(descriptor, bridge);
    }
}

/// What JavaScript is told, and all that the peer reads.
fn trace(
    carrier: Carrier,
    bytes: &[u8],
    piece_lens: &[usize],
    is_compressed: bool,
) -> (Vec<Event>, Vec<u8>) {
    let js = Js::new();
    let slot = js.link.reserve_slot();
    let options = Options { is_websocket: true, max_payload: LIMIT, ..Options::default() };
    js.submit(Commands::default().open(slot, options));
    let (server, client) = connected();
    let deflate = is_compressed.then(DeflateParameters::default);
    let conn = js.give_compressed(carrier, Role::Direct, slot, server, b"", deflate);
    let mut peer = Peer::new(client);
    peer.expect_response();
    let mut rest = bytes;
    for piece_len in piece_lens.iter().cycle() {
        let (piece, later) = rest.split_at((*piece_len).min(rest.len()));
        peer.stream().write_all(piece).unwrap();
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    peer.finish();
    let mut events = Vec::new();
    while events.last() != Some(&Event::ConnEnded { conn }) {
        events.push(js.event());
    }
    let mut answer = Vec::new();
    peer.stream().read_to_end(&mut answer).unwrap();
    (events, answer)
}

/// Mostly frames that make sense together, some that break a rule, some compressed.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => "4[a-zé€😀]{0,8}".prop_map(String::into_bytes),
        1 => Just(b"3".to_vec()),
        1 => vec(any::<u8>(), 0..8),
        1 => vec(Just(b'4'), 120..135),
        1 => vec(Just(b'4'), 290..310),
    ];
    let first = prop_oneof![
        6 => Just(0x81_u8),
        4 => Just(0x82),
        2 => Just(0x01),
        2 => Just(0x00),
        2 => Just(0x80),
        3 => Just(0x89),
        1 => Just(0x8a),
        1 => any::<u8>(),
    ];
    prop_oneof![
        20 => (first, payload.clone()).prop_map(|(first, payload)| client_frame(first, &payload)),
        6 => payload.prop_map(|payload| compressed_frame(&payload)),
        1 => (any::<u16>(), "[a-z€]{0,5}").prop_map(|(code, reason)| {
            client_frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
        }),
        1 => Just(vec![0x81, 2, b'4', b'i']), // unmasked
    ]
}

/// A binary message in one frame, compressed without a context.
fn compressed_frame(message: &[u8]) -> Vec<u8> {
    let mut parameters = DeflateParameters::default();
    parameters.compression.threshold = 0;
    let mut frame = Vec::new();
    append_frame(&mut frame, Opcode::Binary, &[message]);
    let frame = Deflater::new(&parameters).deflate(&frame).unwrap();
    let header_len = if frame[1] < 126 { 2 } else { 4 };
    client_frame(0xc2, &frame[header_len..])
}

fn a_hundred_thousand_pieces_of_one_byte_are_one_message(carrier: Carrier) {
    const LEN: usize = 100_000;
    let js = Js::new();
    let options = Options { max_payload: 1_000_000, ..Options::default() };
    let (slot, _, mut peer) = js.open_websocket(carrier, options);
    let message = vec![7; LEN];
    for byte in client_frame(0x82, &message) {
        peer.send_raw(&[byte]);
    }
    assert_eq!(js.event(), Event::Binary { slot, bytes: message });
    peer.send("4after");
    assert_eq!(js.event(), Event::text(slot, "after"));
}

fn sixteen_thousand_fragments_are_one_message_and_one_more_is_refused(carrier: Carrier) {
    const MOST: usize = 16_384;
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    let fragments = |count: usize| {
        let parts = client_frame(0x00, b"").repeat(count - 2);
        [client_frame(0x01, b"4a"), parts, client_frame(0x80, b"b")].concat()
    };
    peer.send_raw(&fragments(MOST));
    assert_eq!(js.event(), Event::text(slot, "ab"));
    peer.send_raw(&fragments(MOST + 1));
    let description = "RangeError: Too many message fragments";
    assert_eq!(
        js.events(),
        [Event::closed(slot, Reason::TransportError, description), Event::Ended { slot }]
    );
    assert_eq!(peer.read_to_end(), b"\x88\x02\x03\xf0");
    peer.finish();
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}
