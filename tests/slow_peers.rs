//! Peers that do not read, and JavaScript that does not: nothing is lost, nothing grows, and each is told of the other.

mod support;

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use sio::server::link::Role;
use tungstenite::Message;

use support::{Carrier, Commands, Event, Js, LIMIT, NOTIFY, Options, Part, Peer, Reason, VOLATILE};

over_both_carriers! {
    a_peer_that_does_not_read_gets_everything_in_the_end
    volatile_messages_do_not_wait_for_a_peer_that_does_not_read
    a_session_closed_while_its_peer_does_not_read_delivers_what_it_had
    a_peer_that_vanishes_while_it_does_not_read_is_noticed
    a_peer_is_not_read_while_javascript_is_busy
    pings_of_a_peer_that_does_not_read_are_not_hoarded
    an_end_after_many_messages_is_not_told_before_them
}

const CHUNK: usize = 100_000;

/// Sends numbered chunks until the stream takes no more, and says how many.
fn fill(js: &Js, slot: u32) -> u32 {
    let start = Instant::now();
    let mut count = 0;
    let mut pending_since = None;
    // Acknowledgements make room for a while yet, and a bridge takes its time, so it has to stay full.
    while pending_since.is_none_or(|since: Instant| since.elapsed() < Duration::from_millis(50)) {
        assert!(start.elapsed() < LIMIT);
        if (js.link.pending(slot) as usize) < CHUNK {
            js.submit(Commands::default().send(slot, NOTIFY, &[Part::Binary(&chunk(count))]));
            assert!(js.link.wait(LIMIT));
            count += 1;
            pending_since = None;
        } else {
            pending_since.get_or_insert_with(Instant::now);
        }
    }
    count
}

fn chunk(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(CHUNK / 4)
}

fn expect_chunks(peer: &mut Peer, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert!(peer.message() == Message::binary(chunk(number)), "chunk {number}");
    }
}

