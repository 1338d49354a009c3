//! See `session` in `session/mod.rs`.

#![no_main]

#[path = "../session/mod.rs"]
mod session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| session::session(data));
