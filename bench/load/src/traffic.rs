//! What open clients say and expect. A traffic sees packets, not streams, and counts the units.

mod count;
mod exchange;
mod rooms;

use crate::failure::Result;
use crate::meter::Meter;
use crate::options::Options;
use crate::packet::Packet;

/// Frames to send, each with the client that sends it.
pub(crate) type Outgoing = Vec<(usize, Vec<u8>)>;

/// What the clients of `Sockets` do once they are open.
pub(crate) trait Traffic {
    /// A frame that a client sends when it has joined the namespace; its ack makes the client open.
    fn greeting(&self, _client: usize) -> Option<Vec<u8>> {
        None
    }

    /// Begins a run of `units` with `clients` clients.
    fn start(&mut self, clients: usize, units: u64, outgoing: &mut Outgoing) -> Result<()>;

    /// Takes a packet for `client`. The client's own answer goes to `replies`.
    fn hear(
        &mut self,
        client: usize,
        packet: &Packet<'_>,
        meter: &mut Meter,
        replies: &mut Vec<u8>,
        outgoing: &mut Outgoing,
    ) -> Result<()>;

    /// Checks a finished run beyond its count.
    fn verify(&self) -> Result<()> {
        Ok(())
    }
}

/// The traffic with this name.
pub(crate) fn named(options: &Options) -> Result<Box<dyn Traffic>> {
    let text = options.text();
    Ok(match options.load.as_str() {
        "broadcast" => Box::new(count::Count::deliveries(&text)),
        "heartbeat" => Box::new(count::Count::heartbeats()),
        "echo" => Box::new(exchange::Exchange::with_ack(&text, options.in_flight)),
        "event" => Box::new(exchange::Exchange::with_event(&text, options.in_flight)),
        "rooms" => Box::new(rooms::Rooms::new(&text, options.room_size)),
        name => return Err(format!("no load is called {name:?}").into()),
    })
}
