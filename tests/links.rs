//! Links: broadcasts to their sessions, several of them in one core, and what is left when they go.

mod support;

use std::sync::Arc;

use sio::server::core::Core;
use sio::server::link::Role;
use tungstenite::Message;

use support::{Carrier, Commands, Event, Js, LIMIT, Options, Part, Peer, Reason, Target, VOLATILE};

const NAMESPACE: u32 = 0;

/// Sessions with a member each, numbered alike.
fn members(js: &Js, count: u32) -> Vec<(u32, Peer)> {
    let open = |member| {
        let carrier = if member % 2 == 0 { Carrier::Descriptor } else { Carrier::Bridge };
        let (slot, _, peer) = js.open_websocket(carrier, Options::default());
        js.submit(Commands::default().member_add(NAMESPACE, member, slot));
        (slot, peer)
    };
    (0..count).map(open).collect()
}

fn on_shards(count: usize) -> Js {
    Js::on(&Arc::new(Core::new(count)))
}

#[test]
fn a_broadcast_reaches_its_target_once_on_one_shard_and_on_several() {
    for shards in [1, 3] {
        let js = on_shards(shards);
        let mut members = members(&js, 7);
        let mut commands = Commands::default();
        for member in 0..5 {
            commands.join(NAMESPACE, member, 1);
        }
        commands.join(NAMESPACE, 2, 2).join(NAMESPACE, 3, 3);
        let target = Target {
            is_filtered: true,
            rooms: &[1, 2],
            members: &[2, 6],
            except_rooms: &[3],
            except_members: &[0],
        };
        commands.broadcast(NAMESPACE, target, 0, &[Part::Text("some"), Part::Binary(&[1])]);
        commands.leave(NAMESPACE, 1, 1).member_remove(NAMESPACE, 5);
        commands.broadcast(NAMESPACE, Target::default(), 0, &[Part::Text("all")]);
        js.submit(&commands);
        for (member, (_, peer)) in members.iter_mut().enumerate() {
            if [1, 2, 4, 6].contains(&member) {
                assert_eq!(peer.text(), "4some");
                assert_eq!(peer.message(), Message::binary(vec![1]));
            }
            if member != 5 {
                assert_eq!(peer.text(), "4all");
            }
        }
        js.send(members[5].0, "alone");
        assert_eq!(members[5].1.text(), "4alone");
        js.expect_counters(|counters| counters.broadcasts == 2 && counters.members == 6);
    }
}

#[test]
fn unicast_multicast_and_broadcast_share_one_order() {
    let js = Js::new();
    let mut members = members(&js, 2);
    let slots = [members[0].0, members[1].0];
    let mut commands = Commands::default();
    for round in 0..50 {
        let text = |kind: &str| format!("{kind}{round}");
        commands.send(slots[0], 0, &[Part::Text(&text("u"))]);
        commands.broadcast(NAMESPACE, Target::default(), 0, &[Part::Text(&text("b"))]);
        commands.multicast(&slots, 0, &[Part::Text(&text("m"))]);
    }
    js.submit(&commands);
    for round in 0..50 {
        assert_eq!(members[0].1.text(), format!("4u{round}"));
        for (_, peer) in &mut members {
            assert_eq!([peer.text(), peer.text()], [format!("4b{round}"), format!("4m{round}")]);
        }
    }
}

#[test]
fn a_volatile_broadcast_passes_over_sessions_that_sent_in_the_turn_or_cannot() {
    let mut js = Js::new();
    let mut members = members(&js, 2);
    let polling = js.open_polling(Options::default());
    js.submit(Commands::default().member_add(NAMESPACE, 9, polling));
    js.next_turn();
    let mut commands = Commands::default();
    commands.send(members[0].0, 0, &[Part::Text("first")]);
    commands.broadcast(NAMESPACE, Target::default(), VOLATILE, &[Part::Text("volatile")]);
    commands.broadcast(NAMESPACE, Target::default(), 0, &[Part::Text("last")]).poll(polling, 1);
    js.submit(&commands);
    assert_eq!([members[0].1.text(), members[0].1.text()], ["4first", "4last"]);
    assert_eq!([members[1].1.text(), members[1].1.text()], ["4volatile", "4last"]);
    assert_eq!(js.event(), Event::respond(polling, 1, "4last"));
}

