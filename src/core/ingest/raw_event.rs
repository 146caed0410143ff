//! The fields of one line before they are checked, and the reason where a check fails.

use crate::model::{RawCategories, shown};

/// The time of a line, as its format gives it.
#[derive(Clone, Copy, Debug)]
pub(super) enum RawTime<'a> {
    Text(&'a str),
    /// The `date` field that a log shipper adds.
    ShipperDate(&'a str),
    Epoch(i64),
    Micros(i64),
    Missing,
}

impl RawTime<'_> {
    /// Returns enough of the time to recognize it by.
    pub fn shown(self) -> String {
        match self {
            RawTime::Text(text) | RawTime::ShipperDate(text) => shown(text).to_string(),
            RawTime::Epoch(value) | RawTime::Micros(value) => value.to_string(),
            RawTime::Missing => String::new(),
        }
    }
}

/// The fields of a line; one that is absent is `None`.
#[derive(Clone, Debug)]
pub(super) struct RawEvent<'a> {
    pub ts: RawTime<'a>,
    pub event_id: Option<&'a str>,
    pub item_id: Option<&'a str>,
    pub categories: RawCategories<'a>,
    pub event_type: Option<&'a str>,
    pub quantity: Option<&'a str>,
    pub amount: Option<&'a str>,
    pub currency: Option<&'a str>,
    /// Its epoch is any integer.
    pub version: RawTime<'a>,
}

/// How the reason of a line that lacks a required field ends.
const IS_REQUIRED: &str = "is empty; it is required";

/// How the reason of a line that is not UTF-8 ends.
const NOT_UTF8: &str = "is not UTF-8; pass the encoding of the file, as in --encoding windows-1252";

/// Why a line is rejected, and by which column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub column: Option<String>,
    pub reason: String,
    is_of_encoding: bool,
}

/// What to do about a header that is not UTF-8.
pub(super) const HEADER_NOT_UTF8: &str =
    "; it is not UTF-8, so pass the encoding of the file, as in --encoding windows-1252";

impl Rejection {
    /// Returns the rejection of a line for one of its columns.
    pub fn of_column(column: &str, reason: impl Into<String>) -> Rejection {
        Rejection { column: Some(column.to_owned()), reason: reason.into(), is_of_encoding: false }
    }

    /// Returns whether the line lacks a required field.
    pub fn is_of_missing(&self) -> bool {
        self.reason.ends_with(IS_REQUIRED)
    }

    /// Returns the rejection of the last line, which may be incomplete.
    #[must_use]
    pub fn at_end(mut self) -> Rejection {
        self.reason.push_str("; the input ends in the middle of this line, or without a newline");
        self
    }

    /// Returns the rejection of a field, or of a line as a whole, whose bytes are not UTF-8.
    pub fn not_utf8(column: Option<&str>) -> Rejection {
        let what = column.unwrap_or("line");
        Rejection {
            column: column.map(str::to_owned),
            reason: format!("{what} {NOT_UTF8}"),
            is_of_encoding: true,
        }
    }

    /// Returns whether bytes of the line are not UTF-8.
    pub fn is_of_encoding(&self) -> bool {
        self.is_of_encoding
    }

    /// Returns the rejection of bytes that are invalid in the encoding that was given.
    #[must_use]
    pub fn of_given_encoding(mut self, encoding: &str) -> Rejection {
        let invalid = format!("has bytes that are invalid in {encoding}; pass another --encoding");
        self.reason = self.reason.replace(NOT_UTF8, &invalid);
        self
    }

    /// Returns the rejection of a line as a whole.
    pub fn of_line(reason: impl Into<String>) -> Rejection {
        Rejection { column: None, reason: reason.into(), is_of_encoding: false }
    }
}
