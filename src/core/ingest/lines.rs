//! Lines of CSV and TSV into fields.
//!
//! The dialect is RFC 4180's: a field may stand in double quotes, a quote inside is doubled, a
//! quoted field may hold line ends. A quote that opens and never closes costs its own line only.

use csv_core::ReadRecordResult;

use crate::ingest::builder::{Builder, RawEvent, RawTime, Refusal};
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, NEEDED, QUANTITY, TS,
};
use crate::ingest::json;
use crate::ingest::plain::PlainLines;
use crate::ingest::records::{MAX_RECORD_BYTES, delimiter_of};
use crate::ingest::slices::Slice;
use crate::input_format::{Format, MAX_COLUMNS, Mapping, Place};
use crate::model::RawCategories;

/// Bytes that one line may have.
const MAX_LINE_BYTES: usize = 16 << 20;

/// How far a slice has been read.
pub struct Mark {
    at: usize,
    /// Number of the next line in the input.
    number: u64,
}

/// Reads one input's slices, in order.
pub struct LineReader<'a> {
    format: Format,
    mapping: &'a Mapping,
    keys: json::Keys,
    /// For each field, where the header has it.
    places: Vec<Option<Place>>,
    /// How many fields the header has.
    width: usize,
    /// First line of the slice that the header stands in, once it is found.
    header_in: Option<u64>,
    fields: FieldSplitter,
    /// Reads most lines, once the header is known.
    plain: Option<PlainLines>,
}

