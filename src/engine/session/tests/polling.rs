//! Sessions on polling: what a GET is answered with, and how a session without a stream ends.

use super::{Bench, message};
use crate::config::Config;
use crate::engine::heartbeat::Heartbeat;

#[test]
fn a_poll_takes_all_there_is_in_one_payload() {
    let mut bench = Bench::polling();
    bench.send("a");
    bench.send("b");
    assert!(bench.flush().events().is_empty());
    bench.poll(1);
    assert_eq!(bench.events(), ["respond 1 4a|4b"]);
    assert!(bench.poll(2).events().is_empty());
    assert!(bench.send("c"), "a GET waits");
    assert_eq!(bench.flush().events(), ["respond 2 4c"]);
}

#[test]
fn a_get_that_waits_takes_the_first_packet_alone() {
    let mut bench = Bench::polling();
    bench.poll(1).send("a");
    bench.send("b");
    bench.send("c");
    bench.send_volatile("dropped");
    assert_eq!(bench.flush().events(), ["respond 1 4a"]);
    bench.poll(2);
    assert_eq!(bench.events(), ["respond 2 4b|4c"]);
}

#[test]
fn a_get_that_comes_before_the_flush_takes_nothing_from_the_one_that_waited() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.session.send(1, 1, false, |_, _| message("a"));
    bench.poll(2);
    assert_eq!(bench.events(), ["respond 1 4a"]);
    bench.send("b");
    assert_eq!(bench.flush().events(), ["respond 2 4b"]);
}

#[test]
fn packets_that_were_sent_together_share_a_payload() {
    let mut bench = Bench::polling();
    bench.poll(1);
    for (text, is_followed) in [("a", true), ("b", true), ("c", false), ("d", true)] {
        bench.session.send(1, 1, false, |_, _| message(text).followed(is_followed));
    }
    assert_eq!(bench.flush().events(), ["respond 1 4a|4b|4c"]);
    bench.poll(2);
    assert_eq!(bench.events(), ["respond 2 4d"]);
}

#[test]
fn one_entry_that_may_be_compressed_makes_the_payload_so_and_word_is_given() {
    let mut bench = Bench::polling();
    bench.session.send(1, 1, false, |_, _| message("a").flagged(false, true));
    bench.session.send(1, 1, false, |_, _| message("b").flagged(true, true));
    bench.poll(1);
    assert_eq!(bench.events(), ["respond 1 4a|4b compressed", "sent 2"]);
}

#[test]
fn close_on_polling_answers_a_get_that_waits() {
    let mut bench = Bench::polling();
    bench.poll(1).close(false);
    assert_eq!(bench.events(), ["respond 1 1", "closed: forced close"]);
}

#[test]
fn the_close_packet_never_shares_a_payload_with_messages() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.send("a");
    bench.close(false);
    assert_eq!(bench.events(), ["respond 1 4a"]);
    bench.poll(2);
    assert_eq!(bench.events(), ["respond 2 6|1", "closed: forced close"]);
}

#[test]
fn close_on_polling_waits_for_a_get_to_tell() {
    let mut bench = Bench::polling();
    bench.close(false);
    assert!(bench.events().is_empty());
    assert!(!bench.send("late"));
    bench.poll(1);
    assert_eq!(bench.events(), ["respond 1 6|1", "closed: forced close"]);

    let mut bench = Bench::polling();
    bench.send("a");
    bench.close(false).poll(1);
    assert_eq!(bench.events(), ["respond 1 4a"]);
    bench.poll(2);
    assert_eq!(bench.events(), ["respond 2 6|1", "closed: forced close"]);
}

#[test]
fn close_on_polling_does_not_wait_for_ever() {
    let mut bench = Bench::polling();
    let config = Config { ping_interval_ms: 100_000, ..Config::default() };
    bench.session.heartbeat = Heartbeat::new(&config, 0);
    bench.close(false).pass(29_999);
    assert!(bench.events().is_empty());
    bench.pass(1);
    assert_eq!(bench.events(), ["closed: forced close"]);
}

#[test]
fn a_discarding_close_leaves_the_get_to_its_owner() {
    let mut bench = Bench::polling();
    bench.poll(1).close(true);
    assert_eq!(bench.events(), ["closed: forced close"]);
    let mut bench = Bench::polling();
    bench.close(false).close(true);
    assert_eq!(bench.events(), ["closed: forced close"]);
}

#[test]
fn the_heartbeat_times_out_also_while_no_get_waits() {
    let mut bench = Bench::polling();
    bench.pass(1_000).poll(1);
    // The first event only sees whether JavaScript takes it.
    assert_eq!(bench.events(), ["sent 0", "respond 1 2 compressed"]);
    bench.session.heartbeat_received(bench.now);
    bench.pass(1_500);
    assert_eq!(bench.events(), ["sent 0", "closed: ping timeout"]);

    let mut bench = Bench::polling();
    bench.poll(1).pass(1_000);
    assert_eq!(bench.events(), ["respond 1 2 compressed"]);
    bench.poll(2).pass(500);
    assert_eq!(bench.events(), ["respond 2 1", "closed: ping timeout"]);
}

#[test]
fn a_volatile_message_on_polling_asks_for_a_get() {
    let mut bench = Bench::polling();
    bench.send_volatile("a");
    bench.poll(1);
    assert!(bench.events().is_empty());
    bench.send_volatile("b");
    bench.send_volatile("c");
    assert_eq!(bench.flush().events(), ["respond 1 4b"]);
    bench.turn += 1;
    bench.send_volatile("d");
    bench.poll(2);
    assert!(bench.events().is_empty());
}

#[test]
fn packets_in_a_post_extend_the_wait_for_a_pong_once() {
    let mut bench = Bench::polling();
    bench.pass(1_400);
    bench.session.packet_received(bench.now);
    bench.pass(499);
    bench.session.packet_received(bench.now);
    assert_eq!(bench.events(), ["sent 0"]);
    bench.pass(1);
    assert_eq!(bench.events(), ["closed: ping timeout"]);
}
