//! The records of CSV and TSV, parsed into events by the header.
//!
//! Invariant: a record is as wide as the header; one that is not is rejected, never shifted.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::csv_fast_path::CsvFastPath;
use crate::ingest::csv_header::{CsvHeader, HeaderNotice, parse_header};
use crate::ingest::fields::{
    AMOUNT, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, TS, VERSION,
};
use crate::ingest::notices::NoticeKind;
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::ingest::record_bounds::MAX_RECORD_BYTES;
use crate::ingest::record_mapper::{RecordMapper, Value};
use crate::input_format::{
    CsvDialect, FieldColumns, FieldSplitter, Mapping, QuoteFault, SplitError, quoting_hint, without_line_end,
};
use crate::model::RawCategories;

/// Parses the records of one input.
pub(super) struct CsvRecords<'a> {
    mapping: &'a Mapping,
    /// The columns of each field, by the header.
    columns: Vec<Option<FieldColumns>>,
    /// The number of fields of the header.
    width: usize,
    fields: FieldSplitter,
    /// Turns records into events where a column a field is not enough.
    mapper: Option<RecordMapper<'a>>,
    /// Parses most lines, once the header is known.
    fast_path: Option<CsvFastPath>,
    /// What was noticed in the header, and is still to be told.
    header_notices: Vec<HeaderNotice>,
}

