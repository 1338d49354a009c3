//! Floor 3: who gets what. The rooms index, and which sessions a broadcast reaches.
//!
//! It knows numbers alone: a namespace, a room, a member (one socket: one session in one namespace), the slot of a
//! session. No stream, no frame, no message, no clock and no lock: whoever holds it is its only user.

mod broadcast;
mod members;
mod rooms;

pub use broadcast::Target;
pub use members::MAX_MEMBERS;
pub use rooms::Rooms;
