//! Floor 3: whom a broadcast reaches, and how the index changes.

use std::hint::black_box;

use sio::hub::{Rooms, Target};

use crate::case::{Case, Round};

const NAMESPACE: u32 = 1;
const MEMBERS: u32 = 1000;
const ROOM_SIZE: u32 = 50;

/// Rooms, the last of which has everybody in it.
const ROOMS: u32 = MEMBERS / ROOM_SIZE;
const EVERYBODY: u32 = ROOMS;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, unit, units, prepare| Case { name, unit, units, rounds: 200, prepare };
    vec![
        case("target-namespace", "member", MEMBERS, || broadcast(false, &[], &[])),
        case("target-room", "member", ROOM_SIZE, || broadcast(true, &[3], &[])),
        case("target-rooms-except", "member", MEMBERS - ROOM_SIZE, || {
            broadcast(true, &[EVERYBODY, 0, 1, 2], &[3])
        }),
        case("join-and-leave", "join and leave", MEMBERS, join_and_leave),
    ]
}

fn rooms() -> Rooms {
    let mut rooms = Rooms::default();
    for member in 0..MEMBERS {
        assert!(rooms.add_member(NAMESPACE, member, member));
        rooms.join(NAMESPACE, member, member / ROOM_SIZE);
        rooms.join(NAMESPACE, member, EVERYBODY);
    }
    rooms
}

fn broadcast(is_filtered: bool, to: &'static [u32], except: &'static [u32]) -> Round {
    let mut rooms = rooms();
    Box::new(move || {
        let none = || [].iter().copied();
        let target = Target {
            is_filtered,
            rooms: to.iter().copied(),
            members: none(),
            except_rooms: except.iter().copied(),
            except_members: none(),
        };
        rooms.broadcast(NAMESPACE, target, |slot| {
            black_box(slot);
        });
    })
}

/// Everybody comes into one more room and leaves it again.
fn join_and_leave() -> Round {
    let mut rooms = rooms();
    Box::new(move || {
        for member in 0..MEMBERS {
            rooms.join(NAMESPACE, member, EVERYBODY + 1);
        }
        for member in 0..MEMBERS {
            rooms.leave(NAMESPACE, member, EVERYBODY + 1);
        }
    })
}
