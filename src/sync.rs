//! What threads meet at: the locks and atomics of `std`, and in their place those of loom while its models run.
//!
//! Whatever decides something between threads takes its primitives from here, so that `cargo test` with `--cfg sio_loom` (see
//! `fuzz/README.md`) can run it in every order in which its threads can come to it. `OnceLock` and `Arc` are as they are: each of
//! their calls counts as one moment.

#[cfg(all(test, sio_loom))]
mod notify;

#[cfg(all(test, sio_loom))]
pub(crate) use notify::Notify;
#[cfg(not(all(test, sio_loom)))]
pub(crate) use tokio::sync::Notify;

#[cfg(not(all(test, sio_loom)))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread, thread_local,
};

#[cfg(all(test, sio_loom))]
pub(crate) use loom::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

/// That of loom knows no constant initializers.
#[cfg(all(test, sio_loom))]
macro_rules! local {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = const { $initial:expr };) => {
        loom::thread_local! { $(#[$attribute])* static $name: $type = $initial; }
    };
}
#[cfg(all(test, sio_loom))]
pub(crate) use local as thread_local;

/// The time.
#[cfg(not(all(test, sio_loom)))]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The time, which stands still: each run of a model has to do the same.
#[cfg(all(test, sio_loom))]
pub(crate) fn now() -> std::time::Instant {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    *START.get_or_init(std::time::Instant::now)
}
