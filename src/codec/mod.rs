//! Floor 1: bytes to values and back, for WebSocket frames and Engine.IO packets.
//!
//! Pure functions and small state machines. Nothing here reads a clock, takes a lock or knows a stream, a session or
//! an option; no decoder panics, whatever a peer sends; sizes are checked before memory is taken.

pub mod engine_io;
pub mod websocket;
