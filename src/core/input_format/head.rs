//! A reader whose first bytes were looked at.
//!
//! Invariant: it returns every byte once, and an error that came up at the look where it came up.

use std::io::{self, Read};

/// How many bytes are asked for at once: mostly the first ones are enough.
const STEP_BYTES: usize = 8 << 10;

/// The reader, and what was looked at.
pub struct Head<'a> {
    bytes: Vec<u8>,
    at: usize,
    error: Option<io::Error>,
    rest: Box<dyn Read + 'a>,
}

impl<'a> Head<'a> {
    /// Reads up to `max` bytes, no further than is needed for `is_enough` bytes: a stream that is still
    /// being written may have no second line for hours.
    pub fn read(rest: Box<dyn Read + 'a>, max: usize, is_enough: impl Fn(&[u8]) -> bool) -> Head<'a> {
        let mut head = Head { bytes: Vec::new(), at: 0, error: None, rest };
        while head.bytes.len() < max && !is_enough(&head.bytes) {
            let filled = head.bytes.len();
            head.bytes.resize(max.min(filled + STEP_BYTES), 0);
            let read = head.rest.read(&mut head.bytes[filled..]);
            head.bytes.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => break,
                Err(error) if !is_transient(&error) => {
                    head.error = Some(error);
                    break;
                }
                _ => {}
            }
        }
        head
    }

    /// Returns the bytes that were looked at.
    pub fn seen(&self) -> &[u8] {
        &self.bytes
    }
}

impl Read for Head<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at < self.bytes.len() {
            let read = (&self.bytes[self.at..]).read(into)?;
            self.at += read;
            return Ok(read);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.rest.read(into),
        }
    }
}

/// A reader that waits where the inner one would block.
pub(super) struct Blocking<R>(pub R);

impl<R: Read> Read for Blocking<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if is_transient(&error) => {}
                read => return read,
            }
        }
    }
}

/// Returns whether an error only means that the bytes are not there yet.
pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
