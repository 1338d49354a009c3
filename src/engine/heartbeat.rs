//! When a session pings, and when it has been silent for too long.
//!
//! Protocol 4: the server pings, the client answers. Protocol 3: the client pings, the server only listens. Nothing
//! here sends: whoever drives it calls [`Heartbeat::tick`] at [`Heartbeat::deadline`] and does what it says.
//!
//! ```text
//!                  ping interval over: send a ping
//!     Quiet ──────────────────────────────────────────▶ AwaitingPong ──▶ timed out
//!       ▲                                                   │     pong timeout over
//!       └───────────────────────── pong ────────────────────┘
//! ```

use crate::config::Config;
use crate::config::Protocol;

/// The heartbeat of one session. Times are milliseconds on the clock of whoever drives it.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    phase: Phase,
    ping_interval_ms: u32,
    ping_timeout_ms: u32,
}

#[derive(Debug)]
enum Phase {
    /// Protocol 4, nothing is awaited.
    Quiet { ping_at: u64 },
    /// Protocol 4, a ping went out.
    AwaitingPong {
        deadline: u64,
        /// Another packet came since the ping and has moved the deadline; that counts once.
        is_extended: bool,
    },
    /// Protocol 3, the client has to ping before the deadline.
    AwaitingPing { deadline: u64 },
}

/// What the time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// Send a ping.
    Ping,
    /// End the session: ping timeout.
    Timeout,
}

impl Heartbeat {
    /// The heartbeat of a session that opens now.
    pub(crate) fn new(config: &Config, now: u64) -> Self {
        let mut heartbeat = Self {
            phase: Phase::Quiet { ping_at: 0 },
            ping_interval_ms: config.ping_interval_ms,
            ping_timeout_ms: config.ping_timeout_ms,
        };
        match config.protocol {
            Protocol::V4 => heartbeat.pong_received(now),
            Protocol::V3 => heartbeat.ping_received(now),
        }
        heartbeat
    }

    /// When to call [`tick`](Self::tick) next.
    pub(crate) const fn deadline(&self) -> u64 {
        match self.phase {
            Phase::Quiet { ping_at } => ping_at,
            Phase::AwaitingPong { deadline, .. } | Phase::AwaitingPing { deadline } => deadline,
        }
    }

    /// Says what is due. The deadline of the pong counts from here, whether or not the ping can leave.
    pub(crate) fn tick(&mut self, now: u64) -> Due {
        if now < self.deadline() {
            return Due::Nothing;
        }
        match self.phase {
            Phase::Quiet { .. } => {
                self.phase =
                    Phase::AwaitingPong { deadline: now + self.ping_timeout(), is_extended: false };
                Due::Ping
            }
            Phase::AwaitingPong { .. } | Phase::AwaitingPing { .. } => Due::Timeout,
        }
    }

    /// A pong of protocol 4: the next ping is a full interval away, also when the pong came unasked, and a little more,
    /// so that it goes out with those of other sessions.
    pub(crate) fn pong_received(&mut self, now: u64) {
        let interval = u64::from(self.ping_interval_ms.max(MIN_PING_INTERVAL_MS));
        let grid = (interval / PINGS_SHARE).min(self.ping_timeout() / PINGS_SHARE_OF_TIMEOUT);
        let ping_at = (now + interval).next_multiple_of(grid.clamp(1, MAX_PING_GRID_MS));
        self.phase = Phase::Quiet { ping_at };
    }

    /// A ping of protocol 3.
    pub(crate) fn ping_received(&mut self, now: u64) {
        let silence = u64::from(self.ping_interval_ms) + self.ping_timeout();
        self.phase = Phase::AwaitingPing { deadline: now + silence };
    }

    /// Any other packet: the first one while a pong is awaited gives that pong a full timeout again, as Engine.IO
    /// does since 6.6.12.
    pub(crate) fn packet_received(&mut self, now: u64) {
        let ping_timeout = self.ping_timeout();
        if let Phase::AwaitingPong { deadline, is_extended: is_extended @ false } = &mut self.phase
        {
            *deadline = now + ping_timeout;
            *is_extended = true;
        }
    }

    /// Until `heard_at` nobody may have listened to the peer, nor told it of the ping: what it owes is due a full timeout
    /// after that.
    pub(crate) fn unheard_until(&mut self, heard_at: u64) {
        let due = heard_at.saturating_add(self.ping_timeout());
        match &mut self.phase {
            Phase::Quiet { .. } => {}
            Phase::AwaitingPong { deadline, .. } | Phase::AwaitingPing { deadline } => {
                *deadline = due.max(*deadline);
            }
        }
    }

    /// The session changed its transport. Engine.IO stops listening for a pong that it awaits then, and a peer that
    /// never answers stays for ever; here the deadline starts anew.
    pub(crate) fn upgraded(&mut self, now: u64) {
        let ping_timeout = self.ping_timeout();
        if let Phase::AwaitingPong { deadline, .. } = &mut self.phase {
            *deadline = now + ping_timeout;
        }
    }

