//! Messages that were built in one form of binary messages, and are to go out in another: each request of a client says by itself whether
//! it takes bytes, so a session that moves from polling to a stream may find that what waits is in the wrong form.
//!
//! For our own frames only, as [`ServerFrames`] is.

use std::str;

use crate::codec::engine_io::base64::decode_base64;
use crate::codec::engine_io::packet::BASE64_PREFIX;
use crate::codec::engine_io::packet::BinaryForm;
use crate::codec::engine_io::packet::append_binary_frame;
use crate::codec::websocket::Opcode;
use crate::codec::websocket::ServerFrames;
use crate::codec::websocket::append_frame;

/// The same frames with binary messages in this form, which has to be one of the revision that they were built for; `None` if there is
/// nothing to change.
pub fn reform_frames(frames: &[u8], form: BinaryForm) -> Option<Vec<u8>> {
    let is_text_wanted = matches!(form, BinaryForm::Base64 | BinaryForm::TypedBase64);
    let is_other = |opcode, packet: &[u8]| match opcode {
        Opcode::Binary => is_text_wanted,
        _ => !is_text_wanted && packet.first() == Some(&BASE64_PREFIX),
    };
    if !ServerFrames::new(frames).any(|(opcode, packet)| is_other(opcode, packet)) {
        return None;
    }
    // The type, which is that of messages, stands before the bytes, or before their base64.
    let typed = usize::from(matches!(form, BinaryForm::TypedBytes | BinaryForm::TypedBase64));
    let mut reformed = Vec::with_capacity(frames.len());
    for (opcode, packet) in ServerFrames::new(frames) {
        if !is_other(opcode, packet) {
            append_frame(&mut reformed, opcode, &[packet]);
        } else if opcode == Opcode::Binary {
            append_binary_frame(&mut reformed, form, packet.get(typed..).unwrap_or_default());
        } else {
            let base64 = packet.get(typed.saturating_add(1)..).unwrap_or_default();
            let bytes = decode_base64(str::from_utf8(base64).unwrap_or_default());
            append_binary_frame(&mut reformed, form, &bytes);
        }
    }
    Some(reformed)
}

#[cfg(test)]
mod tests {
    use super::reform_frames;
    use crate::codec::engine_io::{BinaryForm, PacketType, append_binary_frame, append_text_frame};

    fn frames(form: BinaryForm) -> Vec<u8> {
        let mut frames = Vec::new();
        append_text_frame(&mut frames, PacketType::Message, "b€".as_bytes());
        for bytes in [&[][..], &[1, 2, 255], &[7; 300]] {
            append_binary_frame(&mut frames, form, bytes);
        }
        append_text_frame(&mut frames, PacketType::Ping, b"");
        frames
    }

    #[test]
    fn binary_messages_change_their_form_and_nothing_else_does() {
        for (one, other) in [
            (BinaryForm::Bytes, BinaryForm::Base64),
            (BinaryForm::TypedBytes, BinaryForm::TypedBase64),
        ] {
            assert_eq!(reform_frames(&frames(one), other), Some(frames(other)));
            assert_eq!(reform_frames(&frames(other), one), Some(frames(one)));
        }
    }

    #[test]
    fn what_is_in_that_form_stays_as_it_is() {
        let mut text = Vec::new();
        append_text_frame(&mut text, PacketType::Message, b"bAQID");
        for form in
            [BinaryForm::Bytes, BinaryForm::Base64, BinaryForm::TypedBytes, BinaryForm::TypedBase64]
        {
            assert_eq!(reform_frames(&frames(form), form), None);
            assert_eq!(reform_frames(&text, form), None);
        }
    }
}
