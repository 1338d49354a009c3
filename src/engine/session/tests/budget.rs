//! What becomes of a session whose client takes too little. The budget of these sessions is 1,000 bytes, 64 of which are counted for each
//! message besides its own.

use std::sync::Arc;

use super::{Bench, CONN};
use crate::codec::websocket::DeflateParameters;
use crate::config::{OutboxBudget, OutboxPolicy};
use crate::engine::{Entry, Ledger, Loss, Part};

impl Bench {
    /// The stream takes no more, and somebody looks at what that means.
    fn is_not_taken(&mut self, ledger: &Arc<Ledger>) {
        if let Some(websocket) = self.session.websocket_mut(CONN) {
            websocket.is_blocked = true;
        }
        self.session.hold(ledger, self.now);
        self.session.keep_to_budget(self.now, &mut self.told);
    }

    fn send_entry(&mut self, text: &str, loss: Loss, notify: bool) -> bool {
        self.turn += 1;
        self.session.send(self.turn, 1, false, |form, _| {
            let parts = [Part::Text(text.as_bytes()), Part::Binary(b"+")];
            Entry::message(parts.into_iter(), form).flagged(false, notify).with_loss(loss)
        })
    }

    fn policy(mut self, policy: OutboxPolicy) -> Self {
        self.session.set_outbox_budget(OutboxBudget { max_bytes: Some(1_000), policy });
        self
    }

    fn tick_at(&mut self, now: u64) {
        self.now = now;
        self.session.tick(now, &mut self.told);
    }
}

/// A message of 200 bytes, so that five of them are too much.
fn message(number: usize) -> String {
    format!("{number}").repeat(200)
}

/// A session on a WebSocket that has taken nothing of `count` messages.
fn overfull(policy: OutboxPolicy, count: usize, loss: Loss) -> (Bench, Arc<Ledger>) {
    let mut bench = Bench::websocket().policy(policy);
    let ledger = Arc::default();
    bench.is_not_taken(&ledger);
    for number in 0..count {
        bench.send_entry(&message(number), loss, true);
        bench.is_not_taken(&ledger);
    }
    (bench, ledger)
}

fn numbers(bench: &mut Bench) -> Vec<char> {
    let written = bench.written(CONN);
    written.iter().filter_map(|frame| frame.strip_prefix('4')?.chars().next()).collect()
}

#[test]
fn a_session_past_its_budget_ends_when_nothing_was_taken_for_a_ping_timeout() {
    let (mut bench, ledger) = overfull(OutboxPolicy::Stalled, 5, Loss::Bearable);
    assert!(ledger.bytes() > 1_000);
    assert_eq!(bench.session.next_deadline(), 500);
    bench.tick_at(499);
    assert!(!bench.session.is_closed());
    bench.tick_at(500);
    assert!(bench.session.is_closed());
    let events = bench.events();
    let expected = "closed: transport error outbox over its budget: 1360 bytes wait, and the client has taken none for 500 ms";
    assert!(events.iter().any(|event| event == expected), "{events:?}");
    assert_eq!((ledger.bytes(), ledger.ended()), (0, 1));
}

#[test]
fn whoever_takes_a_byte_now_and_then_stays() {
    let (mut bench, ledger) = overfull(OutboxPolicy::Stalled, 6, Loss::Bearable);
    for now in [400, 800] {
        bench.now = now;
        bench.session.websocket_mut(CONN).unwrap().outbox.advance(1);
        bench.is_not_taken(&ledger);
        assert!(!bench.session.is_stalled(now + 499), "{now}");
        assert!(bench.session.is_stalled(now + 500), "{now}");
    }
}

#[test]
fn within_the_budget_a_client_may_take_nothing_for_as_long_as_its_heart_beats() {
    let (bench, ledger) = overfull(OutboxPolicy::Disconnect, 3, Loss::Bearable);
    assert!(!bench.session.is_stalled(u64::MAX));
    assert_eq!((bench.session.next_deadline(), ledger.ended()), (1_000, 0));
}

#[test]
fn a_time_in_which_nobody_could_carry_anything_does_not_count() {
    let (mut bench, _ledger) = overfull(OutboxPolicy::Stalled, 5, Loss::Bearable);
    bench.session.unheard_until(450);
    assert!(!bench.session.is_stalled(949));
    assert!(bench.session.is_stalled(950));
}

#[test]
fn the_policy_disconnect_ends_it_at_once() {
    let (mut bench, ledger) = overfull(OutboxPolicy::Disconnect, 4, Loss::Bearable);
    assert!(bench.session.is_closed());
    let events = bench.events();
    let expected = "closed: transport error outbox over its budget: 1088 bytes wait, and 1000 may";
    assert!(events.iter().any(|event| event == expected), "{events:?}");
    assert_eq!((ledger.bytes(), ledger.ended()), (0, 1));
}

#[test]
fn the_policy_drop_oldest_keeps_the_newest() {
    let (mut bench, ledger) = overfull(OutboxPolicy::DropOldest, 9, Loss::Bearable);
    assert!(ledger.bytes() <= 1_000);
    assert_eq!(bench.events(), ["sent 1"; 6], "whoever waits for word is not left waiting");
    assert_eq!(numbers(&mut bench), ['6', '7', '8']);
    assert_eq!(ledger.bytes(), 0);
}

