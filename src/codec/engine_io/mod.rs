//! The Engine.IO protocol, revision 4: packets, and the payloads that carry them over polling.
//!
//! What a packet makes a session do is not decided here.

mod base64;
mod packet;
mod payload;

pub use packet::{
    Packet, PacketData, PacketError, PacketType, append_binary_frame, append_text_frame,
};
pub use payload::{Packets, append_binary, append_frames, append_text};
