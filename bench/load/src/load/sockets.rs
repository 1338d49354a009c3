//! Clients that stay: each opens a WebSocket, joins the namespace, and then lives by a `Traffic`.

use std::time::Instant;

use crate::failure::Result;
use crate::frame;
use crate::http::SessionQuery;
use crate::load::{Load, World};
use crate::meter::Account;
use crate::packet::{CONNECT, PONG, Packet};
use crate::stream::Readiness;
use crate::traffic::{Outgoing, Traffic};
use crate::websocket::{Heard, WebSocket};

/// How far a client has come.
#[derive(PartialEq)]
enum Stage {
    /// Until the namespace is joined, and the traffic's own first event acknowledged.
    Opening,
    Open,
}

struct Client {
    websocket: WebSocket,
    stage: Stage,
    began: Instant,
}

/// The clients that stay, and what they do.
pub(crate) struct Sockets {
    traffic: Box<dyn Traffic>,
    /// Indexed by token.
    clients: Vec<Client>,
    /// How many there shall be.
    wanted: usize,
    /// How many are on their way at a time.
    opening: usize,
    connect: Vec<u8>,
    pong: Vec<u8>,
    /// Frames for other clients than the one that is being read; empty between events.
    outgoing: Outgoing,
}

impl Sockets {
    pub(crate) fn new(traffic: Box<dyn Traffic>, opening: usize) -> Self {
        Self {
            traffic,
            clients: Vec::new(),
            wanted: 0,
            opening,
            connect: frame::text(CONNECT),
            pong: frame::text(PONG),
            outgoing: Vec::new(),
        }
    }

    fn open_next(&mut self, world: &World) -> Result<()> {
        if self.clients.len() < self.wanted {
            let token = self.clients.len();
            let session = SessionQuery::default();
            let websocket = WebSocket::connect(world.address, &world.registry, token, &session)?;
            let client = Client { websocket, stage: Stage::Opening, began: Instant::now() };
            self.clients.push(client);
        }
        Ok(())
    }

    fn send_outgoing(&mut self) -> Result<()> {
        for (client, frames) in self.outgoing.drain(..) {
            let client = self.clients.get_mut(client).ok_or("traffic to no client")?;
            client.websocket.send(&frames)?;
        }
        Ok(())
    }
}

impl Load for Sockets {
    fn open(&mut self, clients: usize, world: &mut World) -> Result<()> {
        let missing = clients.saturating_sub(self.clients.len());
        self.wanted = clients.max(self.clients.len());
        world.meter.begin_opening(missing as u64)?;
        for _ in 0..self.opening {
            self.open_next(world)?;
        }
        Ok(())
    }

    fn cut(&mut self) -> Result<()> {
        self.clients.clear();
        self.wanted = 0;
        Ok(())
    }

    fn run(&mut self, world: &mut World) -> Result<()> {
        self.traffic.start(self.clients.len(), world.meter.target(), &mut self.outgoing)?;
        self.send_outgoing()
    }

    fn ready(&mut self, token: usize, readiness: Readiness, world: &mut World) -> Result<()> {
        let Self { traffic, clients, connect, pong, outgoing, .. } = self;
        let World { meter, scratch, .. } = world;
        // An event for a client that was cut off says nothing.
        let Some(Client { websocket, stage, began }) = clients.get_mut(token) else {
            return Ok(());
        };
        let mut has_opened = false;
        websocket.ready(readiness, scratch, |heard, replies| {
            let packet = match heard {
                Heard::Shaken => return Ok(()),
                Heard::Packet(packet) => packet,
                Heard::Close => return Err("the server closed a client".into()),
            };
            match packet {
                Packet::Open(_) => replies.extend_from_slice(connect),
                Packet::Connected => match traffic.greeting(token) {
                    Some(greeting) => replies.extend(greeting),
                    None => has_opened = true,
                },
                Packet::Ack(_) if *stage == Stage::Opening => has_opened = true,
                packet => {
                    if packet == Packet::Ping {
                        replies.extend_from_slice(pong);
                    }
                    traffic.hear(token, &packet, meter, replies, outgoing)?;
                }
            }
            if has_opened && *stage == Stage::Opening {
                *stage = Stage::Open;
                meter.latency(*began);
                meter.opened()?;
            }
            Ok(())
        })?;
        if has_opened {
            self.open_next(world)?;
        }
        self.send_outgoing()
    }

    fn verify(&mut self, account: &Account) -> Result<()> {
        if account.is_opening() { Ok(()) } else { self.traffic.verify() }
    }
}
