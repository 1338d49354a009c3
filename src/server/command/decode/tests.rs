//! Every kind of command as it is laid out, and everything that is no command.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{CommandError, Commands};
use crate::codec::engine_io::PacketType;
use crate::codec::websocket::Opcode;
use crate::config::{OutboxBudget, OutboxPolicy};
use crate::engine::{Frame, Watch};
use crate::server::command::{Broadcast, Command, Multicast, Open, Part, SendFlags, Tuning};
use crate::server::record::append_record;

fn record(kind: u32, flags: u32, numbers: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(append_record(&mut out, kind, flags, numbers, bytes));
    out
}

fn decode_one(bytes: &[u8]) -> Command<'_> {
    let mut commands = Commands::new(bytes);
    let command = commands.next().unwrap().unwrap();
    assert_eq!(commands.next(), None);
    command
}

#[test]
fn commands_of_numbers_alone() {
    let table = [
        (5, 0, vec![1, 2, 3], Command::MemberAdd { namespace: 1, member: 2, slot: 3 }),
        (6, 0, vec![1, 2], Command::MemberRemove { namespace: 1, member: 2 }),
        (7, 0, vec![1, 2, 3], Command::Join { namespace: 1, member: 2, room: 3 }),
        (8, 0, vec![1, 2, 3], Command::Leave { namespace: 1, member: 2, room: 3 }),
        (9, 0, vec![1], Command::Close { slot: 1, discard: false, is_over: false }),
        (9, 1, vec![1], Command::Close { slot: 1, discard: true, is_over: false }),
        (9, 2, vec![1], Command::Close { slot: 1, discard: false, is_over: true }),
        (26, 1, vec![1, 0], Command::Tune { conn: 1, tuning: Tuning::NoDelay(true) }),
        (
            26,
            3,
            vec![1, 60],
            Command::Tune { conn: 1, tuning: Tuning::KeepAlive { is_on: true, idle_s: 60 } },
        ),
        (25, 0, vec![1], Command::ExpectCandidate { slot: 1, is_text_only: false }),
        (25, 1, vec![1], Command::ExpectCandidate { slot: 1, is_text_only: true }),
        (10, 0, vec![1, 2], Command::Poll { slot: 1, request: 2 }),
        (11, 0, vec![1], Command::Pong { slot: 1 }),
        (12, 0, vec![u32::MAX], Command::Turn { turn: u32::MAX }),
        (13, 0, vec![1, 1], Command::Observe { slot: 1, heartbeat: true }),
        (13, 0, vec![1, 0], Command::Observe { slot: 1, heartbeat: false }),
        (15, 0, vec![1], Command::BridgeEof { conn: 1 }),
        (16, 0, vec![1, 2], Command::BridgeAck { conn: 1, bytes: 2 }),
        (17, 0, vec![1], Command::ConnDestroy { conn: 1 }),
        (18, 0, vec![1], Command::Received { slot: 1 }),
        (20, 6, vec![1], Command::Watch { conn: 1, watch: Watch::new(6), is_held: false }),
        (20, 9, vec![1], Command::Watch { conn: 1, watch: Watch::CLOSE, is_held: true }),
        (23, 0, vec![1], Command::Log { is_on: true }),
        (23, 0, vec![0], Command::Log { is_on: false }),
        (24, 0, vec![1], Command::Finish { slot: 1 }),
    ];
    for (kind, flags, mut numbers, command) in table {
        assert_eq!(decode_one(&record(kind, flags, &numbers, b"")), command);
        numbers.push(0);
        let too_long = record(kind, flags, &numbers, b"");
        assert_eq!(Commands::new(&too_long).next(), Some(Err(CommandError::WrongLength(kind))));
        let too_short = record(kind, flags, &numbers[..numbers.len() - 2], b"");
        assert_eq!(Commands::new(&too_short).next(), Some(Err(CommandError::WrongLength(kind))));
    }
}

