//! The session's state machine beside a model of it: random steps of everybody who has a part in a session.
//!
//! The bytes are a script. Each step is done to a [`Session`] by a driver that stands in for the shard, and to a [`Model`] that
//! knows what must come of it. A client reads all that is written for it: the same packets in the same order, none twice, and
//! none lost but for a reason that the model knows.

#![allow(dead_code, reason = "each fuzz target uses one of the modules")]

mod client;
mod driver;
mod log;
mod model;
mod outgoing;

use sio::config::{Config, OutboxBudget, OutboxPolicy, Protocol};

use driver::{Driver, Sending};

/// A script: a byte of options, then steps of two bytes, what is done and how.
pub(crate) fn session(script: &[u8]) {
    let Some((&options, steps)) = script.split_first() else { return };
    let mut driver = Driver::new(config(options), options & 2 != 0);
    for step in steps.chunks_exact(2).take(MAX_STEPS) {
        let &[action, how] = step else { break };
        take_step(&mut driver, action, how);
        if driver.has_closed() {
            break;
        }
    }
    driver.bring_to_an_end();
}

/// Longer scripts show nothing that shorter ones do not, and take time.
const MAX_STEPS: usize = 400;

fn config(options: u8) -> Config {
    let policy = match options >> 3 & 3 {
        0 => OutboxPolicy::Stalled,
        1 => OutboxPolicy::Disconnect,
        2 => OutboxPolicy::DropVolatile,
        _ => OutboxPolicy::DropOldest,
    };
    let max_bytes = if options & 0x20 == 0 { None } else { Some(600) };
    Config {
        protocol: if options & 1 == 0 { Protocol::V4 } else { Protocol::V3 },
        supports_binary: options & 4 == 0,
        ping_interval_ms: 1_000,
        ping_timeout_ms: 500,
        upgrade_timeout_ms: 700,
        max_message_bytes: Some(1_000),
        outbox: OutboxBudget { max_bytes, policy },
    }
}

/// How many actions there are.
pub(crate) const ACTIONS: usize = 40;
/// Those that end a session or a candidate, or do so in one of the protocols.
pub(crate) const MAY_END: [usize; 9] = [11, 19, 20, 22, 25, 26, 27, 28, 36];

fn take_step(driver: &mut Driver, action: u8, how: u8) {
    use client::Saying::*;
    match usize::from(action) % ACTIONS {
        0..=3 => driver.send(&Sending::new(how)),
        4 => driver.next_turn(how & 1 == 0),
        5 | 6 => driver.poll(),
        7 => driver.post(how & 1 == 0),
        8 => driver.attach(),
        9 | 10 => driver.attach_candidate(how),
        11 => driver.client_says(how, &[Probe]),
        12 => driver.client_says(how, &[Switch]),
        13 => driver.client_says(how, &[Probe, Switch, Message]),
        14..=16 => driver.client_says(how, &[Message]),
        17 => driver.client_says(how, &[Binary]),
        18 => driver.client_says(how, &[Fragments]),
        19 => driver.client_says(how, &[Ping]),
        20 => driver.client_says(how, &[Pong]),
        21 => driver.client_says(how, &[Idle]),
        22 => driver.client_says(how, &[NoPacket]),
        23 => driver.client_says(how, &[FramePing, Message]),
        24 => driver.client_says(how, &[FramePong]),
        25 => driver.client_says(how, &[Message, FrameClose]),
        26 => driver.client_says(how, &[BadFrame]),
        27 => driver.stream_ends(how),
        28 => driver.close(how & 1 == 0),
        29 => driver.finish(),
        30..=32 => driver.pass(pause(how), how & 1 == 0),
        33 => driver.owner_is_behind(how & 1 == 0),
        34 => driver.block(usize::from(how)),
        35 => driver.unblock(),
        36 => driver.user_closes_stream(how & 1 == 0),
        37 => driver.look_at_what_waits(),
        38 => driver.observe(how & 1 == 0, how & 2 == 0),
        _ => driver.excuse(),
    }
}

/// Mostly less than the intervals of a session, now and then as long as a closing handshake may take.
fn pause(how: u8) -> u64 {
    u64::from(how) * if how < 240 { 4 } else { 130 }
}
