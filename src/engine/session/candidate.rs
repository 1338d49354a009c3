//! The WebSocket that a session on polling may move to: attached, switched to, or given up. Its own state is in [`crate::engine::upgrade`].

use bytes::Bytes;

use crate::codec::engine_io::PacketType;
use crate::engine::Events;
use crate::engine::Session;
use crate::engine::UpgradeFailure;
use crate::engine::packet::binary_form;
use crate::engine::session::State;
use crate::engine::transport::Transport;
use crate::engine::upgrade::Upgrade;

impl Session {
    /// Says whether the candidate that comes next takes binary messages as they are; else it is as the session's transport.
    pub const fn expect_candidate(&mut self, supports_binary: bool) {
        self.expected_binary = Some(supports_binary);
    }

    /// Gives a session on polling a WebSocket to move to; false if it cannot move, or another one came first. One that is closing moves
    /// too: this way its client may get what was sent before the close.
    pub fn attach_candidate(&mut self, conn: u32, response: Bytes, now: u64) -> bool {
        let can_upgrade = matches!(self.state, State::Open | State::Closing { .. })
            && matches!(self.transport, Transport::Polling(_))
            && self.upgrade.is_none();
        let supports_binary = self.expected_binary.take().unwrap_or(self.config.supports_binary);
        if can_upgrade {
            let deadline = now.saturating_add(self.config.upgrade_timeout_ms.into());
            self.upgrade = Some(Box::new(Upgrade::new(
                conn,
                response,
                self.config.max_message_bytes,
                supports_binary,
                deadline,
            )));
        }
        can_upgrade
    }

    pub(super) fn tick_upgrade(&mut self, now: u64, events: &mut impl Events) {
        let Some(upgrade) = &mut self.upgrade else { return };
        if upgrade.is_over(now) {
            self.fail_upgrade(UpgradeFailure::TimedOut, now, events);
        } else if upgrade.is_noop_due(now)
            && let Transport::Polling(polling) = &mut self.transport
        {
            polling.answer(self.slot, self.config.protocol, &[PacketType::Noop], events);
        }
    }

    /// Makes the candidate the transport.
    pub(super) fn switch(&mut self, now: u64, events: &mut impl Events) {
        let Some(upgrade) = self.upgrade.take() else { return };
        let Upgrade { mut websocket, supports_binary, .. } = *upgrade;
        let conn = websocket.conn();
        let is_as_before = self.config.supports_binary == supports_binary;
        self.config.supports_binary = supports_binary;
        if let Transport::Polling(polling) = &mut self.transport {
            polling.answer(self.slot, self.config.protocol, &[PacketType::Close], events);
            let waiting = std::mem::take(&mut polling.outbox);
            if is_as_before {
                websocket.outbox.append(waiting);
            } else {
                websocket.outbox.append_reformed(waiting, binary_form(&self.config));
            }
        }
        self.transport = Transport::WebSocket(websocket);
        self.heartbeat.upgraded(now);
        if let Some(conn) = conn {
            events.upgraded(self.slot, conn);
        }
    }

    /// Closes the candidate; the session stays where it is.
    pub(super) fn fail_upgrade(
        &mut self,
        failure: UpgradeFailure,
        now: u64,
        events: &mut impl Events,
    ) {
        if let Some(conn) = self.release_candidate(now, events) {
            events.upgrade_failed(self.slot, conn, failure);
        }
    }

    pub(super) fn release_candidate(&mut self, now: u64, events: &mut impl Events) -> Option<u32> {
        let mut websocket = self.upgrade.take()?.websocket;
        let conn = websocket.conn()?;
        websocket.close(now);
        events.release(conn, websocket);
        Some(conn)
    }
}
