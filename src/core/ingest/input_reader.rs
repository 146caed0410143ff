//! The reading half of an ingest: one input, cut into batches that are parsed and sent on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::content_hash::hash_of;
use crate::ingest::explain::{Explanation, InputSample};
use crate::ingest::fields::{ITEM_ID, REQUIRED};
use crate::ingest::file_history::{FileHistory, Taken};
use crate::ingest::folder_values::FolderValues;
use crate::ingest::input::Input;
use crate::ingest::kept_rejects::RejectRoom;
use crate::ingest::limits::Limits;
use crate::ingest::line_parser::LineParser;
use crate::ingest::options::{Options, ParseOptions, StreamOptions};
use crate::ingest::parsed::{Parsed, ParsedBatch};
use crate::ingest::plan::Plan;
use crate::ingest::raw_event::Rejection;
use crate::ingest::record_bounds::Quoting;
use crate::ingest::slices::{Slice, Slices};
use crate::ingest::stdin_stream::StdinStream;
use crate::ingest::summary::FileNote;
use crate::input_format::{CsvDialect, Format, Source, SourceError, TextOptions, with_dialect};
use crate::lake::{
    BatchSize, DEFAULT_SLICE_BYTES, DryRun, DuplicatePolicy, FilePart, Lake, LakeError, LakeSettings,
};
use crate::model::{Currency, Timestamp};
use crate::progress::Progress;

/// Why the last line of a stream that broke off is rejected.
const TRUNCATED_LINE: &str = "the input ends in the middle of this line, or without a newline";

/// Why an input was not read to its end.
pub(super) enum Stop {
    /// The input is bad; the next one may be good.
    Input(String),
    /// The file has changed since it was found.
    Changed,
    Lake(LakeError),
    /// The writer has failed.
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

/// A reader of one input.
pub(super) struct InputReader<'a> {
    pub lake: Option<&'a Lake>,
    pub settings: LakeSettings,
    pub plan: &'a Plan,
    pub input: &'a Input,
    /// The input's index in the plan.
    pub number: usize,
    pub stdin: Option<&'a StdinStream>,
    pub options: Options,
    pub parse_options: ParseOptions<'a>,
    pub progress: &'a Progress,
    /// The currency of the lake's amounts, or of what was read before.
    pub currency: &'a Cell<Option<Currency>>,
    /// What a dry run understood of the inputs, by their index in the plan.
    pub explanations: &'a RefCell<BTreeMap<usize, Explanation>>,
    /// How much of what is rejected is still kept.
    pub reject_room: &'a RejectRoom,
    pub send: &'a SyncSender<Parsed>,
}

