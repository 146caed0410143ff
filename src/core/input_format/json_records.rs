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
use crate::input_format::numbered_lines::NumberedLines;
use crate::input_format::object_keys::ObjectKeys;

const READ_BYTES: usize = 64 << 10;
/// The length of an object from which on it is not held: a line that long is rejected.
const MAX_HELD_BYTES: usize = (16 << 20) + 1;
/// How far an object with an array that may have the records is looked through for the key of a record.
const MAX_LOOK_BYTES: usize = 1 << 20;

/// A reader of such lines.
pub(super) struct JsonRecords<'a> {
    inner: Box<dyn Read + 'a>,
    input: Vec<u8>,
    at: usize,
    output: NumberedLines,
    error: Option<io::Error>,
    state: State,
    /// What contains the objects, from the outside.
    outer: Vec<Outer>,
    /// The object that is scanned, or what is no object.
    held: Vec<u8>,
    /// The keys of the object that is scanned.
    keys: ObjectKeys,
    /// Whether the object is no record, as its first scan has shown.
    is_no_record: bool,
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

impl<'a> JsonRecords<'a> {
    /// Returns the records of a reader. Those in an array of an object are looked for where the key of
    /// their item is given.
    pub fn of(inner: Box<dyn Read + 'a>, record_key: Option<&str>) -> JsonRecords<'a> {
        JsonRecords {
            inner,
            input: Vec::new(),
            at: 0,
            output: NumberedLines::default(),
            error: None,
            state: State::Between,
            outer: Vec::new(),
            held: Vec::new(),
            keys: ObjectKeys::of(record_key),
            is_no_record: false,
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
                self.output.read_newlines(1);
                self.output.catch_up();
            }
            // A record separator stands in front of each record of a JSON text sequence, a byte order mark
            // in front of each file that was joined.
            b' ' | b'\t' | b'\r' | b',' | 0x1e | 0xef | 0xbb | 0xbf => {}
            b'[' => self.outer.push(Outer::Array),
            b']' if self.outer.last() == Some(&Outer::Array) => {
                self.outer.pop();
                if self.outer.last() == Some(&Outer::Wrapper) {
                    self.keys.clear();
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
        self.keys.clear();
        self.state = State::InObject(scanner);
    }

    fn in_object(&mut self, byte: u8, scanned: Scanned, place: Place) {
        self.hold(byte);
        match scanned {
            Scanned::End if self.keys.is_empty_wrapper() => {
                self.count_held_lines();
                self.state = State::Between;
            }
            Scanned::End if self.keys.may_wrap() => self.scan_again(),
            Scanned::End => {
                self.output.give(&mut self.held);
                self.state = State::Between;
            }
            Scanned::Invalid if self.keys.may_wrap() => self.scan_again(),
            Scanned::Invalid => self.resume_after_error(),
            Scanned::More if self.keys.may_wrap() && self.held.len() >= MAX_LOOK_BYTES => {
                self.scan_again();
            }
            Scanned::More if place == Place::Member && byte == b'[' && self.keys.is_at_wrapper() => {
                self.keys.end_key();
                if let State::InObject(scanner) = std::mem::replace(&mut self.state, State::Between) {
                    self.state = State::AtWrapper(scanner);
                }
            }
            Scanned::More => self.keys.note(byte, place),
        }
    }

    /// Takes a byte after the bracket of an array that may have the records.
    fn at_wrapper(&mut self, byte: u8) {
        if byte == b'{' && self.is_no_record {
            self.is_no_record = false;
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
        // A record may have such an array too, in front of its other keys.
        self.keys.note_wrapper(byte);
        let place = scanner.place();
        let scanned = scanner.push(byte);
        self.state = State::InObject(scanner);
        self.in_object(byte, scanned, place);
    }

    fn in_wrapper(&mut self, byte: u8, scanned: Scanned, place: Place) {
        if byte == b'\n' {
            self.output.read_newlines(1);
            self.output.catch_up();
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
            Scanned::More if place == Place::Member && byte == b'[' && self.keys.is_wrapper_key() => {
                self.outer.push(Outer::Array);
                self.state = State::Between;
            }
            Scanned::More => self.keys.note(byte, place),
        }
    }

    /// Scans the object again for its records, since it is none itself.
    fn scan_again(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.push_back(held);
        self.is_no_record = true;
    }

    /// Puts bytes in front of those that were not scanned.
    fn push_back(&mut self, bytes: Vec<u8>) {
        let unscanned = self.input.split_off(self.at);
        self.input = [bytes, unscanned].concat();
        self.at = 0;
        self.state = State::Between;
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
                self.output.give(&mut self.held);
                self.state = State::Between;
            }
            return;
        };
        let rest = self.held.split_off(resume);
        self.output.give(&mut self.held);
        self.push_back(rest);
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
            self.output.give(&mut self.held);
            return self.begin_object();
        }
        self.hold(byte);
        if byte == b'\n' {
            self.output.give(&mut self.held);
            self.state = State::Between;
        }
    }

    /// Takes a byte of what is no object, which ends where another value may begin.
    fn garbage(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'{' | b'[' | b']' | b',') {
            self.output.give(&mut self.held);
            self.state = State::Between;
            self.between(byte);
        } else {
            self.hold(byte);
        }
    }

