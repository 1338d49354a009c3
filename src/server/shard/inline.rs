//! A little work that the thread which has it does itself, instead of waking the shard's.
//!
//! Waking a thread costs both sides more than an answer to a poll, or one write to a stream: among 50 clients that poll,
//! a third of the JavaScript thread's time went into it. So the thread locks the shard and does what the shard would do,
//! if nobody else has it and nothing waits before. A broadcast, or many messages, are the shard's work: then the wake-up
//! is the smaller cost, and the JavaScript thread has better things to do than to write.

use std::sync::Arc;

use crate::server::command::Command;
use crate::server::command::Commands;
use crate::server::event::deferred;
use crate::server::link::Accept;
use crate::server::link::Link;
use crate::server::shard::Inbox;
use crate::server::shard::Shard;

/// What has become of work that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inline {
    /// It is the shard's.
    NotDone,
    /// It is done. Whether it led to events that nobody was rung for.
    Done { has_events: bool },
}

impl Inbox {
    /// Does commands at once, if they are few and simple and the shard has nothing else to do.
    pub(crate) fn apply_inline(&self, link: &Arc<Link>, turn: u32, bytes: &[u8]) -> Inline {
        self.inline(link, |shard| {
            let compresses = shard.would_compress(bytes);
            if !compresses {
                shard.apply(link, turn, bytes);
            }
            !compresses
        })
    }

    /// Takes a stream over at once. Gives it back if the shard has something else to do, or the stream has brought input:
    /// that is decoded on the shard's thread alone.
    pub(crate) fn accept_inline(&self, accept: Box<Accept>) -> Result<(), Box<Accept>> {
        if !accept.input.is_empty() {
            return Err(accept);
        }
        let link = Arc::clone(&accept.link);
        let mut offered = Some(accept);
        let accepted = self.inline(&link, |shard| {
            if let Some(accept) = offered.take() {
                shard.contain(|shard| shard.accept(*accept));
            }
            true
        });
        if accepted == (Inline::Done { has_events: true }) {
            link.events().ring();
        }
        offered.map_or(Ok(()), Err)
    }

    pub(super) fn inline(&self, link: &Arc<Link>, run: impl FnOnce(&mut Shard) -> bool) -> Inline {
        let Some(shard) = self.shard() else { return Inline::NotDone };
        let Some(mut guard) = self.lock_if_idle(&shard) else { return Inline::NotDone };
        let runtime = guard.runtime.clone();
        let _entered = runtime.enter();
        let mut is_done = false;
        let has_events = deferred::without_ringing(link.events(), || {
            guard.wake();
            is_done = run(&mut guard);
            guard.flush_dirty();
            guard.keep_to_ceiling();
        });
        if is_done { Inline::Done { has_events } } else { Inline::NotDone }
    }
}

impl Shard {
    /// Whether one of the messages goes to a session that compresses. Compressors are large and belong to the thread, and
    /// compressing takes longer than a wake-up.
    fn would_compress(&mut self, bytes: &[u8]) -> bool {
        Commands::new(bytes).flatten().any(|command| match command {
            Command::Send { slot, .. } | Command::Packet { slot, .. } => {
                self.registry.session_mut(slot).is_some_and(|session| session.compresses())
            }
            _ => false,
        })
    }
}
