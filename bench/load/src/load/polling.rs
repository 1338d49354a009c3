//! Clients that stay on long polling: each posts an event and polls its ack, again and again.
//! One unit is a POST and a GET, both done; the next begins when both are.

use std::time::Instant;

use crate::failure::Result;
use crate::http::{self, SessionQuery};
use crate::load::{Load, World};
use crate::packet::{self, CONNECT, PONG, Packet, SEPARATOR};
use crate::poller::Poller;
use crate::stream::Readiness;

/// Tokens of one client: the connection that polls has the even one, the one that posts the odd one.
const TOKENS_PER_CLIENT: usize = 2;

/// How far a client has come.
#[derive(Clone, Copy)]
enum Stage {
    /// Its session, then its namespace.
    Opening,
    Idle,
    Asking,
}

/// What a client that opens or asks still waits for.
#[derive(Default)]
struct Waiting {
    for_post: bool,
    for_answer: bool,
}

struct Client {
    poller: Poller,
    /// Absent until the session is open.
    poster: Option<Poller>,
    query: SessionQuery,
    waiting: Waiting,
    /// A ping came: the next post carries the pong, for no two posts may overlap.
    owes_pong: bool,
    stage: Stage,
    asked_at: Instant,
}

/// The clients that poll.
pub(crate) struct Polling {
    clients: Vec<Client>,
    question: String,
    answer: Vec<u8>,
    /// Questions of this run that nobody has asked yet.
    unasked: u64,
}

impl Polling {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            clients: Vec::new(),
            question: format!("420[\"echo\",\"{text}\"]"),
            answer: format!("430[\"{text}\"]").into_bytes(),
            unasked: 0,
        }
    }

    fn ask(&mut self, index: usize) -> Result<()> {
        let Some(unasked) = self.unasked.checked_sub(1) else { return Ok(()) };
        self.unasked = unasked;
        let client = self.clients.get_mut(index).ok_or("an unknown client")?;
        client.asked_at = Instant::now();
        client.stage = Stage::Asking;
        client.waiting = Waiting { for_post: true, for_answer: true };
        let poster = client.poster.as_mut().ok_or("a client that is not open")?;
        if std::mem::take(&mut client.owes_pong) {
            let payload = format!("{PONG}{}{}", char::from(SEPARATOR), self.question);
            return poster.send(&http::post(&client.query, &payload));
        }
        poster.send(&http::post(&client.query, &self.question))
    }
}

impl Load for Polling {
    fn open(&mut self, clients: usize, world: &mut World) -> Result<()> {
        world.meter.begin_opening(clients as u64)?;
        for index in 0..clients {
            let query = SessionQuery::default();
            let token = index * TOKENS_PER_CLIENT;
            let poller = Poller::connect(world.address, &world.registry, token, http::get(&query))?;
            self.clients.push(Client {
                poller,
                poster: None,
                query,
                waiting: Waiting::default(),
                owes_pong: false,
                stage: Stage::Opening,
                asked_at: Instant::now(),
            });
        }
        Ok(())
    }

    fn run(&mut self, world: &mut World) -> Result<()> {
        self.unasked = world.meter.target();
        (0..self.clients.len()).try_for_each(|index| self.ask(index))
    }

    fn ready(&mut self, token: usize, readiness: Readiness, world: &mut World) -> Result<()> {
        let index = token / TOKENS_PER_CLIENT;
        let client = self.clients.get_mut(index).ok_or("an unknown token")?;
        if token.is_multiple_of(TOKENS_PER_CLIENT) {
            client.poller_ready(token, readiness, world, &self.answer)?;
        } else {
            client.poster_ready(readiness, world)?;
        }
        if client.waiting.for_post || client.waiting.for_answer || client.poster.is_none() {
            return Ok(());
        }
        match std::mem::replace(&mut client.stage, Stage::Idle) {
            Stage::Opening => world.meter.opened(),
            Stage::Idle => Ok(()),
            Stage::Asking => {
                world.meter.latency(client.asked_at);
                world.meter.unit()?;
                self.ask(index)
            }
        }
    }
}

impl Client {
    fn poller_ready(
        &mut self,
        token: usize,
        readiness: Readiness,
        world: &mut World,
        answer: &[u8],
    ) -> Result<()> {
        let Self { poller, poster, query, waiting, owes_pong, .. } = self;
        let World { registry, address, scratch, .. } = world;
        poller.ready(readiness, scratch, |payload, replies| {
            for packet in payload.split(|byte| *byte == SEPARATOR) {
                match packet::decode(packet)? {
                    Packet::Open(json) => {
                        *query = SessionQuery::of(packet::sid(json)?);
                        let connect = http::post(query, CONNECT);
                        *poster = Some(Poller::connect(*address, registry, token + 1, connect)?);
                        *waiting = Waiting { for_post: true, for_answer: true };
                    }
                    Packet::Connected => waiting.for_answer = false,
                    Packet::Ack(ack) if ack == answer && waiting.for_answer => {
                        waiting.for_answer = false;
                    }
                    Packet::Ping => *owes_pong = true,
                    packet => return Err(format!("an unexpected packet: {packet:?}").into()),
                }
            }
            replies.extend(http::get(query));
            Ok(())
        })
    }

    fn poster_ready(&mut self, readiness: Readiness, world: &mut World) -> Result<()> {
        let poster = self.poster.as_mut().ok_or("a post before the session is open")?;
        let waiting = &mut self.waiting;
        poster.ready(readiness, &mut world.scratch, |_, _| {
            waiting.for_post = false;
            Ok(())
        })
    }
}
