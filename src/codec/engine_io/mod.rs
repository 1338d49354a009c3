//! The Engine.IO protocol: packets, the payloads that carry them over polling, and their framing over WebTransport. Revision 4,
//! and what is different in revision 3 in [`v3`].
//!
//! What a packet makes a session do is not decided here.

mod base64;
mod packet;
mod payload;
mod reform;
pub mod v3;
mod webtransport;

pub use packet::{
    BinaryForm, Packet, PacketData, PacketError, PacketType, append_binary_frame, append_text_frame,
};
pub use payload::{Packets, append_binary, append_frames, append_text, encode_bare};
pub use reform::reform_frames;
pub use webtransport::{
    PacketDecoder, PacketPrefix, PrefixBytes, StreamPacket, append_prefixed, lossy_text,
};
