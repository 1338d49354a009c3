//! Sessions on polling, and their move to a WebSocket, over adopted descriptors and over byte bridges.

mod support;

use sio::server::link::Role;
use tungstenite::Message;

use support::{COMPRESS, Carrier, Commands, Event, Js, NOTIFY, Options, Part, Reason};

over_both_carriers! {
    a_session_moves_with_what_waits
    polls_are_set_free_while_an_upgrade_is_probed
    messages_are_kept_in_order_across_the_move
    a_candidate_that_says_anything_else_is_closed
    a_candidate_that_leaves_is_reported
    a_candidate_that_dawdles_is_closed
    a_second_candidate_is_refused
    a_session_that_ends_closes_its_candidate
    an_upgraded_session_lives_on_its_heartbeat
}

fn a_session_moves_with_what_waits(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    js.submit(Commands::default().poll(slot, 1));
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.expect_response();
    peer.send("2probe");
    assert_eq!(peer.text(), "3probe");
    assert_eq!(js.events(), [Event::Upgrading { slot, conn }, Event::respond(slot, 1, "6")]);
    let parts = [Part::Text("51-[{}]"), Part::Binary(&[1, 2, 3])];
    js.submit(Commands::default().send(slot, 0, &parts).send(slot, 0, &[Part::Text("b")]));
    js.expect_silence();
    peer.send("5");
    assert_eq!(js.event(), Event::Upgraded { slot, conn });
    assert_eq!(peer.text(), "451-[{}]");
    assert_eq!(peer.message(), Message::binary(vec![1, 2, 3]));
    assert_eq!(peer.text(), "4b");
    peer.send("4hello");
    assert_eq!(js.event(), Event::text(slot, "hello"));

    js.submit(Commands::default().poll(slot, 2));
    assert_eq!(js.event(), Event::respond(slot, 2, "1"));
    js.close(slot);
    assert_eq!(peer.expect_close(), None);
    assert_eq!(js.events(), [Event::closed(slot, Reason::ForcedClose, ""), Event::Ended { slot }]);
    peer.expect_fin();
    drop(peer);
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}

fn polls_are_set_free_while_an_upgrade_is_probed(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.expect_response();
    peer.send("2probe");
    assert_eq!(js.event(), Event::Upgrading { slot, conn });
    for request in 1..4 {
        js.submit(Commands::default().poll(slot, request));
        assert_eq!(js.event(), Event::respond(slot, request, "6"));
    }
    js.submit(Commands::default().poll(slot, 4).send(slot, 0, &[Part::Text("a")]));
    assert_eq!(js.event(), Event::respond(slot, 4, "4a"), "messages use polling still");
}

