//! permessage-deflate over real streams and byte bridges: little input that holds much, what a busy JavaScript holds back,
//! and messages for sessions that have agreed on different things.

mod client_frame;
mod support;

use std::thread;
use std::time::Duration;

use sio::codec::websocket::{
    Compression, DeflateParameters, Inflater, Opcode, append_frame, deflate_frames,
};
use sio::server::link::Role;

use client_frame::client_frame;
use support::{
    COMPRESS, Carrier, Commands, Event, Js, Options, Part, Peer, RESPONSE, Reason, Target,
    connected,
};

over_both_carriers! {
    compressed_input_is_taken_a_little_at_a_time
    compressed_input_that_came_with_the_request_is_too
    a_message_that_was_fragmented_and_cut_anywhere_is_inflated
    sessions_get_what_each_has_agreed_on
}

/// What a small message of a hostile peer comes to.
const BOMB_LEN: usize = 1_000_000;
const BOMBS: usize = 64;

/// A message as a client sends it, compressed.
fn compressed_frame(message: &[u8]) -> Vec<u8> {
    client_frame(0xc2, &compressed(message))
}

fn compressed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    append_frame(&mut frame, Opcode::Binary, &[message]);
    let frame = deflate_frames(&frame, Compression::default()).unwrap();
    let header_len = if frame[1] < 126 { 2 } else { 4 };
    frame[header_len..].to_vec()
}

/// A session on a WebSocket with this agreement, its 101 and open packet read.
fn open(js: &Js, carrier: Carrier, deflate: DeflateParameters, input: &[u8]) -> (u32, u32, Peer) {
    let slot = js.link.reserve_slot();
    let options = Options { is_websocket: true, max_payload: 1_000_000, ..Options::default() };
    js.submit(Commands::default().open(slot, options));
    let (server, client) = connected();
    let conn = js.give_compressed(carrier, Role::Direct, slot, server, input, Some(deflate));
    let mut peer = Peer::new(client);
    peer.expect_bytes(&[RESPONSE, b"\x81\x030{}"].concat());
    (slot, conn, peer)
}

/// While JavaScript is busy little is inflated; later all of it comes, and the end after it.
fn expect_bombs(js: &Js, slot: u32, conn: u32) {
    // Nothing tells that the core will read no more.
    thread::sleep(Duration::from_millis(300));
    let (bytes, mut events) = js.drain_once(BOMBS * (BOMB_LEN + 64));
    assert!(bytes < 16 * BOMB_LEN, "{bytes}");
    js.be_idle();
    while events.last() != Some(&Event::ConnEnded { conn }) {
        events.push(js.event());
    }
    let is_bomb = |event: &Event| matches!(event, Event::Binary { slot: of, bytes } if *of == slot && bytes.len() == BOMB_LEN);
    assert_eq!(events.len(), BOMBS + 3);
    assert!(events[..BOMBS].iter().all(is_bomb));
    assert_eq!(events[BOMBS], Event::closed(slot, Reason::TransportClose, ""));
}

fn compressed_input_is_taken_a_little_at_a_time(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = open(&js, carrier, DeflateParameters::default(), b"");
    let bombs = compressed_frame(&vec![0; BOMB_LEN]).repeat(BOMBS);
    assert!(bombs.len() < 128 * 1024);
    if carrier == Carrier::Descriptor {
        js.be_busy();
        peer.send_raw(&bombs);
    } else {
        // All that the bridge had read before it could be told to pause.
        js.be_busy_but_for_bridges();
        js.submit(Commands::default().bridge_data(conn, &bombs));
    }
    peer.finish();
    expect_bombs(&js, slot, conn);
}

