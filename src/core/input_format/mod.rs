//! Input formats: files and streams that other programs have written, opened, and which of their columns
//! is which field.

mod content_kind;
mod decompress;
mod detect;
mod error;
mod filter;
mod fluent_bit;
mod format;
mod gzip_members;
mod head;
mod mapping;
mod read_options;
mod source;
mod zip_member;

pub use error::{SourceError, read_error};
pub use filter::Filter;
pub use fluent_bit::{FluentBitLine, fluent_bit_record};
pub use format::{Format, format_of_name};
pub use mapping::{FieldColumns, FieldKeys, MAX_COLUMNS, Mapping, MappingError};
pub use read_options::{BadField, DecimalMark, Quoting, READ_OPTIONS, ReadOptions};
pub use source::{ParquetSource, Source, open_file, open_stream};
