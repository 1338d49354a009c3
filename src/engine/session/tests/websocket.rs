//! Sessions on a WebSocket: messages in and out, the heartbeat, all the ways to end.

use bytes::Bytes;

use super::{Bench, CONN, frame, read, text};
use crate::codec::websocket::Opcode;
use crate::config::Protocol;
use crate::engine::StreamEnd;

#[test]
fn messages_of_one_read_come_up_in_order() {
    let mut bench = Bench::websocket();
    bench.receive(CONN, &[text("4a"), frame(Opcode::Binary, &[1, 2]), text("bAQI="), text("4")]);
    assert_eq!(bench.events(), ["message a", "message [1, 2]", "message [1, 2]", "message "]);
}

#[test]
fn control_packets_say_nothing_to_an_established_websocket() {
    let mut bench = Bench::websocket();
    bench.receive(CONN, &["0{}", "1", "5", "6"].map(text));
    assert!(bench.events().is_empty());
    assert!(bench.written(CONN).is_empty());
    assert!(!bench.session.is_closed());
    bench.session.observe(true);
    bench.receive(CONN, &["0{}", "1", "5", "6x"].map(text));
    assert_eq!(bench.events(), ["Open {}", "Close", "Upgrade", "Noop x"]);
}

#[test]
fn what_waited_keeps_a_stream_busy_for_one_turn_more() {
    let mut bench = Bench::websocket();
    bench.send("a");
    bench.send("b");
    bench.turn += 1;
    bench.send_volatile("dropped");
    bench.turn += 1;
    bench.send_volatile("c");
    bench.turn += 1;
    bench.send("d");
    bench.send("e");
    bench.turn += 2;
    bench.send_volatile("f");
    assert_eq!(bench.written(CONN), ["4a", "4b", "4c", "4d", "4e", "4f"]);
}

#[test]
fn a_close_that_discards_drops_what_waits_for_the_end_of_the_turn() {
    let mut bench = Bench::websocket();
    bench.send("a");
    bench.send("b");
    bench.turn += 1;
    bench.send("c");
    bench.session.drop_waiting(bench.turn);
    assert_eq!(bench.written(CONN), ["4a", "4b"], "c waited for b");
    bench.turn += 2;
    bench.send("d");
    bench.send("e");
    bench.turn += 2;
    bench.session.drop_waiting(bench.turn);
    assert_eq!(bench.written(CONN), ["4d", "4e"], "their turn is over");
}

#[test]
fn pings_of_the_stream_are_answered_in_order_with_messages_between() {
    let mut bench = Bench::websocket();
    bench.receive(
        CONN,
        &[
            frame(Opcode::Ping, b"a"),
            text("4x"),
            frame(Opcode::Ping, b""),
            frame(Opcode::Pong, b"c"),
        ],
    );
    assert_eq!(bench.events(), ["message x"]);
    assert_eq!(bench.written(CONN), ["Pong [97]", "Pong []"]);
}

#[test]
fn pings_to_a_blocked_stream_are_answered_sixty_times() {
    let mut bench = Bench::websocket();
    bench.session.websocket_mut(CONN).unwrap().is_blocked = true;
    for _ in 0..100 {
        bench.receive(CONN, &[frame(Opcode::Ping, b"")]);
    }
    assert_eq!(bench.written(CONN).len(), 60);
}

#[test]
fn what_ends_a_websocket_session_is_told_to_both_sides() {
    let invalid_direction = "closed: transport error invalid heartbeat direction";
    let table: [(&[Vec<u8>], &str, &str); 9] = [
        (&[frame(Opcode::Close, &[])], "closed: transport close", "close"),
        (&[frame(Opcode::Close, b"\x0f\xa0bye")], "closed: transport close", "close 4000"),
        (&[text("2")], invalid_direction, "close"),
        (&[text("7")], "closed: parse error", "close"),
        (&[text("")], "closed: parse error", "close"),
        (
            &[frame(Opcode::Text, &[0xff])],
            "closed: transport error Error: Invalid WebSocket frame: invalid UTF-8 sequence",
            "close 1007",
        ),
        (
            &[frame(Opcode::Binary, &[0; 101])],
            "closed: transport error RangeError: Max payload size exceeded",
            "close 1009",
        ),
        (
            &[vec![0x81, 0x01, b'4']],
            "closed: transport error RangeError: Invalid WebSocket frame: MASK must be set",
            "close 1002",
        ),
        (
            &[vec![0x83, 0x80]],
            "closed: transport error RangeError: Invalid WebSocket frame: invalid opcode 3",
            "close 1002",
        ),
    ];
    for (frames, event, frame) in table {
        let mut bench = Bench::websocket();
        bench
            .receive(CONN, &[text("4first")])
            .receive(CONN, frames)
            .receive(CONN, &[text("4late")]);
        assert_eq!(bench.events(), ["message first", event]);
        assert!(bench.session.is_closed());
        assert_eq!(bench.released(), [CONN]);
        assert_eq!(bench.written(CONN), [frame]);
    }
}

