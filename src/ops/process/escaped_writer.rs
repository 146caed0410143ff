//! Output of commands that are not trusted, made safe to print.

use std::io::{self, Write};

use topsell_core::model::escape_lines;

/// Writes text with what a terminal would obey escaped; line breaks and tabs stay.
pub struct EscapedWriter<W> {
    to: W,
    /// The beginning of a character whose end has not arrived.
    incomplete: Vec<u8>,
}

impl<W: Write> EscapedWriter<W> {
    pub fn new(to: W) -> EscapedWriter<W> {
        EscapedWriter { to, incomplete: Vec::new() }
    }
}

impl<W: Write> Write for EscapedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.incomplete.extend_from_slice(bytes);
        let mut text = String::new();
        let mut used = 0;
        for chunk in self.incomplete.utf8_chunks() {
            text.push_str(&escape_lines(chunk.valid()));
            used += chunk.valid().len();
            let is_last = used + chunk.invalid().len() == self.incomplete.len();
            if is_last && is_incomplete(chunk.invalid()) {
                break;
            }
            chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
            used += chunk.invalid().len();
        }
        self.incomplete.drain(..used);
        self.to.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Returns whether bytes may become a character by those that follow.
fn is_incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_however_it_arrives() {
        let text = "käse\t1\n\u{1b}[2J\u{9b}31m\r\u{202e}\n".as_bytes();
        let bytes = [text, b"\xff\xc3(", "€".as_bytes()].concat();
        let expected = "käse\t1\n\\u{1b}[2J\\u{9b}31m\\r\\u{202e}\n\\xff\\xc3(€";
        for size in 1..bytes.len() {
            let mut out = Vec::new();
            let mut writer = EscapedWriter::new(&mut out);
            for piece in bytes.chunks(size) {
                writer.write_all(piece).expect("a vector takes everything");
            }
            assert_eq!(String::from_utf8(out).expect("it is text"), expected, "{size}");
        }
    }
}
