//! Base64 of binary messages on text channels: written in the standard alphabet, read as Node's `Buffer` reads it.

/// How many characters `len` bytes become, padding included.
pub(super) const fn base64_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

/// Appends `bytes` in the standard alphabet with padding.
pub(super) fn append_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    base64_simd::STANDARD.encode_append(bytes, out);
}

/// Decodes as `Buffer.from(text, "base64")` does: both alphabets count, other characters are passed over, the first
/// `=` ends it, and bits that fill no byte are dropped. Nothing is an error.
pub(super) fn decode_base64(text: &str) -> Vec<u8> {
    // What other implementations write is strict, and vector instructions read that.
    base64_simd::STANDARD.decode_to_vec(text).unwrap_or_else(|_| decode_leniently(text))
}

fn decode_leniently(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits: u32 = 0;
    let mut bit_count = 0;
    for digit in text.bytes().take_while(|&byte| byte != b'=').filter_map(digit_value) {
        bits = bits << 6 | u32::from(digit);
        bit_count += 6;
        if bit_count >= 8 {
            bit_count -= 8;
            let [.., byte] = (bits >> bit_count).to_be_bytes();
            bytes.push(byte);
        }
    }
    bytes
}

fn digit_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{append_base64, decode_base64, decode_leniently};

    #[test]
    fn odd_input_is_read_as_node_reads_it() {
        // Observed: Buffer.from(text, "base64") on Node 20.
        let table: [(&str, &[u8]); 18] = [
            ("", b""),
            ("YQ==", b"a"),
            ("YQ=", b"a"),
            ("YQ", b"a"),
            ("YR==", b"a"),
            ("Y", b""),
            ("YWJjZ", b"abc"),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("+_-/", &[0xfb, 0xff, 0xbf]),
            ("Y W J j\n", b"abc"),
            ("YWJj!!!!ZGVm", b"abcdef"),
            ("YWJj€ZGVm", b"abcdef"),
            ("YQ==YQ==", b"a"),
            ("YWJj=ZGVm", b"abc"),
            ("YW=Jj", b"a"),
            ("=YWJj", b""),
            ("====", b""),
        ];
        for (text, bytes) in table {
            assert_eq!(decode_base64(text), bytes, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_by_both_ways(bytes: Vec<u8>) {
            let mut text = b"b".to_vec();
            append_base64(&mut text, &bytes);
            let text = std::str::from_utf8(&text[1..]).unwrap();
            assert_eq!(decode_base64(text), bytes);
            assert_eq!(decode_leniently(text), bytes);
        }

        #[test]
        fn the_strict_and_the_lenient_way_agree_on_any_text(text in "[A-Ha-h0-9+/=_ -]{0,40}") {
            assert_eq!(decode_base64(&text), decode_leniently(&text));
        }

        #[test]
        fn nothing_is_an_error(text in any::<String>()) {
            assert!(decode_base64(&text).len() <= text.len() / 4 * 3 + 2);
        }
    }
}