impl InputReader<'_> {
    /// Reads the input, sends its batches, and returns the hash of its content where it has a batch id.
    pub fn read(&self) -> Result<Option<String>, Stop> {
        let Some(id) = &self.plan.batch_id else { return self.read_new().map(|_| None) };
        if let (Some(lake), DuplicatePolicy::Skip) = (self.lake, self.options.duplicates)
            && let Some(size) = lake.size_of_batch(id)?
        {
            if lake.has_other_content(id, || self.content())? {
                let note = FileNote::OtherContent { batch: id.clone(), lines: size.lines };
                return self.send(Parsed::Note { input: self.number, note }).map(|()| None);
            }
            return self.already_ingested(id, size, false).map(|()| None);
        }
        self.read_new().map(Some)
    }

    /// Reads the input, sends its batches, and returns the hash of its content.
    fn read_new(&self) -> Result<String, Stop> {
        if let Some((id, size)) = self.known_version()? {
            self.already_ingested(&id, size, false)?;
            return Ok(id);
        }
        let source = self.open()?;
        if self.options.dry_run == DryRun::No {
            return self.read_source(source);
        }
        let (source, sample) = InputSample::of(source);
        let outcome = self.read_source(source);
        let explained = sample.explain(&self.input.name, self.parse_options.mapping);
        self.explanations.borrow_mut().insert(self.number, explained);
        outcome
    }

    fn read_source(&self, source: Source<'_>) -> Result<String, Stop> {
        match source {
            Source::Text { format, reader, .. } => {
                let stream = self.stream().map_or(StreamOptions::default(), |_| self.options.stream);
                let (dialect, reader) = with_dialect(reader, format, self.parse_options.mapping, REQUIRED);
                let stop = self.stream().map(StdinStream::stop_handle).unwrap_or_default();
                let slices = Slices::of(reader, dialect, self.slice_bytes(), stream).stopped_by(stop);
                self.read_text(format, dialect, slices)
            }
            Source::Parquet(source) => self.read_parquet(source),
        }
    }

    fn open(&self) -> Result<Source<'_>, SourceError> {
        let text_options = TextOptions {
            temporary_folder: self.lake.map(|lake| lake.store().temporary_folder()),
            ..self.parse_options.mapping.text_options(ITEM_ID)
        };
        self.input.open(self.stdin, text_options, self.progress)
    }

    /// Returns the hash of the input's content, without parsing it.
    fn content(&self) -> Result<String, Stop> {
        Ok(hash_of(self.open()?)?)
    }

    fn read_text(
        &self,
        format: Format,
        dialect: Option<CsvDialect>,
        mut slices: Slices<'_>,
    ) -> Result<String, Stop> {
        let mut parser = LineParser::of(dialect, self.parse_options.mapping);
        let mut history = self.history()?;
        let mut content = String::new();
        while let Some(slice) = slices.next() {
            let mut slice = slice?;
            let is_truncated = slices.is_truncated() || self.was_stopped();
            let truncated_line =
                if is_truncated && format != Format::Ndjson { slice.cut_last_line() } else { Vec::new() };
            parser.read_header(&slice).map_err(Stop::Input)?;
            content.clone_from(&slice.id);
            let id = self.plan.batch_id.clone().unwrap_or_else(|| slice.id.clone());
            if let Some(history) = &mut history {
                history.begin(&slice, 1 + usize::from(dialect.is_some()))?;
            }
            match (self.size_of_slice(&id)?, &mut history) {
                (Some(size), history) => {
                    self.pass_over(&slice, &mut parser);
                    let history = history.as_mut();
                    let elsewhere = history.map_or(Ok(false), |history| history.pass(&slice, size))?;
                    self.already_ingested(&slice.id, size, elsewhere)?;
                }
                (None, Some(history)) if !slice.is_beginning_of_line => {
                    self.read_new_parts(&slice, &mut parser, history, Quoting::of(dialect))?;
                }
                (None, _) => drop(self.read_slice(&slice, &mut parser, id, &truncated_line, None)?),
            }
        }
        if let Some(note) = history.as_ref().map_or(Ok(None), FileHistory::note)? {
            self.send(Parsed::Note { input: self.number, note })?;
        }
        parser.check_header().map_err(Stop::Input)?;
        if self.was_stopped() && self.plan.is_atomic(&self.options) {
            return Err(Stop::Input(
                "was stopped before its end; nothing of it was ingested, so send it again".to_owned(),
            ));
        }
        Ok(content)
    }

    /// Parses and sends what is new of a slice: its complete records, and the last one of the file where
    /// it has no newline, as a batch of its own, which is replaced when the record is complete.
    fn read_new_parts(
        &self,
        slice: &Slice,
        parser: &mut LineParser<'_>,
        history: &mut FileHistory<'_>,
        quoting: Option<Quoting>,
    ) -> Result<(), Stop> {
        let earlier = self.earlier_batches(slice, history)?;
        let mut split = history.split(slice, quoting)?;
        let earlier = [earlier, std::mem::take(&mut split.read_again)].concat();
        if !split.known.is_empty() {
            self.pass_over(&slice.part(split.known.clone(), String::new()), parser);
            let id = split.known_id().unwrap_or_default().to_owned();
            self.already_ingested(&id, split.known_size, false)?;
        }
        for range in [split.complete.clone(), split.tail.clone()] {
            if range.is_empty() {
                continue;
            }
            let part = history.part(slice, &split, &range, earlier.clone());
            let id = part.end.id.clone();
            let taken = if range == (0..slice.bytes.len()) {
                self.read_slice(slice, parser, id, &[], Some(&part))?
            } else {
                self.read_slice(&slice.part(range, id.clone()), parser, id, &[], Some(&part))?
            };
            history.took(&mut split, &part, taken);
        }
        Ok(())
    }

    /// Returns the batches with beginnings of the file that end within a slice, where they are to be
    /// replaced: the file may have been ingested in several steps while it grew.
    fn earlier_batches(&self, slice: &Slice, history: &FileHistory<'_>) -> Result<Vec<String>, Stop> {
        let (Some(lake), DuplicatePolicy::Replace) = (self.lake, self.options.duplicates) else {
            return Ok(Vec::new());
        };
        let line_ends = memchr::memchr_iter(b'\n', &slice.bytes).map(|at| at + 1);
        let mut offsets: Vec<usize> = line_ends.chain(history.offsets_in(slice)).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let ids = slice.ids_at(&offsets).into_iter().filter(|id| *id != slice.id).collect();
        Ok(lake.known_batches(ids)?)
    }

    /// Parses lines that are already ingested, where later lines need values of earlier ones.
    fn pass_over(&self, slice: &Slice, parser: &mut LineParser<'_>) {
        if self.parse_options.mapping.options().fill.is_none() {
            return;
        }
        let mut position = parser.parse(slice, None, &mut self.builder());
        while position.is_some() {
            position = parser.parse(slice, position, &mut self.builder());
        }
    }

    /// Parses one slice and sends it, in parts where it is too large for memory; returns its size.
    fn read_slice(
        &self,
        slice: &Slice,
        parser: &mut LineParser<'_>,
        id: String,
        truncated_line: &[u8],
        part: Option<&FilePart>,
    ) -> Result<Taken, Stop> {
        let mut builder = self.builder();
        let mut taken = Taken::default();
        let mut position = parser.parse(slice, None, &mut builder);
        // Of a stream that is committed in pieces, the first piece may be a single line.
        if slice.first_line == 1 && !self.is_in_pieces() {
            parser.check_keys().map_err(Stop::Input)?;
        }
        let has_parts = position.is_some();
        while position.is_some() {
            taken.add(&builder);
            builder = self.send_part(&id, builder, part, slice.first_line)?;
            position = parser.parse(slice, position, &mut builder);
        }
        if !truncated_line.is_empty() {
            let number = slice.first_line + memchr::memchr_iter(b'\n', &slice.bytes).count() as u64;
            builder.reject(number, Rejection::of_line(TRUNCATED_LINE), truncated_line);
        }
        taken.add(&builder);
        // The last part may be empty, but it is what commits the parts before it, or what removes an
        // incomplete record that turned out to be none.
        if has_parts || !builder.is_empty() || part.is_some_and(|part| part.replaces.is_some()) {
            self.send_batch(id, builder, part, slice.first_line)?;
        }
        Ok(taken)
    }

    /// Returns what is known of the input, where it is a file that is identified by its content.
    pub(super) fn history(&self) -> Result<Option<FileHistory<'_>>, LakeError> {
        match self.plan.batch_id {
            None => FileHistory::of(self.lake, self.input, &self.options),
            Some(_) => Ok(None),
        }
    }

    pub(super) fn already_ingested(&self, id: &str, size: BatchSize, elsewhere: bool) -> Result<(), Stop> {
        self.send(Parsed::AlreadyIngested { input: self.number, id: id.to_owned(), size, elsewhere })
    }

    pub(super) fn slice_bytes(&self) -> u64 {
        self.lake.map_or(DEFAULT_SLICE_BYTES, Lake::slice_bytes)
    }

    /// Returns the size of a slice that is already ingested. An input that is committed as a whole has no
    /// ids of slices.
    pub(super) fn size_of_slice(&self, id: &str) -> Result<Option<BatchSize>, LakeError> {
        match self.lake {
            Some(lake) if !self.plan.is_atomic(&self.options) => lake.size_of_batch(id),
            _ => Ok(None),
        }
    }

    /// Returns the stream, where the input is standard input.
    fn stream(&self) -> Option<&StdinStream> {
        self.stdin.filter(|_| self.input.path().is_none())
    }

    /// Returns whether the input is a stream that is committed in pieces.
    fn is_in_pieces(&self) -> bool {
        self.stream().is_some() && self.options.stream.keeps_truncated
    }

    fn was_stopped(&self) -> bool {
        self.stream().is_some_and(StdinStream::was_stopped)
    }

    /// Returns the current time; for a stream, the time at which its newest bytes arrived.
    fn now(&self) -> Timestamp {
        self.stream().map_or(self.options.now, StdinStream::arrived)
    }

    pub(super) fn builder(&self) -> BatchBuilder<'_> {
        let limits = Limits::at(self.now(), &self.options, self.settings, self.parse_options);
        let mut builder = BatchBuilder::new(&self.input.name, limits, self.slice_bytes())
            .with_currency(self.currency.get())
            .with_reject_room(self.reject_room.left());
        let mapping = self.parse_options.mapping;
        let folders = self.input.path().and_then(|path| FolderValues::of(path, mapping));
        builder.take_from_folders(folders);
        builder
    }

    /// Sends a part of a batch, and returns an empty builder for the next part.
    pub(super) fn send_part(
        &self,
        id: &str,
        full: BatchBuilder<'_>,
        part: Option<&FilePart>,
        first_line: u64,
    ) -> Result<BatchBuilder<'_>, Stop> {
        self.check_currency(&full, first_line)?;
        self.send(Parsed::Part(self.batch(id.to_owned(), full, part)))?;
        Ok(self.builder())
    }

    /// Refuses an input with amounts in another currency, and says what of it is ingested: the batches in
    /// front of the one that starts with a line.
    fn check_currency(&self, builder: &BatchBuilder<'_>, first_line: u64) -> Result<(), Stop> {
        let currency = builder.currency().map_err(|reason| {
            let is_whole = first_line == 1 || self.plan.is_atomic(&self.options);
            Stop::Input(match is_whole {
                true => reason.to_owned(),
                false => {
                    format!("{reason}; of this input, only what is before line {first_line} is ingested")
                }
            })
        })?;
        self.currency.set(currency);
        Ok(())
    }

    pub(super) fn send_batch(
        &self,
        id: String,
        builder: BatchBuilder<'_>,
        part: Option<&FilePart>,
        first_line: u64,
    ) -> Result<(), Stop> {
        self.check_currency(&builder, first_line)?;
        // The next run ingests a file that has changed; its lines must not be counted twice.
        if self.input.is_spool_file() && self.input.has_changed() {
            return Err(Stop::Changed);
        }
        self.send(Parsed::Batch(self.batch(id, builder, part)))
    }

    fn batch(&self, id: String, builder: BatchBuilder<'_>, part: Option<&FilePart>) -> ParsedBatch {
        let lines = builder.finish();
        self.reject_room.take(&lines.rejects);
        ParsedBatch { input: self.number, id, lines, part: part.cloned(), at: self.now() }
    }

    fn send(&self, parsed: Parsed) -> Result<(), Stop> {
        self.send.send(parsed).map_err(|_| Stop::Writer)
    }
}
