//! The few HTTP/1.1 requests of the loads, and the responses to them: the opening handshake of a
//! WebSocket, a poll, a post. Responses carry a `Content-Length`, as Engine.IO servers send it.

use crate::failure::Result;

/// The path of every request: Socket.IO's default, protocol 4.
const TARGET: &str = "/socket.io/?EIO=4&transport=";

/// What a browser says of itself in each request. Servers keep it with the session, so it costs
/// memory as well as time.
const BROWSER: &str = "Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n\
     User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
     Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
     Pragma: no-cache\r\nCache-Control: no-cache\r\n";

/// A whole response.
#[derive(Debug, PartialEq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// Which session a request belongs to, as it stands in the query; empty opens a new one.
#[derive(Default)]
pub(crate) struct SessionQuery(String);

impl SessionQuery {
    pub(crate) fn of(sid: &str) -> Self {
        Self(format!("&sid={sid}"))
    }
}

/// The opening handshake. The key is fixed, and the accept hash goes unchecked: tests do that.
/// Compression is offered, as browsers do; a server that takes it up by default is a fault here.
pub(crate) fn opening_handshake(session: &SessionQuery) -> Vec<u8> {
    request(
        "GET",
        "websocket",
        session,
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
}

/// A poll, or the request that opens a session.
pub(crate) fn get(session: &SessionQuery) -> Vec<u8> {
    request("GET", "polling", session, "Connection: keep-alive\r\n\r\n")
}

/// A post of one payload.
pub(crate) fn post(session: &SessionQuery, payload: &str) -> Vec<u8> {
    let rest = format!(
        "Connection: keep-alive\r\nContent-Type: text/plain;charset=UTF-8\r\n\
         Content-Length: {}\r\n\r\n{payload}",
        payload.len()
    );
    request("POST", "polling", session, &rest)
}

fn request(method: &str, transport: &str, session: &SessionQuery, rest: &str) -> Vec<u8> {
    format!("{method} {TARGET}{transport}{} HTTP/1.1\r\n{BROWSER}{rest}", session.0).into_bytes()
}

/// The first response of `bytes` and its whole length, or `None` while it is incomplete.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Response<'_>, usize)>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head_length) = bytes.windows(END.len()).position(|window| window == END) else {
        return Ok(None);
    };
    let (head, rest) = bytes.split_at(head_length);
    let head = std::str::from_utf8(head)?;
    let status = head.split(' ').nth(1).ok_or("a response without a status")?.parse()?;
    let body_length = if status == 101 { 0 } else { content_length(head)? };
    let body = rest.get(END.len()..END.len() + body_length);
    Ok(body.map(|body| (Response { status, body }, head_length + END.len() + body_length)))
}

fn content_length(head: &str) -> Result<usize> {
    let value = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or_else(|| format!("a response without a length: {head}"))?
        .1;
    Ok(value.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::{Response, decode};

    #[test]
    fn a_response_is_decoded_once_its_body_is_whole() {
        let bytes =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\ncontent-length: 2\r\n\r\nokHTTP";
        assert!(decode(&bytes[..20]).unwrap().is_none());
        assert!(decode(&bytes[..bytes.len() - 5]).unwrap().is_none());
        let (response, length) = decode(bytes).unwrap().unwrap();
        assert_eq!(response, Response { status: 200, body: b"ok" });
        assert_eq!(&bytes[length..], b"HTTP");
    }

    #[test]
    fn a_switch_of_protocols_has_no_body() {
        let bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01";
        let (response, length) = decode(bytes).unwrap().unwrap();
        assert_eq!((response.status, &bytes[length..]), (101, &b"\x81\x01"[..]));
    }

    #[test]
    fn a_body_of_unknown_length_is_a_fault() {
        assert!(decode(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
