//! Reads what a WebSocket brought as a packet of the protocol that its session speaks, and says how that protocol has
//! binary messages written.

use crate::codec::engine_io::BinaryForm;
use crate::codec::engine_io::Packet;
use crate::codec::engine_io::PacketError;
use crate::codec::engine_io::v3;
use crate::config::Config;
use crate::config::Protocol;

/// The packet in a text message.
pub(super) fn decode_text(protocol: Protocol, text: &str) -> Result<Packet<'_>, PacketError> {
    match protocol {
        Protocol::V4 => Packet::decode_text(text),
        Protocol::V3 => v3::decode_text(text),
    }
}

/// The packet in a binary message.
pub(super) fn decode_binary(protocol: Protocol, bytes: &[u8]) -> Packet<'_> {
    match protocol {
        Protocol::V4 => Packet::decode_binary(bytes),
        Protocol::V3 => v3::decode_binary(bytes),
    }
}

/// How the client takes binary messages.
pub(super) const fn binary_form(config: &Config) -> BinaryForm {
    match (config.protocol, config.supports_binary) {
        (Protocol::V4, true) => BinaryForm::Bytes,
        (Protocol::V4, false) => BinaryForm::Base64,
        (Protocol::V3, true) => BinaryForm::TypedBytes,
        (Protocol::V3, false) => BinaryForm::TypedBase64,
    }
}