#[test]
fn nothing_after_the_end_is_taken_from_the_same_read() {
    let mut bench = Bench::websocket();
    bench.receive(CONN, &[text("4a"), text("7"), text("4b")]);
    assert_eq!(bench.events(), ["message a", "closed: parse error"]);
}

#[test]
fn the_end_of_a_stream_ends_its_session() {
    let table = [
        (StreamEnd::Eof, "closed: transport close"),
        (StreamEnd::Broken, "closed: transport close"),
        (StreamEnd::WriteFailed, "closed: transport error write error"),
    ];
    for (end, event) in table {
        let mut bench = Bench::websocket();
        bench.send("last");
        bench.stream_ended(CONN, end);
        assert_eq!(bench.events(), [event]);
        let (_, websocket) = &mut bench.told.released[0];
        // After its FIN the peer may still read.
        assert_eq!(
            read(&mut websocket.outbox),
            if end == StreamEnd::Eof { vec!["4last"] } else { vec![] }
        );
        assert_eq!(websocket.is_done(), end != StreamEnd::Eof);
        assert_eq!(websocket.is_fin_due(), end == StreamEnd::Eof);
    }
}

#[test]
fn close_on_a_websocket_writes_what_waits_and_ends_at_once() {
    let mut bench = Bench::websocket();
    assert!(bench.send("a"));
    assert!(!bench.send("b"), "flushed once for both");
    bench.close(false);
    assert_eq!(bench.events(), ["closed: forced close"]);
    assert_eq!(bench.written(CONN), ["4a", "4b", "close"]);
    assert!(!bench.send("late"));
    bench.close(false).close(true);
    assert!(bench.events().is_empty());
}

#[test]
fn a_session_closed_before_its_stream_came_refuses_it() {
    let mut bench = Bench::new(true, Protocol::V4);
    bench.close(false);
    assert_eq!(bench.events(), ["closed: forced close"]);
    assert!(bench.released().is_empty());
    assert!(!bench.session.attach(CONN, Bytes::new()));
}

#[test]
fn one_stream_is_attached_and_no_second() {
    let mut bench = Bench::websocket();
    assert!(!bench.session.attach(9, Bytes::new()));
    assert!(!bench.session.attach_candidate(9, Bytes::new(), 0));
    assert!(!Bench::polling().session.attach(9, Bytes::new()));
}

#[test]
fn the_heartbeat_pings_and_times_out() {
    let mut bench = Bench::websocket();
    bench.session.observe(true);
    bench.pass(1_000);
    assert_eq!(
        (bench.events(), bench.written(CONN)),
        (vec!["ping sent".to_owned()], vec!["2".to_owned()])
    );
    bench.pass(499).receive(CONN, &[text("3")]);
    assert_eq!(bench.events(), ["heartbeat"]);
    bench.pass(999);
    assert!(bench.events().is_empty());
    bench.pass(2); // the ping goes out with those of others
    bench.pass(500);
    assert_eq!(bench.events(), ["ping sent", "closed: ping timeout"]);
    assert_eq!(bench.written(CONN), ["2", "close"]);
}

#[test]
fn a_volatile_message_is_sent_once_a_turn_and_never_waits() {
    let mut bench = Bench::websocket();
    bench.send_volatile("a");
    bench.send_volatile("b");
    bench.turn += 1;
    bench.send("c");
    bench.send_volatile("d");
    bench.turn += 1;
    bench.send_volatile("e");
    assert_eq!(bench.written(CONN), ["4a", "4c", "4e"]);
    bench.turn += 1;
    bench.session.websocket_mut(CONN).unwrap().is_blocked = true;
    bench.send_volatile("f");
    assert!(!bench.send("g"), "whoever waits for the stream flushes");
    assert_eq!(bench.written(CONN), ["4g"]);
}