#[test]
fn broadcasts_reach_only_sessions_of_their_own_link() {
    let core = Arc::new(Core::new(2));
    let (js, other) = (Js::on(&core), Js::on(&core));
    let (slot, _, mut peer) = js.open_websocket(Carrier::Descriptor, Options::default());
    // As after a slot went from one link to another, before the first one took its member away.
    other.submit(
        Commands::default()
            .member_add(NAMESPACE, 0, slot)
            .broadcast(NAMESPACE, Target::default(), 0, &[Part::Text("strange")])
            .multicast(&[slot], 0, &[Part::Text("strange")])
            .send(slot, 0, &[Part::Text("strange")])
            .close(slot, true),
    );
    assert!(other.link.wait(LIMIT));
    js.send(slot, "own");
    assert_eq!(peer.text(), "4own");
}

#[test]
fn a_link_that_goes_takes_everything_along_and_leaves_the_others() {
    let core = Arc::new(Core::new(2));
    let (js, other) = (Js::on(&core), Js::on(&core));
    let (kept, _, mut kept_peer) = other.open_websocket(Carrier::Descriptor, Options::default());
    let mut members = members(&js, 6);
    js.submit(Commands::default().join(NAMESPACE, 0, 1).join(NAMESPACE, 1, 2));
    let polling = js.open_polling(Options::default());
    let (_, mut candidate) = js.connect(Carrier::Descriptor, Role::Candidate, polling);
    let (_, mut refused) = js.connect(Carrier::Descriptor, Role::Refused, 0);
    let (closing, _, mut closing_peer) = js.open_websocket(Carrier::Descriptor, Options::default());
    js.close(closing);
    while js.event() != (Event::Ended { slot: closing }) {}
    js.expect_counters(|counters| (counters.sessions, counters.connections) == (8, 10));

    js.link.close();
    for (member, (_, peer)) in members.iter_mut().enumerate() {
        // Nobody closes the stream of a bridge when its environment is gone; here it ends with the test.
        if member % 2 == 0 {
            assert_eq!(peer.read_to_end(), b"");
        }
    }
    assert!(candidate.read_to_end().starts_with(support::RESPONSE));
    assert!(refused.read_to_end().ends_with(b"\x88\0"));
    assert_eq!(closing_peer.read_to_end(), b"\x88\0");
    other.expect_counters(|counters| {
        (counters.sessions, counters.connections, counters.members, counters.rooms) == (1, 1, 0, 0)
    });
    js.send(kept, "nothing");
    other.send(kept, "still here");
    assert_eq!(kept_peer.text(), "4still here");
}

#[test]
fn a_core_that_is_dropped_ends_its_threads_and_streams() {
    let core = Arc::new(Core::new(2));
    let js = Js::on(&core);
    let mut members = members(&js, 4);
    drop(js);
    drop(Arc::into_inner(core).expect("nobody else has it"));
    for (_, peer) in members.iter_mut().step_by(2) {
        assert_eq!(peer.read_to_end(), b"");
    }
}

#[test]
fn waiting_means_that_everything_submitted_is_written() {
    let js = on_shards(2);
    let mut sessions: Vec<_> =
        (0..10).map(|_| js.open_websocket(Carrier::Descriptor, Options::default())).collect();
    for (slot, _, _) in &sessions {
        js.send(*slot, "last words");
    }
    assert!(js.link.wait(LIMIT));
    for (_, _, peer) in &mut sessions {
        peer.stream().set_nonblocking(true).unwrap();
        assert_eq!(peer.text(), "4last words");
    }
}

#[test]
fn a_session_ends_once_however_often_it_is_closed() {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(Carrier::Descriptor, Options::default());
    let mut commands = Commands::default();
    commands
        .close(slot, false)
        .close(slot, true)
        .send(slot, 0, &[Part::Text("late")])
        .poll(slot, 1);
    js.submit(&commands);
    assert_eq!(js.events(), [Event::closed(slot, Reason::ForcedClose, ""), Event::Ended { slot }]);
    js.expect_silence();
    assert_eq!(peer.expect_close(), None);
}
