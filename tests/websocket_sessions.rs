//! Sessions on a WebSocket from their first byte to their last, over adopted descriptors and over byte bridges.

mod support;

use sio::server::link::Role;
use tungstenite::Message;

use support::{
    Carrier, Commands, Event, Js, NOTIFY, Options, Part, Peer, RESPONSE, Reason, connected,
};

over_both_carriers! {
    messages_go_both_ways
    a_message_and_its_attachments_arrive_together
    frames_of_one_write_and_cut_anywhere_are_decoded
    bytes_that_came_with_the_request_are_not_lost
    pings_of_the_stream_are_answered
    word_is_given_of_what_was_taken
    the_peer_closes_and_is_echoed
    the_peer_ends_its_half
    the_peer_vanishes_in_the_middle_of_a_frame
    the_peer_resets
    a_broken_frame_is_answered_with_its_close_code
    a_message_over_the_limit_is_refused
    close_writes_what_waits_and_shakes_hands
    a_peer_that_leaves_after_our_close_frame_is_let_go
    a_heartbeat_is_kept_up
    a_missing_pong_ends_the_session
    a_stream_destroyed_by_its_owner_ends_the_session
    a_refused_stream_gets_its_response_and_a_close_frame
    a_stream_for_a_session_that_closed_meanwhile_is_refused
    a_thousand_sessions_leave_nothing_behind
}

fn messages_go_both_ways(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    peer.send("4hello");
    peer.send("4");
    peer.send("4gr\u{fc}n");
    peer.send_binary(&[1, 2, 3]);
    assert_eq!(
        js.events(),
        [
            Event::text(slot, "hello"),
            Event::text(slot, ""),
            Event::text(slot, "gr\u{fc}n"),
            Event::Binary { slot, bytes: vec![1, 2, 3] },
        ]
    );
    js.send(slot, "world");
    assert_eq!(peer.text(), "4world");
}

fn a_message_and_its_attachments_arrive_together(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    let parts = [Part::Text("51-[{}]"), Part::Binary(&vec![7; 70_000]), Part::Binary(&[])];
    js.submit(Commands::default().send(slot, 0, &parts).send(slot, 0, &[Part::Text("next")]));
    assert_eq!(peer.text(), "451-[{}]");
    assert_eq!(peer.message(), Message::binary(vec![7; 70_000]));
    assert_eq!(peer.message(), Message::binary(vec![]));
    assert_eq!(peer.text(), "4next");
}

fn frames_of_one_write_and_cut_anywhere_are_decoded(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    // Three fragments with a ping between them, then a whole frame; all masked with zeros.
    let frames: [&[u8]; 5] = [
        b"\x01\x82\0\0\0\x004a",
        b"\x00\x81\0\0\0\0b",
        b"\x89\x81\0\0\0\0p",
        b"\x80\x81\0\0\0\0c",
        b"\x81\x82\0\0\0\x004d",
    ];
    let bytes = frames.concat();
    peer.send_raw(&bytes);
    assert_eq!(js.events(), [Event::text(slot, "abc"), Event::text(slot, "d")]);
    for byte in &bytes {
        peer.send_raw(&[*byte]);
    }
    assert_eq!(js.events(), [Event::text(slot, "abc"), Event::text(slot, "d")]);
    assert_eq!(
        [peer.message(), peer.message()],
        [(); 2].map(|()| Message::Pong(b"p".to_vec().into()))
    );
}

fn bytes_that_came_with_the_request_are_not_lost(carrier: Carrier) {
    let js = Js::new();
    let bytes = b"\x81\x82\0\0\0\x004a\x81\x82\0\0\0\x004b";
    for cut in 0..=bytes.len() {
        let slot = js.link.reserve_slot();
        js.submit(
            Commands::default().open(slot, Options { is_websocket: true, ..Options::default() }),
        );
        let (server, client) = connected();
        js.give(carrier, Role::Direct, slot, server, &bytes[..cut]);
        let mut peer = Peer::new(client);
        peer.send_raw(&bytes[cut..]);
        assert_eq!(js.events(), [Event::text(slot, "a"), Event::text(slot, "b")]);
        peer.expect_response();
        assert_eq!(peer.text(), "0{}");
        js.link.submit(Commands::default().close(slot, false).bytes()).unwrap();
        assert_eq!(peer.expect_close(), None);
        peer.expect_fin();
        drop(peer);
        assert!(matches!(
            js.events(),
            [Event::Closed { .. }, Event::Ended { .. }, Event::ConnEnded { .. }]
        ));
    }
}

fn pings_of_the_stream_are_answered(carrier: Carrier) {
    let js = Js::new();
    let (_, _, mut peer) = js.open_websocket(carrier, Options::default());
    for payload in [&b""[..], &[7; 125]] {
        peer.ping(payload);
        assert_eq!(peer.message(), Message::Pong(payload.to_vec().into()));
    }
    js.expect_silence();
}