impl CsvRecords<'_> {
    /// Returns a parser that has not seen a header yet.
    pub fn of(dialect: CsvDialect, mapping: &Mapping) -> CsvRecords<'_> {
        CsvRecords {
            mapping,
            columns: Vec::new(),
            width: 0,
            fields: FieldSplitter::of(dialect),
            mapper: None,
            fast_path: None,
            header_notices: Vec::new(),
        }
    }

    /// Returns where the header starts, behind lines that are skipped.
    pub fn preamble_bytes(&self) -> usize {
        self.fields.dialect.preamble_bytes
    }

    /// Refuses an input without a header, if lines are skipped.
    ///
    /// # Errors
    /// Returns how many.
    pub fn check_skipped(&self) -> Result<(), String> {
        match self.mapping.options().skip_lines {
            0 => Ok(()),
            lines => Err(format!("has no header behind the lines that --skip-lines {lines} skips")),
        }
    }

    /// Reads the header from its line on, and returns where it ends; `None` where the bytes are blank.
    ///
    /// # Errors
    /// Returns what is wrong with the header.
    pub fn read_header(&mut self, bytes: &[u8], line: u64) -> Result<Option<usize>, String> {
        let header = parse_header(bytes, line, self.mapping, &mut self.fields)?;
        let Some(CsvHeader { names, columns, end, notices }) = header else { return Ok(None) };
        self.header_notices = notices;
        if RecordMapper::is_needed(self.mapping, &columns) {
            let mapper = RecordMapper::of(self.mapping, &names);
            self.mapper = Some(mapper.map_err(|reason| format!("line {line}: the header {reason}"))?);
        } else {
            self.fast_path = CsvFastPath::of(self.fields.dialect, names.len(), &columns);
        }
        (self.width, self.columns) = (names.len(), columns);
        Ok(Some(end))
    }

    /// Notes what was noticed in the header.
    pub fn notice_header(&mut self, into: &mut BatchBuilder<'_>) {
        for HeaderNotice { kind, line, detail } in self.header_notices.drain(..) {
            into.at_line(line);
            into.notice(kind, 1, &detail);
        }
    }

    /// Returns whether [`CsvRecords::parse_fast`] may accept a line.
    pub fn has_fast_path(&self) -> bool {
        self.fast_path.is_some()
    }

    /// Returns the beginning of some bytes whose lines may be accepted by it.
    pub fn beginning<'b>(&self, bytes: &'b [u8]) -> &'b str {
        self.fast_path.as_ref().map_or("", |fast_path| fast_path.beginning(bytes))
    }

    /// Adds the event of the first line of a beginning to a batch, and returns the length of the line; `None`
    /// where the line was not accepted.
    pub fn parse_fast(&mut self, text: &str, into: &mut BatchBuilder<'_>) -> Option<usize> {
        self.fast_path.as_mut()?.parse(text, into)
    }

    /// Leaves every line to the parser of all lines.
    #[cfg(test)]
    pub fn without_fast_path(&mut self) {
        self.fast_path = None;
    }

    /// Returns whether a line has no record.
    pub fn is_blank(&self, line: &[u8]) -> bool {
        line.iter().all(|byte| byte.is_ascii_whitespace() && *byte != self.fields.dialect.delimiter)
    }

    /// Parses the first record of `rest`, whose first line has the given length, and returns its length.
    ///
    /// # Errors
    /// Returns why the first line is not an event.
    pub fn parse(
        &mut self,
        rest: &[u8],
        line_end: usize,
        into: &mut BatchBuilder<'_>,
    ) -> Result<usize, Rejection> {
        let dialect = self.fields.dialect;
        let with_hint = |mut rejection: Rejection| {
            rejection.reason.push_str(quoting_hint(&rest[..line_end], dialect));
            rejection
        };
        let consumed = match self.split(rest, line_end) {
            Ok(consumed) => consumed,
            Err(rejection) => {
                self.split_trailing(&rest[..line_end], into).ok_or_else(|| with_hint(rejection))?
            }
        };
        self.accept(into).map_err(|rejection| match dialect.quotes {
            // Quotes around a value may be why it is not one.
            None => with_hint(rejection),
            Some(_) => rejection,
        })?;
        if consumed > line_end {
            self.notice_joined_lines(&rest[line_end..consumed], into);
        }
        Ok(consumed)
    }

    /// Adds the event of the record that was split last.
    fn accept(&mut self, into: &mut BatchBuilder<'_>) -> Result<(), Rejection> {
        if let Some(mapper) = &mut self.mapper {
            let is_lost =
                |(at, field): (usize, &[u8])| std::str::from_utf8(field).is_err() && mapper.uses(at);
            if self.fields.iter().enumerate().any(is_lost) {
                return Err(Rejection::not_utf8(None));
            }
            let mut values: Vec<Value<'_>> =
                self.fields.iter().map(|field| Some(String::from_utf8_lossy(field))).collect();
            return mapper.accept(&mut values, into);
        }
        let text = |field: usize, column: usize| -> Result<&str, Rejection> {
            std::str::from_utf8(self.fields.field(column))
                .map_err(|_| Rejection::not_utf8(Some(FIELDS[field])))
        };
        let field = |field: usize| match &self.columns[field] {
            Some(FieldColumns::One(column)) => text(field, *column).map(Some),
            _ => Ok(None),
        };
        let levels: Vec<&str>;
        let categories = match &self.columns[CATEGORY] {
            Some(FieldColumns::Levels(columns)) => {
                levels = columns.iter().map(|column| text(CATEGORY, *column)).collect::<Result<_, _>>()?;
                RawCategories::Levels(&levels)
            }
            _ => RawCategories::Text(field(CATEGORY)?.unwrap_or("")),
        };
        into.accept(&RawEvent {
            ts: field(TS)?.map_or(RawTime::Missing, RawTime::Text),
            event_id: field(EVENT_ID)?,
            item_id: field(ITEM_ID)?,
            categories,
            event_type: field(EVENT_TYPE)?,
            quantity: field(QUANTITY)?,
            amount: field(AMOUNT)?,
            currency: field(CURRENCY)?,
            version: field(VERSION)?.map_or(RawTime::Missing, RawTime::Text),
        })
    }

    /// Refuses a record in which the quotes of a field that is used are not those of the dialect.
    fn refuse_faults(&self) -> Result<(), Rejection> {
        if !self.fields.has_faults() {
            return Ok(());
        }
        for (field, columns) in self.columns.iter().enumerate() {
            let columns = columns.iter().flat_map(FieldColumns::all);
            let fault = columns.into_iter().find_map(|column| self.fields.fault(column));
            let what = match fault {
                None => continue,
                Some(QuoteFault::TextBehind) => "has text behind its closing quote",
                Some(QuoteFault::SpaceBefore) => "has a space before its opening quote",
            };
            return Err(Rejection::of_column(FIELDS[field], format!("{} {what}", FIELDS[field])));
        }
        Ok(())
    }

    /// Splits the first record of `rest` into as many fields as the header has, and returns its length.
    fn split(&mut self, rest: &[u8], line_end: usize) -> Result<usize, Rejection> {
        let quote = self.fields.dialect.quotes.map(|quotes| quotes.quote);
        let consumed = match quote.and_then(|quote| memchr::memchr(quote, &rest[..line_end])) {
            None => {
                self.fields.split_unquoted(without_line_end(&rest[..line_end]), self.width);
                line_end
            }
            Some(_) => self
                .fields
                .split(&rest[..rest.len().min(MAX_RECORD_BYTES.max(line_end))], rest.len(), self.width)
                .map_err(|error| match error {
                    SplitError::UnclosedQuote => Rejection::of_line("line has an unclosed quote"),
                    SplitError::TooManyFields => Rejection::of_line(format!(
                        "line has more fields than the header, which has {}",
                        self.width
                    )),
                })?,
        };
        if self.fields.width() != self.width {
            let (has, wants) = (self.fields.width(), self.width);
            let fields = if has == 1 { "field" } else { "fields" };
            return Err(Rejection::of_line(format!("line has {has} {fields}, but the header has {wants}")));
        }
        self.refuse_faults()?;
        Ok(consumed)
    }

    /// Splits a line that only has a delimiter too many at its end, and returns its length.
    fn split_trailing(&mut self, line: &[u8], into: &mut BatchBuilder<'_>) -> Option<usize> {
        let fields = without_line_end(line).strip_suffix(&[self.fields.dialect.delimiter])?;
        let length = self.split(fields, fields.len()).ok()?;
        (length == fields.len()).then(|| {
            into.notice(NoticeKind::TrailingDelimiter, 1, "");
            line.len()
        })
    }

    /// Notes lines inside a quoted field that would be valid by themselves: it may be that a quote was never
    /// meant to open a field.
    fn notice_joined_lines(&self, lines: &[u8], into: &mut BatchBuilder<'_>) {
        let dialect = self.fields.dialect;
        let Some(FieldColumns::One(ts)) = &self.columns[TS] else { return };
        if dialect.is_quoting_given {
            return;
        }
        let mut unquoted = FieldSplitter::of(CsvDialect { quotes: None, ..dialect });
        let mut quoted = FieldSplitter::of(dialect);
        let mut is_record = |line: &[u8]| {
            let has_time = |fields: &FieldSplitter, into: &mut BatchBuilder<'_>| {
                fields.width() == self.width
                    && std::str::from_utf8(fields.field(*ts)).is_ok_and(|ts| into.is_time(ts))
            };
            unquoted.split_unquoted(without_line_end(line), self.width);
            has_time(&unquoted, into)
                || (quoted.split(line, line.len(), self.width).is_ok() && has_time(&quoted, into))
        };
        let lines = lines.split_inclusive(|byte| *byte == b'\n');
        let joined = lines.filter(|line| is_record(line)).count() as u64;
        if joined > 0 {
            into.notice(NoticeKind::JoinedLines, joined, "");
        }
    }
}
