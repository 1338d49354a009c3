//! The other end of a stream: a WebSocket client of another make (tungstenite), or raw bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Error, Message, WebSocket};

use super::{LIMIT, RESPONSE};

pub struct Peer {
    websocket: WebSocket<TcpStream>,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { websocket: WebSocket::from_raw_socket(stream, Role::Client, None) }
    }

    /// The stream itself, for what no WebSocket client would do. Only before messages were read: some may be buffered.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.websocket.get_mut()
    }

    pub fn expect_response(&mut self) {
        let mut response = [0; RESPONSE.len()];
        self.stream().read_exact(&mut response).unwrap();
        assert_eq!(response, RESPONSE);
    }

    /// Reads these bytes. Only before messages were read, as with the stream itself.
    pub fn expect_bytes(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.stream().read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expected);
    }

    /// Reads a frame as it is: its first byte and its payload, of up to 65,535 bytes.
    pub fn raw_frame(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 2];
        self.stream().read_exact(&mut header).unwrap();
        let mut len = usize::from(header[1]);
        if len == 126 {
            let mut bytes = [0; 2];
            self.stream().read_exact(&mut bytes).unwrap();
            len = u16::from_be_bytes(bytes).into();
        }
        let mut payload = vec![0; len];
        self.stream().read_exact(&mut payload).unwrap();
        (header[0], payload)
    }

    pub fn send(&mut self, text: &str) {
        self.websocket.send(Message::text(text)).unwrap();
    }

    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.websocket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream().write_all(bytes).unwrap();
    }

    pub fn ping(&mut self, payload: &[u8]) {
        self.websocket.send(Message::Ping(payload.to_vec().into())).unwrap();
    }

    pub fn message(&mut self) -> Message {
        self.websocket.read().unwrap()
    }

    pub fn text(&mut self) -> String {
        match self.message() {
            Message::Text(text) => text.to_string(),
            message => panic!("a text, not {message:?}"),
        }
    }

    /// Reads a close frame, gives its code and reason, and answers it.
    pub fn expect_close(&mut self) -> Option<(u16, String)> {
        match self.message() {
            Message::Close(frame) => {
                frame.map(|frame| (frame.code.into(), frame.reason.to_string()))
            }
            message => panic!("a close frame, not {message:?}"),
        }
    }

    /// Begins the closing handshake.
    pub fn close(&mut self, frame: Option<(u16, &str)>) {
        let frame =
            frame.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() });
        self.websocket.close(frame).unwrap();
        self.websocket.flush().unwrap();
    }

    /// Asserts that the other end closes its half, with nothing before that.
    pub fn expect_fin(&mut self) {
        match self.websocket.read() {
            // The second is tungstenite's word for an end without a closing handshake.
            Err(Error::ConnectionClosed | Error::Protocol(_)) => {}
            Err(Error::Io(error)) => {
                assert_eq!(self.stream().read(&mut [0]).ok(), Some(0), "{error}");
            }
            read => panic!("the end, not {read:?}"),
        }
    }

    /// Reads raw bytes to the end.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Closes our half.
    pub fn finish(&mut self) {
        self.stream().shutdown(Shutdown::Write).unwrap();
    }

    /// Makes the kernel send a reset when this is dropped.
    pub fn reset(self) {
        let stream = socket2::SockRef::from(self.websocket.get_ref());
        stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}
