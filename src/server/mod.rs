//! Floor 4: assembly. Threads, streams and the two queues between the core and JavaScript.
//!
//! It decides nothing about a protocol: it brings bytes, commands and the time to sessions, and carries away what they
//! answer. A session and its streams belong to one shard for life, and whoever works on a shard has all of it: its own
//! thread for a round, or a JavaScript thread for a little. Nothing here takes a lock per message but the queues.

pub mod carrier;
pub mod command;
mod connection;
pub mod core;
mod counters;
mod event;
pub mod heap;
pub mod link;
mod record;
mod shard;
mod slots;
mod step;
mod tally;
mod timers;
pub mod watchdog;
