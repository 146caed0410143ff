//! JSON in any framing, as one object a line: an array, objects over several lines, objects without
//! newlines between them, an object with an array of `records`, `events`, `orders`, `data`, `results` or `rows`.
//!
//! Between objects, whitespace, commas and brackets count for nothing. What is no object is passed on as
//! a line that the parser rejects: to the end of its line, or to where the next object begins.
//!
//! Invariant: every object is passed on once, and every physical line is counted: the newlines within an
//! object follow it, so that the next object has the number of its own line. Where several objects are on
//! one line, each counts as a line. Memory is bounded by the longest line that is accepted.

use std::io::{self, Read};

use crate::input_format::head::is_transient;
use crate::input_format::json_scanner::{JsonScanner, Place, Scanned};

const READ_BYTES: usize = 64 << 10;
/// The length of an object from which on it is not held: a line that long is rejected.
const MAX_HELD_BYTES: usize = (16 << 20) + 1;
/// The maximum length of a key that is noted: all that are looked for are shorter.
const MAX_KEY_BYTES: usize = 1_024;
/// The keys whose arrays contain the records.
pub(super) const WRAPPERS: [&str; 9] =
    ["records", "Records", "events", "Events", "orders", "Orders", "data", "results", "rows"];

/// A reader of such lines.
pub(super) struct JsonRecords<'a> {
    inner: Box<dyn Read + 'a>,
    /// The key that only a record has, in quotes; `None` where records are not unwrapped.
    record_key: Option<Vec<u8>>,
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
    given: usize,
    error: Option<io::Error>,
    state: State,
    /// What contains the objects, from the outside.
    outer: Vec<Outer>,
    /// The object that is scanned, or what is no object.
    held: Vec<u8>,
    /// The key that was scanned last, at the top of an object.
    key: Vec<u8>,
    /// What the keys say of the object that is scanned.
    seen: Seen,
    lines: Lines,
}

/// Which keys an object has.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    is_record: bool,
    is_empty_wrapper: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outer {
    Array,
    /// An object, in whose array the records are.
    Wrapper,
}

enum State {
    Between,
    InObject(JsonScanner),
    /// In an object with records, after them.
    InWrapper(JsonScanner),
    /// In the rest of an object that is broken.
    Broken,
    /// In what is no object.
    Garbage,
    /// After the opening bracket of an array of records.
    AtWrapper(JsonScanner),
    Ended,
}

/// Lines of the input, and those that were passed on.
#[derive(Default)]
struct Lines {
    input: u64,
    output: u64,
}

