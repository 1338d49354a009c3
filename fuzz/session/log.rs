//! What a session tells while it is driven, in the words of the model.

use sio::codec::engine_io::{PacketData, PacketType};
use sio::codec::websocket::Opcode;
use sio::config::Protocol;
use sio::engine::{CloseReason, Events, Response, UpgradeFailure, WebSocket};

use super::client::{Received, read_payload};
use super::model::Told;

/// The session that is driven.
pub(super) const SLOT: u32 = 3;

/// What a session tells.
pub(super) struct Log {
    protocol: Protocol,
    pub(super) told: Vec<Told>,
    /// The packets of each `Told::Content`.
    pub(super) answers: Vec<Vec<Received>>,
    pub(super) is_owner_behind: bool,
    pub(super) words: u32,
    pub(super) ends: u32,
    /// Streams that are, or were, the session's transport.
    pub(super) transports: Vec<u32>,
    pub(super) released: Vec<(u32, WebSocket)>,
}

impl Log {
    pub(super) const fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            told: Vec::new(),
            answers: Vec::new(),
            is_owner_behind: false,
            words: 0,
            ends: 0,
            transports: Vec::new(),
            released: Vec::new(),
        }
    }
}

impl Events for Log {
    fn message(&mut self, slot: u32, data: &PacketData<'_>) {
        assert_eq!(slot, SLOT);
        let (bytes, is_binary) = match data {
            PacketData::Text(text) => (text.as_bytes().to_vec(), false),
            PacketData::Binary(bytes) => (bytes.to_vec(), true),
        };
        self.told.push(Told::Message { bytes, is_binary });
    }

    fn is_owner_behind(&self) -> bool {
        self.is_owner_behind || !self.told.is_empty()
    }

    fn closed(&mut self, slot: u32, reason: CloseReason, _: &str, is_awaited: bool) {
        assert_eq!(slot, SLOT);
        self.ends += 1;
        self.told.push(Told::Closed { reason, is_awaited });
    }

    fn respond(&mut self, _: u32, request: u32, response: Response<'_>) {
        let packets = read_payload(self.protocol, response.payload, response.is_binary);
        let types: Vec<PacketType> = packets.iter().map(|packet| packet.packet_type).collect();
        if types.iter().all(|it| matches!(it, PacketType::Noop | PacketType::Close)) {
            self.told.push(Told::Bare(request, types));
        } else {
            self.told.push(Told::Content(request, 0));
            self.answers.push(packets);
        }
    }

    fn upgrading(&mut self, _: u32, conn: u32) {
        self.told.push(Told::Upgrading(conn));
    }

    fn upgraded(&mut self, _: u32, conn: u32) {
        self.transports.push(conn);
        self.told.push(Told::Upgraded(conn));
    }

    fn upgrade_failed(&mut self, _: u32, conn: u32, failure: UpgradeFailure) {
        self.told.push(Told::UpgradeFailed(conn, failure));
    }

    fn heartbeat(&mut self, _: u32) {
        self.told.push(Told::Heartbeat);
    }

    fn control(&mut self, _: u32, packet_type: PacketType, _: &str) {
        self.told.push(Told::Control(packet_type));
    }

    fn ping_sent(&mut self, _: u32) {
        self.told.push(Told::PingSent);
    }

    fn sent(&mut self, _: u32, count: u32) {
        self.words += count;
    }

    fn frame(&mut self, _: u32, _: Opcode, _: &[u8]) {}

    fn inflated(&mut self) {}

    fn release(&mut self, conn: u32, websocket: WebSocket) {
        self.released.push((conn, websocket));
    }
}
