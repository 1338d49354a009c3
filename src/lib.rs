//! The core of sio-rs: everything a Socket.IO server does with bytes, sessions, rooms and time, without Node.
//!
//! Floors, lowest first. Calls go down; events go up through an enum or trait that the lower floor owns
//! (`tests/floors.rs` keeps it so):
//!
//! 1. [`codec`]: bytes to values and back. No clock, no lock, no stream, no task.
//! 2. [`engine`]: Engine.IO sessions, stepped with bytes, commands and the time. Messages are opaque to it.
//! 3. [`hub`]: who gets a broadcast: the rooms index. Numbers alone.
//! 4. [`server`]: threads and streams, and the two queues between the core and JavaScript.
//!
//! The words, the same on every floor and in JavaScript:
//!
//! - *frame*: one WebSocket frame (opcode, mask, payload, FIN); *close code*: the status in a close frame.
//! - *engine packet*: one Engine.IO packet (open, close, ping, pong, message, upgrade, noop).
//! - *payload*: several engine packets in one polling body.
//! - *message*: the content of an engine packet of type message, opaque to everything below JavaScript.
//! - *session*: one Engine.IO client from open to close; *sid*: its id.
//! - *link*: one loaded copy of the JavaScript layer; *slot*: the number of a session; *conn*: that of a stream.
//! - *member*: a socket, as broadcasts know it: one session in one namespace; *room*: a set of members.
//! - *unit*: one message with its attachments, or the events of one read: what is never taken apart.
//! - *outbox*: what waits to be written for one session; *stream*: the bytes under it all, TCP or TLS.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod codec;
pub mod config;
pub mod engine;
pub mod hub;
pub mod server;
mod sync;
