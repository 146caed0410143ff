//! The lines of a text log, parsed into events: CSV, TSV and NDJSON.
//!
//! Invariant: a line that is not an event is rejected, and the next line is parsed as if it were not
//! there.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::csv_fast_path::CsvFastPath;
use crate::ingest::csv_fields::{FieldSplitter, SplitError};
use crate::ingest::csv_header::{CsvHeader, parse_header};
use crate::ingest::fields::{AMOUNT, CATEGORY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, TS};
use crate::ingest::ndjson;
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::ingest::record_bounds::{MAX_RECORD_BYTES, delimiter_of};
use crate::ingest::record_mapper::{RecordMapper, Value};
use crate::ingest::slices::Slice;
use crate::input_format::{FieldColumns, Format, MAX_COLUMNS, Mapping};
use crate::model::RawCategories;

/// The maximum length of a line.
const MAX_LINE_BYTES: usize = 16 << 20;

/// A position in a slice.
pub(super) struct Position {
    at: usize,
    /// The number of the next line in the input.
    number: u64,
}

/// Parses the slices of one input, in order.
pub(super) struct LineParser<'a> {
    format: Format,
    mapping: &'a Mapping,
    keys: ndjson::Keys,
    /// The columns of each field, by the header.
    columns: Vec<Option<FieldColumns>>,
    /// The number of fields of the header.
    width: usize,
    /// The first line of the slice that contains the header, once it is found.
    header_in: Option<u64>,
    fields: FieldSplitter,
    /// Turns records into events where a column a field is not enough.
    mapper: Option<RecordMapper<'a>>,
    /// Parses most lines, once the header is known.
    fast_path: Option<CsvFastPath>,
}

