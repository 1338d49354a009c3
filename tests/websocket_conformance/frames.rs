//! Groups 1 to 4: lengths, pings and pongs, reserved bits, opcodes; and frames that no client may send.

use sio::codec::websocket::{Incoming, Opcode, ProtocolError, ServerFrames, encode_frame};

use crate::check::{
    BINARY, CLOSE, Case, ENDS, FIN, LIMIT, PING, PONG, TEXT, TEXT_BEGINS, check, check_all,
    check_bytes,
};

#[test]
fn group_1_framing() {
    for len in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        let text = "*".repeat(len);
        check(
            &format!("text of {len}"),
            &[(TEXT, text.as_bytes())],
            &[Incoming::Text(&text)],
            None,
        );
        check(
            &format!("binary of {len}"),
            &[(BINARY, &vec![0xfe; len])],
            &[Incoming::Binary(&vec![0xfe; len])],
            None,
        );
        // The echo: the same message, its length in the shortest form.
        let header_len = [(125, 2), (65_535, 4), (usize::MAX, 10)]
            .into_iter()
            .find(|(max, _)| len <= *max)
            .unwrap()
            .1;
        let echo = encode_frame(Opcode::Text, &[text.as_bytes()]);
        assert_eq!(echo.len(), header_len + len);
        assert_eq!(ServerFrames::new(&echo).collect::<Vec<_>>(), [(Opcode::Text, text.as_bytes())]);
    }
    check_bytes(
        "16-bit length of 1",
        &[0x82, 0xfe, 0, 1, 0, 0, 0, 0, 7],
        LIMIT,
        &[Incoming::Binary(&[7])],
        None,
    );
    let long = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 7];
    check_bytes("64-bit length of 1", &long, LIMIT, &[Incoming::Binary(&[7])], None);
    check_bytes("key of zeros", b"\x81\x82\0\0\0\0hi", LIMIT, &[Incoming::Text("hi")], None);
}

#[test]
fn group_2_pings_and_pongs() {
    let full = [0xfe; 125];
    let too_long = [0xfe; 126];
    let ten_pings: Vec<(u8, &[u8])> = (0..10).map(|at| (PING, &full[..at])).collect();
    let ten_heard: Vec<Incoming<'_>> = (0..10).map(|at| Incoming::Ping(&full[..at])).collect();
    let cases: [Case<'_>; 8] = [
        ("empty ping", &[(PING, b"")], &[Incoming::Ping(b"")], None),
        ("ping with text", &[(PING, b"Hello")], &[Incoming::Ping(b"Hello")], None),
        ("ping with bytes", &[(PING, &[0, 0xff, 0xfe])], &[Incoming::Ping(&[0, 0xff, 0xfe])], None),
        ("ping of 125", &[(PING, &full)], &[Incoming::Ping(&full)], None),
        ("ping of 126", &[(PING, &too_long)], &[], Some(ProtocolError::InvalidControlLength(126))),
        ("pong unasked", &[(PONG, b"")], &[Incoming::Pong(b"")], None),
        (
            "pong, then ping",
            &[(PONG, b"a"), (PING, b"b")],
            &[Incoming::Pong(b"a"), Incoming::Ping(b"b")],
            None,
        ),
        ("ten pings", &ten_pings, &ten_heard, None),
    ];
    check_all(&cases);
    assert_eq!(encode_frame(Opcode::Pong, &[b"Hello"]), b"\x8a\x05Hello".as_slice());
}

#[test]
fn group_3_reserved_bits() {
    for bits in 1..8 {
        let error = if bits == 0b100 {
            ProtocolError::CompressedFrame
        } else {
            ProtocolError::ReservedBits
        };
        let rsv = bits << 4;
        let cases: [Case<'_>; 7] = [
            ("text", &[(TEXT | rsv, b"Hello")], &[], Some(error)),
            ("binary", &[(BINARY | rsv, b"Hello")], &[], Some(error)),
            ("ping", &[(PING | rsv, b"Hello")], &[], Some(error)),
            ("close", &[(CLOSE | rsv, b"")], &[], Some(error)),
            ("in a fragment", &[(TEXT_BEGINS, b"a"), (ENDS | rsv, b"b")], &[], Some(error)),
            (
                "after a text",
                &[(TEXT, b"a"), (TEXT | rsv, b"b")],
                &[Incoming::Text("a")],
                Some(error),
            ),
            ("before a ping", &[(TEXT | rsv, b"a"), (PING, b"")], &[], Some(error)),
        ];
        check_all(&cases);
    }
}

#[test]
fn group_4_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let error = Some(ProtocolError::InvalidOpcode(opcode));
        let first = FIN | opcode;
        let cases: [Case<'_>; 4] = [
            ("empty", &[(first, b"")], &[], error),
            ("with payload", &[(first, b"reserved")], &[], error),
            ("not final", &[(opcode, b"")], &[], error),
            ("between", &[(TEXT, b"a"), (first, b"b"), (PING, b"")], &[Incoming::Text("a")], error),
        ];
        check_all(&cases);
    }
}

#[test]
fn frames_that_no_client_may_send() {
    let unmasked = Some(ProtocolError::UnmaskedFrame);
    check_bytes("unmasked text", b"\x81\x02hi", LIMIT, &[], unmasked);
    check_bytes("unmasked ping", &[0x89, 0], LIMIT, &[], unmasked);
    check_bytes("unmasked, its body not sent", &[0x82, 0x7f], LIMIT, &[], unmasked);
    let top_bit = [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];
    check_bytes(
        "64-bit length, top bit",
        &top_bit,
        u64::MAX,
        &[],
        Some(ProtocolError::UnsupportedLength),
    );
    let unsafe_integer = [0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0];
    check_bytes("2^53", &unsafe_integer, u64::MAX, &[], Some(ProtocolError::UnsupportedLength));
    let terabyte = [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0];
    check_bytes(
        "a terabyte announced",
        &terabyte,
        LIMIT,
        &[],
        Some(ProtocolError::MessageTooLarge),
    );
}