fn a_peer_that_does_not_read_gets_everything_in_the_end(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    let mut count = fill(&js, slot);
    // More than one vectored write can hold.
    let mut commands = Commands::default();
    for number in 0..2_000 {
        commands.send(slot, 0, &[Part::Text(&number.to_string())]);
    }
    js.submit(&commands);
    js.submit(Commands::default().send(slot, NOTIFY, &[Part::Binary(&chunk(count))]));
    assert!(js.link.wait(LIMIT));
    let pending = js.link.pending(slot);
    assert!(pending as usize > CHUNK, "{pending}");

    expect_chunks(&mut peer, 0..count);
    for number in 0..2_000 {
        assert_eq!(peer.text(), format!("4{number}"));
    }
    expect_chunks(&mut peer, count..count + 1);
    count += 1;
    let mut sent = 0;
    while sent < count {
        match js.event() {
            Event::Sent { slot: of, count } if of == slot => sent += count,
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(sent, count);
    let start = Instant::now();
    while js.link.pending(slot) > 0 {
        assert!(start.elapsed() < LIMIT);
    }
    js.send(slot, "after");
    assert_eq!(peer.text(), "4after");
}

fn volatile_messages_do_not_wait_for_a_peer_that_does_not_read(carrier: Carrier) {
    let mut js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    js.next_turn(); // the open packet keeps the transport busy for its own
    js.submit(Commands::default().send(slot, VOLATILE, &[Part::Text("a")]).send(
        slot,
        VOLATILE,
        &[Part::Text("b")],
    ));
    js.next_turn();
    js.submit(Commands::default().send(slot, VOLATILE, &[Part::Text("c")]));
    js.next_turn();
    assert_eq!([peer.text(), peer.text()], ["4a", "4c"]);

    let count = fill(&js, slot);
    js.next_turn();
    js.submit(Commands::default().send(slot, VOLATILE, &[Part::Text("lost")]));
    js.submit(Commands::default().multicast(&[slot], VOLATILE, &[Part::Text("lost too")]));
    js.send(slot, "kept");
    expect_chunks(&mut peer, 0..count);
    assert_eq!(peer.text(), "4kept");
}

fn a_session_closed_while_its_peer_does_not_read_delivers_what_it_had(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    let count = fill(&js, slot);
    js.close(slot);
    while js.event() != (Event::Ended { slot }) {}
    assert_eq!(js.link.pending(slot), 0, "nobody asks for it any more");
    expect_chunks(&mut peer, 0..count);
    assert_eq!(peer.expect_close(), None);
    peer.expect_fin();
    drop(peer);
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}

fn a_peer_that_vanishes_while_it_does_not_read_is_noticed(carrier: Carrier) {
    let js = Js::new();
    let (slot, conn, peer) = js.open_websocket(carrier, Options::default());
    fill(&js, slot);
    peer.reset();
    // The reader or the writer may find out first.
    let mut events = std::iter::from_fn(|| Some(js.event()))
        .filter(|event| !matches!(event, Event::Sent { .. }));
    let closed = events.next();
    let descriptions = [(Reason::TransportClose, ""), (Reason::TransportError, "write error")];
    let expected =
        descriptions.map(|(reason, description)| Some(Event::closed(slot, reason, description)));
    assert!(expected.contains(&closed), "{closed:?}");
    assert_eq!(events.next(), Some(Event::Ended { slot }));
    assert_eq!(events.next(), Some(Event::ConnEnded { conn }));
    js.expect_nothing_left();
}

fn a_peer_is_not_read_while_javascript_is_busy(carrier: Carrier) {
    const MESSAGES: usize = 400;
    let js = Js::new();
    let (slot, _, peer) = js.open_websocket(carrier, Options::default());
    js.be_busy();
    let message = "a".repeat(50_000);
    let mut peer = peer;
    let sending = thread::spawn({
        let text = format!("4{message}");
        move || {
            for _ in 0..MESSAGES {
                peer.send(&text);
            }
            peer
        }
    });
    // Far more than kernels hold and JavaScript may be behind, so the peer is held up.
    thread::sleep(Duration::from_millis(300));
    assert!(!sending.is_finished());
    js.be_idle();
    for _ in 0..MESSAGES {
        assert_eq!(js.event(), Event::text(slot, &message));
    }
    let mut peer = sending.join().unwrap();
    js.send(slot, "b");
    assert_eq!(peer.text(), "4b");
}

fn pings_of_a_peer_that_does_not_read_are_not_hoarded(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, Options::default());
    let count = fill(&js, slot);
    let pings = b"\x89\x80\0\0\0\0".repeat(10_000);
    peer.send_raw(&pings);
    peer.send_raw(b"\x81\x82\0\0\0\x004a");
    while js.event() != Event::text(slot, "a") {}
    let pending = js.link.pending(slot);
    js.send(slot, "end");
    assert!(js.link.wait(LIMIT));
    assert!(js.link.pending(slot) - pending < 200);
    expect_chunks(&mut peer, 0..count);
    let mut answered = 0;
    while let Message::Pong(_) = peer.message() {
        answered += 1;
    }
    assert!(answered <= 60, "{answered}");
}

fn an_end_after_many_messages_is_not_told_before_them(carrier: Carrier) {
    const MESSAGES: usize = 20_000;
    let js = Js::new();
    let (slot, conn, mut peer) = js.open_websocket(carrier, Options::default());
    js.be_busy();
    let frames = b"\x81\x82\0\0\0\x004a".repeat(MESSAGES);
    let sending = thread::spawn(move || {
        peer.stream().write_all(&frames).unwrap();
        peer.finish();
        assert_eq!(peer.stream().read(&mut [0]).unwrap(), 0);
    });
    thread::sleep(Duration::from_millis(50));
    js.be_idle();
    for _ in 0..MESSAGES {
        assert_eq!(js.event(), Event::text(slot, "a"));
    }
    assert_eq!(
        js.events(),
        [
            Event::closed(slot, Reason::TransportClose, ""),
            Event::Ended { slot },
            Event::ConnEnded { conn },
        ]
    );
    sending.join().unwrap();
}

#[test]
fn a_bridge_is_paused_until_javascript_has_caught_up() {
    let js = Js::new();
    let slot = js.link.reserve_slot();
    js.submit(Commands::default().open(slot, Options { is_websocket: true, ..Options::default() }));
    let conn = js.link.bridge(Role::Direct, slot, b"", b"", None);
    assert!(matches!(js.event(), Event::BridgeWrite { conn: of, .. } if of == conn));
    js.be_busy();
    let mut frame = b"\x82\xff\0\0\0\0\0\x01\0\0\0\0\0\0".to_vec();
    frame.resize(frame.len() + 65_536, 7);
    for _ in 0..20 {
        js.submit(Commands::default().bridge_data(conn, &frame));
    }
    assert!(js.link.wait(LIMIT));
    js.be_idle();
    let events: [Event; 22] = js.events();
    let messages = events.iter().filter(|event| matches!(event, Event::Binary { .. })).count();
    assert_eq!(messages, 20);
    assert!(events[..21].contains(&Event::BridgePause { conn }));
    assert_eq!(events[21], Event::BridgeResume { conn });
    js.submit(Commands::default().bridge_data(conn, &frame));
    assert!(matches!(js.event(), Event::Binary { .. }));
}

#[test]
fn a_bridge_that_waits_for_word_gets_it_once_its_bytes_were_taken() {
    let js = Js::new();
    let slot = js.link.reserve_slot();
    js.submit(Commands::default().open(slot, Options { is_websocket: true, ..Options::default() }));
    let conn = js.link.bridge(Role::Direct, slot, b"", b"", None);
    assert!(matches!(js.event(), Event::BridgeWrite { conn: of, .. } if of == conn));
    let frame = b"\x82\x81\0\0\0\0\x07";
    js.submit(Commands::default().bridge_data(conn, frame).bridge_data_and_wait(conn, frame));
    let events: [Event; 3] = js.events();
    assert!(matches!(events[0], Event::Binary { .. }));
    assert!(matches!(events[1], Event::Binary { .. }));
    assert_eq!(events[2], Event::BridgeResume { conn });
}

#[test]
fn a_bridge_is_given_no_more_than_its_window() {
    let js = Js::new();
    let slot = js.link.reserve_slot();
    js.submit(Commands::default().open(slot, Options { is_websocket: true, ..Options::default() }));
    let conn = js.link.bridge(Role::Direct, slot, b"response", b"", None);
    js.submit(Commands::default().send(slot, NOTIFY, &[Part::Binary(&vec![7; 200_000])]));
    let mut written = Vec::new();
    let window = |written: &mut Vec<u8>, until: usize| {
        while written.len() < until {
            match js.event() {
                Event::BridgeWrite { conn: of, bytes } if of == conn => written.extend(bytes),
                event => panic!("{event:?}"),
            }
        }
        assert_eq!(written.len(), until);
    };
    window(&mut written, 65_536);
    js.expect_silence();
    let len = 8 + 5 + 10 + 200_000;
    assert_eq!(js.link.pending(slot) as usize, len - 65_536);
    js.submit(Commands::default().bridge_ack(conn, 1_000));
    window(&mut written, 66_536);
    js.submit(Commands::default().bridge_ack(conn, 65_536));
    js.submit(Commands::default().bridge_ack(conn, 65_536));
    window(&mut written, 66_536 + 2 * 65_536);
    js.submit(Commands::default().bridge_ack(conn, 65_536));
    window(&mut written, len);
    assert_eq!(js.event(), Event::Sent { slot, count: 1 });
    assert_eq!(js.link.pending(slot), 0);
    assert!(written.starts_with(b"response\x81\x030{}\x82\x7f"));
}
