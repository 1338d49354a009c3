//! Connections that come and go as a browser's do: polling first, then the upgrade to a WebSocket.
//!
//! A session opens with a GET, posts its CONNECT, polls the answer, parks a poll and probes with a
//! WebSocket. When the probe is answered and the poll released, it upgrades and closes. The latency
//! runs from the WebSocket's TCP connect to the upgrade packet.

use std::time::Instant;

use crate::failure::Result;
use crate::frame;
use crate::http::{self, SessionQuery};
use crate::load::{Load, World};
use crate::packet::{self, CONNECT, PROBE, Packet, UPGRADE};
use crate::poller::Poller;
use crate::stream::Readiness;
use crate::websocket::{Heard, WebSocket};

/// Tokens of one slot: its polling connection has the even one, its WebSocket the odd one.
const TOKENS_PER_SLOT: usize = 2;

/// What a session waits for, in order.
enum Step {
    /// The open packet.
    Opening,
    /// The end of the post with its CONNECT.
    Posting,
    /// The poll with the CONNECT's answer.
    Joining,
    /// The released poll and the answered probe, in either order.
    Upgrading { websocket: WebSocket, began: Instant, is_poll_released: bool, is_probed: bool },
    /// The end of the WebSocket's stream.
    Closing { websocket: WebSocket },
}

struct Session {
    poller: Poller,
    query: SessionQuery,
    step: Step,
}

/// As many sessions as work at a time; the slot of one that is done takes the next.
#[derive(Default)]
pub(crate) struct Upgrade {
    slots: Vec<Option<Session>>,
    /// Sessions of this run that have not been started.
    left: u64,
}

impl Upgrade {
    fn begin(&mut self, slot: usize, world: &World) -> Result<()> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(()) };
        self.left = left;
        let query = SessionQuery::default();
        let token = slot * TOKENS_PER_SLOT;
        let poller = Poller::connect(world.address, &world.registry, token, http::get(&query))?;
        let slot = self.slots.get_mut(slot).ok_or("an unknown slot")?;
        *slot = Some(Session { poller, query, step: Step::Opening });
        Ok(())
    }
}

impl Load for Upgrade {
    fn open(&mut self, clients: usize, world: &mut World) -> Result<()> {
        self.slots.resize_with(clients, || None);
        world.meter.begin_opening(0)
    }

    fn run(&mut self, world: &mut World) -> Result<()> {
        self.left = world.meter.target();
        (0..self.slots.len()).try_for_each(|slot| self.begin(slot, world))
    }

    fn ready(&mut self, token: usize, readiness: Readiness, world: &mut World) -> Result<()> {
        let index = token / TOKENS_PER_SLOT;
        let slot = self.slots.get_mut(index).ok_or("an unknown token")?;
        // A session that ended earlier in the same batch of events has left its slot empty.
        let Some(session) = slot else { return Ok(()) };
        if token.is_multiple_of(TOKENS_PER_SLOT) {
            // Nobody polls after the upgrade, and a server may end a connection that is not used.
            if matches!(session.step, Step::Closing { .. }) {
                return Ok(());
            }
            session.poller_ready(token, readiness, world)?;
        } else if !session.websocket_ready(readiness, world)? {
            *slot = None;
            world.meter.unit()?;
            return self.begin(index, world);
        }
        session_upgrade(slot, world)
    }
}

impl Session {
    fn poller_ready(
        &mut self,
        token: usize,
        readiness: Readiness,
        world: &mut World,
    ) -> Result<()> {
        let Self { poller, query, step } = self;
        let World { registry, address, scratch, .. } = world;
        poller.ready(readiness, scratch, |body, replies| {
            let next = match step {
                Step::Opening => {
                    let Packet::Open(json) = packet::decode(body)? else {
                        return Err("a session that does not open".into());
                    };
                    *query = SessionQuery::of(packet::sid(json)?);
                    replies.extend(http::post(query, CONNECT));
                    Step::Posting
                }
                Step::Posting => {
                    replies.extend(http::get(query));
                    Step::Joining
                }
                Step::Joining => {
                    if packet::decode(body)? != Packet::Connected {
                        return Err("a namespace that is not joined".into());
                    }
                    replies.extend(http::get(query));
                    Step::Upgrading {
                        began: Instant::now(),
                        websocket: WebSocket::connect(*address, registry, token + 1, query)?,
                        is_poll_released: false,
                        is_probed: false,
                    }
                }
                Step::Upgrading { is_poll_released, .. } => {
                    *is_poll_released = packet::decode(body)? == Packet::Noop;
                    return Ok(());
                }
                Step::Closing { .. } => return Ok(()),
            };
            *step = next;
            Ok(())
        })
    }

    /// False when the WebSocket has ended, and the session with it.
    fn websocket_ready(&mut self, readiness: Readiness, world: &mut World) -> Result<bool> {
        match &mut self.step {
            Step::Upgrading { websocket, is_probed, .. } => {
                websocket.ready(readiness, &mut world.scratch, |heard, replies| {
                    match heard {
                        Heard::Shaken => replies.extend(frame::text(PROBE)),
                        Heard::Packet(Packet::Pong) => *is_probed = true,
                        _ => return Err("not the answer to a probe".into()),
                    }
                    Ok(())
                })
            }
            Step::Closing { websocket } => {
                websocket.ready(readiness, &mut world.scratch, |heard, _| match heard {
                    Heard::Close => Ok(()),
                    _ => Err("a packet after the upgrade".into()),
                })
            }
            // The WebSocket of the slot's last session: its event came in the batch that ended it.
            _ => Ok(true),
        }
    }
}

/// Upgrades and closes once both conditions hold.
fn session_upgrade(slot: &mut Option<Session>, world: &mut World) -> Result<()> {
    let Some(session) = slot.take() else { return Ok(()) };
    let step = match session.step {
        Step::Upgrading { mut websocket, began, is_poll_released: true, is_probed: true } => {
            let mut frames = frame::text(UPGRADE);
            frames.extend(frame::close());
            websocket.send(&frames)?;
            world.meter.latency(began);
            Step::Closing { websocket }
        }
        step => step,
    };
    *slot = Some(Session { step, ..session });
    Ok(())
}
