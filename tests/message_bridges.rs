//! Message bridges: streams whose packets JavaScript carries. What goes out is prefixed and goes a batch at a time; what comes in
//! is prefixed, or a whole message at each read.

mod support;

use sio::engine::Framing;
use sio::server::link::Role;
use support::{Commands, Event, Js, NOTIFY, Options, Part, Reason, VOLATILE};

const FRAMINGS: [Framing; 2] = [Framing::Prefixed, Framing::Whole];

/// Opens a session on a message bridge, whose open packet JavaScript has not written yet.
fn open(js: &Js, framing: Framing, options: Options) -> (u32, u32) {
    let slot = js.link.reserve_slot();
    js.submit(Commands::default().open(slot, Options { is_websocket: true, ..options }));
    let conn = js.link.message_bridge(Role::Direct, slot, framing);
    assert_eq!(js.event(), write(conn, b"\x030{}"));
    (slot, conn)
}

fn write(conn: u32, bytes: &[u8]) -> Event {
    Event::BridgeWrite { conn, bytes: bytes.to_vec() }
}

fn ack(js: &Js, conn: u32, bytes: usize) {
    js.submit(Commands::default().bridge_ack(conn, bytes));
}

/// Hands a packet to the core as JavaScript does for this framing.
fn receive(js: &Js, conn: u32, framing: Framing, is_binary: bool, packet: &[u8]) {
    let first = match framing {
        Framing::Whole => u8::from(is_binary),
        _ => u8::try_from(packet.len()).unwrap() | if is_binary { 0x80 } else { 0 },
    };
    js.submit(Commands::default().bridge_data(conn, &[&[first], packet].concat()));
}

#[test]
fn messages_go_both_ways() {
    for framing in FRAMINGS {
        let js = Js::new();
        let (slot, conn) = open(&js, framing, Options::default());
        ack(&js, conn, 4);
        receive(&js, conn, framing, false, b"4hi");
        receive(&js, conn, framing, true, &[1, 2]);
        assert_eq!(js.event(), Event::text(slot, "hi"));
        assert_eq!(js.event(), Event::Binary { slot, bytes: vec![1, 2] });
        let parts = [Part::Text("2[1]"), Part::Binary(&[7, 8])];
        js.submit(Commands::default().send(slot, 0, &parts));
        assert_eq!(js.event(), write(conn, b"\x0542[1]\x82\x07\x08"));
    }
}

#[test]
fn a_batch_waits_until_all_of_the_last_was_taken_and_is_told_then() {
    let js = Js::new();
    let (slot, conn) = open(&js, Framing::Whole, Options::default());
    let send = |text| js.submit(Commands::default().send(slot, NOTIFY, &[Part::Text(text)]));
    send("a");
    send("b");
    js.expect_silence();
    ack(&js, conn, 4);
    assert_eq!(js.event(), write(conn, b"\x024a"));
    assert_eq!(js.event(), write(conn, b"\x024b"));
    send("c");
    ack(&js, conn, 3);
    js.expect_silence();
    ack(&js, conn, 3);
    assert_eq!(js.event(), Event::Sent { slot, count: 2 });
    assert_eq!(js.event(), write(conn, b"\x024c"));
    ack(&js, conn, 3);
    assert_eq!(js.event(), Event::Sent { slot, count: 1 });
    assert_eq!(js.link.pending(slot), 0);
}

#[test]
fn a_batch_is_no_more_than_a_window_and_one_entry() {
    let js = Js::new();
    let (slot, conn) = open(&js, Framing::Whole, Options::default());
    let long = vec![7; 40_000];
    for _ in 0..3 {
        js.submit(Commands::default().send(slot, 0, &[Part::Binary(&long)]));
    }
    ack(&js, conn, 4);
    for _ in 0..2 {
        assert!(matches!(js.event(), Event::BridgeWrite { bytes, .. } if bytes.len() == 40_003));
    }
    js.expect_silence();
    assert!(js.link.pending(slot) > 40_000);
    ack(&js, conn, 2 * 40_003);
    assert!(matches!(js.event(), Event::BridgeWrite { bytes, .. } if bytes.len() == 40_003));
}

#[test]
fn a_volatile_message_is_dropped_while_a_batch_is_on_its_way() {
    let mut js = Js::new();
    let (slot, conn) = open(&js, Framing::Prefixed, Options::default());
    js.submit(Commands::default().send(slot, VOLATILE, &[Part::Text("lost")]));
    js.expect_silence();
    ack(&js, conn, 4);
    js.next_turn();
    js.submit(Commands::default().send(slot, VOLATILE, &[Part::Text("kept")]));
    assert_eq!(js.event(), write(conn, b"\x054kept"));
}

