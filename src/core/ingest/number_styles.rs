//! What the numbers of a batch tell together: whether one of them may mean something else.

use crate::ingest::field_values::NumberMarks;
use crate::ingest::notices::{NoticeKind, Notices};
use crate::model::shown;

/// The styles of numbers that were read.
#[derive(Debug, Default)]
pub(super) struct NumberStyles {
    has_decimal_comma: bool,
    /// Numbers that would be thousands if the decimal mark were a comma: how many, and the first one.
    three_places: u64,
    first: Option<(u64, String)>,
    /// The first currency that an amount names, and how many amounts name another.
    currency: Option<&'static str>,
    others: u64,
    first_other: Option<(u64, &'static str)>,
}

impl NumberStyles {
    /// Takes the marks of a number.
    pub fn take(&mut self, marks: NumberMarks, line: u64, text: Option<&str>) {
        self.has_decimal_comma |= marks.has_decimal_comma;
        if marks.has_three_places {
            self.three_places += 1;
            if self.first.is_none() {
                self.first = Some((line, shown(text.unwrap_or_default())));
            }
        }
    }

    /// Takes the currency of an amount.
    pub fn take_currency(&mut self, currency: &'static str, line: u64) {
        if *self.currency.get_or_insert(currency) != currency {
            self.others += 1;
            self.first_other.get_or_insert((line, currency));
        }
    }

    /// Adds the notices about all numbers.
    pub fn add_to(&self, notices: &mut Notices, file: &str) {
        if let (true, Some((line, text))) = (self.has_decimal_comma, &self.first) {
            let detail = format!("`{text}`");
            notices.add(NoticeKind::MixedDecimalMarks, self.three_places, (file, Some(*line)), &detail);
        }
        if let (Some(first), Some((line, other))) = (self.currency, self.first_other) {
            let detail = format!("{other} and {first}");
            notices.add(NoticeKind::MixedCurrencies, self.others, (file, Some(line)), &detail);
        }
    }
}