#[test]
fn a_session_is_opened_with_its_options() {
    let bytes = record(1, 0b01, &[7, 25_000, 20_000, 10_000, 1_000_000, 2], b"{}");
    let open = Open {
        slot: 7,
        is_websocket: true,
        is_protocol_3: false,
        is_text_only: false,
        ping_interval_ms: 25_000,
        ping_timeout_ms: 20_000,
        upgrade_timeout_ms: 10_000,
        max_payload: Some(1_000_000),
        handshake: b"{}",
    };
    assert_eq!(decode_one(&bytes), Command::Open(open));

    let bytes = record(1, 0b10, &[7, 25_000, 20_000, 10_000, u32::MAX, 2], b"{}");
    let open = Open { is_websocket: false, is_protocol_3: true, max_payload: None, ..open };
    assert_eq!(decode_one(&bytes), Command::Open(open));
}

#[test]
fn message_units_keep_their_parts() {
    let bytes = record(2, 0b101, &[7, 3, 2, 1 << 31, 3 | 1 << 31], b"hi\x01\x02\x03");
    let Command::Send { slot: 7, flags, parts } = decode_one(&bytes) else { panic!("a SEND") };
    assert_eq!(flags, SendFlags { volatile: true, notify: true, ..SendFlags::default() });
    assert_eq!(parts.byte_count(), 5);
    let expected = [Part::Text(b"hi"), Part::Binary(b""), Part::Binary(&[1, 2, 3])];
    assert_eq!(parts.collect::<Vec<_>>(), expected);

    let bytes = record(4, 0b010, &[2, 8, 9, 1, 2], b"hi");
    let Command::Multicast(Multicast { slots, flags, parts }) = decode_one(&bytes) else {
        panic!("a MULTICAST")
    };
    assert_eq!(slots.collect::<Vec<_>>(), [8, 9]);
    assert_eq!(flags, SendFlags { compress: true, ..SendFlags::default() });
    assert_eq!(parts.collect::<Vec<_>>(), [Part::Text(b"hi")]);
}

#[test]
fn a_broadcast_names_four_lists() {
    let bytes = record(3, 0b1000, &[5, 1, 2, 3, 0, 10, 20, 21, 30, 31, 32, 1, 2], b"hi");
    let Command::Broadcast(Broadcast { namespace: 5, target, flags, parts }) = decode_one(&bytes)
    else {
        panic!("a BROADCAST")
    };
    assert!(target.is_filtered);
    assert_eq!(target.rooms.collect::<Vec<_>>(), [10]);
    assert_eq!(target.members.collect::<Vec<_>>(), [20, 21]);
    assert_eq!(target.except_rooms.collect::<Vec<_>>(), [30, 31, 32]);
    assert_eq!(target.except_members.len(), 0);
    assert_eq!(flags, SendFlags::default());
    assert_eq!(parts.collect::<Vec<_>>(), [Part::Text(b"hi")]);
}

#[test]
fn a_budget_has_a_limit_and_a_policy() {
    let policies = [
        OutboxPolicy::Stalled,
        OutboxPolicy::Disconnect,
        OutboxPolicy::DropVolatile,
        OutboxPolicy::DropOldest,
    ];
    for (number, policy) in (0..).zip(policies) {
        let budget = OutboxBudget { max_bytes: Some(9_000), policy };
        let expected = Command::Budget { slot: 7, budget };
        assert_eq!(decode_one(&record(22, 0, &[7, 9_000, number], b"")), expected);
    }
    let budget = OutboxBudget { max_bytes: None, policy: OutboxPolicy::Stalled };
    let expected = Command::Budget { slot: 7, budget };
    assert_eq!(decode_one(&record(22, 0, &[7, u32::MAX, 0], b"")), expected);
}

#[test]
fn a_bridge_carries_bytes() {
    for wants_word in [false, true] {
        let bytes = record(14, u32::from(wants_word), &[4, 5], b"hello");
        let expected = Command::BridgeData { conn: 4, bytes: b"hello", wants_word };
        assert_eq!(decode_one(&bytes), expected);
    }
}