fn messages_are_kept_in_order_across_the_move(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.expect_response();
    let mut number = 0..;
    let mut send = |count| {
        let mut commands = Commands::default();
        for number in number.by_ref().take(count) {
            commands.send(slot, 0, &[Part::Text(&number.to_string())]);
        }
        js.submit(&commands);
    };
    send(3);
    peer.send("2probe");
    send(3);
    js.submit(Commands::default().poll(slot, 1));
    send(3);
    peer.send("5");
    send(3);
    // Whichever way a message took, each one is there once, in order.
    let mut received = Vec::new();
    loop {
        match js.event() {
            Event::Upgrading { .. } => {}
            Event::Upgraded { conn: told, .. } => break assert_eq!(told, conn),
            Event::Respond { payload, .. } => {
                let packets = payload.split('\u{1e}').filter(|packet| packet.starts_with('4'));
                received.extend(packets.map(str::to_owned));
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(peer.text(), "3probe");
    while received.len() < 12 {
        received.push(peer.text());
    }
    assert_eq!(received, (0..12).map(|number| format!("4{number}")).collect::<Vec<_>>());
}

fn a_candidate_that_says_anything_else_is_closed(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    for packet in ["2", "2other", "4a", "7", ""] {
        let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
        peer.expect_response();
        peer.send(packet);
        assert_eq!(peer.expect_close(), None);
        assert_eq!(js.event(), Event::UpgradeFailed { slot, conn });
        peer.expect_fin();
        drop(peer);
        assert_eq!(js.event(), Event::ConnEnded { conn });
    }
    js.submit(Commands::default().send(slot, 0, &[Part::Text("a")]).poll(slot, 1));
    assert_eq!(js.event(), Event::respond(slot, 1, "4a"));
}

fn a_candidate_that_leaves_is_reported(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.send("2probe");
    assert_eq!(js.event(), Event::Upgrading { slot, conn });
    drop(peer);
    // A peer that leaves with unread bytes resets its stream, so the end may come in either way.
    assert_eq!(js.events(), [Event::UpgradeFailed { slot, conn }, Event::ConnEnded { conn }]);
    js.expect_counters(|counters| (counters.sessions, counters.connections) == (1, 0));
}

fn a_candidate_that_dawdles_is_closed(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options { upgrade_timeout_ms: 30, ..Options::default() });
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.expect_response();
    assert_eq!(js.event(), Event::UpgradeFailed { slot, conn });
    assert_eq!(peer.expect_close(), None);
}

fn a_second_candidate_is_refused(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    let (second_conn, mut second) = js.connect(carrier, Role::Candidate, slot);
    second.expect_response();
    assert_eq!(second.expect_close(), None);
    second.expect_fin();
    drop(second);
    assert_eq!(js.event(), Event::ConnEnded { conn: second_conn });
    peer.expect_response();
    peer.send("5");
    assert_eq!(js.event(), Event::Upgraded { slot, conn });
}

fn a_session_that_ends_closes_its_candidate(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.expect_response();
    js.submit(Commands::default().close(slot, true));
    assert_eq!(js.events(), [Event::closed(slot, Reason::ForcedClose, ""), Event::Ended { slot }]);
    assert_eq!(peer.expect_close(), None);
    peer.expect_fin();
    drop(peer);
    assert_eq!(js.event(), Event::ConnEnded { conn });
    js.expect_nothing_left();
}

fn an_upgraded_session_lives_on_its_heartbeat(carrier: Carrier) {
    let js = Js::new();
    let slot = js.open_polling(Options {
        ping_interval_ms: 30,
        ping_timeout_ms: 100,
        ..Options::default()
    });
    let (conn, mut peer) = js.connect(carrier, Role::Candidate, slot);
    peer.expect_response();
    peer.send("5");
    assert_eq!(js.event(), Event::Upgraded { slot, conn });
    for _ in 0..5 {
        assert_eq!(peer.text(), "2");
        peer.send("3");
    }
    assert_eq!(peer.text(), "2");
    assert_eq!(js.event(), Event::closed(slot, Reason::PingTimeout, ""));
}

#[test]
fn polls_take_what_is_there_or_wait() {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    let parts = [Part::Text("51-[{}]"), Part::Binary(&[1, 2, 3])];
    js.submit(Commands::default().send(slot, NOTIFY, &[Part::Text("a")]).send(
        slot,
        COMPRESS | NOTIFY,
        &parts,
    ));
    js.expect_silence();
    js.submit(Commands::default().poll(slot, 1));
    let payload = "4a\u{1e}451-[{}]\u{1e}bAQID".to_owned();
    assert_eq!(
        js.events(),
        [
            Event::Respond { slot, request: 1, payload, compress: true },
            Event::Sent { slot, count: 2 },
        ]
    );
    js.submit(Commands::default().poll(slot, 2));
    js.expect_silence();
    js.submit(Commands::default().send(slot, 0, &[Part::Text("b")]).send(
        slot,
        0,
        &[Part::Text("c")],
    ));
    assert_eq!(js.event(), Event::respond(slot, 2, "4b"));
    js.submit(Commands::default().poll(slot, 3));
    assert_eq!(js.event(), Event::respond(slot, 3, "4c"));
}

#[test]
fn a_polling_session_that_closes_tells_the_next_get() {
    let js = Js::new();
    let slot = js.open_polling(Options::default());
    js.close(slot);
    js.expect_silence();
    js.submit(Commands::default().poll(slot, 1));
    assert_eq!(
        js.events(),
        [
            Event::respond(slot, 1, "6\u{1e}1"),
            Event::closed(slot, Reason::ForcedClose, ""),
            Event::Ended { slot },
        ]
    );

    let slot = js.open_polling(Options::default());
    js.submit(
        Commands::default().poll(slot, 1).send(slot, 0, &[Part::Text("a")]).close(slot, false),
    );
    // The close packet never shares a payload with messages.
    assert_eq!(js.event(), Event::respond(slot, 1, "4a"));
    js.submit(Commands::default().poll(slot, 2));
    assert_eq!(
        js.events(),
        [
            Event::respond(slot, 2, "6\u{1e}1"),
            Event::closed(slot, Reason::ForcedClose, ""),
            Event::Ended { slot },
        ]
    );
    js.expect_nothing_left();
}

#[test]
fn a_polling_session_is_pinged_and_times_out() {
    let js = Js::new();
    let slot = js.open_polling(Options {
        ping_interval_ms: 20,
        ping_timeout_ms: 2_000,
        ..Options::default()
    });
    for request in 1..4 {
        js.submit(Commands::default().poll(slot, request));
        assert_eq!(js.event(), Event::respond_compressible(slot, request, "2"));
        js.submit(Commands::default().pong(slot));
    }
    let slot = js.open_polling(Options {
        ping_interval_ms: 20,
        ping_timeout_ms: 20,
        ..Options::default()
    });
    assert_eq!(js.events(), [Event::closed(slot, Reason::PingTimeout, ""), Event::Ended { slot }]);
}
