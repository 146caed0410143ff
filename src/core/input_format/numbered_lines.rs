//! Lines that are passed on, each with the number of the input's line that it begins in.
//!
//! Invariant: no line has a lower number than in the input. Newlines that were read within a line follow
//! it; lines that share one of the input have numbers of their own, until newlines catch up.

/// The lines.
#[derive(Default)]
pub(super) struct NumberedLines {
    bytes: Vec<u8>,
    /// How many of the bytes were taken.
    taken: usize,
    /// Newlines that were read, and that were passed on.
    read: u64,
    passed_on: u64,
}

impl NumberedLines {
    /// Notes newlines of the input.
    pub fn read_newlines(&mut self, count: u64) {
        self.read += count;
    }

    /// Passes on newlines until as many were passed on as were read.
    pub fn catch_up(&mut self) {
        while self.passed_on < self.read {
            self.bytes.push(b'\n');
            self.passed_on += 1;
        }
    }

    /// Passes on what is held as one line.
    pub fn give(&mut self, held: &mut Vec<u8>) {
        if self.give_last(held) {
            self.bytes.push(b'\n');
            self.passed_on += 1;
        }
        self.catch_up();
    }

    /// Passes on what is held as a line without its newline, and returns whether there was one.
    pub fn give_last(&mut self, held: &mut Vec<u8>) -> bool {
        for byte in held.iter_mut().filter(|byte| **byte == b'\n') {
            self.read += 1;
            *byte = b' ';
        }
        let is_line = !held.trim_ascii().is_empty();
        if is_line {
            self.bytes.append(held);
        }
        held.clear();
        is_line
    }

    /// Takes as many bytes as there is room for.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let rest = &self.bytes[self.taken..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        length
    }
}
