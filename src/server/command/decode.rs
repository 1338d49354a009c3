//! From the packed buffer to commands. The layout of each kind stands in its decoder, in the order of the fields.

use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Opcode;
use crate::config::{OutboxBudget, OutboxPolicy};
use crate::engine::{Frame, Watch};
use crate::hub::Target;
use crate::server::command::{
    BINARY_PART, Broadcast, Command, Multicast, Open, Parts, SendFlags, Tuning,
};
use crate::server::record::{Fields, Record, Records};

/// A fault in our own library: the rest of the buffer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The buffer ends in the middle of a record, or a length is not one.
    #[error("the command buffer holds something that is no record")]
    NoRecord,
    /// The two halves of sio-rs are not of one version.
    #[error("a command is of the unknown kind {0}")]
    UnknownKind(u32),
    /// The fields do not fit the record.
    #[error("a command of kind {0} does not fit its length")]
    WrongLength(u32),
}

/// Decodes the commands of one buffer in order. The first error is the last item.
#[derive(Clone, Debug)]
pub struct Commands<'a> {
    records: Records<'a>,
}

impl<'a> Commands<'a> {
    /// The commands in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { records: Records::new(bytes) }
    }
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Command<'a>, CommandError>;

    fn next(&mut self) -> Option<Self::Item> {
        let command = self.records.next()?.ok_or(CommandError::NoRecord).and_then(decode);
        if command.is_err() {
            self.records = Records::new(&[]);
        }
        Some(command)
    }
}

fn decode(record: Record<'_>) -> Result<Command<'_>, CommandError> {
    if !(OPEN..=TUNE).contains(&record.kind) {
        return Err(CommandError::UnknownKind(record.kind));
    }
    let mut fields = record.fields;
    decode_fields(record.kind, record.flags, &mut fields)
        .filter(|_| fields.is_used_up())
        .ok_or(CommandError::WrongLength(record.kind))
}

fn decode_fields<'a>(kind: u32, flags: u32, fields: &mut Fields<'a>) -> Option<Command<'a>> {
    Some(match kind {
        OPEN => Command::Open(Open::decode(flags, fields)?),
        SEND => Command::Send {
            slot: fields.number()?,
            flags: SendFlags::new(flags),
            parts: Parts::decode(fields)?,
        },
        BROADCAST => Command::Broadcast(Broadcast::decode(flags, fields)?),
        MULTICAST => {
            let count = fields.number()?;
            Command::Multicast(Multicast {
                slots: fields.ids(count)?,
                flags: SendFlags::new(flags),
                parts: Parts::decode(fields)?,
            })
        }
        MEMBER_ADD => Command::MemberAdd {
            namespace: fields.number()?,
            member: fields.number()?,
            slot: fields.number()?,
        },
        MEMBER_REMOVE => {
            Command::MemberRemove { namespace: fields.number()?, member: fields.number()? }
        }
        JOIN => Command::Join {
            namespace: fields.number()?,
            member: fields.number()?,
            room: fields.number()?,
        },
        LEAVE => Command::Leave {
            namespace: fields.number()?,
            member: fields.number()?,
            room: fields.number()?,
        },
        CLOSE => Command::Close {
            slot: fields.number()?,
            discard: flags & DISCARD != 0,
            is_over: flags & OVER != 0,
        },
        POLL => Command::Poll { slot: fields.number()?, request: fields.number()? },
        PONG => Command::Pong { slot: fields.number()? },
        TURN => Command::Turn { turn: fields.number()? },
        OBSERVE => Command::Observe {
            slot: fields.number()?,
            heartbeat: fields.number()? & OBSERVE_HEARTBEAT != 0,
        },
        BRIDGE_DATA => {
            let (conn, len) = (fields.number()?, fields.number()?);
            Command::BridgeData {
                conn,
                bytes: fields.bytes(len as usize)?,
                wants_word: flags & BRIDGE_DATA_WANTS_WORD != 0,
            }
        }
        BRIDGE_EOF => Command::BridgeEof { conn: fields.number()? },
        BRIDGE_ACK => Command::BridgeAck { conn: fields.number()?, bytes: fields.number()? },
        CONN_DESTROY => Command::ConnDestroy { conn: fields.number()? },
        RECEIVED => Command::Received { slot: fields.number()? },
        FRAME => {
            let (conn, len) = (fields.number()?, fields.number()?);
            let frame = Frame {
                opcode: u8::try_from(flags & FRAME_OPCODE).ok().and_then(Opcode::new)?,
                is_final: flags & FRAME_FINAL != 0,
                compress: flags & FRAME_COMPRESS != 0,
                notify: flags & FRAME_NOTIFY != 0,
                payload: fields.bytes(len as usize)?,
            };
            Command::Frame { conn, frame }
        }
        WATCH => Command::Watch {
            conn: fields.number()?,
            watch: Watch::new((flags & WATCH_FRAMES) as u8),
            is_held: flags & WATCH_HELD != 0,
        },
        PACKET => {
            let (slot, digit, len) = (fields.number()?, fields.number()?, fields.number()?);
            Command::Packet {
                slot,
                packet_type: u8::try_from(digit).ok().and_then(PacketType::new)?,
                flags: SendFlags::new(flags),
                data: fields.bytes(len as usize)?,
            }
        }
        BUDGET => decode_budget(fields)?,
        LOG => Command::Log { is_on: fields.number()? != 0 },
        FINISH => Command::Finish { slot: fields.number()? },
        TUNE => Command::Tune { conn: fields.number()?, tuning: Tuning::decode(flags, fields)? },
        EXPECT_CANDIDATE => Command::ExpectCandidate {
            slot: fields.number()?,
            is_text_only: flags & EXPECT_TEXT_ONLY != 0,
        },
        _ => return None,
    })
}

