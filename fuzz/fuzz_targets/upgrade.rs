//! See `upgrade` in `upgrade.rs`.

#![no_main]

#[path = "../upgrade.rs"]
mod upgrade;

libfuzzer_sys::fuzz_target!(|data: &[u8]| upgrade::upgrade(data));
