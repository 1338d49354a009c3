//! Group 9: messages of every length up to the limit, and beyond.

use std::iter;

use sio::codec::websocket::{Incoming, MessageDecoder, ProtocolError};

use crate::check::{BINARY, BINARY_BEGINS, ENDS, GOES_ON, PING, TEXT, check, check_bytes, decode};
use crate::client_frame::client_frame;

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
        decode(
            MessageDecoder::new(u64::MAX),
            &bytes,
            iter::repeat(65_536),
            &[Incoming::Binary(&large)]
        ),
        None,
        "16 MiB, no limit"
    );
    check_bytes("limit of 0", &client_frame(TEXT, b""), 0, &[Incoming::Text("")], None);
    check_bytes("limit of 0", &client_frame(TEXT, b"a"), 0, &[], error);
}
