//! How a case is played: whole, byte by byte, in odd pieces, and cut in two at each place.

use std::iter;

use sio::codec::websocket::{Incoming, Input, MessageDecoder, ProtocolError};

use crate::client_frame::client_frame;

/// First bytes of frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const BINARY_BEGINS: u8 = 0x02;
pub(crate) const GOES_ON: u8 = 0x00;
pub(crate) const ENDS: u8 = 0x80;
pub(crate) const FIN: u8 = 0x80;

/// socket.io's default for `maxHttpBufferSize`.
pub(crate) const LIMIT: u64 = 1_000_000;

pub(crate) type Sent<'a> = &'a [(u8, &'a [u8])];
pub(crate) type Case<'a> = (&'a str, Sent<'a>, &'a [Incoming<'a>], Option<ProtocolError>);

pub(crate) fn check_all(cases: &[Case<'_>]) {
    for (name, sent, heard, error) in cases {
        check(name, sent, heard, *error);
    }
}

pub(crate) fn check(
    name: &str,
    sent: Sent<'_>,
    heard: &[Incoming<'_>],
    error: Option<ProtocolError>,
) {
    let bytes: Vec<u8> =
        sent.iter().flat_map(|(first, payload)| client_frame(*first, payload)).collect();
    check_bytes(name, &bytes, LIMIT, heard, error);
}

pub(crate) fn check_bytes(
    name: &str,
    bytes: &[u8],
    limit: u64,
    heard: &[Incoming<'_>],
    error: Option<ProtocolError>,
) {
    check_with(name, || MessageDecoder::new(limit), bytes, heard, error);
}

/// Plays a case on decoders of one kind.
pub(crate) fn check_with(
    name: &str,
    decoder: impl Fn() -> MessageDecoder,
    bytes: &[u8],
    heard: &[Incoming<'_>],
    error: Option<ProtocolError>,
) {
    assert_eq!(decode(decoder(), bytes, iter::repeat(usize::MAX), heard), error, "{name}, whole");
    assert_eq!(decode(decoder(), bytes, iter::repeat(1), heard), error, "{name}, byte by byte");
    assert_eq!(
        decode(decoder(), bytes, [1, 2, 3, 5, 997, 65_536].into_iter().cycle(), heard),
        error,
        "{name}, in pieces"
    );
    if bytes.len() < 400 {
        for cut in 0..bytes.len() {
            let pieces = [cut, usize::MAX].into_iter();
            assert_eq!(decode(decoder(), bytes, pieces, heard), error, "{name}, cut at {cut}");
        }
    }
}

/// Decodes `bytes` in reads of the given lengths, compares what is heard, and tells the error.
pub(crate) fn decode(
    mut decoder: MessageDecoder,
    bytes: &[u8],
    read_lens: impl Iterator<Item = usize>,
    heard: &[Incoming<'_>],
) -> Option<ProtocolError> {
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
