//! The pause that a stream makes when JavaScript is behind: nothing is read from it before JavaScript has taken what is
//! there.
//!
//! A task waits for that, one for each paused stream, and ends with it.

use std::sync::Arc;

use tokio::task;

use crate::server::carrier::Carrier;
use crate::server::connection::MAX_UNDRAINED_BYTES_OF_LINK;
use crate::server::link::Link;
use crate::server::shard::Shard;
use crate::server::shard::link_of;
use crate::server::shard::lock;
use crate::sync::Mutex;

struct Pause {
    link: Arc<Link>,
    /// The last unit that has to be taken.
    unit: u64,
}

async fn resume(shard: Arc<Mutex<Shard>>, conn: u32, pause: Pause) {
    let events = pause.link.events();
    events.drained_past(pause.unit).await;
    events.undrained_at_most(MAX_UNDRAINED_BYTES_OF_LINK).await;
    lock(&shard).resume(conn);
}

impl Shard {
    /// Pauses a stream that is too far ahead of JavaScript; false if it is not.
    pub(super) fn pause_if_ahead(&mut self, conn: u32) -> bool {
        let Some(pause) = self.pause_of(conn) else { return false };
        let Some(shard) = self.itself.upgrade() else { return false };
        if let Some(connection) = self.connections.connection_mut(conn)
            && !connection.is_paused()
        {
            let link = Arc::clone(&pause.link);
            connection.pause(task::spawn_local(resume(shard, conn, pause)).abort_handle());
            match connection.carrier {
                #[cfg(unix)]
                Carrier::Descriptor(_) => {}
                Carrier::Bridge(_) => link.events().writer().bridge_pause(conn),
            }
        }
        true
    }

    fn pause_of(&self, conn: u32) -> Option<Pause> {
        let connection = self.connections.connection(conn)?;
        let unit = connection.inbound.last_unit;
        let events = self.links.get(connection.owner as usize)?.as_ref()?.link.events();
        let is_behind = connection.inbound.is_full() && events.drained() < unit;
        if is_behind || events.undrained_bytes() > MAX_UNDRAINED_BYTES_OF_LINK {
            Some(Pause {
                link: link_of(&self.links, connection.owner)?,
                unit: if is_behind { unit } else { 0 },
            })
        } else {
            None
        }
    }

    fn resume(&mut self, conn: u32) {
        let Some(connection) = self.connections.connection_mut(conn) else { return };
        connection.resume();
        if self.receive_held(conn) {
            self.read_on(conn);
        }
    }

    /// Goes on reading a stream, unless the user has stopped that.
    pub(super) fn read_on(&mut self, conn: u32) {
        let Some(connection) = self.connections.connection(conn) else { return };
        if connection.is_held() {
            return;
        }
        match connection.carrier {
            #[cfg(unix)]
            Carrier::Descriptor(_) => self.start_reading(conn),
            Carrier::Bridge(_) => {
                if let Some(link) = link_of(&self.links, connection.owner) {
                    link.events().writer().bridge_resume(conn);
                }
            }
        }
    }
}
