//! Answers and the formats they are written in: a table on a terminal, Markdown, HTML, JSON, NDJSON, CSV, Parquet.
//!
//! A command builds an [`Answer`] out of typed values; one writer for each format does the rest.
//!
//! Invariant: programs read the same numbers in every format, unrounded; fields and columns are only
//! ever added, columns at the end.

mod answer;
mod csv;
mod document;
mod format;
mod json;
mod parquet;
mod table;
mod value;
mod writer;

pub use answer::{Answer, Column, ColumnType, JsonField, JsonLayout, Rows, Table, TableColumn};
pub use format::{Format, FormatError};
pub use value::Value;