fn word_is_given_of_what_was_taken(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    let mut commands = Commands::default();
    commands.send(slot, NOTIFY, &[Part::Text("a")]).send(slot, 0, &[Part::Text("b")]);
    commands.send(slot, NOTIFY, &[Part::Text("c")]);
    js.submit(&commands);
    assert_eq!(js.event(), Event::Sent { slot, count: 2 });
    assert_eq!([peer.text(), peer.text(), peer.text()], ["4a", "4b", "4c"]);
}

fn the_peer_closes_and_is_echoed(carrier: Carrier) {
    for frame in [None, Some((1000, "")), Some((4000, "bye"))] {
        let js = Js::new();
        let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
        peer.send("4last");
        peer.close(frame);
        assert_eq!(peer.expect_close(), frame.map(|(code, reason)| (code, reason.to_owned())));
        assert_eq!(
            js.events(),
            [
                Event::text(slot, "last"),
                Event::closed(slot, Reason::TransportClose, ""),
                Event::Ended { slot },
            ]
        );
        peer.expect_fin();
        drop(peer);
        assert_eq!(js.event(), Event::ConnEnded { conn });
        js.expect_nothing_left();
    }
}

fn the_peer_ends_its_half(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    peer.send("4last");
    peer.finish();
    assert_eq!(
        js.events(),
        [
            Event::text(slot, "last"),
            Event::closed(slot, Reason::TransportClose, ""),
            Event::Ended { slot },
            Event::ConnEnded { conn },
        ]
    );
    assert_eq!(peer.read_to_end(), b"");
    js.expect_nothing_left();
}

fn the_peer_vanishes_in_the_middle_of_a_frame(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    peer.send_raw(b"\x81\xfe\x10\x00\0\0\0\x004half");
    drop(peer);
    assert_eq!(
        js.events(),
        [
            Event::closed(slot, Reason::TransportClose, ""),
            Event::Ended { slot },
            Event::ConnEnded { conn },
        ]
    );
    js.expect_nothing_left();
}

fn the_peer_resets(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, peer) = js.open_websocket(carrier, Options::default());
    peer.reset();
    assert_eq!(
        js.events(),
        [
            Event::closed(slot, Reason::TransportClose, ""),
            Event::Ended { slot },
            Event::ConnEnded { conn },
        ]
    );
    js.expect_nothing_left();
}

fn a_broken_frame_is_answered_with_its_close_code(carrier: Carrier) {
    let table: [(&[u8], &[u8], &str); 4] = [
        (
            b"\x81\x024x",
            b"\x88\x02\x03\xea",
            "RangeError: Invalid WebSocket frame: MASK must be set",
        ),
        (
            b"\x83\x80\0\0\0\0",
            b"\x88\x02\x03\xea",
            "RangeError: Invalid WebSocket frame: invalid opcode 3",
        ),
        (
            b"\x80\x80\0\0\0\0",
            b"\x88\x02\x03\xea",
            "RangeError: Invalid WebSocket frame: invalid opcode 0",
        ),
        (
            b"\x81\x81\0\0\0\0\xff",
            b"\x88\x02\x03\xef",
            "Error: Invalid WebSocket frame: invalid UTF-8 sequence",
        ),
    ];
    for (bytes, answer, description) in table {
        let js = Js::new();
        let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
        peer.send_raw(&[bytes, b"\x81\x82\0\0\0\x004a"].concat());
        assert_eq!(
            js.events(),
            [Event::closed(slot, Reason::TransportError, description), Event::Ended { slot },]
        );
        // The half is closed without waiting for the peer's close frame.
        assert_eq!(peer.read_to_end(), answer);
        peer.finish();
        assert_eq!(js.event(), Event::ConnEnded { conn });
        js.expect_nothing_left();
    }
}

fn a_message_over_the_limit_is_refused(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) =
        js.open_websocket(carrier, Options { max_payload: 100, ..Options::default() });
    peer.send(&format!("4{}", "a".repeat(99)));
    peer.send(&format!("4{}", "a".repeat(100)));
    assert_eq!(js.event(), Event::text(slot, &"a".repeat(99)));
    assert_eq!(
        js.event(),
        Event::closed(slot, Reason::TransportError, "RangeError: Max payload size exceeded")
    );
    assert_eq!(peer.expect_close(), Some((1009, String::new())));
}

