//! A chat: clients in rooms, one message on its way in each room. When all members have it, the next
//! member speaks, so that no two messages to one client can be merged into one write.

use crate::failure::Result;
use crate::frame;
use crate::meter::Meter;
use crate::packet::{Packet, excerpt};
use crate::traffic::{Outgoing, Traffic};

/// The talk of one room.
#[derive(Clone, Default)]
struct Talk {
    /// Members that have the message on its way.
    received: usize,
    /// The member that spoke last, counted within the room.
    speaker: usize,
}

/// All rooms.
pub(crate) struct Rooms {
    text: String,
    /// The event that members get.
    event: Vec<u8>,
    room_size: usize,
    /// Indexed by the number in the room's name.
    talks: Vec<Talk>,
    /// Messages of this run that nobody has said yet.
    unsaid: u64,
}

impl Rooms {
    pub(crate) fn new(text: &str, room_size: usize) -> Self {
        let event = format!("42[\"said\",\"{text}\"]").into_bytes();
        Self { text: text.to_owned(), event, room_size, talks: Vec::new(), unsaid: 0 }
    }

    fn speak(&mut self, room: usize, outgoing: &mut Outgoing) {
        let Some(next) = self.unsaid.checked_sub(1) else { return };
        self.unsaid = next;
        let Some(Talk { received, speaker }) = self.talks.get_mut(room) else { return };
        *received = 0;
        *speaker = (*speaker + 1) % self.room_size;
        let message = frame::text(&format!("42[\"say\",\"room-{room}\",\"{}\"]", self.text));
        outgoing.push((room * self.room_size + *speaker, message));
    }
}

impl Traffic for Rooms {
    fn greeting(&self, client: usize) -> Option<Vec<u8>> {
        let room = client / self.room_size;
        Some(frame::text(&format!("420[\"join\",\"room-{room}\"]")))
    }

    fn start(&mut self, clients: usize, units: u64, outgoing: &mut Outgoing) -> Result<()> {
        let size = self.room_size as u64;
        if !clients.is_multiple_of(self.room_size) || !units.is_multiple_of(size) {
            return Err("the rooms would not be full".into());
        }
        self.talks = vec![Talk::default(); clients / self.room_size];
        self.unsaid = units / size;
        for room in 0..self.talks.len() {
            self.speak(room, outgoing);
        }
        Ok(())
    }

    fn hear(
        &mut self,
        client: usize,
        packet: &Packet<'_>,
        meter: &mut Meter,
        _replies: &mut Vec<u8>,
        outgoing: &mut Outgoing,
    ) -> Result<()> {
        match packet {
            Packet::Ping => return Ok(()),
            Packet::Event(event) if *event == self.event => {}
            Packet::Event(event) => {
                return Err(format!("not the message: {}", excerpt(event)).into());
            }
            _ => return Err(format!("an unexpected packet: {packet:?}").into()),
        }
        meter.unit()?;
        let index = client / self.room_size;
        let talk = self.talks.get_mut(index).ok_or("a message before the run")?;
        talk.received += 1;
        if talk.received == self.room_size {
            self.speak(index, outgoing);
        }
        Ok(())
    }
}
