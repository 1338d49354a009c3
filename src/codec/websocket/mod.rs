//! The WebSocket protocol (RFC 6455, and RFC 7692 for compression) in the server's role: masked frames come in, unmasked
//! frames go out.
//!
//! Where the RFC leaves a choice, npm's `ws` decides: its close codes, its error texts, its limits. Who answers a
//! ping or a close frame, and when the stream is closed, is not decided here.

mod carry;
mod close_code;
mod deflate;
mod frame;
mod handshake;
mod mask;
mod message;
mod protocol_error;
mod server_frame;

pub use close_code::{CloseCode, encode_close_frame};
pub use deflate::{
    Compression, DeflateParameters, DeflateStrategy, Deflater, Inflater, deflate_frames,
};
pub use frame::{Expected, FrameHeader, Opcode};
pub use handshake::{HandshakeError, accept_key, switching_protocols};
pub use mask::apply_mask;
pub use message::{Incoming, Input, MessageDecoder};
pub use protocol_error::ProtocolError;
pub use server_frame::{
    ServerFrameHeader, ServerFrames, append_frame, encode_fragment, encode_frame, frame_len,
};
