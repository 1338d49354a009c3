//! A watchdog: a thread that notices when a JavaScript thread does not come back to its event loop, and says so while
//! that thread cannot.
//!
//! It knows nothing but the last sign of life. Whoever made it gives one regularly, several times in the time that it
//! allows, and is told by the first one after a stall how long that was.

use std::io;
use std::io::Write;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::sync;
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// Watches until it is dropped.
pub struct Watchdog {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Told when the watch is over.
    over: Condvar,
}

struct State {
    last_sign: Instant,
    /// How long there was none, as far as the watchdog was awake.
    silence: Duration,
    /// The silence was reported.
    is_reported: bool,
    is_over: bool,
}

impl Watchdog {
    /// Begins to watch. `report` is called on the watchdog's thread, once for each stall, when it has lasted for `stalled_after`.
    ///
    /// # Errors
    ///
    /// When there is no further thread.
    pub fn new(
        stalled_after: Duration,
        report: impl Fn(Duration) + Send + 'static,
    ) -> io::Result<Self> {
        let state = State {
            last_sign: sync::now(),
            silence: Duration::ZERO,
            is_reported: false,
            is_over: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), over: Condvar::new() });
        let watched = Arc::clone(&shared);
        thread::Builder::new()
            .name("sio-watchdog".into())
            .spawn(move || watched.watch(stalled_after, report))?;
        Ok(Self { shared })
    }

    /// Gives a sign of life. Returns how long there was none, if that was reported.
    pub fn sign(&self) -> Option<Duration> {
        let mut state = self.shared.lock();
        let now = sync::now();
        let silence = now.duration_since(state.last_sign);
        state.last_sign = now;
        state.silence = Duration::ZERO;
        std::mem::take(&mut state.is_reported).then_some(silence)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.over.notify_one();
    }
}

impl Shared {
    fn watch(&self, stalled_after: Duration, report: impl Fn(Duration)) {
        let look_every = (stalled_after / LOOKS).max(Duration::from_millis(1));
        let mut looked_at = sync::now();
        let mut state = self.lock();
        while !state.is_over {
            let waited = self.over.wait_timeout(state, look_every);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let now = sync::now();
            // A process that was stopped, or a machine that slept, must not be taken for a busy loop: what passed while this
            // thread did not run either counts as one look.
            let since = looked_at.max(state.last_sign);
            state.silence += now.duration_since(since).min(look_every * 2);
            looked_at = now;
            if state.silence >= stalled_after && !state.is_reported {
                state.is_reported = true;
                let silence = state.silence;
                drop(state);
                report(silence);
                state = self.lock();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says on the standard error of the process that its JavaScript thread is stalled.
pub fn report_on_stderr(silence: Duration) {
    let line = format!(
        "sio-rs: the JavaScript thread of process {} has not come back to its event loop for {} ms\n",
        std::process::id(),
        silence.as_millis()
    );
    // In one write, so that no other line gets in between. Without a standard error there is nobody to tell.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Looks in the time that is allowed.
const LOOKS: u32 = 8;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Watchdog;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_stall_is_reported_once_and_told_when_it_is_over() {
        let (reported, reports) = mpsc::channel();
        let stalled_after = Duration::from_millis(40);
        let start = Instant::now();
        let watchdog =
            Watchdog::new(stalled_after, move |silence| reported.send(silence).unwrap()).unwrap();
        let silence = reports.recv_timeout(LIMIT).unwrap();
        assert!(silence >= stalled_after && start.elapsed() >= stalled_after, "{silence:?}");
        assert!(reports.recv_timeout(stalled_after * 4).is_err(), "it was reported already");

        let told = watchdog.sign().unwrap();
        assert!(told >= stalled_after * 5 && told <= start.elapsed(), "{told:?}");
        assert_eq!(watchdog.sign(), None);

        reports.recv_timeout(LIMIT).unwrap();
        assert!(watchdog.sign().is_some(), "the next stall is another one");
    }

    #[test]
    fn who_gives_signs_is_not_reported() {
        let (reported, reports) = mpsc::channel();
        let watchdog =
            Watchdog::new(Duration::from_secs(2), move |silence| reported.send(silence).unwrap())
                .unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2_500) {
            assert_eq!(watchdog.sign(), None);
            thread::sleep(Duration::from_millis(20));
        }
        assert!(reports.try_recv().is_err());
    }

    #[test]
    fn dropping_it_ends_its_thread() {
        let (reported, reports) = mpsc::channel::<Duration>();
        let watchdog =
            Watchdog::new(Duration::from_secs(3_600), move |it| reported.send(it).unwrap())
                .unwrap();
        drop(watchdog);
        assert_eq!(reports.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

#[cfg(all(test, sio_loom))]
mod models {
    use std::time::Duration;

    use super::Watchdog;

    /// A thread that sleeps for ever is a fault to loom, whose clock stands still.
    #[test]
    fn a_watchdog_that_is_dropped_at_any_moment_ends_its_thread() {
        loom::model(|| {
            let watchdog = Watchdog::new(Duration::from_secs(3_600), |_| {}).unwrap();
            watchdog.sign();
            drop(watchdog);
        });
    }
}
