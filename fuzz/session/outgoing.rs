//! What the client of the model is still to get, in order, and what of it may be lost.

use std::collections::VecDeque;
use std::mem;

use super::client::Received;

/// How a unit may come not to be delivered although something after it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayBeLost {
    Never,
    /// By the budget's policy.
    ByPolicy,
    /// Pongs that a stream does not take are not piled up for ever.
    Always,
}

/// What nothing may separate: a packet, or a message and its attachments.
#[derive(Debug)]
struct Unit {
    packets: VecDeque<Received>,
    has_begun: bool,
    may_be_lost: MayBeLost,
    /// Word is given when it is taken, or dropped.
    notify: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    units: VecDeque<Unit>,
    /// What is still there may be lost from some unit on, all of it.
    is_cut: bool,
    /// How many units that asked for it must have had word.
    pub(super) words: u32,
    /// Units that came in the answer to a GET that is looked at.
    taken: usize,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// At least what they weigh in an outbox.
    pub(super) fn greatest_weight(&self) -> usize {
        let packets = |unit: &Unit| -> usize {
            unit.packets.iter().map(|packet| packet.bytes.len() * 4 / 3 + 20).sum()
        };
        self.units.iter().map(|unit| packets(unit) + 64).sum()
    }

    pub(super) fn push(&mut self, packets: Vec<Received>, may_be_lost: MayBeLost, notify: bool) {
        let packets = packets.into();
        self.units.push_back(Unit { packets, has_begun: false, may_be_lost, notify });
    }

    /// The client got a packet: it is the next one.
    pub(super) fn received(&mut self, packet: &Received) {
        while let Some(unit) = self.units.front_mut() {
            let is_next = unit.packets.front() == Some(packet);
            if is_next {
                unit.packets.pop_front();
                unit.has_begun = true;
                if !unit.packets.is_empty() {
                    return;
                }
                self.taken += 1;
            } else {
                let is_loss = unit.may_be_lost != MayBeLost::Never && !unit.has_begun;
                assert!(is_loss, "{packet:?} came, and this is next: {unit:?}");
            }
            self.words += u32::from(unit.notify);
            self.units.pop_front();
            if is_next {
                return;
            }
        }
        panic!("{packet:?} came, and nothing was to come");
    }

    /// A GET was answered with these: so many units, or all that there are.
    pub(super) fn answered(&mut self, packets: &[Received], units: usize) {
        self.taken = 0;
        for packet in packets {
            self.received(packet);
        }
        let is_whole = self.units.front().is_none_or(|unit| !unit.has_begun);
        assert!(is_whole, "half a unit: {packets:?}");
        if units == usize::MAX {
            self.all_taken();
        } else {
            assert_eq!(self.taken, units, "{packets:?}");
        }
    }

    /// From somewhere on all may be lost that is still there.
    pub(super) const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// The client has taken all that there is: what has not come is lost, and may be.
    pub(super) fn all_taken(&mut self) {
        for unit in mem::take(&mut self.units) {
            assert!(self.is_cut || unit.may_be_lost != MayBeLost::Never, "{unit:?} never came");
            self.words += u32::from(unit.notify);
        }
    }
}
