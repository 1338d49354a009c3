//! The snapshot of options that a session opens with: socket.io's names, units and defaults.
//!
//! JavaScript keeps `engine.opts` alive and mutable; a session is not changed by what is written there after it opened.

/// The revision of the Engine.IO protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Revision 3, of socket.io 2 clients: the client sends the pings.
    V3,
    /// Revision 4: the server sends the pings.
    V4,
}

/// What a session opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which protocol the client speaks.
    pub protocol: Protocol,
    /// The client takes binary messages as bytes; else (`b64` in its query) as base64.
    pub supports_binary: bool,
    /// `pingInterval`: from the opening, or from a pong, to the next ping.
    pub ping_interval_ms: u32,
    /// `pingTimeout`: how long a pong may take.
    pub ping_timeout_ms: u32,
    /// `upgradeTimeout`: the life of an upgrade, counted from its 101 response.
    pub upgrade_timeout_ms: u32,
    /// `maxHttpBufferSize`: the longest message over WebSocket, all its fragments together; `None` is no limit.
    pub max_message_bytes: Option<u32>,
    /// What may wait for the client.
    pub outbox: OutboxBudget,
}

/// How much may wait for a client that takes too little, and what is done past that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxBudget {
    /// `outbox.maxBytes`: what may wait; `None` is no limit.
    pub max_bytes: Option<u32>,
    /// `outbox.policy`.
    pub policy: OutboxPolicy,
}

/// What is done when more waits for a client than may. Whatever the policy, a session that is past its budget is ended once the client has
/// taken nothing for `pingTimeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxPolicy {
    /// `stalled`: nothing else.
    Stalled,
    /// `disconnect`: the session is ended at once.
    Disconnect,
    /// `drop-volatile`: volatile messages that wait are dropped.
    DropVolatile,
    /// `drop-oldest`: those are, and events that ask for no acknowledgement, the oldest first.
    DropOldest,
}

impl OutboxBudget {
    /// Its limit in bytes.
    pub fn limit(&self) -> usize {
        self.max_bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

impl Default for OutboxBudget {
    fn default() -> Self {
        Self { max_bytes: Some(MAX_OUTBOX_BYTES), policy: OutboxPolicy::Stalled }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protocol: Protocol::V4,
            supports_binary: true,
            ping_interval_ms: PING_INTERVAL_MS,
            ping_timeout_ms: PING_TIMEOUT_MS,
            upgrade_timeout_ms: UPGRADE_TIMEOUT_MS,
            max_message_bytes: Some(MAX_MESSAGE_BYTES),
            outbox: OutboxBudget::default(),
        }
    }
}

/// Engine.IO default of `pingInterval`.
const PING_INTERVAL_MS: u32 = 25_000;
/// Engine.IO default of `pingTimeout`.
const PING_TIMEOUT_MS: u32 = 20_000;
/// Engine.IO default of `upgradeTimeout`.
const UPGRADE_TIMEOUT_MS: u32 = 10_000;
/// Engine.IO default of `maxHttpBufferSize`.
const MAX_MESSAGE_BYTES: u32 = 1_000_000;
/// Far more than what healthy clients let wait; Engine.IO has no limit.
const MAX_OUTBOX_BYTES: u32 = 64 * 1024 * 1024;
