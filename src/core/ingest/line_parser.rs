//! The lines of a text log, parsed into events: CSV, TSV and NDJSON.
//!
//! Invariant: a line that is not an event is rejected, and the next line is parsed as if it were not
//! there.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::csv_records::CsvRecords;
use crate::ingest::json_lines::JsonLines;
use crate::ingest::raw_event::Rejection;
use crate::ingest::slices::Slice;
use crate::input_format::{CsvDialect, Mapping, without_line_end};

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
    records: Records<'a>,
    /// Where the header ends, once it is found.
    header: Option<HeaderEnd>,
}

enum Records<'a> {
    Ndjson(JsonLines<'a>),
    Csv(CsvRecords<'a>),
}

/// Where the header ends: in the slice that starts with this line, behind this many bytes.
struct HeaderEnd {
    first_line: u64,
    at: usize,
}

impl LineParser<'_> {
    /// Returns a parser that has not seen a header yet; without a dialect it parses NDJSON.
    pub fn of(dialect: Option<CsvDialect>, mapping: &Mapping) -> LineParser<'_> {
        let records = match dialect {
            None => Records::Ndjson(JsonLines::of(mapping)),
            Some(dialect) => Records::Csv(CsvRecords::of(dialect, mapping)),
        };
        LineParser { records, header: None }
    }

    /// Reads the header from the input's first slice that is not blank; NDJSON has none.
    ///
    /// # Errors
    /// Returns what is wrong with the header.
    pub fn read_header(&mut self, slice: &Slice) -> Result<(), String> {
        match (&mut self.records, &self.header) {
            (Records::Ndjson(records), _) => records.check()?,
            (Records::Csv(_), Some(_)) => {}
            (Records::Csv(records), None) => {
                let start = match slice.first_line {
                    1 => records.preamble_bytes().min(slice.bytes.len()),
                    _ => 0,
                };
                let bytes = without_bom(&slice.bytes[start..]);
                let start = slice.bytes.len() - bytes.len();
                let line = slice.first_line + lines_in(&slice.bytes[..start]);
                let end = records.read_header(bytes, line)?;
                self.header = end.map(|end| HeaderEnd { first_line: slice.first_line, at: start + end });
            }
        }
        Ok(())
    }

    /// Checks after the first slice that it had every mapped key; columns are checked by the header.
    ///
    /// # Errors
    /// Names the key that was in no line.
    pub fn check_keys(&self) -> Result<(), String> {
        match &self.records {
            Records::Ndjson(records) => records.check_keys(),
            Records::Csv(_) => Ok(()),
        }
    }

    /// Refuses an input whose header was not found behind the lines that are skipped.
    ///
    /// # Errors
    /// Returns how many lines are skipped.
    pub fn check_header(&self) -> Result<(), String> {
        match &self.records {
            Records::Csv(records) if self.header.is_none() => records.check_skipped(),
            _ => Ok(()),
        }
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
        if let Records::Csv(records) = &mut self.records {
            records.notice_header(into);
        }
        let Position { mut at, mut number } = from.unwrap_or_else(|| self.first_record(slice));
        // The part of the bytes from `at` on that the fast path has looked at.
        let mut text = "";
        while at < slice.bytes.len() {
            if into.is_full() {
                return Some(Position { at, number });
            }
            into.at_line(number);
            let rest = &slice.bytes[at..];
            if self.records.has_fast_path() {
                if text.is_empty() {
                    text = self.records.beginning(rest);
                }
                if let Some(consumed) = self.records.parse_fast(text, into) {
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

    fn first_record(&self, slice: &Slice) -> Position {
        let mut position = Position { at: 0, number: slice.first_line };
        if slice.first_line == 1 {
            position.at = slice.bytes.len() - without_bom(&slice.bytes).len();
        }
        if let Some(header) = self.header.as_ref().filter(|header| header.first_line == slice.first_line) {
            position.at = header.at;
            position.number += lines_in(&slice.bytes[..header.at]);
        }
        position
    }

    /// Parses the first record of `rest` and returns its length.
    fn parse_record(&mut self, rest: &[u8], number: u64, into: &mut BatchBuilder<'_>) -> usize {
        let line_end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let line = without_line_end(&rest[..line_end]);
        let is_blank = match &self.records {
            Records::Ndjson(_) => line.trim_ascii().is_empty(),
            Records::Csv(records) => records.is_blank(line),
        };
        if is_blank {
            return line_end;
        }
        if line.len() > MAX_LINE_BYTES {
            let reason = match line.len() - MAX_LINE_BYTES {
                // Readers that hold only a part of a line hold one byte more than the limit.
                1 => format!("line is longer than the limit of {MAX_LINE_BYTES} bytes"),
                _ => format!("line is {} bytes long, over the limit of {MAX_LINE_BYTES}", line.len()),
            };
            into.reject(number, Rejection::of_line(reason), line);
            return line_end;
        }
        let is_last = line_end == rest.len() && !rest.ends_with(b"\n");
        let reject = &mut |into: &mut BatchBuilder<'_>, rejection: Rejection, text: &[u8]| {
            into.reject(number, if is_last { rejection.at_end() } else { rejection }, text);
        };
        match &mut self.records {
            Records::Ndjson(records) => records.parse(line, into, reject),
            Records::Csv(records) => match records.parse(rest, line_end, into) {
                Ok(consumed) => return consumed,
                Err(rejection) => reject(into, rejection, line),
            },
        }
        line_end
    }
}

impl Records<'_> {
    fn has_fast_path(&self) -> bool {
        match self {
            Records::Ndjson(records) => records.has_fast_path(),
            Records::Csv(records) => records.has_fast_path(),
        }
    }

    /// Returns the beginning of some bytes whose lines [`Records::parse_fast`] may accept.
    fn beginning<'b>(&self, bytes: &'b [u8]) -> &'b str {
        match self {
            Records::Ndjson(records) => records.beginning(bytes),
            Records::Csv(records) => records.beginning(bytes),
        }
    }

    /// Adds the event of the first line of a beginning to a batch, and returns the length of the line; `None`
    /// where the line was not accepted.
    fn parse_fast(&mut self, text: &str, into: &mut BatchBuilder<'_>) -> Option<usize> {
        match self {
            Records::Ndjson(records) => records.parse_fast(text, into),
            Records::Csv(records) => records.parse_fast(text, into),
        }
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::strategy::{Just, Strategy};
    use proptest::{prop_assert_eq, prop_oneof};

    use crate::ingest::fields::FIELDS;
    use crate::ingest::limits::Limits;
    use crate::input_format::Format;
    use crate::model::{Hour, Timestamp};

    /// Returns the events and rejects of a slice, parsed with the fast path or without it.
    fn parse(bytes: &[u8], format: Format, assumes_utc: bool, is_fast: bool) -> Result<Vec<String>, String> {
        let mut mapping = Mapping::none(FIELDS);
        if assumes_utc {
            mapping.set_option("assume_utc", "true").expect("true is a value of it");
        }
        let limits = Limits {
            newest: Timestamp::parse("2024-02-01T00:00:00Z").expect("a good moment"),
            earliest: Timestamp::from_micros(0).expect("it is in range"),
            oldest: Some(Hour::new(0)),
            read_options: mapping.options(),
            catalog: None,
        };
        let slice = Slice::of_lines(bytes.to_vec(), 1);
        let mut into = BatchBuilder::new("log", limits, 1 << 30);
        let dialect = CsvDialect::of(format, mapping.options());
        let mut parser = LineParser::of(dialect, &mapping);
        parser.read_header(&slice)?;
        match &mut parser.records {
            Records::Csv(records) => {
                assert!(records.has_fast_path());
                if !is_fast {
                    records.without_fast_path();
                }
            }
            Records::Ndjson(records) if !is_fast => records.without_fast_path(),
            Records::Ndjson(_) => {}
        }
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
        let rejects = lines.rejects.kept().iter().map(|reject| format!("{reject:?}"));
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

    /// A line of NDJSON: usually valid, sometimes with a value, a key or a byte that is not.
    fn object() -> impl Strategy<Value = String> {
        let spaced = || prop_oneof![9 => Just(""), 2 => Just(" "), 1 => Just("\t")];
        let good = |name: &str| match name {
            "ts" => {
                "\"2024-01-0[1-3]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,7})?Z\"|17041[0-9]{5}|\"17041[0-9]{5}\""
            }
            "item_id" | "event_id" => "\"[a-c]{1,3}\"|\" é ?\"|[0-9]{1,3}(\\.0)?|\"NULL\"|\"1\\.0\"",
            "category" => "\"\"|\"(A|A/x|B/y)(\\|A/z)?\"|\\[\"A\"\\]|\"A//\"|\"a > b\"",
            "categories" => {
                "\\[ ?(\"A/x\"( ?, ?\"B\")?)? ?\\]|\\[\\[\"A\",\"x\"\\]\\]|\\[\"A//\"\\]|\\[\"A\",\\]|\"A\""
            }
            "quantity" => "-?[0-9]{1,3}|1\\.0|1e1|\"1e1\"|\"7\"|\" 7 \"",
            "amount" => "-?[0-9]{1,4}\\.[0-9]{2}|[0-9]{1,20}|1e2|\"1,5\"|\"9.99 EUR\"",
            "currency" => "\"EUR\"|\"USD\"|\"x\"",
            "event_type" => "\"purchase\"|\"return\"",
            _ => "\"[a-z {}:,]{0,20}\"|-?[0-9]{1,3}(\\.[0-9]+)?|true|false|\\[\\]|\\{\"a\":\\[1\\]\\}|\"\"",
        };
        let odd =
            "null|\"\\\\u0041b\"|\"\\\\n\"|\"a\u{1}\"|01|1\\.|\\.5|-|nul|\\[1\\]|\"abcdefgh|\\{\\}|x|\"ts\"|";
        let member = |name: &'static str| {
            let value = prop_oneof![30 => good(name), 1 => odd];
            let quoted = prop_oneof![40 => Just(format!("\"{name}\"")), 1 => Just(format!("\"{name}")), 1 => Just("\"t\\u0073\"".to_owned())];
            (quoted, spaced(), spaced(), value, spaced())
                .prop_map(|(name, before, after, value, end)| format!("{name}{before}:{after}{value}{end}"))
        };
        let names = [
            "ts",
            "item_id",
            "event_id",
            "category",
            "categories",
            "quantity",
            "amount",
            "currency",
            "event_type",
            "x",
            "date",
            "version",
            "ts_2",
            "ts",
        ];
        let members: Vec<_> = names.into_iter().map(member).collect();
        let picked = proptest::sample::subsequence((0..names.len()).collect::<Vec<_>>(), 2..8);
        let first = prop_oneof![20 => Just("{"), 1 => Just("{ "), 1 => Just(" {"), 1 => Just("")];
        let last = prop_oneof![20 => Just("}"), 2 => Just("}\r"), 1 => Just("} "), 1 => Just("}{}"), 1 => Just(",}")];
        let comma = prop_oneof![9 => Just(","), 1 => Just(", ")];
        (members, picked, first, last, comma).prop_map(|(members, picked, first, last, comma)| {
            let mut picked: Vec<&str> = picked.into_iter().map(|at| members[at].as_str()).collect();
            // Most records have what is needed.
            if !picked.contains(&members[0].as_str()) {
                picked.insert(0, &members[0]);
                picked.insert(1, &members[1]);
                picked.dedup();
            }
            format!("{first}{}{last}", picked.join(comma))
        })
    }

    proptest::proptest! {
        #[test]
        fn the_fast_path_accepts_and_rejects_the_same_objects(
            objects in vec(object(), 0..30),
            end in prop_oneof![3 => Just("\n"), 1 => Just("")],
        ) {
            let text = objects.join("\n") + end;
            let slow = parse(text.as_bytes(), Format::Ndjson, false, false);
            let fast = parse(text.as_bytes(), Format::Ndjson, false, true);
            prop_assert_eq!(fast, slow, "{}", text);
        }

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
