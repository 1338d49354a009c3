//! Why a session ended: the reasons of Engine.IO with their texts, and the descriptions that go with them.

/// Why a session ended. JavaScript shows [`text`](Self::text) as the first argument of `close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseReason {
    /// The peer broke the protocol, or the stream refused our bytes; the description says how.
    TransportError = 1,
    /// The peer closed, or its stream broke.
    TransportClose = 2,
    /// We closed.
    ForcedClose = 3,
    /// The heartbeat of the peer stopped.
    PingTimeout = 4,
    /// The peer sent what is no engine packet.
    ParseError = 5,
}

impl CloseReason {
    /// The text of Engine.IO.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
        }
    }

    /// The number that stands for it between the core and JavaScript.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// Description of a [`CloseReason::TransportError`]: a ping from a client of protocol 4, or a pong from one of 3.
pub(crate) const INVALID_HEARTBEAT_DIRECTION: &str = "invalid heartbeat direction";
/// Description of a [`CloseReason::TransportError`]: the stream refused our bytes for good.
pub(crate) const WRITE_ERROR: &str = "write error";
/// Description of a [`CloseReason::TransportError`]: a fault of ours, contained to this session.
pub(crate) const INTERNAL_ERROR: &str = "internal error";

#[cfg(test)]
mod tests {
    use super::CloseReason;

    #[test]
    fn texts_and_codes_are_those_of_the_protocol() {
        let table = [
            (CloseReason::TransportError, 1, "transport error"),
            (CloseReason::TransportClose, 2, "transport close"),
            (CloseReason::ForcedClose, 3, "forced close"),
            (CloseReason::PingTimeout, 4, "ping timeout"),
            (CloseReason::ParseError, 5, "parse error"),
        ];
        for (reason, code, text) in table {
            assert_eq!((reason.code(), reason.text()), (code, text));
        }
    }
}
