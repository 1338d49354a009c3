//! What a client may send and what comes of it, in the groups of the Autobahn test suite, with the close codes and
//! texts of npm's `ws`. Each case is data: the frames sent, what is heard, and the error that ends it, if any.
//!
//! Every case runs whole, byte by byte, in odd pieces, and cut in two at each place.

mod client_frame;

use std::iter;

use client_frame::client_frame;
use sio::codec::websocket::{
    CloseCode, Incoming, Input, MessageDecoder, Opcode, ProtocolError, ServerFrames, encode_frame,
};

/// First bytes of frames.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;
const FIN: u8 = 0x80;

/// socket.io's default for `maxHttpBufferSize`.
const LIMIT: u64 = 1_000_000;

type Sent<'a> = &'a [(u8, &'a [u8])];
type Case<'a> = (&'a str, Sent<'a>, &'a [Incoming<'a>], Option<ProtocolError>);

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
fn group_5_fragmentation() {
    let cases: [Case<'_>; 16] = [
        (
            "fragmented ping",
            &[(PING & !FIN, b"a"), (ENDS, b"b")],
            &[],
            Some(ProtocolError::FragmentedControl),
        ),
        (
            "fragmented pong",
            &[(PONG & !FIN, b"a"), (ENDS, b"b")],
            &[],
            Some(ProtocolError::FragmentedControl),
        ),
        ("fragmented close", &[(CLOSE & !FIN, b"")], &[], Some(ProtocolError::FragmentedControl)),
        ("two text fragments", &[(TEXT_BEGINS, b"a"), (ENDS, b"b")], &[Incoming::Text("ab")], None),
        (
            "two binary fragments",
            &[(BINARY_BEGINS, b"a"), (ENDS, b"b")],
            &[Incoming::Binary(b"ab")],
            None,
        ),
        (
            "a ping between",
            &[(TEXT_BEGINS, b"a"), (PING, b"p"), (ENDS, b"b")],
            &[Incoming::Ping(b"p"), Incoming::Text("ab")],
            None,
        ),
        (
            "pings between many",
            &[
                (TEXT_BEGINS, b"1"),
                (GOES_ON, b"2"),
                (PING, b"p"),
                (GOES_ON, b"3"),
                (PING, b"q"),
                (ENDS, b"4"),
            ],
            &[Incoming::Ping(b"p"), Incoming::Ping(b"q"), Incoming::Text("1234")],
            None,
        ),
        (
            "empty fragments",
            &[(TEXT_BEGINS, b""), (GOES_ON, b""), (ENDS, b"")],
            &[Incoming::Text("")],
            None,
        ),
        (
            "one full of three",
            &[(TEXT_BEGINS, b""), (GOES_ON, b"a"), (ENDS, b"")],
            &[Incoming::Text("a")],
            None,
        ),
        (
            "stray last fragment",
            &[(ENDS, b"a"), (TEXT, b"b")],
            &[],
            Some(ProtocolError::InvalidOpcode(0)),
        ),
        (
            "stray fragment",
            &[(GOES_ON, b"a"), (TEXT, b"b")],
            &[],
            Some(ProtocolError::InvalidOpcode(0)),
        ),
        (
            "stray fragment after a message",
            &[(TEXT_BEGINS, b"a"), (ENDS, b"b"), (GOES_ON, b"c")],
            &[Incoming::Text("ab")],
            Some(ProtocolError::InvalidOpcode(0)),
        ),
        (
            "text in a message",
            &[(TEXT_BEGINS, b"a"), (TEXT, b"b")],
            &[],
            Some(ProtocolError::InvalidOpcode(1)),
        ),
        (
            "binary in a message",
            &[(TEXT_BEGINS, b"a"), (BINARY, b"b")],
            &[],
            Some(ProtocolError::InvalidOpcode(2)),
        ),
        (
            "two beginnings",
            &[(TEXT_BEGINS, b"a"), (TEXT_BEGINS, b"b")],
            &[],
            Some(ProtocolError::InvalidOpcode(1)),
        ),
        (
            "two messages",
            &[(TEXT_BEGINS, b"a"), (ENDS, b"b"), (BINARY_BEGINS, b"c"), (ENDS, b"d")],
            &[Incoming::Text("ab"), Incoming::Binary(b"cd")],
            None,
        ),
    ];
    check_all(&cases);
}

#[test]
fn group_6_utf_8() {
    let valid = [
        "Hello-µ@ßöäüàá-UTF-8!!",
        "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{feff}\u{1fffe}\u{10fffe}",
        "κόσμε",
    ];
    for text in valid {
        check(text, &[(TEXT, text.as_bytes())], &[Incoming::Text(text)], None);
        // Fragments may end inside a character.
        let (first, last) = text.as_bytes().split_at(text.len() - 1);
        check(
            text,
            &[(TEXT_BEGINS, first), (PING, b""), (ENDS, last)],
            &[Incoming::Ping(b""), Incoming::Text(text)],
            None,
        );
        let bytewise: Vec<(u8, &[u8])> = iter::once((TEXT_BEGINS, b"".as_slice()))
            .chain(text.as_bytes().chunks(1).map(|byte| (GOES_ON, byte)))
            .chain(iter::once((ENDS, b"".as_slice())))
            .collect();
        check(text, &bytewise, &[Incoming::Text(text)], None);
    }

    let invalid: [(&str, &[u8]); 20] = [
        ("stray continuation", &[0x80]),
        ("many continuations", &[0x80, 0xbf, 0x80, 0xbf]),
        ("lonely start of 2", &[0xc2, b' ']),
        ("lonely start of 3", &[0xe1, 0x80, b' ']),
        ("lonely start of 4", &[0xf1, 0x80, 0x80, b' ']),
        ("cut short after 1", &[0xce]),
        ("cut short after 2", &[0xe1, 0xbd]),
        ("cut short after 3", &[0xf0, 0x90, 0x80]),
        ("never in UTF-8: fe", &[0xfe]),
        ("never in UTF-8: ff", &[0xff]),
        ("overlong slash in 2", &[0xc0, 0xaf]),
        ("overlong slash in 3", &[0xe0, 0x80, 0xaf]),
        ("overlong slash in 4", &[0xf0, 0x80, 0x80, 0xaf]),
        ("overlong 7f", &[0xc1, 0xbf]),
        ("overlong zero", &[0xc0, 0x80]),
        ("first surrogate", &[0xed, 0xa0, 0x80]),
        ("last surrogate", &[0xed, 0xbf, 0xbf]),
        ("pair of surrogates", &[0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]),
        ("above 10ffff", &[0xf4, 0x90, 0x80, 0x80]),
        ("sequence of 5", &[0xf8, 0x88, 0x80, 0x80, 0x80]),
    ];
    for (name, bytes) in invalid {
        let error = Some(ProtocolError::InvalidUtf8);
        let text = [b"a long enough start ".as_slice(), bytes].concat();
        check(name, &[(TEXT, bytes), (TEXT, b"after")], &[], error);
        check(name, &[(TEXT, &text)], &[], error);
        // The check is made at the end of the message, as in `ws`.
        check(
            name,
            &[(TEXT_BEGINS, bytes), (PING, b"p"), (ENDS, b"")],
            &[Incoming::Ping(b"p")],
            error,
        );
        check(name, &[(BINARY, bytes)], &[Incoming::Binary(bytes)], None);
    }
}

#[test]
fn group_7_close() {
    let close = |code, reason| Incoming::Close { code: CloseCode::new(code), reason };
    let empty = Incoming::Close { code: None, reason: "" };
    let longest = [&[0x03, 0xe8], "*".repeat(123).as_bytes()].concat();
    let too_long = [&[0x03, 0xe8], "*".repeat(124).as_bytes()].concat();
    let reason = "*".repeat(123);
    let cases: [Case<'_>; 11] = [
        (
            "text, then close",
            &[(TEXT, b"a"), (CLOSE, b"\x03\xe8")],
            &[Incoming::Text("a"), close(1000, "")],
            None,
        ),
        ("two closes", &[(CLOSE, b"\x03\xe8"), (CLOSE, b"\x03\xe9")], &[close(1000, "")], None),
        ("ping after close", &[(CLOSE, b""), (PING, b"")], &[empty], None),
        ("text after close", &[(CLOSE, b""), (TEXT, b"a")], &[empty], None),
        ("nonsense after close", &[(CLOSE, b""), (0xff, b"a")], &[empty], None),
        (
            "close in a message",
            &[(TEXT_BEGINS, b"a"), (CLOSE, b"\x03\xe8ok"), (ENDS, b"b")],
            &[close(1000, "ok")],
            None,
        ),
        ("empty close", &[(CLOSE, b"")], &[empty], None),
        ("close of 1 byte", &[(CLOSE, b"\x03")], &[], Some(ProtocolError::InvalidControlLength(1))),
        ("reason of 123", &[(CLOSE, &longest)], &[close(1000, &reason)], None),
        (
            "reason of 124",
            &[(CLOSE, &too_long)],
            &[],
            Some(ProtocolError::InvalidControlLength(126)),
        ),
        (
            "reason not UTF-8",
            &[(CLOSE, b"\x03\xe8\xce\xba\xe1")],
            &[],
            Some(ProtocolError::InvalidUtf8),
        ),
    ];
    check_all(&cases);

    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ];
    for code in valid {
        check(&format!("{code}"), &[(CLOSE, &u16::to_be_bytes(code))], &[close(code, "")], None);
    }
    let invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    for code in invalid {
        let error = Some(ProtocolError::InvalidCloseCode(code));
        check(&format!("{code}"), &[(CLOSE, &u16::to_be_bytes(code))], &[], error);
    }
}

#[test]
fn group_9_limits() {
    let full = vec![b'*'; 1_000_000];
    let over = vec![b'*'; 1_000_001];
    let text = String::from_utf8(full.clone()).unwrap();
    let error = Some(ProtocolError::MessageTooLarge);
    check("text at the limit", &[(TEXT, &full)], &[Incoming::Text(&text)], None);
    check("binary at the limit", &[(BINARY, &full)], &[Incoming::Binary(&full)], None);
    check("over the limit", &[(BINARY, &over)], &[], error);

    let mut fragments: Vec<(u8, &[u8])> = full.chunks(64).map(|chunk| (GOES_ON, chunk)).collect();
    fragments[0].0 = BINARY_BEGINS;
    fragments.push((ENDS, b""));
    check("at the limit in 64-byte fragments", &fragments, &[Incoming::Binary(&full)], None);
    fragments.insert(1, (GOES_ON, b"*"));
    check("over the limit in 64-byte fragments", &fragments, &[], error);
    check(
        "the second fragment over",
        &[(BINARY_BEGINS, &full), (PING, b""), (ENDS, b"*")],
        &[Incoming::Ping(b"")],
        error,
    );

    // The limit is for one message, not for a connection.
    check(
        "two at the limit",
        &[(TEXT, &full), (TEXT, &full)],
        &[Incoming::Text(&text), Incoming::Text(&text)],
        None,
    );
    let many = vec![(TEXT, b"roundtrip".as_slice()); 1000];
    check("a thousand", &many, &vec![Incoming::Text("roundtrip"); 1000], None);

    let large = vec![b'*'; 16 << 20];
    let bytes = client_frame(BINARY, &large);
    assert_eq!(
        decode(&bytes, u64::MAX, iter::repeat(65_536), &[Incoming::Binary(&large)]),
        None,
        "16 MiB, no limit"
    );
    check_bytes("limit of 0", &client_frame(TEXT, b""), 0, &[Incoming::Text("")], None);
    check_bytes("limit of 0", &client_frame(TEXT, b"a"), 0, &[], error);
}

#[test]
fn group_10_text_fragmented_by_the_sender() {
    let text = "*".repeat(65_536);
    for size in [1300, 64, 1] {
        let mut fragments: Vec<(u8, &[u8])> =
            text.as_bytes().chunks(size).map(|chunk| (GOES_ON, chunk)).collect();
        // Beyond 16,384 fragments `ws` takes it for an attack.
        let fits = fragments.len() <= 16_384;
        fragments.first_mut().unwrap().0 = TEXT_BEGINS;
        fragments.last_mut().unwrap().0 = ENDS;
        let heard: &[Incoming<'_>] = if fits { &[Incoming::Text(&text)] } else { &[] };
        check(
            &format!("fragments of {size}"),
            &fragments,
            heard,
            (!fits).then_some(ProtocolError::TooManyFragments),
        );
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

fn check_all(cases: &[Case<'_>]) {
    for (name, sent, heard, error) in cases {
        check(name, sent, heard, *error);
    }
}

fn check(name: &str, sent: Sent<'_>, heard: &[Incoming<'_>], error: Option<ProtocolError>) {
    let bytes: Vec<u8> =
        sent.iter().flat_map(|(first, payload)| client_frame(*first, payload)).collect();
    check_bytes(name, &bytes, LIMIT, heard, error);
}

fn check_bytes(
    name: &str,
    bytes: &[u8],
    limit: u64,
    heard: &[Incoming<'_>],
    error: Option<ProtocolError>,
) {
    assert_eq!(decode(bytes, limit, iter::repeat(usize::MAX), heard), error, "{name}, whole");
    assert_eq!(decode(bytes, limit, iter::repeat(1), heard), error, "{name}, byte by byte");
    assert_eq!(
        decode(bytes, limit, [1, 2, 3, 5, 997, 65_536].into_iter().cycle(), heard),
        error,
        "{name}, in pieces"
    );
    if bytes.len() < 400 {
        for cut in 0..bytes.len() {
            let pieces = [cut, usize::MAX].into_iter();
            assert_eq!(decode(bytes, limit, pieces, heard), error, "{name}, cut at {cut}");
        }
    }
}

/// Decodes `bytes` in reads of the given lengths, compares what is heard, and tells the error.
fn decode(
    bytes: &[u8],
    limit: u64,
    read_lens: impl Iterator<Item = usize>,
    heard: &[Incoming<'_>],
) -> Option<ProtocolError> {
    let mut decoder = MessageDecoder::new(limit);
    let mut bytes = bytes.to_vec();
    let mut rest = bytes.as_mut_slice();
    let mut heard = heard.iter();
    let mut error = None;
    for read_len in read_lens {
        let (read, later) = rest.split_at_mut(read_len.min(rest.len()));
        rest = later;
        let mut input = Input::new(read);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(incoming)) => assert_eq!(Some(&incoming), heard.next()),
                Ok(None) => break,
                Err(found) => assert_eq!(error.replace(found), None, "a second error"),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(heard.next(), None, "not heard");
    error
}
