//! A JavaScript thread that does not come, and a shard that never sleeps: neither may cost the other sessions anything.

mod support;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::{Carrier, Event, Js, Options};

over_both_carriers! {
    a_peer_does_not_time_out_while_javascript_is_blocked
}

/// The second ping is due, and its pong overdue, while JavaScript is blocked.
const HEARTBEAT: Options = Options {
    is_websocket: false,
    ping_interval_ms: 300,
    ping_timeout_ms: 700,
    upgrade_timeout_ms: 10_000,
    max_payload: 1_000_000,
};

const BLOCKED: Duration = Duration::from_millis(2_500);

/// More than JavaScript may be behind, so that the stream is not read any more and the pong stays in the kernel.
const MESSAGES: usize = 50_000;

fn a_peer_does_not_time_out_while_javascript_is_blocked(carrier: Carrier) {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(carrier, HEARTBEAT);
    js.be_busy();
    let sending = thread::spawn(move || {
        for _ in 0..MESSAGES {
            peer.send("4a");
        }
        while peer.text() == "2" {
            peer.send("3");
        }
    });
    thread::sleep(BLOCKED);
    js.be_idle();
    for _ in 0..MESSAGES {
        assert_eq!(js.event(), Event::text(slot, "a"));
    }
    // Alive, some heartbeats later too.
    thread::sleep(Duration::from_millis(1_500));
    js.expect_silence();
    js.send(slot, "end");
    sending.join().unwrap();
}

#[test]
fn a_polling_session_does_not_time_out_while_javascript_is_blocked() {
    let js = Js::new();
    // No GET waits when the ping is due: JavaScript has not read the request yet.
    let slot = js.open_polling(HEARTBEAT);
    js.be_busy();
    thread::sleep(BLOCKED);
    js.be_idle();
    js.submit(support::Commands::default().poll(slot, 1));
    assert_eq!(js.event(), Event::respond_compressible(slot, 1, "2"));
    js.submit(support::Commands::default().pong(slot).poll(slot, 2));
    assert_eq!(js.event(), Event::respond_compressible(slot, 2, "2"));
}

#[test]
fn javascript_hears_of_one_peer_while_others_keep_the_shard_from_sleeping() {
    let js = Js::new();
    let (slot, _, mut peer) = js.open_websocket(Carrier::Descriptor, Options::default());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (_, _, mut flooding) = js.open_websocket(Carrier::Descriptor, Options::default());
            let is_over = &is_over;
            scope.spawn(move || {
                // Noops: they are read and tell JavaScript nothing, so no unit count rings for them either.
                let noops = b"\x81\x81\0\0\0\x006".repeat(50_000);
                while !is_over.load(Ordering::Relaxed) {
                    flooding.stream().write_all(&noops).unwrap();
                }
            });
        }
        // Also when this thread panics: the scope waits for the others.
        let _over = SetOnDrop(&is_over);
        thread::sleep(Duration::from_millis(100));
        for _ in 0..20 {
            peer.send("4hello");
            assert_eq!(js.event(), Event::text(slot, "hello"));
        }
    });
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
