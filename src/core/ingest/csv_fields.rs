//! A record of CSV or TSV, split into fields.
//!
//! The dialect is that of RFC 4180: a field may be in double quotes, a quote inside it is doubled, and
//! it may contain newlines. A quote that is never closed affects its own line only.

use csv_core::ReadRecordResult;

/// Why a record cannot be split into fields.
pub(super) enum SplitError {
    /// A quote is never closed.
    UnclosedQuote,
    TooManyFields,
}

/// Splits records into fields, with buffers that are reused from one record to the next.
pub(super) struct FieldSplitter {
    pub delimiter: u8,
    reader: csv_core::Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
}

impl FieldSplitter {
    /// Returns a splitter for a delimiter.
    pub fn of(delimiter: u8) -> FieldSplitter {
        FieldSplitter {
            delimiter,
            reader: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            bytes: vec![0; 4_096],
            ends: vec![0; 64],
            width: 0,
        }
    }

    /// Returns the number of fields of the last record.
    pub fn len(&self) -> usize {
        self.width
    }

    /// Returns a field of the last record.
    pub fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// Returns the fields of the last record.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.width).map(|at| self.field(at))
    }

    /// Splits a line without quotes; it counts all fields, and keeps up to `max`.
    pub fn split_unquoted(&mut self, line: &[u8], max: usize) {
        self.ends.clear();
        self.bytes.clear();
        self.width = 0;
        let mut start = 0;
        for end in memchr::memchr_iter(self.delimiter, line).chain(std::iter::once(line.len())) {
            if self.width < max {
                self.bytes.extend_from_slice(&line[start..end]);
                self.ends.push(self.bytes.len());
            }
            start = end + 1;
            self.width += 1;
        }
    }

    /// Splits the first record of `input`, which is all or the first part of the `available` bytes, and
    /// returns the record's length. A record with more than `max` fields is not read to its end:
    /// otherwise lines that each leave a quote open would all be read again for each of them.
    pub fn split(&mut self, input: &[u8], available: usize, max: usize) -> Result<usize, SplitError> {
        self.reader.reset();
        self.bytes.resize(self.bytes.capacity().max(4_096), 0);
        self.ends.resize(max + 1, 0);
        let (mut consumed, mut written, mut ended) = (0, 0, 0);
        loop {
            let (result, read, wrote, ends) = self.reader.read_record(
                &input[consumed..],
                &mut self.bytes[written..],
                &mut self.ends[ended..],
            );
            consumed += read;
            written += wrote;
            ended += ends;
            match result {
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if input[..consumed].contains(&b'\n') => {
                    return Err(SplitError::UnclosedQuote);
                }
                ReadRecordResult::OutputEndsFull => return Err(SplitError::TooManyFields),
                ReadRecordResult::InputEmpty if input.len() == available && has_closed_quotes(input) => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    return Err(SplitError::UnclosedQuote);
                }
                ReadRecordResult::Record => break,
            }
        }
        self.width = ended;
        let is_one_line = memchr::memchr(b'\n', &input[..consumed]).is_none_or(|at| at + 1 >= consumed);
        if !is_one_line && !is_well_quoted(&input[..consumed], self.delimiter) {
            return Err(SplitError::UnclosedQuote);
        }
        // A line end may be two bytes, of which csv-core consumed one.
        if input[..consumed].ends_with(b"\r") && input.get(consumed) == Some(&b'\n') {
            consumed += 1;
        }
        Ok(consumed)
    }
}

/// Returns whether every quoted field closes right before the next delimiter or newline. In a record of
/// several lines it must: otherwise an unclosed quote was paired with one of a later line.
fn is_well_quoted(record: &[u8], delimiter: u8) -> bool {
    let mut at = 0;
    loop {
        if record.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match (record.get(at), record.get(at + 1)) {
                    (Some(b'"'), Some(b'"')) => at += 2,
                    (Some(b'"'), _) => break,
                    (Some(_), _) => at += 1,
                    (None, _) => return false,
                }
            }
            at += 1;
        } else {
            while record.get(at).is_some_and(|&byte| byte != delimiter && byte != b'\n' && byte != b'\r') {
                at += 1;
            }
        }
        match record.get(at) {
            Some(&byte) if byte == delimiter => at += 1,
            Some(b'\r' | b'\n') | None => return true,
            Some(_) => return false,
        }
    }
}

/// Returns whether all quotes in the input are closed, so that the input's end is the end of a record.
fn has_closed_quotes(input: &[u8]) -> bool {
    !input.ends_with(b"\n") && memchr::memchr_iter(b'"', input).count().is_multiple_of(2)
}
