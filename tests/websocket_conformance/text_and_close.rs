//! Groups 6 and 7: UTF-8, and close frames.

use std::iter;

use sio::codec::websocket::{CloseCode, Incoming, ProtocolError};

use crate::check::{BINARY, CLOSE, Case, ENDS, GOES_ON, PING, TEXT, TEXT_BEGINS, check, check_all};

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
