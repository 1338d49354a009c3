//! Frames of the user's own on the WebSocket under a session, and the peer's as they are watched.

use super::{Bench, CANDIDATE, CONN, text};
use crate::codec::websocket::{Opcode, encode_frame};
use crate::engine::{Frame, Watch};

const PING: Frame<'static> =
    Frame { opcode: Opcode::Ping, is_final: true, compress: false, notify: false, payload: b"?" };

fn close_with(bench: &mut Bench, conn: u32, payload: &[u8]) {
    let close = encode_frame(Opcode::Close, &[payload]);
    bench.session.close_stream(conn, close, bench.now, &mut bench.told);
}

fn watch(bench: &mut Bench, conn: u32, mask: u8) {
    bench.session.websocket_mut(conn).unwrap().watch(Watch::new(mask));
}

#[test]
fn a_frame_goes_out_in_order_with_the_packets() {
    let mut bench = Bench::websocket();
    bench.send("before");
    bench.session.websocket_mut(CONN).unwrap().push_frame(&PING);
    bench.send("after");
    assert_eq!(bench.written(CONN), ["4before", "Ping [63]", "4after"]);
}

#[test]
fn no_frame_follows_a_close_frame() {
    let mut bench = Bench::websocket();
    close_with(&mut bench, CONN, b"\x0f\xa0bye");
    assert_eq!(bench.events(), ["closed: transport close"]);
    let (_, websocket) = bench.told.released.first_mut().unwrap();
    websocket.push_frame(&PING);
    websocket.close(0);
    assert_eq!(bench.written(CONN), ["close 4000"]);
}

#[test]
fn a_candidate_that_the_user_closes_leaves_the_session_on_polling() {
    let mut bench = Bench::upgrading();
    bench.session.websocket_mut(CANDIDATE).unwrap().push_frame(&PING);
    close_with(&mut bench, CANDIDATE, b"");
    assert_eq!(bench.events(), ["upgrade failed 4: Closed"]);
    assert_eq!(bench.written(CANDIDATE), ["Ping [63]", "close"]);
    bench.send("still there");
    bench.poll(1);
    assert_eq!(bench.events(), ["respond 1 4still there"]);
}

#[test]
fn only_what_is_watched_is_told_and_before_what_follows_from_it() {
    let frames = || {
        [
            super::frame(Opcode::Ping, b"a"),
            super::frame(Opcode::Pong, b"b"),
            text("4hi"),
            super::frame(Opcode::Close, b"\x03\xe8bye"),
        ]
    };
    let packets = ["message hi", "closed: transport close"];
    let told = |mask| {
        let mut bench = Bench::websocket();
        watch(&mut bench, CONN, mask);
        bench.receive(CONN, &frames()).events()
    };
    assert_eq!(told(0), packets);
    assert_eq!(told(2), ["Ping of 3: a", "Pong of 3: b", packets[0], packets[1]]);
    assert_eq!(told(4), ["Text of 3: 4hi", packets[0], packets[1]]);
    assert_eq!(told(1), [packets[0], "Close of 3: \u{3}\u{fffd}bye", packets[1]]);
}

#[test]
fn the_log_is_told_of_messages_and_heartbeats_whatever_users_watch() {
    let frames = [super::frame(Opcode::Ping, b"a"), text("4hi"), text("3")];
    let told = ["Text of 3: 4hi", "message hi", "Text of 3: 3", "heartbeat"];
    let mut bench = Bench::websocket();
    bench.session.log(true);
    assert_eq!(bench.receive(CONN, &frames).events(), told);
    assert_eq!(bench.pass(1_000).events(), ["ping sent"]);
    watch(&mut bench, CONN, 2);
    let watched = ["Ping of 3: a", told[0], told[1], told[2], told[3]];
    assert_eq!(bench.receive(CONN, &frames).events(), watched);
    bench.session.log(false);
    assert_eq!(bench.receive(CONN, &frames).events(), ["Ping of 3: a", "message hi"]);
    assert!(bench.pass(1_000).events().is_empty());

    let mut bench = Bench::upgrading();
    bench.session.log(true);
    bench.receive(CANDIDATE, &[text("2probe"), text("5"), text("3")]);
    assert_eq!(
        bench.events(),
        [
            "Text of 4: 2probe",
            "upgrading 4",
            "Text of 4: 5",
            "upgraded 4",
            "Text of 4: 3",
            "heartbeat"
        ]
    );
}

#[test]
fn a_candidate_and_a_closing_stream_are_watched_too() {
    let mut bench = Bench::upgrading();
    watch(&mut bench, CANDIDATE, 7);
    bench.receive(CANDIDATE, &[text("2probe")]);
    assert_eq!(bench.events(), ["Text of 4: 2probe", "upgrading 4"]);

    let mut bench = Bench::websocket();
    watch(&mut bench, CONN, 7);
    bench.close(false);
    assert_eq!(bench.events(), ["closed: forced close"]);
    let (_, websocket) = bench.told.released.pop().unwrap();
    let mut websocket = websocket;
    let mut bytes = [text("4late"), super::frame(Opcode::Close, b"")].concat();
    let mut input = crate::codec::websocket::Input::new(&mut bytes);
    while !matches!(
        websocket.receive(&mut input, &mut bench.told),
        crate::engine::Received::Nothing
    ) {}
    assert_eq!(bench.events(), ["Text of 3: 4late", "Close of 3: "]);
}
