//! Sessions of protocol 3: the heartbeat the other way round, other payloads, other binary messages.

use bytes::Bytes;

use super::{Bench, CANDIDATE, CONN, SLOT, frame, message, text};
use crate::codec::websocket::Opcode;
use crate::config::{Config, Protocol};
use crate::engine::{Entry, Part, Session};

/// On a WebSocket or on polling, with the open packet written.
fn open(is_websocket: bool) -> Bench {
    let mut bench = Bench::new(is_websocket, Protocol::V3);
    if is_websocket {
        assert!(bench.session.attach(CONN, Bytes::from_static(b"101")));
        assert_eq!(bench.written(CONN), ["101", "0{}"]);
    } else {
        assert_eq!(bench.poll(0).events(), ["respond 0 3:0{} compressed"]);
    }
    bench
}

fn send_bytes(bench: &mut Bench) {
    let parts = [Part::Text(b"x"), Part::Binary(&[1, 2])].into_iter();
    bench.session.send(bench.turn, 1, false, |form, _| Entry::message(parts, form));
}

#[test]
fn the_client_pings_and_is_answered() {
    let mut bench = open(true);
    bench.session.observe(true);
    bench.pass(1_400).receive(CONN, &[text("2")]);
    assert_eq!(
        (bench.events(), bench.written(CONN)),
        (vec!["heartbeat".to_owned()], vec!["3".to_owned()])
    );
    bench.pass(1_499);
    assert!(bench.events().is_empty() && bench.written(CONN).is_empty());
    bench.pass(1);
    assert_eq!(bench.events(), ["closed: ping timeout"]);
}

#[test]
fn a_ping_in_a_post_is_answered_by_the_poll() {
    let mut bench = open(false);
    bench.pass(1_400).poll(1).session.heartbeat_received(1_400);
    assert_eq!(bench.flush().events(), ["respond 1 1:3 compressed"]);
    bench.pass(1_499);
    assert!(bench.events().is_empty());
    bench.pass(1);
    assert_eq!(bench.events(), ["closed: ping timeout"]);
}

#[test]
fn pings_to_a_blocked_stream_are_answered_sixty_times() {
    let mut bench = open(true);
    bench.session.websocket_mut(CONN).unwrap().is_blocked = true;
    bench.receive(CONN, &vec![text("2"); 10_000]);
    assert_eq!(bench.written(CONN), ["3"; 60]);
    bench.session.websocket_mut(CONN).unwrap().is_blocked = false;
    bench.receive(CONN, &[text("2")]);
    assert_eq!(bench.written(CONN), ["3"]);
}

#[test]
fn pings_without_a_poll_are_answered_sixty_times() {
    let mut bench = open(false);
    for _ in 0..10_000 {
        bench.session.heartbeat_received(0);
    }
    bench.poll(1);
    assert_eq!(bench.events(), [format!("respond 1 {} compressed", "1:3".repeat(60))]);
    bench.session.heartbeat_received(0);
    assert_eq!(bench.poll(2).events(), ["respond 2 1:3 compressed"]);
}

#[test]
fn messages_do_not_move_the_deadline() {
    let mut bench = open(true);
    bench.pass(1_400).receive(CONN, &[text("4a")]);
    bench.session.packet_received(1_400);
    bench.pass(100);
    assert_eq!(bench.events(), ["message a", "closed: ping timeout"]);
}

#[test]
fn a_pong_of_the_client_is_an_error() {
    let mut bench = open(true);
    bench.receive(CONN, &[text("3")]);
    assert_eq!(bench.events(), ["closed: transport error invalid heartbeat direction"]);
}

#[test]
fn binary_messages_name_their_type() {
    let mut bench = open(true);
    let frames = [
        frame(Opcode::Binary, &[4, 1, 2]),
        text("b4AQI="),
        frame(Opcode::Binary, &[]),
        frame(Opcode::Binary, &[9, 1]),
        frame(Opcode::Binary, &[2]),
    ];
    bench.receive(CONN, &frames);
    assert_eq!(bench.events(), ["message [1, 2]", "message [1, 2]"]);
    assert_eq!(bench.written(CONN), ["3"]);
    send_bytes(&mut bench);
    assert_eq!(bench.written(CONN), ["4x", "Binary [4, 1, 2]"]);
}

#[test]
fn a_poll_with_a_binary_message_is_answered_with_bytes() {
    let mut bench = open(false);
    bench.send("a");
    bench.poll(1);
    assert_eq!(bench.events(), ["respond 1 2:4a"]);
    bench.send("€");
    send_bytes(&mut bench);
    bench.poll(2);
    let payload = [0, 4, 255, 52, 226, 130, 172, 0, 2, 255, 52, 120, 1, 3, 255, 4, 1, 2];
    assert_eq!(bench.events(), [format!("respond 2 {payload:?}")]);
}

#[test]
fn a_client_that_takes_only_text_gets_base64() {
    for (protocol, expected) in
        [(Protocol::V3, "3:0{}2:4x6:b4AQI= compressed"), (Protocol::V4, "0{}|4x|bAQI= compressed")]
    {
        let mut bench = Bench::new(false, protocol);
        let config = Config { protocol, supports_binary: false, ..Config::default() };
        bench.session = Session::open(SLOT, 0, config, false, b"{}", 0);
        send_bytes(&mut bench);
        assert_eq!(bench.poll(1).events(), [format!("respond 1 {expected}")]);

        bench.session = Session::open(SLOT, 0, config, true, b"{}", 0);
        bench.session.attach(CONN, Bytes::from_static(b"101"));
        send_bytes(&mut bench);
        let last = if protocol == Protocol::V3 { "b4AQI=" } else { "bAQI=" };
        assert_eq!(bench.written(CONN), ["101", "0{}", "4x", last]);
    }
}

#[test]
fn an_upgrade_keeps_the_deadline() {
    let mut bench = open(false);
    assert!(bench.session.attach_candidate(CANDIDATE, Bytes::from_static(b"101"), bench.now));
    bench.poll(1).receive(CANDIDATE, &[text("2probe")]);
    assert_eq!(bench.written(CANDIDATE), ["101", "3probe"]);
    assert_eq!(bench.events(), ["upgrading 4", "respond 1 1:6"]);
    send_bytes(&mut bench);
    bench.session.send(bench.turn, 1, false, |_, _| message("y"));
    bench.receive(CANDIDATE, &[text("5")]);
    assert_eq!(bench.events(), ["upgraded 4"]);
    assert_eq!(bench.written(CANDIDATE), ["4x", "Binary [4, 1, 2]", "4y"]);
    bench.pass(1_499);
    assert!(bench.events().is_empty());
    bench.pass(1);
    assert_eq!(bench.events(), ["closed: ping timeout"]);
}

#[test]
fn the_last_words_have_their_lengths() {
    let mut bench = open(false);
    bench.poll(1).close(false);
    assert_eq!(bench.events(), ["respond 1 1:1", "closed: forced close"]);

    let mut bench = open(false);
    bench.close(false).poll(1);
    assert_eq!(bench.events(), ["respond 1 1:61:1", "closed: forced close"]);

    let mut bench = open(false);
    bench.poll(1);
    assert!(bench.session.attach_candidate(CANDIDATE, Bytes::new(), bench.now));
    bench.receive(CANDIDATE, &[text("5")]);
    bench.poll(2);
    assert_eq!(bench.events(), ["respond 1 1:1", "upgraded 4", "respond 2 1:1"]);
}
