//! What a session makes of bytes from its streams: packets of its transport, steps of an upgrade.

use crate::codec::engine_io::PacketData;
use crate::codec::engine_io::PacketError;
use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Input;
use crate::config::Protocol;
use crate::engine::CloseReason;
use crate::engine::Events;
use crate::engine::Session;
use crate::engine::close_reason::INVALID_HEARTBEAT_DIRECTION;
use crate::engine::outbox::Entry;
use crate::engine::packet::decode_binary;
use crate::engine::packet::decode_text;
use crate::engine::session::End;
use crate::engine::session::State;
use crate::engine::transport::Received;
use crate::engine::transport::Transport;
use crate::engine::upgrade::Step;

impl Session {
    /// Bytes came from one of its streams.
    pub fn receive(&mut self, conn: u32, bytes: &mut [u8], now: u64, events: &mut impl Events) {
        let mut input = Input::new(bytes);
        if self.candidate() == Some(conn) {
            self.receive_from_candidate(&mut input, now, events);
        }
        if self.conn() != Some(conn) {
            return;
        }
        if self.state != State::Open {
            self.drop_input(&mut input, events);
        } else if let Some(end) = self.receive_packets(&mut input, now, events) {
            self.drop_input(&mut input, events);
            self.end_in_turn(&end, now, events);
        }
    }

    /// What the transport's stream brings behind the end is nobody's.
    fn drop_input(&mut self, input: &mut Input<'_>, events: &mut impl Events) {
        if let Transport::WebSocket(websocket) = &mut self.transport {
            websocket.part_with(input, events);
        }
    }

    /// Takes what the transport's stream sent, up to the end of the input or of the session.
    fn receive_packets(
        &mut self,
        input: &mut Input<'_>,
        now: u64,
        events: &mut impl Events,
    ) -> Option<End> {
        let tells_heartbeat = self.tells_heartbeat();
        let Transport::WebSocket(websocket) = &mut self.transport else { return None };
        loop {
            let packet = match websocket.receive(input, events) {
                Received::Nothing => return None,
                Received::Control => continue,
                Received::Text(text) => decode_text(self.config.protocol, text),
                Received::Binary(bytes) => Ok(decode_binary(self.config.protocol, bytes)),
                Received::Malformed => Err(PacketError),
                Received::Closed => return Some(End::new(CloseReason::TransportClose, "")),
                Received::Failed(error) => {
                    return Some(End::new(
                        CloseReason::TransportError,
                        format!("{}: {error}", error.name()),
                    ));
                }
            };
            let Ok(packet) = packet else { return Some(End::new(CloseReason::ParseError, "")) };
            match (packet.packet_type, self.config.protocol) {
                (PacketType::Message, _) => {
                    self.heartbeat.packet_received(now);
                    events.message(self.slot, &packet.data);
                }
                (PacketType::Pong, Protocol::V4) => {
                    self.heartbeat.pong_received(now);
                    if tells_heartbeat {
                        events.heartbeat(self.slot);
                    }
                }
                (PacketType::Ping, Protocol::V3) => {
                    self.heartbeat.ping_received(now);
                    websocket.push_pong(Entry::packet(PacketType::Pong, b""));
                    if tells_heartbeat {
                        events.heartbeat(self.slot);
                    }
                }
                (PacketType::Ping, Protocol::V4) | (PacketType::Pong, Protocol::V3) => {
                    return Some(End::new(
                        CloseReason::TransportError,
                        INVALID_HEARTBEAT_DIRECTION,
                    ));
                }
                // A text `1` does not close a WebSocket session of Engine.IO, and the others say nothing to a server.
                (
                    PacketType::Open | PacketType::Close | PacketType::Upgrade | PacketType::Noop,
                    _,
                ) => {
                    self.heartbeat.packet_received(now);
                    if self.is_observed
                        && let PacketData::Text(text) = packet.data
                    {
                        events.control(self.slot, packet.packet_type, text);
                    }
                }
            }
        }
    }

    /// Takes what the candidate sent, up to the end of the input or of its time as a candidate.
    fn receive_from_candidate(
        &mut self,
        input: &mut Input<'_>,
        now: u64,
        events: &mut impl Events,
    ) {
        while let Some(upgrade) = &mut self.upgrade {
            match upgrade.receive(input, self.config.protocol, now, events) {
                Step::Nothing => return,
                Step::Control => {}
                Step::Probed => {
                    if let Some(conn) = upgrade.websocket.conn() {
                        events.upgrading(self.slot, conn);
                    }
                    if upgrade.is_over(now) {
                        upgrade.websocket.part_with(input, events);
                    }
                    self.tick_upgrade(now, events);
                }
                Step::Failed(failure) => {
                    upgrade.websocket.part_with(input, events);
                    self.fail_upgrade(failure, now, events);
                }
                Step::Switch => {
                    self.switch(now, events);
                    // The client that paused its polling for the upgrade gets what was sent before the close this way.
                    if self.state != State::Open {
                        self.drop_input(input, events);
                        self.end(&End::new(CloseReason::ForcedClose, ""), now, events);
                    }
                }
            }
        }
    }
}
