//! An answer in no format yet: tables of typed values, the JSON fields around them, and what a
//! terminal shows besides.

use crate::formats::value::Value;
use crate::terminal::{Cell, Importance, RankChart, Side};

/// The answer to a question.
#[derive(Default)]
pub struct Answer<'a> {
    /// What a terminal shows first.
    pub title: String,
    /// Phrases that a terminal shows below the title.
    pub notes: Vec<Cell>,
    /// Names and texts that a terminal shows on a line each.
    pub properties: Vec<(&'static str, String)>,
    pub chart: Option<RankChart>,
    /// The fields of the JSON object before those of the tables.
    pub envelope: Vec<(&'static str, Value)>,
    /// CSV, NDJSON and Parquet have the first one.
    pub tables: Vec<Table<'a>>,
    /// The fields of the JSON object after those of the tables.
    pub envelope_end: Vec<(&'static str, Value)>,
    /// What depends on the moment of asking, which no file and no body of a response has: its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Lines that a terminal shows at the end.
    pub closing: Vec<String>,
    pub json: JsonLayout,
}

/// How JSON is laid out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JsonLayout {
    /// On one line, fields in the order given.
    #[default]
    OneLine,
    /// Indented, fields in alphabetical order.
    Indented,
    /// A line for each field and each row, the fields of a row in alphabetical order.
    RowPerLine,
    /// This text instead of the answer's fields and tables.
    Document(String),
}

/// Rows of values, computed while they are written.
pub type Rows<'a> = Box<dyn Iterator<Item = Vec<Value>> + 'a>;

/// Rows of the same columns.
pub struct Table<'a> {
    /// The field of the JSON object.
    pub name: &'static str,
    /// What a terminal shows above it, where there are several.
    pub title: String,
    pub columns: Vec<Column>,
    pub rows: Rows<'a>,
    /// What JSON has instead of the rows, where it nests them.
    pub nested: Option<Box<dyn Iterator<Item = Value> + 'a>>,
    /// Rows at the end, on a terminal only.
    pub footer: Vec<Vec<Value>>,
    /// What a terminal shows, in this order.
    pub shown: Vec<TableColumn>,
}

impl<'a> Table<'a> {
    /// Returns a table of rows.
    pub fn new<R>(name: &'static str, columns: &[Column], rows: R) -> Table<'a>
    where
        R: IntoIterator<Item = Vec<Value>>,
        R::IntoIter: 'a,
    {
        Table {
            name,
            title: String::new(),
            columns: columns.to_vec(),
            rows: Box::new(rows.into_iter()),
            nested: None,
            footer: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Returns the table with the columns that a terminal shows.
    #[must_use]
    pub fn showing(self, shown: impl IntoIterator<Item = TableColumn>) -> Table<'a> {
        Table { shown: shown.into_iter().collect(), ..self }
    }

    /// Returns the table with a title for a terminal.
    #[must_use]
    pub fn titled(self, title: String) -> Table<'a> {
        Table { title, ..self }
    }
}

/// A column as programs know it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub of: ColumnType,
    pub json: JsonField,
}

/// Where JSON has a column's values; NDJSON has all of them in every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonField {
    /// In every row.
    Always,
    /// In the rows that have one, in NDJSON too.
    WhenPresent,
    /// Beside the table, since it is the same in all rows.
    Envelope,
}

/// The type of a column's values, any of which may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Flag,
    Integer,
    Units,
    UnitsByDay,
    Number,
    /// An integer of any size, a text in JSON and Parquet.
    WideInteger,
    Seconds,
    Bytes,
    Amount,
    Share,
    Text,
    Texts,
    Moment,
    Ranks,
}

impl Column {
    /// Returns a column that every row of JSON has.
    pub const fn new(name: &'static str, of: ColumnType) -> Column {
        Column { name, of, json: JsonField::Always }
    }

    /// Returns the column with its values elsewhere in JSON.
    #[must_use]
    pub const fn json(self, json: JsonField) -> Column {
        Column { json, ..self }
    }
}

/// A column as a terminal shows it.
#[derive(Clone, Copy, Debug)]
pub struct TableColumn {
    pub column: &'static str,
    pub heading: &'static str,
    pub importance: Importance,
    /// How many cells are enough to recognize a text by; none where it may not be cut.
    pub enough: Option<usize>,
    /// What stands where there is no value; without it a column without any value is not shown.
    pub missing: &'static str,
    /// Whether a path is shown by its last level, indented by its depth.
    pub is_indented: bool,
    /// Its side, where it is not that of its type.
    pub side: Option<Side>,
}

impl TableColumn {
    /// Returns a column that is always shown.
    pub const fn essential(column: &'static str, heading: &'static str) -> TableColumn {
        TableColumn {
            column,
            heading,
            importance: Importance::Essential,
            enough: None,
            missing: "",
            is_indented: false,
            side: None,
        }
    }

    /// Returns a column that is left out, where the terminal is narrow, before those of more importance.
    pub const fn minor(column: &'static str, heading: &'static str, importance: u8) -> TableColumn {
        TableColumn { importance: Importance::Minor(importance), ..TableColumn::essential(column, heading) }
    }

    /// Returns the column, its texts cut to no fewer than so many cells.
    #[must_use]
    pub const fn cut_to(self, enough: usize) -> TableColumn {
        TableColumn { enough: Some(enough), ..self }
    }

    /// Returns the column with its paths as a tree.
    #[must_use]
    pub const fn indented(self) -> TableColumn {
        TableColumn { is_indented: true, ..self }
    }

    /// Returns the column with a text where there is no value.
    #[must_use]
    pub const fn or(self, missing: &'static str) -> TableColumn {
        TableColumn { missing, ..self }
    }

    /// Returns the column with its texts on the left.
    #[must_use]
    pub const fn left(self) -> TableColumn {
        TableColumn { side: Some(Side::Left), ..self }
    }
}
