//! The end of what a run printed.

use std::collections::VecDeque;

/// Bytes that are kept.
const KEPT: usize = 4 << 10;

/// The last of what was printed, however much that is.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl Tail {
    /// Takes what was printed next.
    pub fn push(&mut self, printed: &[u8]) {
        self.is_cut |= self.bytes.len() + printed.len() > KEPT;
        let printed = &printed[printed.len().saturating_sub(KEPT)..];
        let over = (self.bytes.len() + printed.len()).saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.bytes.extend(printed);
    }

    /// Returns it as text, from the beginning of a line where it has one; none where nothing was printed.
    pub fn text(&self) -> Option<String> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let begins = if self.is_cut && line < bytes.len() { line } else { 0 };
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes[begins..]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_from_the_beginning_of_a_line() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), None);
        tail.push(b"one\n");
        tail.push(b"two\n");
        assert_eq!(tail.text().as_deref(), Some("one\ntwo\n"));
        for number in 0..2_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let text = tail.text().expect("there is much of it");
        assert!(text.len() <= KEPT && text.starts_with("line ") && text.ends_with("line 1999\n"), "{text}");
        let mut long = Tail::default();
        long.push("ä".repeat(KEPT).as_bytes());
        assert_eq!(long.text().map(|text| text.chars().count()), Some(KEPT / 2));
    }
}
