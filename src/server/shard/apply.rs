//! Commands: what JavaScript asks of the sessions and rooms of a shard.
//!
//! Deliveries only fill outboxes; what they made dirty is written once for all messages that the shard found waiting.
//! Nothing waits for more to come.

use std::sync::Arc;

use crate::codec::engine_io::BinaryForm;
use crate::codec::websocket::Deflater;
use crate::config::Config;
use crate::config::OutboxBudget;
use crate::config::Protocol;
use crate::engine::Entry;
use crate::engine::Ledger;
use crate::engine::Loss;
use crate::engine::Part as EnginePart;
use crate::engine::Registry;
use crate::engine::Session;
use crate::engine::StreamEnd;
use crate::engine::Variants;
use crate::hub::Rooms;
use crate::server::command::Broadcast;
use crate::server::command::Command;
use crate::server::command::Commands;
use crate::server::command::Multicast;
use crate::server::command::Open;
use crate::server::command::Part;
use crate::server::command::Parts;
use crate::server::command::SendFlags;
use crate::server::event::MAX_MESSAGE_BYTES;
use crate::server::event::deferred;
use crate::server::link::Link;
use crate::server::shard::LinkState;
use crate::server::shard::Shard;
use crate::server::shard::state_of;
use crate::server::slots::Slots;
use crate::server::step::StepEvents;
use crate::server::tally::Tally;
use crate::server::timers::Timer;

impl Shard {
    /// Does the commands of one buffer, as far as they concern this shard.
    pub(super) fn apply(&mut self, link: &Arc<Link>, turn: u32, bytes: &[u8]) {
        let owner = self.owner_of(link);
        if let Some(state) = self.link_state(owner) {
            state.turn = turn;
        }
        let before = self.rooms_and_members(owner);
        for command in Commands::new(bytes) {
            // `Link::submit` has refused what cannot be decoded.
            let Ok(command) = command else { break };
            self.contain(|shard| shard.do_command(owner, command));
            if self.queued > MAX_QUEUED {
                self.flush_dirty();
            }
        }
        let after = self.rooms_and_members(owner);
        self.gauges.rooms.adjust(before.0, after.0);
        self.gauges.members.adjust(before.1, after.1);
    }

