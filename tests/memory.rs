//! Memory goes back to the system after a burst, although glibc would keep it. With another C library there is nothing to see.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use sio::server::core::Core;
use sio::server::heap::CountingHeap;

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

/// Longer than it takes until a burst counts as over.
const LIMIT: Duration = Duration::from_secs(20);

const BLOCKS: usize = 2_000;

/// Below the size from which glibc gives each block pages of its own.
const BLOCK_BYTES: usize = 40_000;

#[test]
fn what_a_burst_took_goes_back_when_it_is_over() {
    let core = Core::new(1);
    let link = core.link(Box::new(|| {})).unwrap();
    let before = resident_bytes();

    // A small block behind each large one stays, so that the arena cannot shrink from its end.
    let (burst, kept): (Vec<_>, Vec<_>) =
        (0..BLOCKS).map(|_| (vec![1_u8; BLOCK_BYTES], Box::new([1_u8; 64]))).unzip();
    assert!(link.wait(LIMIT));
    drop(black_box(burst));
    let half = before + BLOCKS * BLOCK_BYTES / 2;
    assert!(resident_bytes() > half, "glibc gives it back by itself: then nothing is shown here");

    let start = Instant::now();
    while resident_bytes() > half {
        assert!(start.elapsed() < LIMIT, "{} MiB are still there", resident_bytes() >> 20);
        thread::sleep(Duration::from_millis(50));
    }
    black_box(kept);
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