impl LineReader<'_> {
    /// Returns a reader that has not seen its header yet.
    pub fn of(format: Format, mapping: &Mapping) -> LineReader<'_> {
        let delimiter = delimiter_of(format).unwrap_or(b',');
        LineReader {
            format,
            mapping,
            keys: json::Keys::of(mapping),
            places: Vec::new(),
            width: 0,
            header_in: None,
            fields: FieldSplitter::of(delimiter),
            plain: None,
        }
    }

    /// Learns the columns from the input's first slice that is not blank; NDJSON has none to learn.
    ///
    /// # Errors
    /// Says what the header lacks.
    pub fn read_header(&mut self, slice: &Slice) -> Result<(), String> {
        if self.format == Format::Ndjson || self.header_in.is_some() {
            return Ok(());
        }
        let bytes = without_bom(&slice.bytes);
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err("is UTF-16; convert it to UTF-8".to_owned());
        }
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        if bytes.starts_with(b"{") {
            return Err("begins like NDJSON; say --format ndjson".to_owned());
        }
        self.fields.split(bytes, bytes.len(), MAX_COLUMNS).map_err(|unsplit| match unsplit {
            Unsplit::Open => "has a header whose quotes do not close".to_owned(),
            Unsplit::TooManyFields => format!("line 1: the header has more than {MAX_COLUMNS} columns"),
        })?;
        let names: Vec<String> =
            self.fields.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        self.width = names.len();
        self.header_in = Some(slice.first_line);
        let given = |field: usize| self.mapping.given(field).is_some();
        let has = |field: usize| names.iter().any(|name| name == FIELDS[field]);
        if given(CATEGORIES) || (has(CATEGORIES) && !has(CATEGORY) && !given(CATEGORY)) {
            let what = match self.mapping.given(CATEGORIES) {
                Some(_) => "categories is for NDJSON and Parquet; map category",
                None => "the header has a column `categories`; here it is `category`",
            };
            return Err(format!("line 1: {what}"));
        }
        let places = self.mapping.places(&names, NEEDED);
        self.places = places.map_err(|reason| format!("line 1: the header {reason}"))?;
        self.plain = PlainLines::of(self.fields.delimiter, self.width, &self.places);
        Ok(())
    }

    /// Reads a slice's records into a batch, from a mark on or from the beginning, and returns the
    /// mark to go on from where the batch is full before the slice is at its end.
    pub fn read(&mut self, slice: &Slice, from: Option<Mark>, into: &mut Builder<'_>) -> Option<Mark> {
        if slice.is_endless_line {
            let reason = format!("line is {} bytes long, longer than a whole slice", slice.consumed_bytes);
            into.reject(slice.first_line, Refusal::line(reason), &slice.bytes);
            return None;
        }
        let Mark { mut at, mut number } = from.unwrap_or_else(|| self.first_record(slice));
        // How far the bytes from `at` on are known to be text.
        let mut text = "";
        while at < slice.bytes.len() {
            if into.is_full() {
                return Some(Mark { at, number });
            }
            let rest = &slice.bytes[at..];
            if let Some(plain) = &mut self.plain {
                if text.is_empty() {
                    text = text_of(rest);
                }
                if let Some(consumed) = plain.take(text, into) {
                    text = &text[consumed..];
                    number += 1;
                    at += consumed;
                    continue;
                }
            }
            let consumed = self.read_record(rest, number, into);
            text = text.get(consumed..).unwrap_or("");
            number += lines_in(&rest[..consumed]);
            at += consumed;
        }
        None
    }

    fn first_record(&mut self, slice: &Slice) -> Mark {
        let mut mark = Mark { at: 0, number: slice.first_line };
        if slice.first_line == 1 {
            mark.at = slice.bytes.len() - without_bom(&slice.bytes).len();
        }
        if self.header_in == Some(slice.first_line) {
            let rest = &slice.bytes[mark.at..];
            let header = self.fields.split(rest, rest.len(), MAX_COLUMNS).unwrap_or(0);
            mark.at += header;
            mark.number += lines_in(&rest[..header]);
        }
        mark
    }

    /// Reads the record at the beginning of `rest` and returns how many bytes it took.
    fn read_record(&mut self, rest: &[u8], number: u64, into: &mut Builder<'_>) -> usize {
        let line_end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let line = without_line_end(&rest[..line_end]);
        let delimiter = self.fields.delimiter;
        if line.iter().all(|byte| byte.is_ascii_whitespace() && *byte != delimiter) {
            return line_end;
        }
        if line.len() > MAX_LINE_BYTES {
            let reason = format!("line is {} bytes long; at most {MAX_LINE_BYTES} are taken", line.len());
            into.reject(number, Refusal::line(reason), line);
            return line_end;
        }
        let outcome = match self.format {
            Format::Ndjson => json::read_line(line, &self.keys, into).map(|()| line_end),
            _ => self.read_fields(rest, line_end, into),
        };
        match outcome {
            Ok(consumed) => consumed,
            Err(mut refusal) => {
                if line_end == rest.len() && !rest.ends_with(b"\n") {
                    refusal
                        .reason
                        .push_str("; the input ends in the middle of this line, or without a newline");
                }
                into.reject(number, refusal, line);
                line_end
            }
        }
    }

    fn read_fields(
        &mut self,
        rest: &[u8],
        line_end: usize,
        into: &mut Builder<'_>,
    ) -> Result<usize, Refusal> {
        let consumed = match memchr::memchr(b'"', &rest[..line_end]) {
            None => {
                self.fields.split_plain(without_line_end(&rest[..line_end]), self.width);
                line_end
            }
            Some(_) => self
                .fields
                .split(&rest[..rest.len().min(MAX_RECORD_BYTES.max(line_end))], rest.len(), self.width)
                .map_err(|unsplit| match unsplit {
                    Unsplit::Open => Refusal::line("a quote opens in this line and does not close"),
                    Unsplit::TooManyFields => Refusal::line(format!(
                        "line has more fields than the header, which has {}",
                        self.width
                    )),
                })?,
        };
        if self.fields.len() != self.width {
            let (has, wants) = (self.fields.len(), self.width);
            let fields = if has == 1 { "field" } else { "fields" };
            return Err(Refusal::line(format!("line has {has} {fields} where the header has {wants}")));
        }
        let text = |field: usize, place: usize| -> Result<&str, Refusal> {
            std::str::from_utf8(self.fields.field(place))
                .map_err(|_| Refusal::of(FIELDS[field], format!("{} is not UTF-8", FIELDS[field])))
        };
        let field = |field: usize| match &self.places[field] {
            Some(Place::Whole(place)) => text(field, *place).map(Some),
            _ => Ok(None),
        };
        let levels: Vec<&str>;
        let categories = match &self.places[CATEGORY] {
            Some(Place::Levels(places)) => {
                levels = places.iter().map(|place| text(CATEGORY, *place)).collect::<Result<_, _>>()?;
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
}

/// Why the beginning of a text cannot be split into the fields of a record.
enum Unsplit {
    /// A quote opens and does not close.
    Open,
    TooManyFields,
}

/// Splits records into fields, keeping its buffers from one to the next.
struct FieldSplitter {
    delimiter: u8,
    reader: csv_core::Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
}

impl FieldSplitter {
    fn of(delimiter: u8) -> FieldSplitter {
        FieldSplitter {
            delimiter,
            reader: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            bytes: vec![0; 4_096],
            ends: vec![0; 64],
            width: 0,
        }
    }

    fn len(&self) -> usize {
        self.width
    }

    fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.width).map(|at| self.field(at))
    }

    /// Splits a line that has no quotes; of its fields so many are kept, and all are counted.
    fn split_plain(&mut self, line: &[u8], most: usize) {
        self.ends.clear();
        self.bytes.clear();
        self.width = 0;
        let mut start = 0;
        for end in memchr::memchr_iter(self.delimiter, line).chain(std::iter::once(line.len())) {
            if self.width < most {
                self.bytes.extend_from_slice(&line[start..end]);
                self.ends.push(self.bytes.len());
            }
            start = end + 1;
            self.width += 1;
        }
    }

    /// Splits the record at the beginning of `input`, which shows all or part of the `available`
    /// bytes, and returns how many bytes it took. A record that has more than so many fields is not
    /// read to its end: lines that each leave a quote open would all be read again for each of them.
    fn split(&mut self, input: &[u8], available: usize, most: usize) -> Result<usize, Unsplit> {
        self.reader.reset();
        self.bytes.resize(self.bytes.capacity().max(4_096), 0);
        self.ends.resize(most + 1, 0);
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
                    return Err(Unsplit::Open);
                }
                ReadRecordResult::OutputEndsFull => return Err(Unsplit::TooManyFields),
                ReadRecordResult::InputEmpty if input.len() == available && closes(input) => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Err(Unsplit::Open),
                ReadRecordResult::Record => break,
            }
        }
        self.width = ended;
        let is_one_line = memchr::memchr(b'\n', &input[..consumed]).is_none_or(|at| at + 1 >= consumed);
        if !is_one_line && !is_well_quoted(&input[..consumed], self.delimiter) {
            return Err(Unsplit::Open);
        }
        // The next record's line end may be two bytes, of which the splitter took one.
        if input[..consumed].ends_with(b"\r") && input.get(consumed) == Some(&b'\n') {
            consumed += 1;
        }
        Ok(consumed)
    }
}

