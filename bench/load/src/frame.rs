//! WebSocket frames as a client sees them: masked ones out, plain ones in (RFC 6455 section 5.2).
//! No fragments, no extensions: no server of the benchmark sends them to a client that asks for none.

use crate::failure::Result;

/// One key for every frame, from the example in RFC 6455 section 5.7. A server unmasks with any key
/// at the same cost; a key of zero would be an exception.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;

/// Lengths up to this one stand in the second byte itself.
const SHORT: usize = 125;
/// The second byte that announces a length of 16 bits, and of 64.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// A frame from the server.
pub(crate) enum Frame<'a> {
    Text(&'a [u8]),
    Close,
}

/// A masked text frame, ready to be written any number of times.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    masked(TEXT, payload.as_bytes())
}

/// A close frame without a code, which is what a browser's `close()` sends.
pub(crate) fn close() -> Vec<u8> {
    masked(CLOSE, &[])
}

fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![FIN | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if payload.len() <= SHORT => frame.push(MASKED | length),
        (_, Ok(length)) => {
            frame.push(MASKED | LENGTH_16);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | LENGTH_64);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The first frame of `bytes` and its whole length, or `None` while it is incomplete.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let Some(([first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let (payload_length, rest) = match *second {
        LENGTH_16 => match rest.split_first_chunk() {
            Some((length, rest)) => (usize::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.split_first_chunk() {
            Some((length, rest)) => (usize::try_from(u64::from_be_bytes(*length))?, rest),
            None => return Ok(None),
        },
        MASKED.. => return Err("the server masked a frame".into()),
        length => (usize::from(length), rest),
    };
    let Some(payload) = rest.get(..payload_length) else { return Ok(None) };
    let frame = match first ^ FIN {
        TEXT => Frame::Text(payload),
        CLOSE => Frame::Close,
        _ => return Err(format!("a frame nobody asked for, first byte {first:#04x}").into()),
    };
    Ok(Some((frame, bytes.len() - rest.len() + payload_length)))
}

#[cfg(test)]
mod tests {
    use super::{Frame, close, decode, text};

    fn server_frame(length: usize) -> Vec<u8> {
        let mut frame = vec![0x81];
        match length {
            0..=125 => frame.push(u8::try_from(length).unwrap()),
            126..=0xffff => {
                frame.push(126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.resize(frame.len() + length, b'x');
        frame
    }

    #[test]
    fn a_frame_of_any_length_is_decoded_once_it_is_whole() {
        for length in [0, 1, 125, 126, 0xffff, 0x1_0000] {
            let frame = server_frame(length);
            for cut in [0, 1, 2, 5, frame.len() - 1] {
                let part = &frame[..cut.min(frame.len() - 1)];
                assert!(decode(part).unwrap().is_none(), "{length} bytes cut at {cut}");
            }
            let (Frame::Text(payload), whole) = decode(&frame).unwrap().unwrap() else {
                panic!("not a text frame")
            };
            assert_eq!((payload.len(), whole), (length, frame.len()));
        }
    }

    #[test]
    fn the_example_of_rfc_6455_is_masked_as_printed_there() {
        assert_eq!(text("Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(close(), b"\x88\x80\x37\xfa\x21\x3d");
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        assert!(decode(b"\x81\x81abcdx").is_err(), "masked");
        assert!(decode(b"\x01\x01x").is_err(), "a fragment");
        assert!(decode(b"\xc1\x01x").is_err(), "compressed");
    }
}