    fn do_command(&mut self, owner: u32, command: Command<'_>) {
        match command {
            Command::Open(open) => self.open(owner, &open),
            Command::Send { slot, flags, parts } => self.send(owner, slot, flags, parts),
            Command::Broadcast(broadcast) => self.broadcast(owner, broadcast),
            Command::Multicast(multicast) => self.multicast(owner, multicast),
            Command::Packet { slot, packet_type, flags, data } => {
                if let Some((_, mut delivery)) = self.delivery(owner) {
                    delivery.deliver(slot, 1, flags, |_, deflater| {
                        Entry::packet(packet_type, data)
                            .flagged(flags.compress, flags.notify)
                            .followed(flags.followed)
                            .deflated(deflater)
                    });
                }
            }
            Command::Turn { turn } => {
                if let Some(state) = self.link_state(owner) {
                    state.turn = turn;
                }
            }
            Command::MemberAdd { namespace, member, slot } => {
                if self.is_home_of(slot)
                    && let Some(rooms) = self.rooms_mut(owner)
                {
                    rooms.add_member(namespace, member, slot);
                }
            }
            Command::MemberRemove { namespace, member } => {
                if let Some(rooms) = self.rooms_mut(owner) {
                    rooms.remove_member(namespace, member);
                }
            }
            Command::Join { namespace, member, room } => {
                if let Some(rooms) = self.rooms_mut(owner) {
                    rooms.join(namespace, member, room);
                }
            }
            Command::Leave { namespace, member, room } => {
                if let Some(rooms) = self.rooms_mut(owner) {
                    rooms.leave(namespace, member, room);
                }
            }
            Command::Close { slot, discard, is_over } => self.close(owner, slot, discard, is_over),
            Command::ExpectCandidate { slot, is_text_only } => {
                self.step_own(owner, slot, |session, _, _| session.expect_candidate(!is_text_only));
            }
            Command::Finish { slot } => {
                self.step_own(owner, slot, |session, now, events| session.finish(now, events));
            }
            Command::Poll { slot, request } => {
                self.step_own(owner, slot, |session, now, events| {
                    session.poll(request, now, events);
                });
            }
            Command::Pong { slot } => {
                self.step_own(owner, slot, |session, now, _| session.heartbeat_received(now));
            }
            Command::Received { slot } => {
                self.step_own(owner, slot, |session, now, _| session.packet_received(now));
            }
            Command::Observe { slot, heartbeat } => {
                self.step_own(owner, slot, |session, _, _| session.observe(heartbeat));
            }
            Command::Budget { slot, budget } => {
                self.step_own(owner, slot, |session, _, _| session.set_outbox_budget(budget));
            }
            Command::BridgeData { conn, bytes, wants_word } => {
                self.receive_from_bridge(owner, conn, bytes, wants_word);
            }
            Command::Frame { conn, frame } => self.send_frame(owner, conn, &frame),
            Command::Tune { conn, tuning } => self.tune(owner, conn, tuning),
            Command::Watch { conn, watch, is_held } => self.watch(owner, conn, watch, is_held),
            Command::Log { is_on } => self.log(owner, is_on),
            Command::BridgeEof { conn } => self.bridge_ended(owner, conn),
            Command::BridgeAck { conn, bytes } => self.acknowledge(owner, conn, bytes),
            Command::ConnDestroy { conn } => {
                if self
                    .connections
                    .connection(conn)
                    .is_some_and(|connection| connection.owner == owner)
                {
                    self.write_last(conn);
                    self.stream_ended(conn, StreamEnd::Broken);
                }
            }
        }
    }

    fn send(&mut self, owner: u32, slot: u32, flags: SendFlags, parts: Parts<'_>) {
        let Some((_, mut delivery)) = self.delivery(owner) else { return };
        let packets = parts.len();
        delivery.deliver(slot, packets, flags, |form, deflater| {
            Entry::message(engine_parts(parts), form)
                .flagged(flags.compress, flags.notify)
                .followed(flags.followed)
                .with_loss(loss_of(flags))
                .deflated(deflater)
        });
        delivery.count_sent(packets);
    }

    fn close(&mut self, owner: u32, slot: u32, discard: bool, is_over: bool) {
        if discard {
            let turn = self.link_state(owner).map_or(0, |state| state.turn);
            self.drop_waiting(owner, slot, turn);
        } else {
            // What was sent before is told as sent while there is a session to tell it of.
            self.step_own(owner, slot, |_, _, _| {});
        }
        self.step_own(owner, slot, |session, now, events| {
            session.close(discard, now, events);
            if is_over {
                session.finish_closing(now, events);
            }
        });
    }

    fn open(&mut self, owner: u32, open: &Open<'_>) {
        if !self.is_home_of(open.slot) {
            return;
        }
        let config = Config {
            protocol: if open.is_protocol_3 { Protocol::V3 } else { Protocol::V4 },
            supports_binary: !open.is_text_only,
            ping_interval_ms: open.ping_interval_ms,
            ping_timeout_ms: open.ping_timeout_ms,
            upgrade_timeout_ms: open.upgrade_timeout_ms,
            max_message_bytes: Some(
                open.max_payload.unwrap_or(MAX_MESSAGE_BYTES).min(MAX_MESSAGE_BYTES),
            ),
            outbox: OutboxBudget::default(),
        };
        let mut session =
            Session::open(open.slot, owner, config, open.is_websocket, open.handshake, self.now);
        session.opened_in(self.link_state(owner).map_or(0, |state| state.turn));
        if self.is_logged(owner) {
            session.log(true);
        }
        let deadline = session.next_deadline();
        if self.registry.insert(session) {
            self.gauges.sessions.increment();
            self.arm(Timer::Session(open.slot), deadline);
        }
    }