/// Tells whether every field that opens with a quote closes with one right before the next
/// delimiter or line end. A record over several lines must: else a quote that was never closed
/// has met one of a later line.
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

/// Tells whether all that opens in the input also closes, so that its end is a record's end.
fn closes(input: &[u8]) -> bool {
    !input.ends_with(b"\n") && memchr::memchr_iter(b'"', input).count().is_multiple_of(2)
}

/// Returns the beginning of some bytes that is text, as far as a megabyte goes.
fn text_of(bytes: &[u8]) -> &str {
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

    use crate::ingest::builder::Limits;
    use crate::model::{Hour, Timestamp};

    /// Returns what a slice's lines come to, read with the short way for plain lines or without it.
    fn read(bytes: &[u8], format: Format, assumes_utc: bool, is_short: bool) -> Result<Vec<String>, String> {
        let mapping = Mapping::none(FIELDS);
        let limits = Limits {
            newest: Timestamp::parse("2024-02-01T00:00:00Z").expect("a good moment"),
            oldest: Some(Hour::new(0)),
            assumes_utc,
            catalog: None,
        };
        let slice = Slice {
            bytes: bytes.to_vec(),
            first_line: 1,
            id: String::new(),
            consumed_bytes: bytes.len() as u64,
            is_endless_line: false,
        };
        let mut into = Builder::new("log", limits, 1 << 30);
        let mut reader = LineReader::of(format, &mapping);
        reader.read_header(&slice)?;
        assert!(reader.plain.is_some());
        reader.plain = reader.plain.filter(|_| is_short);
        assert!(reader.read(&slice, None, &mut into).is_none());
        let read = into.finish();
        let event = |row: usize| {
            let events = &read.events;
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
        let rejects = read.rejects.iter().map(|reject| format!("{reject:?}"));
        Ok((0..read.events.len()).map(event).chain(rejects).collect())
    }

    /// A field as it stands in a line: mostly good, sometimes anything.
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
        fn the_short_way_for_plain_lines_takes_and_rejects_the_same(
            five in lines(&["ts", "item_id", "category", "quantity", "amount"], b','),
            all in lines(&["event_id", "x", "amount", "ts", "item_id", "event_type", "category"], b'\t'),
            two in lines(&["ts", "item_id"], b','),
        ) {
            let logs = [(&five, Format::Csv, false), (&all, Format::Tsv, false), (&two, Format::Csv, true)];
            for (bytes, format, assumes_utc) in logs {
                let long = read(bytes, format, assumes_utc, false);
                let short = read(bytes, format, assumes_utc, true);
                prop_assert_eq!(short, long, "{}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn text_goes_on_behind_bytes_that_are_none_and_over_the_length_that_is_looked_at_once() {
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
        let short = read(&bytes, Format::Csv, false, true).expect("the header is good");
        assert_eq!(short.iter().filter(|line| line.starts_with("Timestamp")).count(), expected);
        assert_eq!(short, read(&bytes, Format::Csv, false, false).expect("the header is good"));
    }
}
