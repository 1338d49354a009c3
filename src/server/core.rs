//! The core of a process: its shards, and the numbers that they share.

use std::env;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;

use crate::server::counters::Gauges;
use crate::server::event::Wake;
use crate::server::link::Link;
use crate::server::shard;
use crate::server::shard::Inbox;
use crate::server::shard::ShardMessage;
use crate::server::slots::Slots;

/// All shards of a process. A process has one, [`Core::global`]; tests have one each.
pub struct Core {
    inboxes: Arc<[Inbox]>,
    slots: Arc<Slots>,
    gauges: Arc<Gauges>,
    /// Empty until the first link, so that a process that only loads the library (a cluster's primary) stays light.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Core {
    /// The core of this process. It is never dropped: `process.exit()` does not wait for threads.
    pub fn global() -> &'static Self {
        static CORE: OnceLock<Core> = OnceLock::new();
        CORE.get_or_init(|| Self::new(thread_count()))
    }

    /// A core with so many shards, at least one.
    pub fn new(shards: usize) -> Self {
        let inboxes = (0..shards.max(1)).map(|_| Inbox::default()).collect();
        Self { inboxes, slots: Arc::default(), gauges: Arc::default(), threads: Mutex::default() }
    }

    /// A new link. The first one starts the threads, which may fail for want of threads or descriptors.
    ///
    /// `wake` is called on those threads when there is something to drain; it must return at once.
    pub fn link(&self, wake: Wake) -> io::Result<Arc<Link>> {
        self.start()?;
        Ok(Link::new(
            Arc::clone(&self.inboxes),
            Arc::clone(&self.slots),
            Arc::clone(&self.gauges),
            wake,
        ))
    }

    fn start(&self) -> io::Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // After a failure the next link starts those that are missing.
        for index in threads.len()..self.inboxes.len() {
            let (inboxes, slots, gauges) =
                (Arc::clone(&self.inboxes), Arc::clone(&self.slots), Arc::clone(&self.gauges));
            threads.push(shard::start(
                u32::try_from(index).unwrap_or(u32::MAX),
                inboxes,
                slots,
                gauges,
            )?);
        }
        Ok(())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        for inbox in &*self.inboxes {
            inbox.send(ShardMessage::Stop);
        }
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A shard contains its faults; one that it could not contain was told on stderr.
            let _ = thread.join();
        }
    }
}

/// How many shards a process has: one on up to two cores, since the JavaScript thread wants one for itself and a second
/// shard gained nothing there; else one less than there are cores, up to four.
///
/// A core is what this process may use: `available_parallelism` honours affinity, cpusets, and the CPU quota of its cgroup
/// (v1 and v2), rounded down.
fn thread_count() -> usize {
    let chosen = env::var(THREADS_VARIABLE).ok().and_then(|value| value.trim().parse().ok());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    threads_for(chosen, cores)
}

fn threads_for(chosen: Option<usize>, cores: usize) -> usize {
    match chosen {
        Some(count @ 1..) => count.min(MAX_CHOSEN_THREADS),
        _ => cores.saturating_sub(1).clamp(1, MAX_THREADS),
    }
}

/// Overrides the number of threads: docs/operations.md lists all variables.
const THREADS_VARIABLE: &str = "SIO_RS_THREADS";

/// More would cost each broadcast a wake-up each, and the JavaScript thread is the limit by then.
const MAX_THREADS: usize = 4;

/// As many as machines have cores; whoever asks for more has made a typing error.
const MAX_CHOSEN_THREADS: usize = 256;

#[cfg(test)]
mod tests {
    use super::threads_for;

    #[test]
    fn small_machines_have_one_thread_and_large_ones_four() {
        let table = [(1, 1), (2, 1), (3, 2), (5, 4), (6, 4), (128, 4)];
        for (cores, threads) in table {
            assert_eq!(threads_for(None, cores), threads, "{cores}");
        }
        assert_eq!(threads_for(Some(7), 2), 7);
        assert_eq!(threads_for(Some(0), 4), 3);
        assert_eq!(threads_for(Some(usize::MAX), 4), 256);
    }
}
