//! Input formats: files and streams that other programs have written, opened, and which of their columns
//! is which field.

mod decompress;
mod detect;
mod error;
mod fluent_bit;
mod format;
mod mapping;
mod source;

pub use error::{SourceError, read_error};
pub use fluent_bit::{FluentBitLine, fluent_bit_record};
pub use format::{Format, format_of_name};
pub use mapping::{FieldColumns, FieldKeys, MAX_COLUMNS, Mapping, MappingError};
pub use source::{ParquetSource, Source, open_file, open_stream};
