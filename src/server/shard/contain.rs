//! What a fault of ours may cost: the session or stream whose step it was, and nothing else.
//!
//! Rust's panic hook tells on stderr where the fault is, and a line of ours what it has led to. With the feature `fault-injection`, which no
//! published binary has, tests can have a step fail.

use std::io;
use std::io::Write;
use std::panic;
use std::panic::AssertUnwindSafe;

use crate::engine::CloseReason;
use crate::engine::INTERNAL_ERROR;
use crate::server::shard::Shard;
use crate::server::shard::link_of;
use crate::server::timers::Timer;

impl Shard {
    /// Runs something that a fault of ours may end. The session or stream whose step it was is lost then, since nobody
    /// knows what state it is in; everything else goes on.
    pub(super) fn contain(&mut self, run: impl FnOnce(&mut Self)) {
        self.stepping = None;
        if panic::catch_unwind(AssertUnwindSafe(|| run(&mut *self))).is_err() {
            match self.stepping.take() {
                Some(Timer::Session(slot)) => {
                    report("a fault in the core has ended one session");
                    self.give_up(slot);
                }
                Some(Timer::Stream(conn)) => {
                    report("a fault in the core has ended one stream");
                    self.remove_stream(conn);
                }
                None => report("a fault in the core has ended what is told above"),
            }
        }
    }

    /// Ends a session without stepping it again.
    fn give_up(&mut self, slot: u32) {
        let Some(session) = self.registry.session_mut(slot) else { return };
        let Some(link) = link_of(&self.links, session.owner()) else { return };
        let connection = session.conn().and_then(|conn| self.connections.connection(conn));
        let last_message = connection.map_or(0, |connection| connection.inbound.last_unit);
        let mut writer = link.events().writer();
        writer.closed(slot, CloseReason::TransportError, INTERNAL_ERROR, last_message, false);
        self.forget(slot, &mut writer);
        // All that are its own, and not only those that it names: it may have let go of one in the step that failed.
        for conn in self.connections.of_session(slot) {
            self.forget_stream(conn, &mut writer);
        }
    }

    /// Has the next step of a session panic, after what it had to say was put into its outbox.
    #[cfg(feature = "fault-injection")]
    pub(super) fn fail(&mut self, slot: u32) {
        self.contain(|shard| {
            shard.step(slot, |_, _, _| panic!("a fault that a test has asked for"));
        });
    }
}

/// Says on the standard error of the process what a fault has led to.
fn report(what: &str) {
    let line = format!("sio-rs: {what}; the lines above say where it is, please report them\n");
    // In one write, so that no other line gets in between. Without a standard error there is nobody to tell.
    let _ = io::stderr().write_all(line.as_bytes());
}
