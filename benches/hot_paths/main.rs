//! The hot paths of the core, one by one: what each costs, without a network and without Node.
//!
//! Started by itself (`cargo bench`) it prints how long each takes on this machine. `npm run bench:micro` starts it under
//! callgrind instead, as `--run CASE ROUNDS`, and compares instructions, which are the same on a busy machine.

#![expect(clippy::print_stdout, reason = "it is a program, and this is what it says")]

mod case;
#[path = "../../tests/client_frame/mod.rs"]
mod client_frame;
mod codec;
#[allow(dead_code, unreachable_pub, reason = "tests use all of it")]
#[path = "../../tests/support/commands.rs"]
mod commands;
mod core;
mod hub;

use std::env;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use crate::case::Case;

/// How often each case is timed; the table shows the median.
const SAMPLES: usize = 15;

fn main() -> ExitCode {
    let cases: Vec<Case> = [codec::cases(), hub::cases(), core::cases()].concat();
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--list"] => {
            for Case { name, unit, rounds, units, .. } in cases {
                println!("{name}\t{unit}\t{rounds}\t{units}");
            }
            ExitCode::SUCCESS
        }
        ["--run", name, rounds] => {
            let case = cases.iter().find(|case| case.name == *name);
            match (case, rounds.parse()) {
                (Some(case), Ok(rounds)) => {
                    run(case, rounds);
                    ExitCode::SUCCESS
                }
                _ => refuse(),
            }
        }
        [] | [_] => {
            let pattern = words.first().copied().unwrap_or_default();
            for case in cases.iter().filter(|case| case.name.contains(pattern)) {
                println!("{:<28}{:>12.1} ns per {}", case.name, nanoseconds(case), case.unit);
            }
            ExitCode::SUCCESS
        }
        _ => refuse(),
    }
}

fn refuse() -> ExitCode {
    println!("usage: [PATTERN] | --list | --run CASE ROUNDS");
    ExitCode::FAILURE
}

/// So many rounds, from a fresh start; how long they took.
fn run(case: &Case, rounds: u32) -> Duration {
    let mut round = (case.prepare)();
    let start = Instant::now();
    for _ in 0..rounds {
        round();
    }
    start.elapsed()
}

/// How long one unit takes.
#[expect(clippy::cast_precision_loss, reason = "a second has few enough nanoseconds")]
fn nanoseconds(case: &Case) -> f64 {
    let mut samples: Vec<_> = (0..SAMPLES).map(|_| run(case, case.rounds)).collect();
    samples.sort_unstable();
    samples[SAMPLES / 2].as_nanos() as f64 / f64::from(case.rounds) / f64::from(case.units)
}