    fn count_held_lines(&mut self) {
        self.output.read_newlines(memchr::memchr_iter(b'\n', &self.held).count() as u64);
        self.held.clear();
        self.output.catch_up();
    }

    fn hold(&mut self, byte: u8) {
        if self.held.len() < MAX_HELD_BYTES {
            self.held.push(byte);
        } else if byte == b'\n' {
            self.output.read_newlines(1);
        }
    }

    /// Passes on what is incomplete at the end of the input.
    fn end(&mut self) {
        while matches!(self.state, State::InObject(_)) && self.keys.may_wrap() {
            self.scan_again();
            self.scan();
        }
        if self.held.is_empty() && !self.outer.is_empty() {
            // It is rejected, and so says that something is missing.
            self.held.push(b'[');
        }
        self.output.give_last(&mut self.held);
        self.state = State::Ended;
    }
}

impl Read for JsonRecords<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.output.take(into);
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
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

    /// Checks a text of which a difference is too long to be shown.
    fn check_long(text: &str, expected: &str) {
        assert!(records(text, 1 << 16) == expected);
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
        check(r#"{"events":[{"a":1}],"id":1}{"id":2}"#, "{\"events\":[{\"a\":1}],\"id\":1}\n{\"id\":2}\n");
        let many = "{\"id\":1},".repeat(MAX_LOOK_BYTES / 4);
        check_long(
            &format!("{{\"events\":[{many}{{\"id\":2}}]}}"),
            &(many.replace(',', "\n") + "{\"id\":2}\n"),
        );
        check(r#"{"events":["a"]}"#, "{\"events\":[\"a\"]}\n");
    }

    #[test]
    fn what_is_broken_costs_itself_only() {
        check("[{\"id\":1}, x, {\"id\":2}]", "{\"id\":1}\nx\n{\"id\":2}\n");
        check("{\"id\":1\n{\"id\":2}\n", "{\"id\":1 \n{\"id\":2}\n");
        check("{\"id\":\"1\n{\"id\":2}\n", "{\"id\":\"1 \n{\"id\":2}\n");
        check("[{\"id\":#},{\"id\":2}]", "{\"id\":#},\n{\"id\":2}\n");
        check(r#"{"rows":[{"id":1},{"id":#},{"id":2}]}"#, "{\"id\":1}\n{\"id\":#},\n{\"id\":2}\n");
        check(r#"{"rows":[{"id":1},{"id":2}"#, "{\"id\":1}\n{\"id\":2}\n[");
        check(r#"{"rows":[{"id":1},{"rows":[{"i"#, "{\"id\":1}\n{\"i");
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