fn compressed_input_that_came_with_the_request_is_too(carrier: Carrier) {
    let js = Js::new();
    js.be_busy_but_for_bridges();
    let bombs = compressed_frame(&vec![0; BOMB_LEN]).repeat(BOMBS);
    let slot = js.link.reserve_slot();
    let options = Options { is_websocket: true, ..Options::default() };
    js.submit(Commands::default().open(slot, options));
    let (server, client) = connected();
    let deflate = Some(DeflateParameters::default());
    let conn = js.give_compressed(carrier, Role::Direct, slot, server, &bombs, deflate);
    Peer::new(client).finish();
    expect_bombs(&js, slot, conn);
}

fn a_message_that_was_fragmented_and_cut_anywhere_is_inflated(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = open(&js, carrier, DeflateParameters::default(), b"");
    let message = [b"4".as_slice(), &b"again and ".repeat(200)].concat();
    let text = String::from_utf8(message[1..].to_vec()).unwrap();
    let payload = compressed(&message);
    let frames = [
        client_frame(0x41, &payload[..3]),
        client_frame(0x89, b"ping"),
        client_frame(0x00, &payload[3..9]),
        client_frame(0x80, &payload[9..]),
        client_frame(0x81, b"4plain"),
    ];
    let bytes = frames.concat();
    for cut in 0..bytes.len() {
        peer.send_raw(&bytes[..cut]);
        peer.send_raw(&bytes[cut..]);
        assert_eq!(js.events(), [Event::text(slot, &text), Event::text(slot, "plain")]);
        peer.expect_bytes(b"\x8a\x04ping");
    }
}

fn sessions_get_what_each_has_agreed_on(carrier: Carrier) {
    const NAMESPACE: u32 = 1;
    let js = Js::new();
    let small = Compression { threshold: 10, window_bits: 9, ..Compression::default() };
    let large = Compression { threshold: 10, ..Compression::default() };
    let agreements = [(large, false), (large, false), (small, false), (small, true), (large, true)];
    let mut sessions: Vec<_> = agreements
        .into_iter()
        .map(|(compression, has_outgoing_context)| {
            let deflate = DeflateParameters {
                compression,
                has_outgoing_context,
                ..DeflateParameters::default()
            };
            let (slot, _, peer) = open(&js, carrier, deflate, b"");
            let has_incoming_context = has_outgoing_context;
            let inflater = Inflater::new(&DeflateParameters { has_incoming_context, ..deflate });
            (slot, peer, inflater)
        })
        .collect();
    let mut commands = Commands::default();
    for (member, (slot, ..)) in (0..).zip(&sessions) {
        commands.member_add(NAMESPACE, member, *slot);
    }
    let texts: Vec<String> = (0..20).map(|count| format!("text {count} ").repeat(60)).collect();
    for text in &texts {
        commands.broadcast(NAMESPACE, Target::default(), COMPRESS, &[Part::Text(text)]);
        for (slot, ..) in &sessions {
            commands.send(*slot, COMPRESS, &[Part::Text(text), Part::Binary(b"short")]);
            commands.send(*slot, 0, &[Part::Text("plain, and no part of a context")]);
        }
    }
    js.submit(&commands);
    let mut broadcasts = Vec::new();
    for (slot, peer, inflater) in &mut sessions {
        for text in &texts {
            let shared = peer.raw_frame();
            for (first, payload) in [shared.clone(), peer.raw_frame()] {
                assert_eq!(first, 0xc1);
                inflater.inflate(&payload, 1_000_000).unwrap();
                assert_eq!(inflater.message(), format!("4{text}").as_bytes(), "{slot}");
            }
            broadcasts.push(shared);
            assert_eq!(peer.raw_frame(), (0x82, b"short".to_vec()));
            assert_eq!(peer.raw_frame(), (0x81, b"4plain, and no part of a context".to_vec()));
        }
    }
    // The same bytes for all whose compression is equal, whether they keep a context or not.
    assert_eq!(broadcasts[..20], broadcasts[20..40]);
    assert_eq!(broadcasts[40..60], broadcasts[60..80]);
    assert_eq!(broadcasts[..20], broadcasts[80..]);
}