fn decode_budget<'a>(fields: &mut Fields<'a>) -> Option<Command<'a>> {
    let (slot, max_bytes, policy) = (fields.number()?, fields.number()?, fields.number()?);
    let max_bytes = Some(max_bytes).filter(|&bytes| bytes != UNLIMITED);
    let policy = match policy {
        0 => OutboxPolicy::Stalled,
        1 => OutboxPolicy::Disconnect,
        2 => OutboxPolicy::DropVolatile,
        3 => OutboxPolicy::DropOldest,
        _ => return None,
    };
    Some(Command::Budget { slot, budget: OutboxBudget { max_bytes, policy } })
}

impl Tuning {
    fn decode(flags: u32, fields: &mut Fields<'_>) -> Option<Self> {
        let (idle_s, is_on) = (fields.number()?, flags & TUNE_ON != 0);
        Some(if flags & TUNE_KEEP_ALIVE == 0 {
            Self::NoDelay(is_on)
        } else {
            Self::KeepAlive { is_on, idle_s }
        })
    }
}

impl<'a> Open<'a> {
    fn decode(flags: u32, fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self {
            slot: fields.number()?,
            is_websocket: flags & OPEN_WEBSOCKET != 0,
            is_protocol_3: flags & OPEN_PROTOCOL_3 != 0,
            is_text_only: flags & OPEN_TEXT_ONLY != 0,
            ping_interval_ms: fields.number()?,
            ping_timeout_ms: fields.number()?,
            upgrade_timeout_ms: fields.number()?,
            max_payload: Some(fields.number()?).filter(|&bytes| bytes != UNLIMITED),
            handshake: {
                let len = fields.number()?;
                fields.bytes(len as usize)?
            },
        })
    }
}

