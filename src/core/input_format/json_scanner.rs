//! Where a JSON value ends, byte by byte, and where it stops being JSON.
//!
//! Literals are not checked: `NaN` and `1e` are left to whoever parses the value. What is nested deeper
//! than any record is invalid, which bounds the work where many values are broken.

/// The maximum number of open brackets.
const MAX_DEPTH: usize = 128;

/// What a byte did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The value goes on.
    More,
    /// The value ends with this byte.
    End,
    /// The byte cannot be at this place of the value.
    Invalid,
}

/// A place in the outermost object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At a key, or the colon after it.
    Key,
    /// In front of a value.
    Member,
    Elsewhere,
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Value,
    /// A value, or the end of an array.
    Element,
    /// A key, or the end of an object.
    FirstKey,
    Key,
    Colon,
    /// A comma, or the end of the array or object.
    Comma,
}

/// Scans one object or array.
#[derive(Clone, Debug)]
pub(super) struct JsonScanner {
    /// The closing brackets of what is open.
    open: Vec<u8>,
    expects: Expects,
    is_in_string: bool,
    is_escaped: bool,
    is_in_literal: bool,
}

impl JsonScanner {
    /// Returns a scanner that expects an object or an array.
    pub fn new() -> JsonScanner {
        JsonScanner {
            open: Vec::new(),
            expects: Expects::Value,
            is_in_string: false,
            is_escaped: false,
            is_in_literal: false,
        }
    }

    /// Returns a scanner inside an object, after one of its values.
    pub fn after_member() -> JsonScanner {
        JsonScanner { open: vec![b'}'], expects: Expects::Comma, ..JsonScanner::new() }
    }

    /// Returns where in the outermost object the next byte is.
    pub fn place(&self) -> Place {
        match self.expects {
            _ if self.open != b"}" => Place::Elsewhere,
            Expects::FirstKey | Expects::Key | Expects::Colon => Place::Key,
            Expects::Value => Place::Member,
            _ => Place::Elsewhere,
        }
    }

    /// Takes the next byte.
    pub fn push(&mut self, byte: u8) -> Scanned {
        if self.is_in_string {
            return self.push_in_string(byte);
        }
        if self.is_in_literal {
            if is_literal(byte) {
                return Scanned::More;
            }
            self.is_in_literal = false;
        }
        if self.open.len() > MAX_DEPTH {
            return Scanned::Invalid;
        }
        match (byte, self.expects) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => return Scanned::More,
            (b'{', Expects::Value | Expects::Element) => {
                self.open.push(b'}');
                self.expects = Expects::FirstKey;
            }
            (b'[', Expects::Value | Expects::Element) => {
                self.open.push(b']');
                self.expects = Expects::Element;
            }
            (b'"', Expects::Value | Expects::Element) => {
                (self.is_in_string, self.expects) = (true, Expects::Comma);
            }
            (b'"', Expects::Key | Expects::FirstKey) => {
                (self.is_in_string, self.expects) = (true, Expects::Colon);
            }
            (b':', Expects::Colon) => self.expects = Expects::Value,
            (b',', Expects::Comma) => {
                let is_object = self.open.last() == Some(&b'}');
                self.expects = if is_object { Expects::Key } else { Expects::Value };
            }
            (b'}', Expects::Comma | Expects::FirstKey) | (b']', Expects::Comma | Expects::Element) => {
                return self.close(byte);
            }
            (byte, Expects::Value | Expects::Element) if is_literal(byte) && !self.open.is_empty() => {
                (self.is_in_literal, self.expects) = (true, Expects::Comma);
            }
            _ => return Scanned::Invalid,
        }
        Scanned::More
    }

    fn push_in_string(&mut self, byte: u8) -> Scanned {
        match byte {
            _ if byte < 0x20 => return Scanned::Invalid,
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.is_in_string = false,
            _ => {}
        }
        Scanned::More
    }

    fn close(&mut self, bracket: u8) -> Scanned {
        match self.open.pop() {
            Some(open) if open == bracket => {}
            _ => return Scanned::Invalid,
        }
        self.expects = Expects::Comma;
        if self.open.is_empty() { Scanned::End } else { Scanned::More }
    }
}

fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns where the value ends, or where it is invalid.
    fn check(text: &str, expected: Result<Option<usize>, usize>) {
        let mut scanner = JsonScanner::new();
        let found = text.bytes().enumerate().find_map(|(at, byte)| match scanner.push(byte) {
            Scanned::More => None,
            Scanned::End => Some(Ok(at + 1)),
            Scanned::Invalid => Some(Err(at)),
        });
        assert_eq!(found.transpose(), expected, "{text}");
    }

    #[test]
    fn values_end_where_their_brackets_close() {
        check("{}", Ok(Some(2)));
        check(r#" {"a":[1,{"b":"}\"]"}],"c":NaN}{"#, Ok(Some(31)));
        check("[]", Ok(Some(2)));
        check(r#"{"a":1"#, Ok(None));
        check("{\"a\":1\n{", Err(7));
        check("{\"a\":\"x\n", Err(7));
        check(r#"{"a":[1}"#, Err(7));
        check(r#"{"a" 1}"#, Err(5));
        check("{,}", Err(1));
        check("[1,]", Err(3));
        check("1", Err(0));
        check("}", Err(0));
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_the_parser(text in "[{}\\[\\],:\"1a \n]{0,14}") {
            let mut scanner = JsonScanner::new();
            let found = text.bytes().enumerate().find_map(|(at, byte)| match scanner.push(byte) {
                Scanned::More => None,
                outcome => Some((at, outcome)),
            });
            let mut parser = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
            let is_parsed = matches!(parser.next(), Some(Ok(value)) if value.is_object() || value.is_array());
            let end = found.filter(|(_, outcome)| *outcome == Scanned::End).map(|(at, _)| at + 1);
            if is_parsed {
                proptest::prop_assert_eq!(end, Some(parser.byte_offset()));
            }
        }
    }
}
