//! From polling to a WebSocket, or not.

use bytes::Bytes;

use super::{Bench, CANDIDATE, frame, text};
use crate::codec::websocket::Opcode;
use crate::engine::StreamEnd;

#[test]
fn an_upgrade_moves_the_session_with_what_waits() {
    let mut bench = Bench::upgrading();
    bench.poll(1);
    bench.receive(CANDIDATE, &[text("2probe")]);
    assert_eq!(bench.events(), ["upgrading 4", "respond 1 6"]);
    assert_eq!(bench.written(CANDIDATE), ["3probe"]);
    bench.send("a");
    bench.receive(CANDIDATE, &[text("5"), text("4first")]);
    assert_eq!(bench.events(), ["upgraded 4", "message first"]);
    assert_eq!(bench.written(CANDIDATE), ["4a"]);
    assert_eq!((bench.session.conn(), bench.session.candidate()), (Some(CANDIDATE), None));
    assert_eq!(bench.poll(2).events(), ["respond 2 1"]);
    bench.pass(700);
    assert!(!bench.session.is_closed(), "the time for the upgrade no longer counts");
}

#[test]
fn while_an_upgrade_is_probed_polls_are_set_free_every_100_ms() {
    let mut bench = Bench::upgrading();
    bench.receive(CANDIDATE, &[text("2probe")]);
    bench.poll(1).pass(99);
    assert_eq!(bench.events(), ["upgrading 4"]);
    bench.pass(1);
    assert_eq!(bench.events(), ["respond 1 6"]);
    bench.poll(2).pass(50);
    bench.receive(CANDIDATE, &[text("2probe")]);
    assert_eq!(bench.events(), ["upgrading 4", "respond 2 6"]);
    bench.poll(3).send("a");
    assert_eq!(bench.flush().events(), ["respond 3 4a"], "messages use polling still");
    bench.pass(200);
    assert!(bench.events().is_empty());
}

#[test]
fn an_upgrade_needs_no_probe_and_sets_a_waiting_get_free() {
    let mut bench = Bench::upgrading();
    bench.poll(1);
    bench.receive(CANDIDATE, &[text("5")]);
    assert_eq!(bench.events(), ["respond 1 1", "upgraded 4"]);
}

#[test]
fn an_upgrade_that_fails_leaves_the_session_on_polling() {
    let failures: [(&[u8], &str, &str); 6] = [
        (&text("4a"), "close", "Unexpected"),
        (&text("2"), "close", "Unexpected"),
        (&text("x"), "close", "Unexpected"),
        (&frame(Opcode::Binary, b"5"), "close", "Unexpected"),
        (&frame(Opcode::Close, &[]), "close", "Closed"),
        (&[0x83, 0x80], "close 1002", "Closed"),
    ];
    for (bytes, close_frame, failure) in failures {
        let mut bench = Bench::upgrading();
        bench.receive(CANDIDATE, &[text("2probe"), bytes.to_vec(), text("5")]);
        assert_eq!(bench.events(), ["upgrading 4", &format!("upgrade failed 4: {failure}")]);
        assert_eq!(bench.written(CANDIDATE), ["3probe", close_frame]);
        bench.poll(1).send("a");
        assert_eq!(bench.flush().events(), ["respond 1 4a"]);
        assert!(bench.session.attach_candidate(9, Bytes::new(), bench.now), "another one may try");
    }
}

#[test]
fn an_upgrade_that_takes_too_long_or_ends_fails() {
    let mut bench = Bench::upgrading();
    bench.receive(CANDIDATE, &[text("2probe")]).pass(699);
    assert_eq!(bench.events(), ["upgrading 4"]);
    bench.pass(1);
    assert_eq!(bench.events(), ["upgrade failed 4: TimedOut"]);
    assert_eq!(bench.written(CANDIDATE), ["3probe", "close"]);

    let mut bench = Bench::upgrading();
    bench.stream_ended(CANDIDATE, StreamEnd::Eof);
    assert_eq!(bench.events(), ["upgrade failed 4: Closed"]);
}

#[test]
fn a_close_frame_in_the_same_read_as_what_ends_a_candidate_is_not_lost() {
    let close = frame(Opcode::Close, &[]);
    let unexpected = Bench::upgrading();
    let mut late = Bench::upgrading();
    late.now = 700;
    let mut closing = Bench::upgrading();
    closing.send("last words");
    closing.close(false);
    for (mut bench, last) in [(unexpected, "4a"), (late, "2probe"), (closing, "5")] {
        bench.receive(CANDIDATE, &[text(last), close.clone()]);
        let (conn, websocket) = &mut bench.told.released[0];
        while websocket.outbox.pop().is_some() {}
        assert!(*conn == CANDIDATE && websocket.is_fin_due(), "{last}: it waits for the client");
    }
}

