//! The polling transport: at most one GET waits. It takes everything that there is when it comes, else the next unit.
//!
//! The requests themselves are JavaScript's, and so are their rules (two at a time, one that is aborted); here a
//! request is the number to answer.

use std::iter;

use crate::codec::engine_io::PacketType;
use crate::codec::engine_io::append_frames;
use crate::codec::engine_io::encode_bare;
use crate::codec::engine_io::v3;
use crate::config::Protocol;
use crate::engine::Events;
use crate::engine::Response;
use crate::engine::outbox::Entry;
use crate::engine::outbox::Outbox;

/// The transport state of a session on polling.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// What waits for the next GET.
    pub(crate) outbox: Outbox,
    /// The GET that waits.
    request: Option<u32>,
    /// Pongs that came into the outbox since a GET took what was there.
    pongs: u8,
}

impl Polling {
    /// Whether a GET waits.
    pub(crate) const fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// A GET waits from now on.
    pub(crate) const fn park(&mut self, request: u32) {
        self.request = Some(request);
    }

    /// Puts the pong of protocol 3 behind what waits.
    ///
    /// Pings of three bytes, a payload full of them in each POST and no GET, would grow the outbox for ever. Nobody misses the pongs beyond a
    /// number that a client which polls does not reach.
    pub(crate) fn push_pong(&mut self) {
        if self.pongs < MAX_WAITING_PONGS {
            self.pongs += 1;
            self.outbox.push(Entry::packet(PacketType::Pong, b""));
        }
    }

    /// Answers the GET that waits with the first unit, and those that were sent as its followers, if there is both: that unit found it waiting,
    /// and what was sent behind it waits for the next GET, whether or not it was sent in the same moment. So it is with Engine.IO.
    pub(crate) fn flush(&mut self, slot: u32, protocol: Protocol, events: &mut impl Events) {
        self.take(false, slot, protocol, events);
    }

    /// Answers the GET that has just come with everything that waits for it.
    pub(crate) fn flush_all(&mut self, slot: u32, protocol: Protocol, events: &mut impl Events) {
        self.take(true, slot, protocol, events);
    }

    fn take(&mut self, takes_all: bool, slot: u32, protocol: Protocol, events: &mut impl Events) {
        if self.outbox.is_empty() {
            return;
        }
        let Some(request) = self.request.take() else { return };
        let mut goes_on = true;
        let entries: Vec<Entry> = iter::from_fn(|| {
            let entry = if goes_on { self.outbox.pop() } else { None }?;
            goes_on = takes_all || entry.is_followed();
            Some(entry)
        })
        .collect();
        self.pongs = 0;
        let len = entries.iter().map(|entry| entry.frames().len()).sum();
        let mut payload = Vec::with_capacity(len);
        let frames = entries.iter().map(|entry| &**entry.frames());
        let is_binary = match protocol {
            Protocol::V4 => {
                frames.for_each(|frames| append_frames(&mut payload, frames));
                false
            }
            Protocol::V3 => v3::append_frames(&mut payload, frames),
        };
        let compress = entries.iter().any(Entry::compress);
        let notified = entries.iter().map(|entry| u32::from(entry.notify())).sum();
        events.respond(slot, request, Response { payload: &payload, is_binary, compress });
        if notified > 0 {
            events.sent(slot, notified);
        }
    }

    /// Answers the GET that waits with these packets alone, if there is one.
    pub(crate) fn answer(
        &mut self,
        slot: u32,
        protocol: Protocol,
        packets: &[PacketType],
        events: &mut impl Events,
    ) {
        if let Some(request) = self.request.take() {
            answer(slot, request, protocol, packets, events);
        }
    }
}

/// How many pongs wait for a GET at the most.
const MAX_WAITING_PONGS: u8 = 60;

/// Answers a GET with packets that carry nothing.
pub(crate) fn answer(
    slot: u32,
    request: u32,
    protocol: Protocol,
    packets: &[PacketType],
    events: &mut impl Events,
) {
    let packets = packets.iter().copied();
    let payload = match protocol {
        Protocol::V4 => encode_bare(packets),
        Protocol::V3 => v3::encode_bare(packets),
    };
    let response = Response { payload: &payload, is_binary: false, compress: false };
    events.respond(slot, request, response);
}
