//! One input on its way in: cut into batches, each read and handed over to be written.

use std::sync::mpsc::SyncSender;

use crate::ingest::builder::{Builder, Limits, Refusal};
use crate::ingest::lines::LineReader;
use crate::ingest::rows::{RowReader, rows_per_slice};
use crate::ingest::slices::{Pieces, Slice, Slices};
use crate::ingest::sources::{Input, Plan};
use crate::ingest::stdin_stream::StdinStream;
use crate::ingest::writer::{Brought, Parsed};
use crate::ingest::{Options, Reading};
use crate::input_format::{Format, RowFile, Source, SourceError};
use crate::lake::{DEFAULT_SLICE_BYTES, Known, Lake, LakeError, LakeSettings};
use crate::model::Timestamp;
use crate::progress::Progress;

/// Rows of Parquet that are read before it is asked whether there is room for more.
const ROWS_AT_ONCE: u64 = 64;
/// Why the last line of a stream that broke off is none.
const TORN: &str = "the input ends in the middle of this line, or without a newline";

/// Returns the id of one slice of an input that is hashed as a whole.
fn numbered(id: &str, at: usize) -> String {
    if at == 0 { id.to_owned() } else { format!("{id}#{at}") }
}

/// Why an input was not read to its end.
pub(super) enum Stop {
    /// The input is bad; the next one may be good.
    Input(String),
    /// The input is another than it was when it was found.
    Changed,
    Lake(LakeError),
    /// The writer has ended.
    Writer,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Stop {
        Stop::Lake(error)
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Stop {
        Stop::Input(error.to_string())
    }
}

/// One input on its way in.
pub(super) struct InputReader<'a> {
    pub lake: Option<&'a Lake>,
    pub settings: LakeSettings,
    pub plan: &'a Plan,
    pub input: &'a Input,
    /// The input's place in the plan.
    pub number: usize,
    pub stdin: Option<&'a StdinStream>,
    pub options: Options,
    pub reading: Reading<'a>,
    pub progress: &'a Progress,
    pub send: &'a SyncSender<Parsed>,
}