impl<'a> Broadcast<'a> {
    fn decode(flags: u32, fields: &mut Fields<'a>) -> Option<Self> {
        let namespace = fields.number()?;
        let (rooms, members) = (fields.number()?, fields.number()?);
        let (except_rooms, except_members) = (fields.number()?, fields.number()?);
        let target = Target {
            is_filtered: flags & FILTERED != 0,
            rooms: fields.ids(rooms)?,
            members: fields.ids(members)?,
            except_rooms: fields.ids(except_rooms)?,
            except_members: fields.ids(except_members)?,
        };
        Some(Self {
            namespace,
            target,
            flags: SendFlags::new(flags),
            parts: Parts::decode(fields)?,
        })
    }
}

impl SendFlags {
    const fn new(flags: u32) -> Self {
        Self {
            volatile: flags & VOLATILE != 0,
            compress: flags & COMPRESS != 0,
            notify: flags & NOTIFY != 0,
            expendable: flags & EXPENDABLE != 0,
            followed: flags & FOLLOWED != 0,
        }
    }
}

impl<'a> Parts<'a> {
    fn decode(fields: &mut Fields<'a>) -> Option<Self> {
        let count = fields.number()?;
        let lengths = fields.ids(count)?;
        if count == 0 {
            return None;
        }
        let mut total: usize = 0;
        for length in lengths.clone() {
            total = total.checked_add((length & !BINARY_PART) as usize)?;
        }
        Some(Self { lengths, bytes: fields.bytes(total)? })
    }
}

// The kinds, as `lib/commands.ts` writes them.
const OPEN: u32 = 1;
const SEND: u32 = 2;
const BROADCAST: u32 = 3;
const MULTICAST: u32 = 4;
const MEMBER_ADD: u32 = 5;
const MEMBER_REMOVE: u32 = 6;
const JOIN: u32 = 7;
const LEAVE: u32 = 8;
const CLOSE: u32 = 9;
const POLL: u32 = 10;
const PONG: u32 = 11;
const TURN: u32 = 12;
const OBSERVE: u32 = 13;
const BRIDGE_DATA: u32 = 14;
const BRIDGE_DATA_WANTS_WORD: u32 = 1;
const BRIDGE_EOF: u32 = 15;
const BRIDGE_ACK: u32 = 16;
const CONN_DESTROY: u32 = 17;
const RECEIVED: u32 = 18;
const FRAME: u32 = 19;
const WATCH: u32 = 20;
const PACKET: u32 = 21;
const BUDGET: u32 = 22;
const LOG: u32 = 23;
const FINISH: u32 = 24;
const EXPECT_CANDIDATE: u32 = 25;
/// Its flag.
const EXPECT_TEXT_ONLY: u32 = 1;
const TUNE: u32 = 26;

// Flags of OPEN.
const OPEN_WEBSOCKET: u32 = 1;
const OPEN_PROTOCOL_3: u32 = 2;
const OPEN_TEXT_ONLY: u32 = 4;

// Flags of SEND, PACKET, BROADCAST and MULTICAST; FILTERED is of BROADCAST alone, FOLLOWED of the first two.
const VOLATILE: u32 = 1;
const COMPRESS: u32 = 2;
const NOTIFY: u32 = 4;
const FILTERED: u32 = 8;
const EXPENDABLE: u32 = 16;
const FOLLOWED: u32 = 32;

// Flags of CLOSE.
const DISCARD: u32 = 1;
const OVER: u32 = 2;

// Flags of TUNE.
const TUNE_ON: u32 = 1;
const TUNE_KEEP_ALIVE: u32 = 2;

// Flags of FRAME.
const FRAME_OPCODE: u32 = 0xf;
const FRAME_FINAL: u32 = 16;
const FRAME_COMPRESS: u32 = 32;
const FRAME_NOTIFY: u32 = 64;

// Flags of WATCH: the bits of `Watch`, and one more.
const WATCH_FRAMES: u32 = 7;
const WATCH_HELD: u32 = 8;

/// In the mask of OBSERVE.
const OBSERVE_HEARTBEAT: u32 = 1;

/// As `max_payload`, or as the limit of a budget: no limit.
const UNLIMITED: u32 = u32::MAX;

#[cfg(test)]
mod tests;
