//! Replays the committed seeds of the fuzz targets, so that what fuzzing once found stays found, and as many mutations of
//! them as a test has time for. `SIO_RS_SEED` gives other mutations than usual. See `fuzz/README.md`.

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "../fuzz/session/mod.rs"]
mod session;
#[path = "../fuzz/upgrade.rs"]
mod upgrade;

use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn frame_headers() {
    replay("frame_decode", checks::frame_decode, MANY);
}

#[test]
fn messages() {
    replay("message_decode", checks::message_decode, MANY);
}

#[test]
fn compressed_messages() {
    replay("deflate", checks::deflate, FEW);
}

#[test]
fn payloads() {
    replay("payload_decode", checks::payload_decode, MANY);
}

#[test]
fn payloads_of_revision_3() {
    replay("payload_v3_decode", checks::payload_v3_decode, MANY);
}

#[test]
fn packets_of_webtransport() {
    replay("webtransport_decode", checks::webtransport_decode, MANY);
}

#[test]
fn commands() {
    replay("commands_decode", checks::commands_decode, MANY);
}

#[test]
fn opening_handshakes() {
    replay("handshake", upgrade::handshake, MANY);
}

#[test]
fn upgrades() {
    replay("upgrade", upgrade::upgrade, MANY);
}

#[test]
fn sessions_beside_their_model() {
    replay("session", session::session, MANY);
}

#[test]
fn sessions_of_random_steps_beside_their_model() {
    let mut random = Random::of_run();
    for round in 0..MANY {
        let script = random_script(&mut random);
        assert!(
            catch_unwind(|| session::session(&script)).is_ok(),
            "script {round} fails: {script:02x?}"
        );
    }
}

/// Sixty steps, few of which end a session or a candidate.
fn random_script(random: &mut Random) -> Vec<u8> {
    let mut script = vec![random.byte() & random.byte()];
    for _ in 0..60 {
        let mut action = random.below(session::ACTIONS);
        if session::MAY_END.contains(&action) && random.below(8) > 0 {
            action = random.below(session::ACTIONS / 2);
        }
        script.extend([u8::try_from(action).unwrap(), random.byte()]);
    }
    script
}

/// Runs a target's check on each of its seeds and on mutations of it, and names the seed that fails.
fn replay(target: &str, check: fn(&[u8]), mutations: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds.sort();
    let contents: Vec<Vec<u8>> = seeds.iter().map(|seed| fs::read(seed).unwrap()).collect();
    for (seed, bytes) in seeds.iter().zip(&contents) {
        assert!(catch_unwind(|| check(bytes)).is_ok(), "{} fails", seed.display());
    }
    let mut random = Random::of_run();
    for round in 0..mutations {
        let index = random.below(seeds.len());
        let other = &contents[random.below(contents.len())];
        let bytes = mutated(&contents[index], other, &mut random);
        assert!(
            catch_unwind(|| check(&bytes)).is_ok(),
            "mutation {round} of {} fails: {bytes:02x?}",
            seeds[index].display()
        );
    }
}

/// So many that no target takes more than a second or two.
const MANY: usize = 3_000;
/// For compression, which is slow without optimization.
const FEW: usize = 80;

/// `seed` after a few changes of the kinds that fuzzers make.
fn mutated(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.byte()),
            2 => bytes.extend_from_slice(&other[random.below(other.len() + 1)..]),
            3 => bytes.extend_from_within(at..),
            kind => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if kind == 4 { random.byte() } else { *byte ^ (1 << random.below(8)) };
                }
            }
        }
    }
    bytes
}

/// A pseudo-random source (xorshift).
struct Random(u64);

impl Random {
    fn of_run() -> Self {
        let seed = env::var("SIO_RS_SEED").map_or(1, |seed| seed.parse().unwrap());
        Self(seed | 1 << 63)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }
}