    /// All sessions of a link are told for its log from now on, those that it opens later too.
    fn log(&mut self, owner: u32, is_on: bool) {
        if let Some(state) = self.link_state(owner) {
            state.is_logged = is_on;
        }
        for session in self.registry.iter_mut().filter(|session| session.owner() == owner) {
            session.log(is_on);
        }
    }

    fn broadcast(&mut self, owner: u32, broadcast: Broadcast<'_>) {
        self.count_broadcast(owner);
        let packets = broadcast.parts.len();
        let Some((rooms, mut delivery)) = self.delivery(owner) else { return };
        let mut variants = variants(broadcast.parts, broadcast.flags, delivery.ledger);
        rooms.broadcast(broadcast.namespace, broadcast.target, |slot| {
            delivery.deliver(slot, packets, broadcast.flags, |form, deflater| {
                variants.entry(form, deflater)
            });
        });
        delivery.count_broadcast(packets);
    }

    fn multicast(&mut self, owner: u32, multicast: Multicast<'_>) {
        self.count_broadcast(owner);
        let packets = multicast.parts.len();
        let Some((_, mut delivery)) = self.delivery(owner) else { return };
        let mut variants = variants(multicast.parts, multicast.flags, delivery.ledger);
        for slot in multicast.slots {
            delivery.deliver(slot, packets, multicast.flags, |form, deflater| {
                variants.entry(form, deflater)
            });
        }
        delivery.count_broadcast(packets);
    }

    /// Every shard does its part of a broadcast; the first one counts it.
    fn count_broadcast(&self, owner: u32) {
        if self.index == 0 {
            self.gauges.broadcasts.increment();
            if let Some(state) = state_of(&self.links, owner) {
                state.tally.broadcasts.add(1);
            }
        }
    }

    /// The rooms of a link, and the means to deliver to its sessions.
    fn delivery(&mut self, owner: u32) -> Option<(&mut Rooms, Delivery<'_>)> {
        let LinkState { rooms, turn, tally, link, .. } =
            self.links.get_mut(owner as usize)?.as_mut()?;
        let delivery = Delivery {
            owner,
            turn: *turn,
            now: self.now,
            ledger: link.ledger(),
            registry: &mut self.registry,
            dirty: &mut self.dirty,
            queued: &mut self.queued,
            stepping: &mut self.stepping,
            slots: &self.slots,
            tally,
            delivered: 0,
        };
        Some((rooms, delivery))
    }

