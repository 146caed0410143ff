//! Line ends that are a carriage return alone, as old spreadsheets write them.
//!
//! Whether an input has them is told by its first line end, once; other inputs are passed on as they are.

use std::io::{self, Read};

use crate::input_format::head::Head;

/// How far the first line end is looked for.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Returns a reader whose lines end with a newline.
pub(super) fn with_newlines<'a>(reader: Box<dyn Read + 'a>) -> Head<'a> {
    let head = Head::read(reader, MAX_HEAD_BYTES, |head| first_end(head).is_some());
    if first_end(head.seen()) != Some(LineEnd::CarriageReturn) {
        return head;
    }
    let inner = Box::new(NewlinesForReturns { inner: head, has_return: false });
    Head::read(inner, MAX_HEAD_BYTES, |head| head.contains(&b'\n'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Newline,
    CarriageReturn,
}

/// Returns the first line end outside quotes; several carriage returns may precede a newline.
fn first_end(head: &[u8]) -> Option<LineEnd> {
    let mut is_quoted = false;
    let mut has_return = false;
    for &byte in head {
        match byte {
            b'\n' => return Some(LineEnd::Newline),
            b'\r' if !is_quoted => has_return = true,
            _ if has_return => return Some(LineEnd::CarriageReturn),
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
    }
    None
}

/// A reader that turns each carriage return, with the newline that may follow it, into a newline.
struct NewlinesForReturns<'a> {
    inner: Head<'a>,
    /// Whether the last byte was a carriage return.
    has_return: bool,
}

impl Read for NewlinesForReturns<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.inner.read(into)?;
            let mut kept = 0;
            for at in 0..read {
                let byte = into[at];
                let follows_return = std::mem::replace(&mut self.has_return, byte == b'\r');
                if byte == b'\n' && follows_return {
                    continue;
                }
                into[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
            if kept > 0 || read == 0 || into.is_empty() {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = String::new();
        with_newlines(Box::new(text.as_bytes())).read_to_string(&mut out).expect("memory can be read");
        assert_eq!(out, expected, "{text:?}");
    }

    #[test]
    fn carriage_returns_are_line_ends_where_the_first_line_ends_with_one() {
        check("a,b\r1,2\r", "a,b\n1,2\n");
        check("a,b\r1,\"2\r\n3\"\r\r\n", "a,b\n1,\"2\n3\"\n\n");
        check("a,b\r\n1,2\r3\r\n", "a,b\r\n1,2\r3\r\n");
        check("a,b\r\r\n1\r\r\n", "a,b\r\r\n1\r\r\n");
        check("\"a\rb\",c\n1,2\n", "\"a\rb\",c\n1,2\n");
        check("a,b\n1\r2\r", "a,b\n1\r2\r");
        check("a,b", "a,b");
        check("a,b\r", "a,b\r");
    }
}