impl InputReader<'_> {
    /// Hands over all that the input brings, batch by batch.
    pub fn take(&self) -> Result<(), Stop> {
        if let (Some(lake), Some(id), Known::Skip) = (self.lake, &self.plan.batch_id, self.options.known)
            && let Some(lines) = lake.known_batch(id)?
        {
            return self.hand_over(Parsed::Known { input: self.number, lines });
        }
        match self.input.open(self.stdin, self.progress)? {
            Source::Text { format, reader } => {
                let pieces = self.stream().map_or(Pieces::default(), |_| self.options.pieces);
                self.take_text(format, Slices::of(reader, format, self.slice_bytes(), pieces))
            }
            Source::Rows(file) => self.take_rows(file),
        }
    }

    fn take_text(&self, format: Format, mut slices: Slices<'_>) -> Result<(), Stop> {
        let mut reader = LineReader::of(format, self.reading.mapping);
        while let Some(slice) = slices.next() {
            let mut slice = slice?;
            let broke_off = slices.has_broken_off() || self.stream().is_some_and(StdinStream::was_stopped);
            let torn = if broke_off && format != Format::Ndjson { cut_torn(&mut slice) } else { Vec::new() };
            reader.read_header(&slice).map_err(Stop::Input)?;
            let id = self.plan.batch_id.clone().unwrap_or_else(|| slice.id.clone());
            match self.known_slice(&id)? {
                Some(lines) => self.hand_over(Parsed::Known { input: self.number, lines })?,
                None => {
                    let mut builder = self.builder();
                    let mut mark = reader.read(&slice, None, &mut builder);
                    let has_parts = mark.is_some();
                    while mark.is_some() {
                        builder = self.hand_over_part(&id, builder)?;
                        mark = reader.read(&slice, mark, &mut builder);
                    }
                    if !torn.is_empty() {
                        let number =
                            slice.first_line + slice.bytes.iter().filter(|&&b| b == b'\n').count() as u64;
                        builder.reject(number, Refusal::line(TORN), &torn);
                    }
                    // What is left may be blank, but it is what commits the parts before it.
                    if has_parts || !builder.is_empty() {
                        self.hand_over_batch(id, builder)?;
                    }
                }
            }
        }
        self.must_be_whole()
    }

    fn take_rows(&self, file: RowFile) -> Result<(), Stop> {
        let per_slice = rows_per_slice(self.slice_bytes());
        let mut reader = RowReader::open(file.file, self.reading.mapping).map_err(Stop::Input)?;
        let mut at = 0;
        while !reader.is_done() {
            let id = self.plan.batch_id.clone().unwrap_or_else(|| numbered(&file.id, at));
            at += 1;
            if let Some(lines) = self.known_slice(&id)? {
                reader.skip(per_slice).map_err(Stop::Input)?;
                self.hand_over(Parsed::Known { input: self.number, lines })?;
                continue;
            }
            let mut builder = self.builder();
            let mut left = per_slice;
            while left > 0 && !reader.is_done() {
                if builder.is_full() {
                    builder = self.hand_over_part(&id, builder)?;
                }
                reader.read(left.min(ROWS_AT_ONCE), &mut builder).map_err(Stop::Input)?;
                left = left.saturating_sub(ROWS_AT_ONCE);
            }
            self.hand_over_batch(id, builder)?;
        }
        Ok(())
    }

    /// Refuses a stream that was left before its end where only all of it may come in.
    fn must_be_whole(&self) -> Result<(), Stop> {
        let was_stopped = self.stream().is_some_and(StdinStream::was_stopped);
        if was_stopped && self.plan.is_whole(&self.options) {
            return Err(Stop::Input(
                "was stopped before its end; nothing of it is in, send it again".to_owned(),
            ));
        }
        Ok(())
    }

    fn slice_bytes(&self) -> u64 {
        self.lake.map_or(DEFAULT_SLICE_BYTES, Lake::slice_bytes)
    }

    /// Asks for one slice; an input that comes in as a whole is asked for as a whole.
    fn known_slice(&self, id: &str) -> Result<Option<u64>, LakeError> {
        match self.lake {
            Some(lake) if !self.plan.is_whole(&self.options) => lake.known_batch(id),
            _ => Ok(None),
        }
    }

    /// Returns the stream that the input is, if it is one.
    fn stream(&self) -> Option<&StdinStream> {
        self.stdin.filter(|_| self.input.path().is_none())
    }

    /// Returns the present: of a stream, when its newest bytes came.
    fn now(&self) -> Timestamp {
        self.stream().map_or(self.options.now, StdinStream::arrived)
    }

    fn builder(&self) -> Builder<'_> {
        let limits = Limits::at(self.now(), &self.options, self.settings, self.reading);
        Builder::new(&self.input.name, limits, self.slice_bytes())
    }

    /// Hands over the beginning of a batch and returns an empty builder for what is left of it.
    fn hand_over_part(&self, id: &str, full: Builder<'_>) -> Result<Builder<'_>, Stop> {
        self.hand_over(Parsed::Part(self.brought(id.to_owned(), full)))?;
        Ok(self.builder())
    }

    fn hand_over_batch(&self, id: String, builder: Builder<'_>) -> Result<(), Stop> {
        // Part of a file that someone is still writing would count again with the whole of it.
        if self.input.is_spooled() && self.input.has_changed() {
            return Err(Stop::Changed);
        }
        self.hand_over(Parsed::Batch(self.brought(id, builder)))
    }

    fn brought(&self, id: String, builder: Builder<'_>) -> Brought {
        Brought { input: self.number, id, read: builder.finish(), at: self.now() }
    }

    fn hand_over(&self, parsed: Parsed) -> Result<(), Stop> {
        self.send.send(parsed).map_err(|_| Stop::Writer)
    }
}

/// Takes a last line without its end off a slice. In CSV nothing else would tell it from a whole one.
fn cut_torn(slice: &mut Slice) -> Vec<u8> {
    if slice.is_endless_line || slice.bytes.ends_with(b"\n") {
        return Vec::new();
    }
    slice.bytes.split_off(memchr::memrchr(b'\n', &slice.bytes).map_or(0, |at| at + 1))
}