    /// Steps a session of this link. The slot may have become another link's since the command was given.
    fn step_own(
        &mut self,
        owner: u32,
        slot: u32,
        run: impl FnOnce(&mut Session, u64, &mut StepEvents<'_>),
    ) {
        if self.registry.session_mut(slot).is_some_and(|session| session.owner() == owner) {
            self.step(slot, run);
        }
    }

    /// A session of this link is about to be closed at once: what its `writeBuffer` would hold is not sent.
    fn drop_waiting(&mut self, owner: u32, slot: u32, turn: u32) {
        if let Some(session) = self.registry.session_mut(slot)
            && session.owner() == owner
        {
            self.stepping = Some(Timer::Session(slot));
            session.drop_waiting(turn);
        }
    }

    /// Writes the output of all dirty sessions.
    pub(super) fn flush_dirty(&mut self) {
        self.queued = 0;
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.len() > LONG_FLUSH {
            // What was read before does not wait for all these writes.
            deferred::ring_all();
        }
        for slot in dirty.drain(..) {
            self.contain(|shard| shard.flush_session(slot));
        }
        // What a flush makes dirty would be the output of a step, which is settled by itself.
        self.dirty = dirty;
    }

    fn is_home_of(&self, slot: u32) -> bool {
        slot as usize % self.inboxes.len() == self.index as usize
    }

    fn link_state(&mut self, owner: u32) -> Option<&mut LinkState> {
        self.links.get_mut(owner as usize)?.as_mut()
    }

    /// Whether the sessions of a link are told for its log.
    pub(super) fn is_logged(&self, owner: u32) -> bool {
        state_of(&self.links, owner).is_some_and(|state| state.is_logged)
    }

    fn rooms_mut(&mut self, owner: u32) -> Option<&mut Rooms> {
        Some(&mut self.link_state(owner)?.rooms)
    }

    /// How many rooms and members a link has here.
    pub(super) fn rooms_and_members(&mut self, owner: u32) -> (usize, usize) {
        self.rooms_mut(owner).map_or((0, 0), |rooms| (rooms.room_count(), rooms.member_count()))
    }
}

/// Puts entries into the outboxes of a link's sessions.
struct Delivery<'a> {
    owner: u32,
    turn: u32,
    now: u64,
    ledger: &'a Arc<Ledger>,
    registry: &'a mut Registry,
    dirty: &'a mut Vec<u32>,
    queued: &'a mut usize,
    stepping: &'a mut Option<Timer>,
    slots: &'a Slots,
    tally: &'a Tally,
    /// How many sessions were given the message.
    delivered: u64,
}

impl Delivery<'_> {
    /// Delivers to one session, if it is this link's: a slot may have become another link's meanwhile.
    fn deliver(
        &mut self,
        slot: u32,
        packets: usize,
        flags: SendFlags,
        entry: impl FnOnce(BinaryForm, Option<&mut Deflater>) -> Entry,
    ) {
        let Some(session) = self.registry.session_mut(slot) else { return };
        if session.owner() != self.owner {
            return;
        }
        *self.stepping = Some(Timer::Session(slot));
        *self.queued += 1;
        let delivered = &mut self.delivered;
        let counted = |form, deflater: Option<&mut Deflater>| {
            *delivered += 1;
            entry(form, deflater)
        };
        if session.send(self.turn, packets, flags.volatile, counted) {
            self.dirty.push(slot);
        } else if session.is_held_up() {
            session.hold(self.ledger, self.now);
            self.slots.set_pending(slot, session.pending());
        }
    }

    /// Counts a message of so many packets to one session.
    fn count_sent(&self, packets: usize) {
        self.tally.packets_sent.add(self.delivered.saturating_mul(packets as u64));
    }

    /// Counts a message of so many packets to many.
    fn count_broadcast(&self, packets: usize) {
        self.tally.deliveries.add(self.delivered);
        self.count_sent(packets);
    }
}

/// The outbox entries of a message unit that goes to many sessions.
fn variants<'a>(
    parts: Parts<'a>,
    flags: SendFlags,
    ledger: &Arc<Ledger>,
) -> Variants<impl Iterator<Item = EnginePart<'a>> + Clone> {
    let parts = engine_parts(parts);
    Variants::new(parts, flags.compress, flags.notify, loss_of(flags), Arc::clone(ledger))
}

const fn loss_of(flags: SendFlags) -> Loss {
    if flags.volatile {
        Loss::Expected
    } else if flags.expendable {
        Loss::Bearable
    } else {
        Loss::Forbidden
    }
}

fn engine_parts(parts: Parts<'_>) -> impl Iterator<Item = EnginePart<'_>> + Clone {
    parts.map(|part| match part {
        Part::Text(text) => EnginePart::Text(text),
        Part::Binary(bytes) => EnginePart::Binary(bytes),
    })
}

/// So many writes take as long as a wake-up of JavaScript and more.
const LONG_FLUSH: usize = 16;

/// Deliveries between two flushes at the most, so that a flood of broadcasts does not fill the memory with entries.
const MAX_QUEUED: usize = 65_536;