impl LineParser<'_> {
    /// Returns a parser that has not seen a header yet.
    pub fn of(format: Format, mapping: &Mapping) -> LineParser<'_> {
        let delimiter = delimiter_of(format).unwrap_or(b',');
        LineParser {
            format,
            mapping,
            keys: ndjson::Keys::of(mapping),
            columns: Vec::new(),
            width: 0,
            header_in: None,
            fields: FieldSplitter::of(delimiter),
            mapper: None,
            fast_path: None,
        }
    }

    /// Reads the header from the input's first slice that is not blank; NDJSON has none.
    ///
    /// # Errors
    /// Returns what is wrong with the header.
    pub fn read_header(&mut self, slice: &Slice) -> Result<(), String> {
        if self.format == Format::Ndjson || self.header_in.is_some() {
            return Ok(());
        }
        let bytes = without_bom(&slice.bytes);
        if let Some(CsvHeader { names, columns }) = parse_header(bytes, self.mapping, &mut self.fields)? {
            if RecordMapper::is_needed(self.mapping, &columns) {
                let mapper = RecordMapper::of(self.mapping, &names);
                self.mapper = Some(mapper.map_err(|reason| format!("line 1: the header {reason}"))?);
            } else {
                self.fast_path = CsvFastPath::of(self.fields.delimiter, names.len(), &columns);
            }
            (self.width, self.columns) = (names.len(), columns);
            self.header_in = Some(slice.first_line);
        }
        Ok(())
    }

    /// Parses the records of a slice into a batch, from a position or from the start. Where the batch is
    /// full before the end of the slice, returns the position to continue from.
    pub fn parse(
        &mut self,
        slice: &Slice,
        from: Option<Position>,
        into: &mut BatchBuilder<'_>,
    ) -> Option<Position> {
        if slice.is_beginning_of_line {
            let reason = format!("line is {} bytes long, longer than a whole slice", slice.consumed_bytes);
            into.reject(slice.first_line, Rejection::of_line(reason), &slice.bytes);
            return None;
        }
        let Position { mut at, mut number } = from.unwrap_or_else(|| self.first_record(slice));
        // The part of the bytes from `at` on that is known to be UTF-8.
        let mut text = "";
        while at < slice.bytes.len() {
            if into.is_full() {
                return Some(Position { at, number });
            }
            let rest = &slice.bytes[at..];
            if let Some(fast_path) = &mut self.fast_path {
                if text.is_empty() {
                    text = utf8_prefix(rest);
                }
                if let Some(consumed) = fast_path.parse(text, into) {
                    text = &text[consumed..];
                    number += 1;
                    at += consumed;
                    continue;
                }
            }
            let consumed = self.parse_record(rest, number, into);
            text = text.get(consumed..).unwrap_or("");
            number += lines_in(&rest[..consumed]);
            at += consumed;
        }
        None
    }

    fn first_record(&mut self, slice: &Slice) -> Position {
        let mut position = Position { at: 0, number: slice.first_line };
        if slice.first_line == 1 {
            position.at = slice.bytes.len() - without_bom(&slice.bytes).len();
        }
        if self.header_in == Some(slice.first_line) {
            let rest = &slice.bytes[position.at..];
            let header = self.fields.split(rest, rest.len(), MAX_COLUMNS).unwrap_or(0);
            position.at += header;
            position.number += lines_in(&rest[..header]);
        }
        position
    }

    /// Parses the first record of `rest` and returns its length.
    fn parse_record(&mut self, rest: &[u8], number: u64, into: &mut BatchBuilder<'_>) -> usize {
        let line_end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let line = without_line_end(&rest[..line_end]);
        let delimiter = self.fields.delimiter;
        if line.iter().all(|byte| byte.is_ascii_whitespace() && *byte != delimiter) {
            return line_end;
        }
        if line.len() > MAX_LINE_BYTES {
            let reason = format!("line is {} bytes long, over the limit of {MAX_LINE_BYTES}", line.len());
            into.reject(number, Rejection::of_line(reason), line);
            return line_end;
        }
        let outcome = match self.format {
            Format::Ndjson => ndjson::parse_line(line, &self.keys, into).map(|()| line_end),
            _ => self.parse_fields(rest, line_end, into),
        };
        match outcome {
            Ok(consumed) => consumed,
            Err(mut rejection) => {
                if line_end == rest.len() && !rest.ends_with(b"\n") {
                    rejection
                        .reason
                        .push_str("; the input ends in the middle of this line, or without a newline");
                }
                into.reject(number, rejection, line);
                line_end
            }
        }
    }

    fn parse_fields(
        &mut self,
        rest: &[u8],
        line_end: usize,
        into: &mut BatchBuilder<'_>,
    ) -> Result<usize, Rejection> {
        let consumed = self.split_fields(rest, line_end)?;
        if let Some(mapper) = &mut self.mapper {
            let mut values: Vec<Value<'_>> =
                self.fields.iter().map(|field| Some(String::from_utf8_lossy(field))).collect();
            return mapper.accept(&mut values, into).map(|()| consumed);
        }
        let text = |field: usize, column: usize| -> Result<&str, Rejection> {
            std::str::from_utf8(self.fields.field(column))
                .map_err(|_| Rejection::of_column(FIELDS[field], format!("{} is not UTF-8", FIELDS[field])))
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
        })?;
        Ok(consumed)
    }

    /// Splits the first record of `rest` into as many fields as the header has, and returns its length.
    fn split_fields(&mut self, rest: &[u8], line_end: usize) -> Result<usize, Rejection> {
        let consumed = match memchr::memchr(b'"', &rest[..line_end]) {
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
        if self.fields.len() != self.width {
            let (has, wants) = (self.fields.len(), self.width);
            let fields = if has == 1 { "field" } else { "fields" };
            return Err(Rejection::of_line(format!("line has {has} {fields}, but the header has {wants}")));
        }
        Ok(consumed)
    }
}

