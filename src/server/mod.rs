//! Floor 4: assembly. Threads, streams and the two queues between the core and JavaScript.
//!
//! It decides nothing about a protocol: it brings bytes, commands and the time to sessions, and carries away what they
//! answer. A session and its streams belong to one shard for life, and all of a shard is used by one thread alone, so
//! nothing here takes a lock per message but the queues themselves.

mod carrier;
pub mod command;
mod connection;
pub mod core;
mod counters;
mod event;
pub mod link;
mod record;
mod shard;
mod slots;
mod step;
mod timers;
