//! A client's WebSocket: opening handshake, then packets, then the close handshake.
//! It knows frames and packets, but not what a load does with them.

use std::net::SocketAddr;

use mio::Registry;

use crate::failure::Result;
use crate::frame::{self, Frame};
use crate::http::{self, SessionQuery};
use crate::packet::{self, Packet};
use crate::stream::{Readiness, Scratch, Stream};

/// What a WebSocket hears from its server.
pub(crate) enum Heard<'a> {
    /// The opening handshake is done.
    Shaken,
    Packet(Packet<'a>),
    /// A close frame; the end of the stream follows.
    Close,
}

/// How far a WebSocket has come.
#[derive(PartialEq)]
enum Phase {
    /// The opening handshake is on its way.
    Opening,
    Open,
    /// The server has sent its close frame.
    Closing,
}

/// One WebSocket to the server under test.
pub(crate) struct WebSocket {
    stream: Stream,
    phase: Phase,
}

impl WebSocket {
    pub(crate) fn connect(
        address: SocketAddr,
        registry: &Registry,
        token: usize,
        session: &SessionQuery,
    ) -> Result<Self> {
        let greeting = http::opening_handshake(session);
        let stream = Stream::connect(address, registry, token, greeting)?;
        Ok(Self { stream, phase: Phase::Opening })
    }

    /// Writes frames that `frame` has built.
    pub(crate) fn send(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.send(frames)
    }

    /// Reads what there is. `hear` may answer by adding frames to the replies. False once the server
    /// has ended the stream, which it may do after its close frame only.
    pub(crate) fn ready(
        &mut self,
        readiness: Readiness,
        scratch: &mut Scratch,
        mut hear: impl FnMut(Heard<'_>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<bool> {
        let Self { stream, phase } = self;
        let is_open = stream.ready(readiness, scratch, |bytes, replies| {
            let mut taken = 0;
            if *phase == Phase::Opening {
                let Some((response, length)) = http::decode(bytes)? else { return Ok(0) };
                if response.status != 101 {
                    let body = packet::excerpt(response.body);
                    return Err(format!("opening handshake: {}, {body}", response.status).into());
                }
                *phase = Phase::Open;
                taken = length;
                hear(Heard::Shaken, replies)?;
            }
            while let Some((frame, length)) = frame::decode(bytes.get(taken..).unwrap_or_default())?
            {
                taken += length;
                let heard = match frame {
                    Frame::Text(message) => Heard::Packet(packet::decode(message)?),
                    Frame::Close => {
                        *phase = Phase::Closing;
                        Heard::Close
                    }
                };
                hear(heard, replies)?;
            }
            Ok(taken)
        })?;
        if !is_open && *phase != Phase::Closing {
            return Err("the server ended a WebSocket without a close frame".into());
        }
        Ok(is_open)
    }
}
