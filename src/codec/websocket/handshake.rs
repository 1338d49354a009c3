//! The opening handshake, as far as it is pure: the accept key and the bytes of the 101 response.
//!
//! Whether a request may become a WebSocket at all is decided where requests are known.

use std::fmt::Write;

/// Why the 101 response was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The request's key is not 16 bytes of base64. Answer 400.
    #[error("Missing or invalid Sec-WebSocket-Key header")]
    InvalidKey,
    /// A header's name is not a token (RFC 9110 section 5.1). The user's fault: a middleware set it.
    #[error("Header name must be a valid HTTP token [{0:?}]")]
    InvalidHeaderName(String),
    /// A header's value would break out of its line or is not Latin-1. The user's fault: a middleware set it.
    #[error("Invalid character in header content [{0:?}]")]
    InvalidHeaderValue(String),
}

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
///
/// The key must look like `ws` wants it: 22 characters of base64 and `==`.
pub fn accept_key(key: &str) -> Result<String, HandshakeError> {
    let is_valid = key.strip_suffix("==").is_some_and(|digits| {
        digits.len() == KEY_DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
    });
    if !is_valid {
        return Err(HandshakeError::InvalidKey);
    }
    let mut sha1 = sha1_smol::Sha1::from(key);
    sha1.update(ACCEPT_GUID);
    Ok(base64_simd::STANDARD.encode_to_string(sha1.digest().bytes()))
}

/// The 101 response, with the header lines in the order of `ws`: its own, then the `extra` ones.
///
/// A value is text of Latin-1 characters, as in Node. Nothing that could inject a line goes out.
pub fn switching_protocols<'a>(
    accept: &str,
    subprotocol: Option<&str>,
    extra: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<u8>, HandshakeError> {
    let mut lines = String::from(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    );
    push_line(&mut lines, "Sec-WebSocket-Accept", accept)?;
    if let Some(subprotocol) = subprotocol {
        push_line(&mut lines, "Sec-WebSocket-Protocol", subprotocol)?;
    }
    for (name, value) in extra {
        push_line(&mut lines, name, value)?;
    }
    lines.push_str("\r\n");
    // Every character was checked to be Latin-1.
    Ok(lines.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect())
}

fn push_line(lines: &mut String, name: &str, value: &str) -> Result<(), HandshakeError> {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(HandshakeError::InvalidHeaderName(name.to_owned()));
    }
    if !value.chars().all(is_value_char) {
        return Err(HandshakeError::InvalidHeaderValue(value.to_owned()));
    }
    let _ = write!(lines, "{name}: {value}\r\n");
    Ok(())
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What Node lets through in a header's value: tab and Latin-1, less the control characters.
fn is_value_char(character: char) -> bool {
    matches!(character, '\t' | ' '..='~' | '\u{80}'..='\u{ff}')
}

/// 16 bytes of base64 without their padding.
const KEY_DIGITS: usize = 22;

/// RFC 6455 section 1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::{HandshakeError, accept_key, switching_protocols};

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        assert_eq!(
            accept_key("dGhlIHNhbXBsZSBub25jZQ==").as_deref(),
            Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }

    #[test]
    fn keys_that_ws_refuses_are_refused() {
        let bad = [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ== ",
            "dGhlIHNhbXBsZSBub25jZ==",
            "dGhlIHNhbXBsZSBub25jZQQ==",
            "dGhlIHNhbXBsZSBub25j-_==",
            "dGhlIHNhbXBsZSBub25jé==",
        ];
        for key in bad {
            assert_eq!(accept_key(key), Err(HandshakeError::InvalidKey), "{key}");
        }
    }

    #[test]
    fn the_response_is_that_of_ws_byte_for_byte() {
        let response = switching_protocols(
            "abc=",
            Some("chat"),
            [("x-a", "1"), ("Set-Cookie", "k=\u{e9}; Path=/")],
        );
        let expected = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: abc=\r\nSec-WebSocket-Protocol: chat\r\nx-a: 1\r\nSet-Cookie: k=\xe9; Path=/\r\n\r\n";
        assert_eq!(response.as_deref(), Ok(expected.as_slice()));

        let response = switching_protocols("abc=", None, []);
        let expected =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: abc=\r\n\r\n";
        assert_eq!(response.as_deref(), Ok(expected.as_slice()));
    }

    #[test]
    fn nothing_injects_a_header_line() {
        for value in ["a\r\nx: y", "a\nb", "a\rb", "a\0", "\u{7f}", "\u{1b}", "\u{100}", "€"] {
            let error = Err(HandshakeError::InvalidHeaderValue(value.to_owned()));
            assert_eq!(switching_protocols("abc=", None, [("x-a", value)]), error);
            assert_eq!(switching_protocols("abc=", Some(value), []), error);
            assert_eq!(switching_protocols(value, None, []), error);
        }
        for name in ["", "a b", "a:b", "a\r\nb", "a\0", "é", "(a)", "a\t"] {
            let error = Err(HandshakeError::InvalidHeaderName(name.to_owned()));
            assert_eq!(switching_protocols("abc=", None, [(name, "1")]), error);
        }
    }
}
