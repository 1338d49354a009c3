//! The command line: `--port 20001 --load echo --bytes 32 --in-flight 1 --room-size 50 --opening 64`.
//! Only loopback is ever a target, so there is no option for a host.

use std::net::{Ipv4Addr, SocketAddr};

use crate::failure::Result;

/// What one process of the generator is told when it starts.
pub(crate) struct Options {
    port: u16,
    /// Which load to drive; `load::named` knows the names.
    pub(crate) load: String,
    /// Length of the string that each message carries.
    pub(crate) bytes: usize,
    /// Messages that a client may have unanswered.
    pub(crate) in_flight: usize,
    /// Clients in one room.
    pub(crate) room_size: usize,
    /// Clients on their way at a time. More than the listen queue holds would only wait.
    pub(crate) opening: usize,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            port: 0,
            load: String::new(),
            bytes: 32,
            in_flight: 1,
            room_size: 50,
            opening: 64,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--port" => options.port = value.parse()?,
                "--load" => options.load = value,
                "--bytes" => options.bytes = value.parse()?,
                "--in-flight" => options.in_flight = value.parse::<usize>()?.max(1),
                "--room-size" => options.room_size = value.parse::<usize>()?.max(1),
                "--opening" => options.opening = value.parse::<usize>()?.max(1),
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The string that messages carry; the server application sends the same one.
    pub(crate) fn text(&self) -> String {
        "x".repeat(self.bytes)
    }
}