impl<'a> JsonRecords<'a> {
    /// Returns the records of a reader. Those in an array of an object are looked for where the key of
    /// their item is given.
    pub fn of(inner: Box<dyn Read + 'a>, record_key: Option<&str>) -> JsonRecords<'a> {
        JsonRecords {
            inner,
            record_key: record_key.map(|key| format!("\"{key}\"").into_bytes()),
            input: Vec::new(),
            at: 0,
            output: Vec::new(),
            given: 0,
            error: None,
            state: State::Between,
            outer: Vec::new(),
            held: Vec::new(),
            key: Vec::new(),
            seen: Seen::default(),
            lines: Lines::default(),
        }
    }

    /// Reads more and scans it.
    fn advance(&mut self) -> io::Result<()> {
        self.input.resize(READ_BYTES, 0);
        let read = self.inner.read(&mut self.input);
        self.input.truncate(*read.as_ref().unwrap_or(&0));
        self.at = 0;
        match read {
            Ok(0) => self.end(),
            Ok(_) => self.scan(),
            Err(error) if is_transient(&error) => return Err(error),
            Err(error) => {
                self.end();
                self.error = Some(error);
            }
        }
        Ok(())
    }

    fn scan(&mut self) {
        while let Some(&byte) = self.input.get(self.at) {
            self.at += 1;
            match &mut self.state {
                State::Between => self.between(byte),
                State::InObject(scanner) | State::InWrapper(scanner) => {
                    let place = scanner.place();
                    let scanned = scanner.push(byte);
                    if matches!(self.state, State::InObject(_)) {
                        self.in_object(byte, scanned, place);
                    } else {
                        self.in_wrapper(byte, scanned, place);
                    }
                }
                State::AtWrapper(_) => self.at_wrapper(byte),
                State::Broken => self.broken(byte),
                State::Garbage => self.garbage(byte),
                State::Ended => return,
            }
        }
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.lines.input += 1;
                self.lines.catch_up(&mut self.output);
            }
            // A record separator stands in front of each record of a JSON text sequence, a byte order mark
            // in front of each file that was joined.
            b' ' | b'\t' | b'\r' | b',' | 0x1e | 0xef | 0xbb | 0xbf => {}
            b'[' => self.outer.push(Outer::Array),
            b']' if self.outer.last() == Some(&Outer::Array) => {
                self.outer.pop();
                if self.outer.last() == Some(&Outer::Wrapper) {
                    self.key.clear();
                    self.state = State::InWrapper(JsonScanner::after_member());
                }
            }
            b'{' => self.begin_object(),
            byte => {
                self.held.push(byte);
                self.state = State::Garbage;
            }
        }
    }

    fn begin_object(&mut self) {
        let mut scanner = JsonScanner::new();
        scanner.push(b'{');
        self.held.clear();
        self.held.push(b'{');
        self.key.clear();
        self.seen = Seen::default();
        self.state = State::InObject(scanner);
    }

    fn in_object(&mut self, byte: u8, scanned: Scanned, place: Place) {
        self.hold(byte);
        match scanned {
            Scanned::End if self.seen.is_empty_wrapper && !self.seen.is_record => {
                self.count_held_lines();
                self.state = State::Between;
            }
            Scanned::End => {
                self.give(true);
                self.state = State::Between;
            }
            Scanned::Invalid => self.resume_after_error(),
            Scanned::More if place == Place::Member && byte == b'[' && self.is_wrapper() => {
                if let State::InObject(scanner) = std::mem::replace(&mut self.state, State::Between) {
                    self.state = State::AtWrapper(scanner);
                }
            }
            Scanned::More => self.note_key(byte, place),
        }
    }

    /// Takes a byte after the bracket of an array that may have the records.
    fn at_wrapper(&mut self, byte: u8) {
        if byte == b'{' {
            // What was held of the object are members besides the records.
            self.count_held_lines();
            self.outer.extend([Outer::Wrapper, Outer::Array]);
            return self.begin_object();
        }
        if byte.is_ascii_whitespace() {
            return self.hold(byte);
        }
        let State::AtWrapper(mut scanner) = std::mem::replace(&mut self.state, State::Between) else {
            return;
        };
        self.seen.is_empty_wrapper = byte == b']';
        let place = scanner.place();
        let scanned = scanner.push(byte);
        self.state = State::InObject(scanner);
        self.in_object(byte, scanned, place);
    }

    fn in_wrapper(&mut self, byte: u8, scanned: Scanned, place: Place) {
        if byte == b'\n' {
            self.lines.input += 1;
            self.lines.catch_up(&mut self.output);
        }
        match scanned {
            Scanned::End => {
                self.outer.pop();
                self.state = State::Between;
            }
            Scanned::Invalid => {
                self.outer.pop();
                self.held.push(byte);
                self.state = State::Garbage;
            }
            Scanned::More if place == Place::Member && byte == b'[' && is_wrapper_key(&self.key) => {
                self.outer.push(Outer::Array);
                self.state = State::Between;
            }
            Scanned::More => self.note_key(byte, place),
        }
    }

    /// Notes the bytes of a key at the top of an object.
    fn note_key(&mut self, byte: u8, place: Place) {
        match (place, byte) {
            (Place::Key, b':') => {
                self.seen.is_record |= self.record_key.as_ref() == Some(&self.key);
            }
            (Place::Key, byte) if !byte.is_ascii_whitespace() && self.key.len() < MAX_KEY_BYTES => {
                self.key.push(byte);
            }
            (Place::Member, byte) if !byte.is_ascii_whitespace() => self.key.clear(),
            _ => {}
        }
    }

    fn is_wrapper(&self) -> bool {
        self.record_key.is_some() && !self.seen.is_record && is_wrapper_key(&self.key)
    }

    /// Goes on after an object that is broken: at the first line in it, or after it, with an object.
    fn resume_after_error(&mut self) {
        let next_line = memchr::memchr_iter(b'\n', &self.held)
            .map(|at| at + 1)
            .find(|&at| self.held[at..].trim_ascii_start().starts_with(b"{"));
        let last = self.held.len() - 1;
        let resume = next_line.or_else(|| (self.held[last] == b'{').then_some(last));
        let Some(resume) = resume else {
            self.state = State::Broken;
            if self.held[last] == b'\n' {
                self.give(true);
                self.state = State::Between;
            }
            return;
        };
        let rest = self.held.split_off(resume);
        self.give(true);
        // The bytes go back in front of those that were not scanned.
        let unscanned = self.input.split_off(self.at);
        self.input = [rest, unscanned].concat();
        self.at = 0;
        self.state = State::Between;
    }

    /// Takes a byte of the rest of a broken object, which ends with its line, or where an object follows
    /// another.
    fn broken(&mut self, byte: u8) {
        let is_next_object = byte == b'{' && {
            let before = self.held.trim_ascii_end();
            let before = before.strip_suffix(b",").unwrap_or(before).trim_ascii_end();
            before.ends_with(b"}")
        };
        if is_next_object {
            self.give(true);
            return self.begin_object();
        }
        self.hold(byte);
        if byte == b'\n' {
            self.give(true);
            self.state = State::Between;
        }
    }

    /// Takes a byte of what is no object, which ends where another value may begin.
    fn garbage(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'{' | b'[' | b']' | b',') {
            self.give(true);
            self.state = State::Between;
            self.between(byte);
        } else {
            self.hold(byte);
        }
    }

    fn count_held_lines(&mut self) {
        self.lines.input += memchr::memchr_iter(b'\n', &self.held).count() as u64;
        self.held.clear();
        self.lines.catch_up(&mut self.output);
    }

    fn hold(&mut self, byte: u8) {
        if self.held.len() < MAX_HELD_BYTES {
            self.held.push(byte);
        } else if byte == b'\n' {
            self.lines.input += 1;
        }
    }

    /// Passes on what is held as one line.
    fn give(&mut self, is_complete: bool) {
        for byte in &mut self.held {
            if *byte == b'\n' {
                self.lines.input += 1;
                *byte = b' ';
            }
        }
        let is_line = !self.held.trim_ascii().is_empty();
        if is_line {
            self.output.append(&mut self.held);
            if is_complete {
                self.output.push(b'\n');
                self.lines.output += 1;
            }
        }
        self.held.clear();
        if is_complete {
            self.lines.catch_up(&mut self.output);
        }
    }

    /// Passes on what is incomplete at the end of the input.
    fn end(&mut self) {
        if self.held.is_empty() && !self.outer.is_empty() {
            // It is rejected, and so says that something is missing.
            self.held.push(b'[');
        }
        self.give(false);
        self.state = State::Ended;
    }
}

