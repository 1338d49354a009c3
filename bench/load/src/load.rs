//! What the main loop drives: a set of clients with something to do. One file a kind of client.

mod connect;
mod polling;
mod sockets;
mod upgrade;

use std::net::SocketAddr;

use mio::Registry;

use crate::failure::Result;
use crate::meter::{Account, Meter};
use crate::options::Options;
use crate::stream::{Readiness, Scratch};
use crate::traffic;

/// A kind of load.
pub(crate) trait Load {
    /// Gets ready with `clients` clients in all: open ones, or as many as work at a time.
    fn open(&mut self, clients: usize, world: &mut World) -> Result<()>;

    /// Cuts all clients off, as a router that loses its power does. Afterwards none is open.
    fn cut(&mut self) -> Result<()> {
        Err("this load's clients cannot be cut off".into())
    }

    /// Begins to do the meter's units.
    fn run(&mut self, world: &mut World) -> Result<()>;

    /// Goes on with the stream that was registered under `token`.
    fn ready(&mut self, token: usize, readiness: Readiness, world: &mut World) -> Result<()>;

    /// Checks a finished run beyond its count.
    fn verify(&mut self, _account: &Account) -> Result<()> {
        Ok(())
    }
}

/// What all clients share.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
    pub(crate) scratch: Scratch,
}

impl World {
    pub(crate) fn new(registry: Registry, address: SocketAddr) -> Self {
        Self { registry, address, meter: Meter::new(), scratch: Scratch::new() }
    }
}

/// The load with this name.
pub(crate) fn named(options: &Options) -> Result<Box<dyn Load>> {
    Ok(match options.load.as_str() {
        "connect" => Box::new(connect::Connect::default()),
        "upgrade" => Box::new(upgrade::Upgrade::default()),
        "polling" => Box::new(polling::Polling::new(&options.text())),
        _ => Box::new(sockets::Sockets::new(traffic::named(options)?, options.opening)),
    })
}
