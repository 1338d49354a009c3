//! Reads packed events as `lib/events.ts` does.

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    TransportError,
    TransportClose,
    ForcedClose,
    PingTimeout,
    ParseError,
}

/// What the core tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text {
        slot: u32,
        text: String,
    },
    Binary {
        slot: u32,
        bytes: Vec<u8>,
    },
    Closed {
        slot: u32,
        reason: Reason,
        description: String,
    },
    /// No event of its own, but a flag of the `Closed` before it: the core waits for FINISH.
    FinishAwaited {
        slot: u32,
    },
    Ended {
        slot: u32,
    },
    ConnEnded {
        conn: u32,
    },
    Respond {
        slot: u32,
        request: u32,
        payload: String,
        compress: bool,
    },
    Upgrading {
        slot: u32,
        conn: u32,
    },
    Upgraded {
        slot: u32,
        conn: u32,
    },
    UpgradeFailed {
        slot: u32,
        conn: u32,
    },
    Heartbeat {
        slot: u32,
    },
    PingSent {
        slot: u32,
    },
    Sent {
        slot: u32,
        count: u32,
    },
    BridgeWrite {
        conn: u32,
        bytes: Vec<u8>,
    },
    BridgeEnd {
        conn: u32,
    },
    BridgePause {
        conn: u32,
    },
    BridgeResume {
        conn: u32,
    },
    BridgeDestroy {
        conn: u32,
    },
}

impl Event {
    pub fn text(slot: u32, text: &str) -> Self {
        Self::Text { slot, text: text.to_owned() }
    }

    pub fn closed(slot: u32, reason: Reason, description: &str) -> Self {
        Self::Closed { slot, reason, description: description.to_owned() }
    }

    pub fn respond(slot: u32, request: u32, payload: &str) -> Self {
        Self::Respond { slot, request, payload: payload.to_owned(), compress: false }
    }

    /// One that holds a packet of the protocol, which may be compressed.
    pub fn respond_compressible(slot: u32, request: u32, payload: &str) -> Self {
        Self::Respond { slot, request, payload: payload.to_owned(), compress: true }
    }
}

/// The events of one drain.
pub fn parse(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let word = |index: usize| u32::from_le_bytes(bytes[4 * index..][..4].try_into().unwrap());
        let len = word(1) as usize;
        let (kind, flags) = (word(0) & 0xff, word(0) >> 8);
        let tail = |start: usize, len: u32| bytes[4 * start..][..len as usize].to_vec();
        let text = |start: usize, len: u32| String::from_utf8(tail(start, len)).unwrap();
        events.push(match kind {
            1 if flags & 1 != 0 => Event::Binary { slot: word(2), bytes: tail(4, word(3)) },
            1 => {
                let text = text(4, word(3));
                assert_eq!(flags & 2 != 0, text.is_ascii());
                Event::Text { slot: word(2), text }
            }
            2 => {
                let reason = match word(3) {
                    1 => Reason::TransportError,
                    2 => Reason::TransportClose,
                    3 => Reason::ForcedClose,
                    4 => Reason::PingTimeout,
                    5 => Reason::ParseError,
                    reason => panic!("no reason: {reason}"),
                };
                let slot = word(2);
                events.push(Event::Closed { slot, reason, description: text(5, word(4)) });
                bytes = &bytes[len..];
                if flags & 1 != 0 {
                    events.push(Event::FinishAwaited { slot });
                }
                continue;
            }
            3 => Event::Ended { slot: word(2) },
            4 => Event::ConnEnded { conn: word(2) },
            5 => {
                let payload = text(5, word(4));
                Event::Respond {
                    slot: word(2),
                    request: word(3),
                    payload,
                    compress: flags & 1 != 0,
                }
            }
            6 => Event::Upgrading { slot: word(2), conn: word(3) },
            7 => Event::Upgraded { slot: word(2), conn: word(3) },
            8 => Event::UpgradeFailed { slot: word(2), conn: word(3) },
            9 => Event::Heartbeat { slot: word(2) },
            10 => Event::PingSent { slot: word(2) },
            11 => Event::Sent { slot: word(2), count: word(3) },
            12 => Event::BridgeWrite { conn: word(2), bytes: tail(4, word(3)) },
            13 => Event::BridgeEnd { conn: word(2) },
            14 => Event::BridgePause { conn: word(2) },
            15 => Event::BridgeResume { conn: word(2) },
            16 => Event::BridgeDestroy { conn: word(2) },
            kind => panic!("no kind of event: {kind}"),
        });
        bytes = &bytes[len..];
    }
    events
}