fn is_wrapper_key(key: &[u8]) -> bool {
    let name = key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\""));
    name.is_some_and(|name| WRAPPERS.iter().any(|wrapper| wrapper.as_bytes() == name))
}

impl Lines {
    /// Adds newlines until as many lines were passed on as were read.
    fn catch_up(&mut self, output: &mut Vec<u8>) {
        while self.output < self.input {
            output.push(b'\n');
            self.output += 1;
        }
    }
}

impl Read for JsonRecords<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.given < self.output.len() {
                let read = (&self.output[self.given..]).read(into)?;
                self.given += read;
                return Ok(read);
            }
            self.output.clear();
            self.given = 0;
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            if matches!(self.state, State::Ended) {
                return Ok(0);
            }
            self.advance()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lines that come out, wherever reads end.
    fn records(text: &str, piece: usize) -> String {
        struct Pieces<'a>(&'a [u8], usize);
        impl Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let length = self.0.len().min(self.1).min(into.len());
                into[..length].copy_from_slice(&self.0[..length]);
                self.0 = &self.0[length..];
                Ok(length)
            }
        }
        let mut reader = JsonRecords::of(Box::new(Pieces(text.as_bytes(), piece)), Some("id"));
        let mut out = String::new();
        reader.read_to_string(&mut out).expect("memory can be read");
        out
    }

    fn check(text: &str, expected: &str) {
        for piece in [1, 7, 1_000] {
            assert_eq!(records(text, piece), expected, "{text}");
        }
    }

    #[test]
    fn objects_of_every_framing_are_lines_with_their_numbers() {
        check("{\"id\":1}\n{\"id\":2}\n", "{\"id\":1}\n{\"id\":2}\n");
        check("{\"id\":1}{\"id\":2} {\"id\":3}", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
        check("[{\"id\":1},{\"id\":2}]\n", "{\"id\":1}\n{\"id\":2}\n");
        check("[\n  {\n\"id\": 1\n},\n{\"id\":2}\n]\n", "\n{ \"id\": 1 }\n\n\n{\"id\":2}\n\n");
        check("{\n\"id\":1}\n\n{\"id\":\n2}", "{ \"id\":1}\n\n\n{\"id\": 2}\n");
        check("\u{1e}{\"id\":1}\n", "{\"id\":1}\n");
        check("[]", "");
    }

    #[test]
    fn records_in_an_object_are_unwrapped() {
        check(r#"{"records":[{"id":1},{"id":2}],"x":{"a":[1]}}"#, "{\"id\":1}\n{\"id\":2}\n");
        check(
            r#"{"x":{"records":[]},"events": [{"id":1}],"records":[{"id":2}]}{"id":3}"#,
            "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n",
        );
        check("{\n\"events\": [\n{\"id\":1}]}\n{\"id\":2}", "\n\n{\"id\":1}\n{\"id\":2}\n");
        check(r#"{"records":[],"next":null}"#, "");
        check(r#"{"id":1,"events":[{"a":1}]}"#, "{\"id\":1,\"events\":[{\"a\":1}]}\n");
        check(r#"{"events":["a"]}"#, "{\"events\":[\"a\"]}\n");
    }

    #[test]
    fn what_is_broken_costs_itself_only() {
        check("[{\"id\":1}, x, {\"id\":2}]", "{\"id\":1}\nx\n{\"id\":2}\n");
        check("{\"id\":1\n{\"id\":2}\n", "{\"id\":1 \n{\"id\":2}\n");
        check("{\"id\":\"1\n{\"id\":2}\n", "{\"id\":\"1 \n{\"id\":2}\n");
        check("[{\"id\":#},{\"id\":2}]", "{\"id\":#},\n{\"id\":2}\n");
        check("[{\"id\":1},{\"id\":2}", "{\"id\":1}\n{\"id\":2}\n[");
        check("{\"id\":1}]\n{\"id\":2}", "{\"id\":1}\n]\n{\"id\":2}\n");
        check("[{\"id\":1},{\"id\"", "{\"id\":1}\n{\"id\"");
        let deep = "{\"a\":".repeat(200);
        check(&deep, &deep);
        check(&format!("{deep}\n{{\"id\":2}}\n"), &format!("{deep} \n{{\"id\":2}}\n"));
    }

    proptest::proptest! {
        #[test]
        fn every_object_comes_out_once(
            gaps in proptest::collection::vec("[ \n,x\\[\\]]{0,4}", 1..8),
            piece in 1_usize..9,
        ) {
            let text: String = gaps.iter().enumerate().map(|(n, gap)| format!("{gap}{{\"id\":\n{n}}}")).collect();
            let out = records(&text, piece);
            for number in 0..gaps.len() {
                let record = format!("{{\"id\": {number}}}\n");
                proptest::prop_assert_eq!(out.matches(&record).count(), 1, "{:?} of {:?}", out, text);
            }
        }
    }
}
