//! Groups 5 and 10: messages in several frames.

use sio::codec::websocket::{Incoming, ProtocolError};

use crate::check::{
    BINARY, BINARY_BEGINS, CLOSE, Case, ENDS, FIN, GOES_ON, PING, PONG, TEXT, TEXT_BEGINS, check,
    check_all,
};

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
