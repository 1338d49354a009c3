//! Clients that ask and are answered: an event with an ack, or an event answered by an event.
//! Each has a fixed number of questions in flight; an answer is what sends the next one.

use std::time::Instant;

use crate::failure::Result;
use crate::frame;
use crate::meter::Meter;
use crate::packet::{Packet, excerpt};
use crate::traffic::{Outgoing, Traffic};

/// Question and answer, always the same two packets.
pub(crate) struct Exchange {
    question: Vec<u8>,
    answer: Vec<u8>,
    in_flight: usize,
    /// Questions of this run that nobody has asked yet.
    unasked: u64,
    /// When each client last asked. A latency is taken only with one question in flight.
    asked_at: Vec<Instant>,
}

impl Exchange {
    /// `socket.on("echo", (text, ack) => ack(text))`
    pub(crate) fn with_ack(text: &str, in_flight: usize) -> Self {
        let question = frame::text(&format!("420[\"echo\",\"{text}\"]"));
        Self::new(question, format!("430[\"{text}\"]"), in_flight)
    }

    /// `socket.on("event", (text) => socket.emit("event", text))`
    pub(crate) fn with_event(text: &str, in_flight: usize) -> Self {
        let packet = format!("42[\"event\",\"{text}\"]");
        Self::new(frame::text(&packet), packet, in_flight)
    }

    fn new(question: Vec<u8>, answer: String, in_flight: usize) -> Self {
        let answer = answer.into_bytes();
        Self { question, answer, in_flight, unasked: 0, asked_at: Vec::new() }
    }

    fn take_question(&mut self) -> bool {
        let is_left = self.unasked > 0;
        self.unasked = self.unasked.saturating_sub(1);
        is_left
    }
}

impl Traffic for Exchange {
    fn start(&mut self, clients: usize, units: u64, outgoing: &mut Outgoing) -> Result<()> {
        self.unasked = units;
        self.asked_at = vec![Instant::now(); clients];
        for client in 0..clients {
            let count = (0..self.in_flight).take_while(|_| self.take_question()).count();
            outgoing.push((client, self.question.repeat(count)));
        }
        Ok(())
    }

    fn hear(
        &mut self,
        client: usize,
        packet: &Packet<'_>,
        meter: &mut Meter,
        replies: &mut Vec<u8>,
        _outgoing: &mut Outgoing,
    ) -> Result<()> {
        match packet {
            Packet::Ping => return Ok(()),
            Packet::Ack(answer) | Packet::Event(answer) if *answer == self.answer => {}
            Packet::Ack(answer) | Packet::Event(answer) => {
                return Err(format!("not the answer: {}", excerpt(answer)).into());
            }
            _ => return Err(format!("an unexpected packet: {packet:?}").into()),
        }
        meter.unit()?;
        let is_left = self.take_question();
        if is_left {
            replies.extend_from_slice(&self.question);
        }
        if self.in_flight == 1
            && let Some(asked_at) = self.asked_at.get_mut(client)
        {
            meter.latency(*asked_at);
            *asked_at = Instant::now();
        }
        Ok(())
    }
}
