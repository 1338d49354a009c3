//! The end of the messages that went over a connection in one direction, as far back as a window reaches.
//!
//! It takes the memory of what was said, not of the window, until the window is full.

/// The last bytes before the next message.
#[derive(Debug)]
pub(super) struct History {
    bytes: Vec<u8>,
    window_len: usize,
}

impl History {
    /// Nothing was said yet.
    pub(super) fn new(window_bits: u8) -> Self {
        Self { bytes: Vec::new(), window_len: 1 << window_bits.min(super::MAX_WINDOW_BITS) }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// A message was said.
    pub(super) fn append(&mut self, message: &[u8]) {
        let kept = message.len().min(self.window_len);
        let message = message.get(message.len() - kept..).unwrap_or_default();
        let len = self.bytes.len().saturating_add(kept);
        self.bytes.drain(..len.saturating_sub(self.window_len));
        if self.bytes.len() + kept > self.bytes.capacity() {
            // Doubled, but never past the window.
            let capacity =
                (2 * self.bytes.capacity()).clamp(len.min(self.window_len), self.window_len);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(message);
    }

    /// From now on nothing refers to what was said.
    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::History;

    #[test]
    fn it_holds_the_end_of_what_was_said_and_no_more_memory_than_that_needs() {
        let said: Vec<u8> = (0..2_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        for lens in
            [vec![1; 2_000], vec![0, 255, 1, 0, 256, 257, 3], vec![100, 1_000, 100], vec![7; 90]]
        {
            let mut history = History::new(8);
            let mut end = 0;
            for len in lens {
                history.append(&said[end..end + len]);
                end += len;
                assert_eq!(history.as_slice(), &said[end.saturating_sub(256)..end]);
                assert!(history.bytes.capacity() <= (2 * end).min(256));
            }
        }
    }
}
