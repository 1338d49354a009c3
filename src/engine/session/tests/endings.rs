//! Ends that wait for their owner: what it answers to the messages from before goes out ahead of the close frame.

use super::{Bench, CONN, frame, read, text};
use crate::codec::websocket::{Opcode, encode_frame};
use crate::engine::StreamEnd;

/// A session at its end, by these frames behind a message, with that end told.
fn ending(frames: &[Vec<u8>]) -> Bench {
    let mut bench = Bench::websocket();
    bench.told.is_owner_behind = true;
    bench.receive(CONN, &[&[text("4last")], frames].concat());
    assert_eq!(bench.told.events.remove(0), "message last");
    assert!(bench.written(CONN).is_empty());
    assert!(!bench.session.is_closed());
    bench
}

fn finish(bench: &mut Bench) -> &mut Bench {
    bench.session.finish(bench.now, &mut bench.told);
    bench
}

fn close_frame() -> Vec<u8> {
    frame(Opcode::Close, b"\x0f\xa0bye")
}

#[test]
fn what_is_answered_goes_out_before_the_close_frame() {
    let invalid =
        "closed, awaited: transport error RangeError: Invalid WebSocket frame: invalid opcode 3";
    // With the peer's part done only our FIN is due; else its close frame is waited for.
    let table: [(Vec<u8>, &str, &str, bool); 5] = [
        (close_frame(), "closed, awaited: transport close", "close 4000", true),
        (frame(Opcode::Close, &[]), "closed, awaited: transport close", "close", true),
        (vec![0x83, 0x80], invalid, "close 1002", true),
        (text("7"), "closed, awaited: parse error", "close", false),
        (text("2"), "closed, awaited: transport error invalid heartbeat direction", "close", false),
    ];
    for (last, event, close, is_fin_due) in table {
        let mut bench = Bench::websocket();
        bench.told.is_owner_behind = true;
        bench.receive(CONN, &[text("4last"), last]);
        assert_eq!(bench.events(), ["message last", event]);
        assert!(bench.send("answer"));
        finish(&mut bench);
        assert!(bench.session.is_closed());
        assert!(bench.events().is_empty(), "told once");
        assert_eq!(bench.released(), [CONN]);
        assert_eq!(bench.written(CONN), ["4answer", close]);
        assert_eq!(bench.told.released[0].1.is_fin_due(), is_fin_due);
    }
}

#[test]
fn an_end_of_input_waits_too_and_has_no_close_frame() {
    let mut bench = ending(&[]);
    bench.stream_ended(CONN, StreamEnd::Eof);
    assert_eq!(bench.events(), ["closed, awaited: transport close"]);
    bench.send("answer");
    finish(&mut bench);
    let (_, websocket) = &mut bench.told.released[0];
    assert!(!websocket.is_fin_due(), "first what waits");
    assert_eq!(read(&mut websocket.outbox), ["4answer"]);
    assert!(websocket.is_fin_due());
    websocket.fin_sent();
    assert!(websocket.is_done());
}

#[test]
fn an_owner_that_has_dealt_with_everything_is_not_waited_for() {
    let mut bench = Bench::websocket();
    bench.receive(CONN, &[close_frame()]);
    assert_eq!(bench.events(), ["closed: transport close"]);
    assert_eq!(bench.written(CONN), ["close 4000"]);
    finish(&mut bench);
    assert!(bench.events().is_empty());
}

#[test]
fn the_owners_own_close_takes_the_place_of_the_answer_to_the_peers() {
    for frames in [vec![close_frame()], vec![vec![0x83, 0x80]], vec![text("7")]] {
        for discard in [false, true] {
            let mut bench = ending(&frames);
            bench.events();
            bench.send("answer");
            bench.close(discard);
            assert_eq!(bench.written(CONN), ["4answer", "close"]);
            assert!(bench.session.is_closed());
            assert!(bench.events().is_empty());
        }
    }
    let mut bench = ending(&[close_frame()]);
    bench.events();
    let own = encode_frame(Opcode::Close, &[&[0x0f, 0xa2]]);
    bench.session.close_stream(CONN, own, bench.now, &mut bench.told);
    assert_eq!(bench.written(CONN), ["close 4002"]);
}

#[test]
fn what_comes_behind_the_end_is_dropped_but_for_the_peers_part_in_the_handshake() {
    let mut bench = ending(&[text("7"), text("4more"), frame(Opcode::Ping, b"")]);
    assert_eq!(bench.events(), ["closed, awaited: parse error"]);
    // Cut in the middle of a frame.
    let late = text("4late");
    bench.receive(CONN, &[late[..3].to_vec()]);
    bench.receive(CONN, &[late[3..].to_vec(), close_frame(), text("4latest")]);
    assert!(bench.events().is_empty());
    finish(&mut bench);
    assert_eq!(bench.written(CONN), ["close"]);
    assert!(bench.told.released[0].1.is_fin_due(), "the peer's close frame is there already");
}

#[test]
fn a_fin_behind_a_close_frame_changes_nothing() {
    let mut bench = ending(&[close_frame()]);
    assert_eq!(bench.events(), ["closed, awaited: transport close"]);
    bench.stream_ended(CONN, StreamEnd::Eof);
    assert!(bench.events().is_empty());
    finish(&mut bench);
    let (_, websocket) = &mut bench.told.released[0];
    assert_eq!(read(&mut websocket.outbox), ["close 4000"]);
    websocket.fin_sent();
    assert!(websocket.is_done());
}

#[test]
fn a_stream_that_is_lost_is_not_waited_with() {
    for end in [StreamEnd::Broken, StreamEnd::WriteFailed] {
        let mut bench = ending(&[close_frame()]);
        assert_eq!(bench.events(), ["closed, awaited: transport close"]);
        bench.send("answer");
        bench.stream_ended(CONN, end);
        assert!(bench.session.is_closed());
        assert!(bench.events().is_empty());
        assert!(bench.told.released[0].1.is_done());
    }
    let mut bench = Bench::websocket();
    bench.told.is_owner_behind = true;
    bench.stream_ended(CONN, StreamEnd::Broken);
    assert_eq!(bench.events(), ["closed: transport close"]);
}

#[test]
fn an_owner_that_never_answers_is_waited_for_thirty_seconds_without_a_heartbeat() {
    let mut bench = ending(&[close_frame()]);
    bench.events();
    bench.session.observe(true);
    bench.pass(29_999);
    assert!(!bench.session.is_closed());
    assert!(bench.written(CONN).is_empty());
    bench.pass(1);
    assert!(bench.session.is_closed());
    assert!(bench.events().is_empty());
    assert_eq!(bench.written(CONN), ["close 4000"]);
}

#[test]
fn frames_of_the_owners_own_go_out_before_the_close_frame_too() {
    use crate::engine::Frame;
    let mut bench = ending(&[close_frame()]);
    let ping = Frame {
        opcode: Opcode::Ping,
        is_final: true,
        compress: false,
        notify: false,
        payload: b"hi",
    };
    bench.session.websocket_mut(CONN).unwrap().push_frame(&ping);
    finish(&mut bench);
    assert_eq!(bench.written(CONN), ["Ping [104, 105]", "close 4000"]);
}