/// Returns the longest prefix that is UTF-8, up to a megabyte.
fn utf8_prefix(bytes: &[u8]) -> &str {
    const AT_ONCE: usize = 1 << 20;
    let bytes = &bytes[..bytes.len().min(AT_ONCE)];
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::strategy::{Just, Strategy};
    use proptest::{prop_assert_eq, prop_oneof};

    use crate::ingest::limits::Limits;
    use crate::model::{Hour, Timestamp};

    /// Returns the events and rejects of a slice, parsed with the fast path or without it.
    fn parse(bytes: &[u8], format: Format, assumes_utc: bool, is_fast: bool) -> Result<Vec<String>, String> {
        let mut mapping = Mapping::none(FIELDS);
        if assumes_utc {
            mapping.set_option("assume_utc", "true").expect("true is a value of it");
        }
        let limits = Limits {
            newest: Timestamp::parse("2024-02-01T00:00:00Z").expect("a good moment"),
            oldest: Some(Hour::new(0)),
            read_options: mapping.options(),
            catalog: None,
        };
        let slice = Slice {
            bytes: bytes.to_vec(),
            first_line: 1,
            id: String::new(),
            consumed_bytes: bytes.len() as u64,
            is_beginning_of_line: false,
        };
        let mut into = BatchBuilder::new("log", limits, 1 << 30);
        let mut parser = LineParser::of(format, &mapping);
        parser.read_header(&slice)?;
        assert!(parser.fast_path.is_some());
        parser.fast_path = parser.fast_path.filter(|_| is_fast);
        assert!(parser.parse(&slice, None, &mut into).is_none());
        let lines = into.finish();
        let event = |row: usize| {
            let events = &lines.events;
            format!(
                "{:?} {:?} {} {:?} {} {} {:?}",
                events.ts(row),
                events.event_id(row),
                events.items().name(events.item(row)),
                events.path_sets.set(events.path_set(row)),
                events.event_types[events.event_type(row) as usize],
                events.quantity(row),
                events.amount(row),
            )
        };
        let rejects = lines.rejects.iter().map(|reject| format!("{reject:?}"));
        Ok((0..lines.events.len()).map(event).chain(rejects).collect())
    }

    /// A field of a line: usually valid, sometimes arbitrary bytes.
    fn field(name: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
        let good = match name {
            "ts" => {
                "2024-01-0[1-3]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,7})?Z|17041[0-9]{5}| 2024-01-01T00:00:00\\+01:00"
            }
            "quantity" => "|-?[0-9]{1,3}|1\\.0| 7 ",
            "amount" => "|-?[0-9]{1,4}\\.[0-9]{2}|[0-9]{1,20}|1e2",
            "category" => "|(A|A/x|B/y|C%2F)(\\|(A/z|B))?|A//|%",
            "event_type" => "|purchase|return",
            _ => "|[a-c]{1,3}|é ",
        };
        let odd = vec(
            prop_oneof![
                Just(b'"'),
                Just(b','),
                Just(b'\n'),
                Just(b'\r'),
                Just(0xff),
                Just(b'\t'),
                Just(b'1')
            ],
            0..5,
        );
        prop_oneof![40 => good.prop_map(String::into_bytes), 1 => good.prop_map(|text| format!("\"{text}\"").into_bytes()), 1 => odd]
    }

    fn lines(columns: &[&str], delimiter: u8) -> impl Strategy<Value = Vec<u8>> + use<> {
        let line: Vec<_> = columns.iter().map(|name| field(name)).collect();
        let end = prop_oneof![20 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\n\n"), 1 => Just(" \n"), 1 => Just("")];
        let header = columns.join(std::str::from_utf8(&[delimiter]).expect("it is a letter"));
        vec((line, end), 0..30).prop_map(move |lines| {
            let mut bytes = format!("{header}\n").into_bytes();
            for (fields, end) in lines {
                bytes.extend(fields.join(&[delimiter][..]));
                bytes.extend(end.as_bytes());
            }
            bytes
        })
    }

    proptest::proptest! {
        #[test]
        fn the_fast_path_accepts_and_rejects_the_same_lines(
            five in lines(&["ts", "item_id", "category", "quantity", "amount"], b','),
            all in lines(&["event_id", "x", "amount", "ts", "item_id", "event_type", "category"], b'\t'),
            two in lines(&["ts", "item_id"], b','),
        ) {
            let logs = [(&five, Format::Csv, false), (&all, Format::Tsv, false), (&two, Format::Csv, true)];
            for (bytes, format, assumes_utc) in logs {
                let slow = parse(bytes, format, assumes_utc, false);
                let fast = parse(bytes, format, assumes_utc, true);
                prop_assert_eq!(fast, slow, "{}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn the_fast_path_continues_after_invalid_utf8_and_beyond_a_megabyte() {
        let mut bytes = b"ts,item_id\n".to_vec();
        let mut expected = 0;
        for number in 0..120_000 {
            let line = match number % 40_000 {
                17 => b"1704067200,caf\xe9\n".to_vec(),
                18 => "1704067200,café\r\n".into(),
                _ => format!("1704067200,item {number}\n").into_bytes(),
            };
            expected += usize::from(number % 40_000 != 17);
            bytes.extend(line);
        }
        assert!(bytes.len() > 2 << 20);
        let fast = parse(&bytes, Format::Csv, false, true).expect("the header is valid");
        assert_eq!(fast.iter().filter(|line| line.starts_with("Timestamp")).count(), expected);
        assert_eq!(fast, parse(&bytes, Format::Csv, false, false).expect("the header is valid"));
    }
}
