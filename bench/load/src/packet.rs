//! What a WebSocket message or a polling packet means to a client (Engine.IO 4, Socket.IO 5).
//! Only the packets that the loads meet; anything else is a fault.

use crate::failure::Result;

/// `CONNECT` to the main namespace, as a message of the engine.
pub(crate) const CONNECT: &str = "40";
/// The answer to the server's ping.
pub(crate) const PONG: &str = "3";
/// The first packet of an upgrade, on the new WebSocket.
pub(crate) const PROBE: &str = "2probe";
/// The packet that makes the WebSocket the session's transport.
pub(crate) const UPGRADE: &str = "5";
/// What stands between packets in one polling payload.
pub(crate) const SEPARATOR: u8 = 0x1e;

/// A packet from the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Packet<'a> {
    /// The session is open; the JSON holds its sid.
    Open(&'a [u8]),
    Ping,
    /// The answer to the probe.
    Pong,
    Noop,
    /// The namespace is joined.
    Connected,
    /// An event, the whole packet.
    Event(&'a [u8]),
    /// An ack, the whole packet.
    Ack(&'a [u8]),
}

/// Tells which packet this is.
pub(crate) fn decode(packet: &[u8]) -> Result<Packet<'_>> {
    Ok(match packet {
        [b'4', b'2', ..] => Packet::Event(packet),
        [b'4', b'3', ..] => Packet::Ack(packet),
        [b'4', b'0', ..] => Packet::Connected,
        [b'2'] => Packet::Ping,
        b"3probe" => Packet::Pong,
        b"6" => Packet::Noop,
        [b'0', json @ ..] => Packet::Open(json),
        _ => return Err(format!("unexpected packet {}", excerpt(packet)).into()),
    })
}

/// The sid in the JSON of an open packet. The servers write it first and without escapes.
pub(crate) fn sid(open: &[u8]) -> Result<&str> {
    let json = std::str::from_utf8(open)?;
    let (_, after) = json.split_once("\"sid\":\"").ok_or("an open packet without a sid")?;
    let (sid, _) = after.split_once('"').ok_or("an open packet with half a sid")?;
    Ok(sid)
}

/// The start of a packet, for the text of a fault.
pub(crate) fn excerpt(packet: &[u8]) -> String {
    const LONGEST: usize = 60;
    String::from_utf8_lossy(packet.get(..LONGEST).unwrap_or(packet)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Packet, decode, sid};

    #[test]
    fn packets_are_told_apart_by_their_first_bytes() {
        assert_eq!(decode(b"42[\"a\"]").unwrap(), Packet::Event(b"42[\"a\"]"));
        assert_eq!(decode(b"430[1]").unwrap(), Packet::Ack(b"430[1]"));
        assert_eq!(decode(b"40{\"sid\":\"s\"}").unwrap(), Packet::Connected);
        assert_eq!(decode(b"2").unwrap(), Packet::Ping);
        assert_eq!(decode(b"3probe").unwrap(), Packet::Pong);
        assert_eq!(decode(b"0{}").unwrap(), Packet::Open(b"{}"));
        assert!(decode(b"41").is_err());
        assert!(decode(b"").is_err());
    }

    #[test]
    fn the_sid_is_read_from_the_open_packet() {
        assert_eq!(sid(br#"{"sid":"abc","upgrades":[]}"#).unwrap(), "abc");
        assert!(sid(b"{}").is_err());
    }
}