fn close_writes_what_waits_and_shakes_hands(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    js.submit(Commands::default().send(slot, 0, &[Part::Text("last")]).close(slot, false));
    assert_eq!(js.events(), [Event::closed(slot, Reason::ForcedClose, ""), Event::Ended { slot }]);
    assert_eq!(peer.text(), "4last");
    // What comes before the peer's close frame is not listened to.
    peer.send("4late");
    peer.ping(b"late");
    assert_eq!(peer.expect_close(), None);
    js.expect_counters(|counters| (counters.sessions, counters.connections) == (0, 1));
    peer.expect_fin();
    drop(peer);
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}

fn a_peer_that_leaves_after_our_close_frame_is_let_go(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    js.close(slot);
    assert_eq!(js.events(), [Event::closed(slot, Reason::ForcedClose, ""), Event::Ended { slot }]);
    peer.finish();
    assert_eq!(js.event(), Event::ConnEnded { conn });
    assert_eq!(peer.read_to_end(), b"\x88\0");
    js.expect_nothing_left();
}

fn a_heartbeat_is_kept_up(carrier: Carrier) {
    let js = Js::new();
    let options = Options { ping_interval_ms: 20, ping_timeout_ms: 5_000, ..Options::default() };
    let (slot, _, mut peer) = js.open_websocket(carrier, options);
    js.submit(Commands::default().observe(slot));
    for _ in 0..3 {
        assert_eq!(peer.text(), "2");
        assert_eq!(js.event(), Event::PingSent { slot });
        peer.send("3");
        assert_eq!(js.event(), Event::Heartbeat { slot });
    }
}

fn a_missing_pong_ends_the_session(carrier: Carrier) {
    let js = Js::new();
    let options = Options { ping_interval_ms: 20, ping_timeout_ms: 30, ..Options::default() };
    let (slot, conn, mut peer) = js.open_websocket(carrier, options);
    assert_eq!(peer.text(), "2");
    assert_eq!(js.events(), [Event::closed(slot, Reason::PingTimeout, ""), Event::Ended { slot }]);
    assert_eq!(peer.expect_close(), None);
    peer.expect_fin();
    drop(peer);
    assert_eq!(js.event(), Event::ConnEnded { conn });
}

fn a_stream_destroyed_by_its_owner_ends_the_session(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    js.submit(Commands::default().conn_destroy(conn));
    assert_eq!(
        js.events(),
        [
            Event::closed(slot, Reason::TransportClose, ""),
            Event::Ended { slot },
            Event::ConnEnded { conn },
        ]
    );
    assert_eq!(peer.read_to_end(), b"");
    js.submit(Commands::default().conn_destroy(conn));
    js.expect_silence();
    js.expect_nothing_left();
}

fn a_refused_stream_gets_its_response_and_a_close_frame(carrier: Carrier) {
    let js = Js::new();
    let (conn, mut peer) = js.connect(carrier, Role::Refused, 0);
    peer.expect_response();
    peer.send("4hello");
    assert_eq!(peer.expect_close(), None);
    peer.expect_fin();
    drop(peer);
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}

fn a_stream_for_a_session_that_closed_meanwhile_is_refused(carrier: Carrier) {
    let js = Js::new();
    let slot = js.link.reserve_slot();
    js.submit(
        Commands::default()
            .open(slot, Options { is_websocket: true, ..Options::default() })
            .close(slot, false),
    );
    assert_eq!(js.events(), [Event::closed(slot, Reason::ForcedClose, ""), Event::Ended { slot }]);
    let (conn, mut peer) = js.connect(carrier, Role::Direct, slot);
    peer.finish();
    assert_eq!(js.event(), Event::ConnEnded { conn });
    assert_eq!(peer.read_to_end(), [RESPONSE, b"\x88\0"].concat());
    js.expect_nothing_left();
}

fn a_thousand_sessions_leave_nothing_behind(carrier: Carrier) {
    const ROUNDS: usize = 10;
    const SESSIONS: usize = 100;
    let js = Js::new();
    for round in 0..ROUNDS {
        let mut sessions: Vec<_> =
            (0..SESSIONS).map(|_| js.open_websocket(carrier, Options::default())).collect();
        assert_eq!(js.link.counters().sessions, SESSIONS as u64);
        for (index, (slot, conn, peer)) in sessions.iter_mut().enumerate() {
            match (round + index) % 4 {
                0 => js.close(*slot),
                1 => peer.close(None),
                2 => js.submit(Commands::default().conn_destroy(*conn)),
                _ => peer.finish(),
            }
        }
        drop(sessions);
        let (mut ended, mut conns_ended) = (0, 0);
        while (ended, conns_ended) != (SESSIONS, SESSIONS) {
            match js.event() {
                Event::Ended { .. } => ended += 1,
                Event::ConnEnded { .. } => conns_ended += 1,
                Event::Closed { .. } => {}
                event => panic!("{event:?}"),
            }
        }
    }
    js.expect_nothing_left();
    assert!((js.link.reserve_slot() as usize) < 2 * SESSIONS, "slots are used again");
}
