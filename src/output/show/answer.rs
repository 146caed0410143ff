//! What was found out, in no form yet: lists of values, and what a person is told around them.

use crate::show::plot::Plot;
use crate::terminal::{Cell, Importance, Style};
use topsell_core::model::{Aggregate, Timestamp};

/// The answer to a question.
#[derive(Debug, Default)]
pub struct Answer {
    /// What people read first.
    pub(super) title: String,
    /// What they read below it, in phrases.
    pub(super) facts: Vec<Cell>,
    /// What JSON says beside the lists.
    pub(super) head: Vec<(&'static str, Value)>,
    /// What people see above the lists.
    pub(super) plot: Option<Plot>,
    /// The first is what the question was for: forms that have room for one list have this one.
    pub(super) lists: Vec<List>,
}

/// Values below each other.
#[derive(Debug)]
pub(super) struct List {
    /// The key in JSON.
    pub name: &'static str,
    /// What people read above it, where there are several.
    pub title: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    /// Lines that tables end with; other forms have what they say elsewhere.
    pub closing: Vec<Vec<Value>>,
    /// What tables show, in their order.
    pub shown: Vec<Shown>,
}

/// A column as programs know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub in_json: InJson,
}

/// Where JSON has a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InJson {
    /// In every row.
    Rows,
    /// In the rows that have one.
    RowsThatHaveIt,
    /// Beside the list, since it is the same in all rows.
    Head,
}

/// What a column's values are, where any is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Integers,
    Number,
    Money,
    Places,
    Share,
    Moment,
}

/// A column as people see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub column: &'static str,
    pub heading: &'static str,
    pub importance: Importance,
    /// How many cells are enough to recognize a text by; none where it may not be cut.
    pub enough: Option<usize>,
    /// What stands where there is no value.
    pub missing: &'static str,
    /// Whether a path is shown by its last level, as far in as it is deep.
    pub is_indented: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Text(String),
    /// A word of ours, which people see as another that stands out.
    Word {
        word: &'static str,
        shown: String,
        style: Style,
    },
    Flag(bool),
    Integer(i64),
    /// People see them as a sparkline.
    Integers(Vec<i64>),
    Number(f64),
    /// A number of which people, too, see every digit.
    Exact(f64),
    /// In ten-thousandths.
    Money(i128),
    /// Ranks and the categories that they are in, the whole shop for `None`.
    Places(Vec<(i32, Option<String>)>),
    /// In hundredths of a percent.
    Share(u32),
    Moment(Timestamp),
    Moments(Vec<Timestamp>),
    Fields(Vec<(&'static str, Value)>),
}

impl Column {
    /// Returns a column that every row of JSON has.
    pub const fn of(name: &'static str, kind: Kind) -> Column {
        Column { name, kind, in_json: InJson::Rows }
    }

    /// Returns the column with its values elsewhere in JSON.
    #[must_use]
    pub const fn json(self, in_json: InJson) -> Column {
        Column { in_json, ..self }
    }
}

impl Shown {
    /// Returns a column of the table that is always there.
    pub const fn essential(column: &'static str, heading: &'static str) -> Shown {
        Shown {
            column,
            heading,
            importance: Importance::Essential,
            enough: None,
            missing: "",
            is_indented: false,
        }
    }

    /// Returns a column of the table that is left out before those of more importance.
    pub const fn minor(column: &'static str, heading: &'static str, importance: u8) -> Shown {
        Shown { importance: Importance::Minor(importance), ..Shown::essential(column, heading) }
    }

    /// Returns the column, its texts cut to no fewer than so many cells.
    #[must_use]
    pub const fn cut_to(self, enough: usize) -> Shown {
        Shown { enough: Some(enough), ..self }
    }

    /// Returns the column with its paths as a tree.
    #[must_use]
    pub const fn indented(self) -> Shown {
        Shown { is_indented: true, ..self }
    }

    /// Returns the column with a text where there is no value.
    #[must_use]
    pub const fn or(self, missing: &'static str) -> Shown {
        Shown { missing, ..self }
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Value {
        text.map_or(Value::None, |text| Value::Text(text.to_owned()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Value {
        number.map_or(Value::None, Value::Integer)
    }
}

impl From<Aggregate> for Value {
    fn from(aggregate: Aggregate) -> Value {
        Value::Fields(vec![
            ("units", aggregate.units.into()),
            ("purchases", aggregate.purchases.into()),
            ("amount", Value::Money(aggregate.amount)),
        ])
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Value {
        Value::Moment(moment)
    }
}

/// Returns how many there are of something that fits into memory.
pub(super) fn count(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
