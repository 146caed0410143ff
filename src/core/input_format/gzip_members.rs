//! All members of a gzip file, and the zeros after them with which tapes and block devices fill up.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Decompresses one member after the other.
pub(super) enum GzipMembers<R> {
    In(GzDecoder<R>),
    /// After the end of a member.
    Between(R),
    /// While the state changes.
    Taken,
}

impl<R: BufRead> GzipMembers<R> {
    /// Returns a decoder of a reader that is at the start of a member.
    pub fn of(reader: R) -> GzipMembers<R> {
        GzipMembers::In(GzDecoder::new(reader))
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                GzipMembers::In(decoder) => {
                    let read = decoder.read(into)?;
                    if read > 0 || into.is_empty() {
                        return Ok(read);
                    }
                    if let GzipMembers::In(decoder) = std::mem::replace(self, GzipMembers::Taken) {
                        *self = GzipMembers::Between(decoder.into_inner());
                    }
                }
                GzipMembers::Between(reader) => {
                    let bytes = reader.fill_buf()?;
                    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                    let (is_end, is_member) = (bytes.is_empty(), zeros < bytes.len());
                    reader.consume(zeros);
                    if is_end {
                        return Ok(0);
                    }
                    if is_member
                        && let GzipMembers::Between(reader) = std::mem::replace(self, GzipMembers::Taken)
                    {
                        *self = GzipMembers::of(reader);
                    }
                }
                GzipMembers::Taken => return Ok(0),
            }
        }
    }
}
