//! Which session has which slot: the only place where sessions come to be and cease to be.

use crate::engine::Session;

/// The sessions of one shard, by slot.
///
/// Slots are small numbers and used again, so the table is a vector; sessions lie apart so that it grows cheaply.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: Vec<Option<Box<Session>>>,
}

impl Registry {
    /// Registers a session; false if its slot is taken.
    pub fn insert(&mut self, session: Session) -> bool {
        let index = session.slot() as usize;
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        match self.sessions.get_mut(index) {
            Some(place @ None) => {
                *place = Some(Box::new(session));
                true
            }
            _ => false,
        }
    }

    /// The session of this slot.
    pub fn session_mut(&mut self, slot: u32) -> Option<&mut Session> {
        self.sessions.get_mut(slot as usize)?.as_deref_mut()
    }

    /// Forgets a session.
    pub fn remove(&mut self, slot: u32) -> Option<Box<Session>> {
        self.sessions.get_mut(slot as usize)?.take()
    }

    /// All sessions.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut().flatten().map(Box::as_mut)
    }
}
