//! One kept-alive HTTP connection of a polling client, with one request on its way at a time.

use std::net::SocketAddr;

use mio::Registry;

use crate::failure::Result;
use crate::http;
use crate::packet;
use crate::stream::{Readiness, Scratch, Stream};

/// A connection that polls or posts.
pub(crate) struct Poller {
    stream: Stream,
}

impl Poller {
    /// Connects and sends its first request.
    pub(crate) fn connect(
        address: SocketAddr,
        registry: &Registry,
        token: usize,
        request: Vec<u8>,
    ) -> Result<Self> {
        Ok(Self { stream: Stream::connect(address, registry, token, request)? })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Result<()> {
        self.stream.send(request)
    }

    /// Reads what there is. `hear` gets the body of each response, all of which must be successes,
    /// and may add the next request to the replies.
    pub(crate) fn ready(
        &mut self,
        readiness: Readiness,
        scratch: &mut Scratch,
        mut hear: impl FnMut(&[u8], &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let is_open = self.stream.ready(readiness, scratch, |bytes, replies| {
            let mut taken = 0;
            while let Some((response, length)) =
                http::decode(bytes.get(taken..).unwrap_or_default())?
            {
                taken += length;
                if response.status != 200 {
                    let body = packet::excerpt(response.body);
                    return Err(format!("polling: {}, {body}", response.status).into());
                }
                hear(response.body, replies)?;
            }
            Ok(taken)
        })?;
        if is_open { Ok(()) } else { Err("the server ended a polling connection".into()) }
    }
}
