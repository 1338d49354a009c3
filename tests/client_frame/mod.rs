//! Frames as a client sends them, right or wrong, one byte string each.

/// One masked frame: `first` is FIN, the reserved bits and the opcode; the length is in its shortest form.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(len @ 0..=125) = u8::try_from(payload.len()) {
        frame.push(MASKED | len);
    } else if let Ok(len) = u16::try_from(payload.len()) {
        frame.push(MASKED | LENGTH_IN_16_BITS);
        frame.extend_from_slice(&len.to_be_bytes());
    } else {
        frame.push(MASKED | LENGTH_IN_64_BITS);
        frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    frame.extend_from_slice(&MASK_KEY);
    frame.extend(payload.iter().zip(MASK_KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

const MASKED: u8 = 0x80;
const LENGTH_IN_16_BITS: u8 = 126;
const LENGTH_IN_64_BITS: u8 = 127;

/// The one in RFC 6455 section 5.7.
const MASK_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