#[test]
fn there_is_one_candidate_at_a_time() {
    let mut bench = Bench::upgrading();
    assert!(!bench.session.attach_candidate(9, Bytes::new(), bench.now));
}

#[test]
fn a_session_that_ends_closes_its_candidate() {
    let mut bench = Bench::upgrading();
    bench.close(true);
    assert_eq!(bench.events(), ["closed: forced close"]);
    assert_eq!(bench.released(), [CANDIDATE]);
    assert_eq!(bench.written(CANDIDATE), ["close"]);
}

#[test]
fn an_upgrade_ends_a_closing_session_when_it_has_carried_what_was_sent() {
    let mut bench = Bench::upgrading();
    bench.send("last words");
    bench.close(false);
    assert!(bench.events().is_empty());
    bench.receive(CANDIDATE, &[text("2probe"), text("5")]);
    assert_eq!(bench.events(), ["upgrading 4", "upgraded 4", "closed: forced close"]);
    assert_eq!(bench.written(CANDIDATE), ["3probe", "4last words", "close"]);
}

#[test]
fn a_closing_session_takes_a_candidate() {
    let mut bench = Bench::upgrading();
    bench.session.upgrade = None;
    bench.send("last words");
    bench.close(false);
    assert!(bench.session.attach_candidate(CANDIDATE, Bytes::new(), bench.now));
    bench.receive(CANDIDATE, &[text("2probe"), text("5")]);
    assert_eq!(bench.events(), ["upgrading 4", "upgraded 4", "closed: forced close"]);
    assert_eq!(bench.written(CANDIDATE), ["3probe", "4last words", "close"]);
    assert!(!bench.session.attach_candidate(CANDIDATE, Bytes::new(), bench.now));
}

#[test]
fn a_pong_awaited_across_an_upgrade_is_due_after_a_full_timeout() {
    let mut bench = Bench::upgrading();
    bench.session.config.upgrade_timeout_ms = 10_000;
    bench.session.upgrade = None;
    bench.session.attach_candidate(CANDIDATE, Bytes::new(), 0);
    bench.pass(1_400).receive(CANDIDATE, &[text("5")]);
    bench.events();
    bench.pass(499);
    assert!(bench.events().is_empty());
    bench.pass(1);
    assert_eq!(bench.events(), ["closed: ping timeout"]);
}

#[test]
fn probes_to_a_blocked_stream_are_answered_up_to_a_limit() {
    let mut bench = Bench::upgrading();
    let websocket = bench.session.websocket_mut(CANDIDATE).unwrap();
    websocket.is_blocked = true;
    bench.receive(CANDIDATE, &vec![text("2probe"); 10_000]);
    assert_eq!(bench.events().len(), 129);
    assert_eq!(bench.written(CANDIDATE), ["3probe"; 129]);
    bench.session.websocket_mut(CANDIDATE).unwrap().is_blocked = false;
    bench.receive(CANDIDATE, &[text("2probe"), text("5")]);
    assert_eq!(bench.events(), ["upgrading 4", "upgraded 4"]);
}

#[test]
fn what_waits_takes_the_form_that_the_candidate_asks_for() {
    let table = [(false, true, "Binary [1, 2]"), (true, false, "bAQI="), (false, false, "bAQI=")];
    for (on_polling, on_websocket, waiting) in table {
        let mut bench = Bench::polling();
        bench.session.config.supports_binary = on_polling;
        bench.session.expect_candidate(on_websocket);
        assert!(bench.session.attach_candidate(CANDIDATE, Bytes::new(), bench.now));
        bench.send_bytes(&[1, 2]);
        bench.receive(CANDIDATE, &[text("5")]);
        bench.send_bytes(&[1, 2]);
        assert_eq!(bench.written(CANDIDATE), [waiting, waiting]);
    }
}

#[test]
fn a_candidate_that_was_expected_and_refused_says_nothing_of_the_next_one() {
    let mut bench = Bench::upgrading();
    bench.session.expect_candidate(false);
    assert!(!bench.session.attach_candidate(9, Bytes::new(), bench.now));
    bench.send_bytes(&[1, 2]);
    bench.receive(CANDIDATE, &[text("5")]);
    assert_eq!(bench.written(CANDIDATE), ["Binary [1, 2]"]);
}

#[test]
fn a_session_that_its_owner_has_ended_waits_for_no_get() {
    let mut bench = Bench::upgrading();
    bench.poll(1);
    bench.receive(CANDIDATE, &[text("2probe")]);
    assert_eq!(bench.events(), ["upgrading 4", "respond 1 6"]);
    bench.close(false);
    bench.session.finish_closing(bench.now, &mut bench.told);
    assert_eq!(bench.events(), ["closed: forced close"]);
    assert_eq!(bench.released(), [CANDIDATE]);
}
