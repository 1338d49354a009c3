//! Clients that only listen: to broadcasts, or to the server's pings. The server sets the pace.

use crate::failure::Result;
use crate::meter::Meter;
use crate::packet::{Packet, excerpt};
use crate::traffic::{Outgoing, Traffic};

/// Counts what reaches each client.
pub(crate) struct Count {
    /// The event that is counted; `None` counts pings.
    event: Option<Vec<u8>>,
    /// Units of this run, by client.
    received: Vec<u64>,
    /// Units that each client shall have had at the end, if it is the same for all.
    share: Option<u64>,
}

impl Count {
    /// Counts broadcasts, of which every client gets the same number.
    pub(crate) fn deliveries(text: &str) -> Self {
        let event = format!("42[\"news\",\"{text}\"]").into_bytes();
        Self { event: Some(event), received: Vec::new(), share: None }
    }

    /// Counts the server's pings, whose answers go out in the same read.
    pub(crate) fn heartbeats() -> Self {
        Self { event: None, received: Vec::new(), share: None }
    }
}

impl Traffic for Count {
    fn start(&mut self, clients: usize, units: u64, _outgoing: &mut Outgoing) -> Result<()> {
        self.received = vec![0; clients];
        if self.event.is_some() {
            let share = units.checked_div(clients as u64).ok_or("a broadcast to no client")?;
            if share * clients as u64 != units {
                return Err("not every client would get every broadcast".into());
            }
            self.share = Some(share);
        }
        Ok(())
    }

    fn hear(
        &mut self,
        client: usize,
        packet: &Packet<'_>,
        meter: &mut Meter,
        _replies: &mut Vec<u8>,
        _outgoing: &mut Outgoing,
    ) -> Result<()> {
        match (packet, &self.event) {
            (Packet::Event(event), Some(expected)) if event == expected => {}
            (Packet::Ping, None) => {
                meter.endless_unit();
                return Ok(());
            }
            (Packet::Ping, Some(_)) => return Ok(()),
            (Packet::Event(event), _) => {
                return Err(format!("not the broadcast: {}", excerpt(event)).into());
            }
            _ => return Err(format!("an unexpected packet: {packet:?}").into()),
        }
        if let Some(received) = self.received.get_mut(client) {
            *received += 1;
        }
        meter.unit()
    }

    fn verify(&self) -> Result<()> {
        match self.share {
            Some(share) if self.received.iter().any(|received| *received != share) => {
                Err("some clients had a broadcast twice, others not at all".into())
            }
            _ => Ok(()),
        }
    }
}