#[test]
fn what_has_begun_and_what_must_not_be_lost_stays_whatever_the_policy() {
    let mut bench = Bench::websocket().policy(OutboxPolicy::DropOldest);
    let ledger = Arc::default();
    bench.send_entry(&message(0), Loss::Bearable, false);
    bench.session.websocket_mut(CONN).unwrap().outbox.advance(1);
    bench.is_not_taken(&ledger);
    bench.send_entry(&message(1), Loss::Forbidden, false);
    for number in 2..9 {
        bench.send_entry(&message(number), Loss::Bearable, false);
        bench.is_not_taken(&ledger);
    }
    let outbox = &mut bench.session.websocket_mut(CONN).unwrap().outbox;
    // Two bytes of header, the type, the text, the frame of the attachment.
    outbox.advance(4 + 1 + 200 + 3 - 1);
    assert_eq!(numbers(&mut bench), ['1', '8']);
}

#[test]
fn the_policy_drop_volatile_drops_nothing_else() {
    let (mut bench, ledger) = overfull(OutboxPolicy::DropVolatile, 7, Loss::Bearable);
    assert!(bench.events().is_empty() && ledger.bytes() > 1_000);
    assert_eq!(numbers(&mut bench).len(), 7);
    let (mut bench, ledger) = overfull(OutboxPolicy::DropVolatile, 7, Loss::Expected);
    assert!(ledger.bytes() <= 1_000);
    assert_eq!(numbers(&mut bench), ['4', '5', '6']);
}

#[test]
fn nothing_is_dropped_that_later_messages_refer_to() {
    let mut bench = Bench::websocket().policy(OutboxPolicy::DropOldest);
    let ledger = Arc::default();
    let parameters = DeflateParameters { has_outgoing_context: true, ..Default::default() };
    bench.session.websocket_mut(CONN).unwrap().compress(&parameters);
    for number in 0..9 {
        bench.send_entry(&message(number), Loss::Bearable, false);
        bench.is_not_taken(&ledger);
    }
    assert_eq!(numbers(&mut bench).len(), 9);
}

#[test]
fn a_session_on_polling_has_the_same_budget() {
    let ledger = Arc::<Ledger>::default();
    let mut bench = Bench::polling().policy(OutboxPolicy::DropOldest);
    for number in 0..9 {
        bench.send_entry(&message(number), Loss::Bearable, false);
        bench.is_not_taken(&ledger);
    }
    assert!((600..=1_000).contains(&ledger.bytes()), "{}", ledger.bytes());
    bench.poll(1);
    let payload = bench.events().pop().unwrap();
    assert!(
        !payload.contains('5') && payload.contains(&message(6)) && payload.contains(&message(8))
    );
    assert_eq!(ledger.bytes(), 0);
}

#[test]
fn a_flood_of_what_must_not_be_lost_is_looked_through_seldom() {
    let mut bench = Bench::websocket().policy(OutboxPolicy::DropOldest);
    let ledger = Arc::default();
    // Takes minutes if each of them looks at all before it.
    for number in 0..50_000 {
        bench.send_entry(&message(number % 10), Loss::Forbidden, false);
        bench.is_not_taken(&ledger);
    }
    assert_eq!(ledger.ended(), 0);
}

#[test]
fn a_message_that_is_too_long_for_the_budget_makes_room_as_soon_as_another_has_come() {
    let mut bench = Bench::websocket().policy(OutboxPolicy::DropOldest);
    let ledger = Arc::default();
    bench.is_not_taken(&ledger);
    bench.send_entry(&"long".repeat(1_000), Loss::Bearable, false);
    bench.is_not_taken(&ledger);
    for number in 0..3 {
        bench.send_entry(&message(number), Loss::Bearable, false);
        bench.is_not_taken(&ledger);
        assert!(ledger.bytes() <= 1_000, "{}", ledger.bytes());
    }
    assert_eq!(numbers(&mut bench), ['0', '1', '2']);
}

#[test]
fn the_budget_is_kept_again_when_what_must_not_be_lost_has_left() {
    let mut bench = Bench::websocket().policy(OutboxPolicy::DropOldest);
    let ledger = Arc::default();
    bench.is_not_taken(&ledger);
    for _ in 0..40 {
        bench.send_entry(&message(0), Loss::Forbidden, false);
        bench.is_not_taken(&ledger);
    }
    let outbox = &mut bench.session.websocket_mut(CONN).unwrap().outbox;
    for _ in 0..39 {
        outbox.pop();
    }
    for number in 1..10 {
        bench.send_entry(&message(number), Loss::Bearable, false);
        bench.is_not_taken(&ledger);
    }
    assert!(ledger.bytes() <= 1_000, "{}", ledger.bytes());
    assert_eq!(numbers(&mut bench), ['0', '8', '9']);
}

#[test]
fn bytes_that_wait_are_told_until_none_do() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.session.pending_change(&mut bench.told), None);
    bench.send_entry("hi", Loss::Bearable, false);
    bench.is_not_taken(&Arc::default());
    assert_eq!(bench.session.pending_change(&mut bench.told), Some(8));
    assert_eq!(bench.session.pending_change(&mut bench.told), Some(8));
    bench.session.websocket_mut(CONN).unwrap().is_blocked = false;
    bench.written(CONN);
    assert_eq!(bench.session.pending_change(&mut bench.told), Some(0));
    assert_eq!(bench.session.pending_change(&mut bench.told), None);
    assert_eq!(bench.events(), ["sent 0"]);
}