#[test]
fn an_upgrade_moves_what_waits_to_the_bridge() {
    for framing in FRAMINGS {
        let js = Js::new();
        let slot = js.open_polling(Options::default());
        let conn = js.link.message_bridge(Role::Candidate, slot, framing);
        receive(&js, conn, framing, false, b"2probe");
        assert_eq!(js.event(), Event::Upgrading { slot, conn });
        assert_eq!(js.event(), write(conn, b"\x063probe"));
        js.submit(Commands::default().send(slot, 0, &[Part::Text("waits")]));
        receive(&js, conn, framing, false, b"5");
        assert_eq!(js.event(), Event::Upgraded { slot, conn });
        js.expect_silence();
        ack(&js, conn, 7);
        assert_eq!(js.event(), write(conn, b"\x064waits"));
    }
}

#[test]
fn a_candidate_that_sends_anything_else_is_ended_and_the_session_stays() {
    for framing in FRAMINGS {
        let js = Js::new();
        let slot = js.open_polling(Options::default());
        let conn = js.link.message_bridge(Role::Candidate, slot, framing);
        receive(&js, conn, framing, false, b"x");
        assert_eq!(js.event(), Event::UpgradeFailed { slot, conn });
        assert_eq!(js.event(), Event::BridgeEnd { conn });
        js.submit(Commands::default().conn_destroy(conn));
        assert_eq!(js.event(), Event::BridgeDestroy { conn });
        assert_eq!(js.event(), Event::ConnEnded { conn });
        js.submit(Commands::default().poll(slot, 1).send(slot, 0, &[Part::Text("still")]));
        assert_eq!(js.event(), Event::respond(slot, 1, "4still"));
    }
}

#[test]
fn a_candidate_for_nobody_is_ended_without_a_word() {
    let js = Js::new();
    let conn = js.link.message_bridge(Role::Candidate, 77, Framing::Prefixed);
    assert_eq!(js.event(), Event::BridgeEnd { conn });
    js.submit(Commands::default().conn_destroy(conn));
    assert_eq!(js.event(), Event::BridgeDestroy { conn });
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}

#[test]
fn what_is_malformed_is_a_parse_error() {
    let cases: [(Framing, &[u8]); 5] = [
        (Framing::Prefixed, b"\0"),
        (Framing::Prefixed, b"\x7f\0\x20\0\0\0\0\0\0"),
        (Framing::Prefixed, b"\x01x"),
        (Framing::Whole, b"\0"),
        (Framing::Whole, b"\0x"),
    ];
    for (framing, bytes) in cases {
        let js = Js::new();
        let (slot, conn) = open(&js, framing, Options::default());
        js.submit(Commands::default().bridge_data(conn, bytes));
        assert_eq!(js.event(), Event::closed(slot, Reason::ParseError, ""));
        assert_eq!(js.event(), Event::Ended { slot });
        assert_eq!(js.event(), Event::BridgeEnd { conn });
    }
}

#[test]
fn a_close_is_told_behind_what_was_written_without_waiting_for_it_to_be_taken() {
    for framing in FRAMINGS {
        let js = Js::new();
        let (slot, conn) = open(&js, framing, Options::default());
        js.close(slot);
        assert_eq!(js.event(), Event::closed(slot, Reason::ForcedClose, ""));
        assert_eq!(js.event(), Event::Ended { slot });
        assert_eq!(js.event(), Event::BridgeEnd { conn });
        js.submit(Commands::default().conn_destroy(conn));
        assert_eq!(js.event(), Event::BridgeDestroy { conn });
        assert_eq!(js.event(), Event::ConnEnded { conn });
        js.expect_nothing_left();
    }
}

#[test]
fn a_stream_that_is_gone_is_a_transport_close() {
    for framing in FRAMINGS {
        let js = Js::new();
        let (slot, conn) = open(&js, framing, Options::default());
        js.submit(Commands::default().conn_destroy(conn));
        assert_eq!(js.event(), Event::closed(slot, Reason::TransportClose, ""));
        assert_eq!(js.event(), Event::Ended { slot });
        assert_eq!(js.event(), Event::BridgeDestroy { conn });
        assert_eq!(js.event(), Event::ConnEnded { conn });
        js.expect_nothing_left();
    }
}
