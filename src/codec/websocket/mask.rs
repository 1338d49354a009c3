//! Masking of client frames (RFC 6455 section 5.3): XOR with a four-byte key, the same way there and back.

/// Applies `key` to `payload` in place. `offset` says how many bytes of the frame's payload came before this part.
pub fn apply_mask(payload: &mut [u8], key: [u8; 4], offset: usize) {
    // Clients that do not care send a zero key, which changes nothing.
    if key == [0; 4] {
        return;
    }
    let mut key = key;
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Whole words in a plain loop: the compiler turns it into vector instructions. A word holds the key twice, so the
    // bytes after the last word start with the key's first byte again.
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::apply_mask;

    /// The definition in the RFC, and nothing else.
    fn apply_mask_plainly(payload: &mut [u8], key: [u8; 4], offset: usize) {
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[(offset + index) % 4];
        }
    }

    #[test]
    fn the_fast_way_equals_the_plain_one_at_every_length_and_alignment() {
        let source: Vec<u8> = (0..=255).collect();
        for key in [[0x12, 0x34, 0x56, 0x78], [0, 0, 0, 1], [0xff; 4], [0; 4]] {
            for offset in 0..8 {
                for start in 0..16 {
                    for end in start..=start + 130 {
                        let (mut fast, mut plain) = (source.clone(), source.clone());
                        apply_mask(&mut fast[start..end], key, offset);
                        apply_mask_plainly(&mut plain[start..end], key, offset);
                        assert_eq!(fast, plain, "key {key:?}, offset {offset}, {start}..{end}");
                    }
                }
            }
        }
    }
}
