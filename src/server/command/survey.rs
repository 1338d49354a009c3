//! What is to be known of a buffer before it is handed over: that it can be decoded, in which turn it ends, and whether
//! it is so little that a wake-up would cost more than doing it.

use crate::server::command::Command;
use crate::server::command::CommandError;
use crate::server::command::Commands;

/// The result of looking through one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Survey {
    /// The last turn that began in it.
    pub(in crate::server) turn: Option<u32>,
    /// It is little, and the shard of this index has all of it to do.
    pub(in crate::server) inline_home: Option<usize>,
}

impl Survey {
    /// Looks through a buffer for so many shards. A buffer that cannot be decoded is refused as a whole.
    pub(in crate::server) fn of(bytes: &[u8], shards: usize) -> Result<Self, CommandError> {
        let mut turn = None;
        let mut home = Home::Nobody;
        let mut sends = 0;
        for (index, command) in Commands::new(bytes).enumerate() {
            let place = match command? {
                Command::Turn { turn: begun } => {
                    turn = Some(begun);
                    continue;
                }
                Command::Send { slot, .. } | Command::Packet { slot, .. } => {
                    sends += 1;
                    Place::Slot(slot)
                }
                Command::Open(open) => Place::Slot(open.slot),
                Command::Close { slot, .. }
                | Command::Poll { slot, .. }
                | Command::Pong { slot }
                | Command::Received { slot }
                | Command::Finish { slot }
                | Command::ExpectCandidate { slot, .. }
                | Command::MemberAdd { slot, .. }
                | Command::Observe { slot, .. }
                | Command::Budget { slot, .. } => Place::Slot(slot),
                Command::MemberRemove { .. } | Command::Join { .. } | Command::Leave { .. } => {
                    Place::Everywhere
                }
                Command::Broadcast(_)
                | Command::Multicast(_)
                | Command::BridgeData { .. }
                | Command::BridgeEof { .. }
                | Command::BridgeAck { .. }
                | Command::Frame { .. }
                | Command::Watch { .. }
                | Command::Tune { .. }
                | Command::Log { .. }
                | Command::ConnDestroy { .. } => Place::Shard,
            };
            home = if index < MAX_INLINE_COMMANDS && sends <= MAX_INLINE_SENDS {
                home.with(place, shards)
            } else {
                Home::Shards
            };
        }
        let inline_home = match home {
            Home::One(index) if bytes.len() <= MAX_INLINE_BYTES => Some(index),
            _ => None,
        };
        Ok(Self { turn, inline_home })
    }
}

/// Where one command has its effect.
#[derive(Clone, Copy)]
enum Place {
    /// Where the session lives.
    Slot(u32),
    /// In the rooms of every shard.
    Everywhere,
    /// Wherever it is, on the shard's own thread.
    Shard,
}

/// Who could do all that was seen so far.
enum Home {
    /// There was nothing that tells.
    Nobody,
    /// Whoever locks this shard.
    One(usize),
    /// The threads of the shards alone.
    Shards,
}

impl Home {
    fn with(self, place: Place, shards: usize) -> Self {
        let index = match place {
            Place::Slot(slot) => slot as usize % shards.max(1),
            Place::Everywhere if shards <= 1 => 0,
            Place::Everywhere | Place::Shard => return Self::Shards,
        };
        match self {
            Self::Nobody => Self::One(index),
            Self::One(home) if home == index => self,
            Self::One(_) | Self::Shards => Self::Shards,
        }
    }
}

/// More are many: one wake-up is cheaper than so many steps.
const MAX_INLINE_COMMANDS: usize = 16;

/// Each is a write to a stream.
const MAX_INLINE_SENDS: usize = 2;

/// Longer ones take a kernel longer than a wake-up does.
const MAX_INLINE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{MAX_INLINE_BYTES, MAX_INLINE_COMMANDS, Survey};
    use crate::server::command::CommandError;
    use crate::server::record::append_record;

    /// Records of these kinds, with these fields and bytes.
    fn buffer(records: &[(u32, &[u32], &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, numbers, rest) in records {
            append_record(&mut bytes, *kind, 0, numbers, rest);
        }
        bytes
    }

    fn inline_home(records: &[(u32, &[u32], &[u8])], shards: usize) -> Option<usize> {
        Survey::of(&buffer(records), shards).unwrap().inline_home
    }

    const SEND_TO_5: (u32, &[u32], &[u8]) = (2, &[5, 1, 2], b"42");
    const SEND_TO_6: (u32, &[u32], &[u8]) = (2, &[6, 1, 2], b"42");
    const POLL_5: (u32, &[u32], &[u8]) = (10, &[5, 1], b"");
    const JOIN: (u32, &[u32], &[u8]) = (7, &[0, 1, 1], b"");
    const TURN_9: (u32, &[u32], &[u8]) = (12, &[9], b"");

    #[test]
    fn a_little_for_sessions_of_one_shard_can_be_done_inline() {
        assert_eq!(inline_home(&[TURN_9, SEND_TO_5], 4), Some(1));
        assert_eq!(inline_home(&[SEND_TO_5, SEND_TO_6, POLL_5, JOIN], 1), Some(0));
        assert_eq!(inline_home(&[SEND_TO_5, SEND_TO_6], 4), None, "two shards have to do it");
        assert_eq!(inline_home(&[JOIN], 4), None, "every shard has rooms");
        assert_eq!(inline_home(&[TURN_9], 1), None, "there is nothing to do");
    }

    #[test]
    fn many_messages_long_ones_and_broadcasts_are_the_shards() {
        assert_eq!(inline_home(&[SEND_TO_5; 3], 1), None);
        assert_eq!(inline_home(&[POLL_5; MAX_INLINE_COMMANDS + 1], 1), None);
        let long = "x".repeat(MAX_INLINE_BYTES);
        let length = u32::try_from(long.len()).unwrap();
        assert_eq!(inline_home(&[(2, &[5, 1, length], long.as_bytes())], 1), None);
        let broadcast: (u32, &[u32], &[u8]) = (3, &[0, 0, 0, 0, 0, 1, 2], b"42");
        assert_eq!(inline_home(&[broadcast], 1), None);
        assert_eq!(inline_home(&[POLL_5, broadcast, POLL_5], 1), None);
    }

    #[test]
    fn the_last_turn_is_told_and_a_malformed_command_refuses_all() {
        let mut bytes = buffer(&[TURN_9, POLL_5, (12, &[10], b"")]);
        assert_eq!(Survey::of(&bytes, 1).unwrap().turn, Some(10));
        append_record(&mut bytes, 99, 0, &[], b"");
        assert_eq!(Survey::of(&bytes, 1), Err(CommandError::UnknownKind(99)));
    }
}