#[test]
fn a_frame_of_the_users_own_says_how_it_goes_out() {
    let ping = Frame {
        opcode: Opcode::Ping,
        is_final: true,
        compress: false,
        notify: true,
        payload: b"hello",
    };
    let bytes = record(19, 0x9 | 16 | 64, &[4, 5], b"hello");
    assert_eq!(decode_one(&bytes), Command::Frame { conn: 4, frame: ping });
    let part =
        Frame { opcode: Opcode::Text, is_final: false, compress: true, notify: false, ..ping };
    let bytes = record(19, 0x1 | 32, &[4, 5], b"hello");
    assert_eq!(decode_one(&bytes), Command::Frame { conn: 4, frame: part });
    let reserved = record(19, 0x3, &[4, 5], b"hello");
    assert_eq!(Commands::new(&reserved).next(), Some(Err(CommandError::WrongLength(19))));
}

#[test]
fn a_packet_that_is_no_message_names_its_type() {
    let flags = SendFlags { compress: true, ..SendFlags::default() };
    let packet = Command::Packet { slot: 7, packet_type: PacketType::Noop, flags, data: b"hello" };
    assert_eq!(decode_one(&record(21, 2, &[7, 0x36, 5], b"hello")), packet);
    let unknown = record(21, 0, &[7, 0x37, 5], b"hello");
    assert_eq!(Commands::new(&unknown).next(), Some(Err(CommandError::WrongLength(21))));
}

#[test]
fn lengths_that_lie_are_errors() {
    let cases = [
        (2, record(2, 0, &[7, 0], b"")),
        (2, record(2, 0, &[7, 1, 3], b"")),
        (2, record(2, 0, &[7, 1, 1], b"hello")),
        (2, record(2, 0, &[7, u32::MAX, 2], b"hi")),
        (3, record(3, 0, &[5, u32::MAX, u32::MAX, 0, 0, 1, 2], b"hi")),
        (4, record(4, 0, &[3, 8, 9], b"")),
        (14, record(14, 0, &[4, u32::MAX], b"hello")),
        (19, record(19, 1, &[4, u32::MAX], b"hello")),
    ];
    for (kind, bytes) in cases {
        let items: Vec<_> = Commands::new(&bytes).collect();
        assert_eq!(items, [Err(CommandError::WrongLength(kind))], "{bytes:?}");
    }
}

#[test]
fn what_cannot_be_decoded_ends_the_buffer() {
    let good = record(11, 0, &[1], b"");
    for (bad, error) in [
        (record(0, 0, &[], b""), CommandError::UnknownKind(0)),
        (record(27, 0, &[1], b""), CommandError::UnknownKind(27)),
        (vec![11, 0, 0, 0, 12, 0, 0, 0, 1], CommandError::NoRecord),
    ] {
        let bytes = [good.as_slice(), &bad, &good].concat();
        let cut =
            if error == CommandError::NoRecord { good.len() + bad.len() } else { bytes.len() };
        let items: Vec<_> = Commands::new(&bytes[..cut]).collect();
        assert_eq!(items, [Ok(Command::Pong { slot: 1 }), Err(error)]);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in records_gone_wrong()) {
        let mut last_is_error = false;
        for command in Commands::new(&bytes) {
            assert!(!last_is_error, "an error is the last item");
            match command {
                Ok(Command::Send { parts, .. } | Command::Multicast(Multicast { parts, .. })) => {
                    assert!(parts.len() > 0);
                    assert_eq!(parts.clone().count(), parts.len());
                }
                Ok(Command::Broadcast(Broadcast { target, parts, .. })) => {
                    assert!(target.rooms.len() + target.except_members.len() <= bytes.len());
                    assert_eq!(parts.clone().count(), parts.len());
                }
                Ok(_) => {}
                Err(_) => last_is_error = true,
            }
        }
    }
}

/// Bytes at random, and records whose heads are right but whose fields are not.
fn records_gone_wrong() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0..8_u32, any::<u32>(), Just(1 << 31)];
    let one = (0..30_u32, 0..16_u32, vec(number, 0..12), any::<Vec<u8>>())
        .prop_map(|(kind, flags, numbers, bytes)| record(kind, flags, &numbers, &bytes));
    prop_oneof![any::<Vec<u8>>(), vec(one, 0..4).prop_map(|records| records.concat())]
}
