//! Replays the committed seeds of the fuzz targets, so that what fuzzing once found stays found. See `fuzz/README.md`.

#[path = "../fuzz/checks.rs"]
mod checks;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn frame_headers() {
    replay("frame_decode", checks::frame_decode);
}

#[test]
fn messages() {
    replay("message_decode", checks::message_decode);
}

#[test]
fn compressed_messages() {
    replay("deflate", checks::deflate);
}

#[test]
fn payloads() {
    replay("payload_decode", checks::payload_decode);
}

#[test]
fn payloads_of_revision_3() {
    replay("payload_v3_decode", checks::payload_v3_decode);
}

#[test]
fn packets_of_webtransport() {
    replay("webtransport_decode", checks::webtransport_decode);
}

#[test]
fn commands() {
    replay("commands_decode", checks::commands_decode);
}

/// Runs a target's check on each of its seeds, and names the seed that fails.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let seed = entry.unwrap().path();
        let bytes = fs::read(&seed).unwrap();
        assert!(catch_unwind(|| check(&bytes)).is_ok(), "{} fails", seed.display());
        count += 1;
    }
    assert!(count > 0, "{target} has no seeds");
}