    fn ping_timeout(&self) -> u64 {
        u64::from(self.ping_timeout_ms)
    }
}

/// Node's timers, Engine.IO's clock, fire a millisecond later at the soonest; one here may be nearly over when it is read. Without it the first
/// ping of an interval of 0 would be in the handshake's payload.
const MIN_PING_INTERVAL_MS: u32 = 2;

/// Pings are due at multiples of this part of their interval, so that those of many sessions leave together, and their
/// thread and their clients wake once for all: with 1,000 clients and 500 ms a ping and its pong cost 8.9 us of CPU, each
/// by itself 11.7.
const PINGS_SHARE: u64 = 10;

/// Clients wait for a ping as long as interval and timeout together.
const PINGS_SHARE_OF_TIMEOUT: u64 = 20;

/// With the interval of 25 s that is the default.
const MAX_PING_GRID_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::{Due, Heartbeat};
    use crate::config::{Config, Protocol};

    fn heartbeat(protocol: Protocol) -> Heartbeat {
        let config =
            Config { protocol, ping_interval_ms: 100, ping_timeout_ms: 20, ..Config::default() };
        Heartbeat::new(&config, 1000)
    }

    #[test]
    fn a_ping_goes_out_once_and_the_next_one_a_full_interval_after_the_pong() {
        let mut heartbeat = heartbeat(Protocol::V4);
        assert_eq!(heartbeat.deadline(), 1100);
        assert_eq!(heartbeat.tick(1099), Due::Nothing);
        assert_eq!(heartbeat.tick(1105), Due::Ping);
        assert_eq!(heartbeat.deadline(), 1125);
        heartbeat.pong_received(1120);
        assert_eq!(heartbeat.deadline(), 1220);
    }

    #[test]
    fn pings_of_many_sessions_are_due_together() {
        let due = |ping_interval_ms, ping_timeout_ms, now| {
            let config = Config { ping_interval_ms, ping_timeout_ms, ..Config::default() };
            Heartbeat::new(&config, now).deadline()
        };
        assert_eq!(due(25_000, 20_000, 1_001), 26_100);
        assert_eq!(due(25_000, 20_000, 1_100), 26_100);
        assert_eq!(due(25_000, 20_000, 1_101), 26_200);
        assert_eq!(due(500, 20_000, 1_001), 1_550);
        // A short timeout, and a short interval, leave no room.
        assert_eq!(due(500, 39, 1_001), 1_501);
        assert_eq!(due(19, 20_000, 1_001), 1_020);
    }

    #[test]
    fn an_interval_of_nothing_is_a_millisecond_at_the_least() {
        let config = Config { ping_interval_ms: 0, ..Config::default() };
        let mut heartbeat = Heartbeat::new(&config, 1000);
        assert_eq!(heartbeat.tick(1001), Due::Nothing);
        assert_eq!(heartbeat.tick(1002), Due::Ping);
    }

    #[test]
    fn no_pong_in_time_is_a_timeout() {
        let mut heartbeat = heartbeat(Protocol::V4);
        heartbeat.tick(1100);
        assert_eq!(heartbeat.tick(1119), Due::Nothing);
        assert_eq!(heartbeat.tick(1120), Due::Timeout);
    }

    #[test]
    fn the_first_other_packet_extends_the_wait_for_a_pong_and_the_second_does_not() {
        let mut heartbeat = heartbeat(Protocol::V4);
        heartbeat.packet_received(1050);
        assert_eq!(heartbeat.deadline(), 1100);
        heartbeat.tick(1100);
        heartbeat.packet_received(1110);
        heartbeat.packet_received(1119);
        assert_eq!(heartbeat.deadline(), 1130);
        heartbeat.pong_received(1129);
        heartbeat.tick(1229);
        heartbeat.packet_received(1230);
        assert_eq!(heartbeat.deadline(), 1250);
    }

    #[test]
    fn an_unsolicited_pong_restarts_the_interval() {
        let mut heartbeat = heartbeat(Protocol::V4);
        heartbeat.pong_received(1090);
        assert_eq!(heartbeat.deadline(), 1190);
    }

    #[test]
    fn an_upgrade_gives_an_awaited_pong_a_full_timeout() {
        let mut heartbeat = heartbeat(Protocol::V4);
        heartbeat.upgraded(1050);
        assert_eq!(heartbeat.deadline(), 1100);
        heartbeat.tick(1100);
        heartbeat.upgraded(1115);
        assert_eq!(heartbeat.tick(1134), Due::Nothing);
        assert_eq!(heartbeat.tick(1135), Due::Timeout);
    }

    #[test]
    fn protocol_3_never_pings_and_waits_for_interval_and_timeout_together() {
        let mut heartbeat = heartbeat(Protocol::V3);
        assert_eq!(heartbeat.deadline(), 1120);
        heartbeat.ping_received(1110);
        heartbeat.packet_received(1111);
        assert_eq!(heartbeat.tick(1229), Due::Nothing);
        assert_eq!(heartbeat.tick(1230), Due::Timeout);
    }
}
