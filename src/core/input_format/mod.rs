//! Input formats: files and streams that other programs have written, opened, and which of their columns
//! is which field.

mod column_names;
mod container_log;
mod content_kind;
mod decompress;
mod detect;
mod error;
mod file_name;
mod filter;
mod fluent_bit;
mod format;
mod gzip_members;
mod head;
mod json_framing;
mod json_records;
mod json_scanner;
mod line_ends;
mod mapping;
mod numbered_lines;
mod object_keys;
mod presets;
mod read_options;
mod recognize;
mod source;
mod text_encoding;
mod toml_line;
mod zip_member;

pub use container_log::{ContainerLogLine, container_log_line};
pub use error::{SourceError, read_error};
pub use file_name::{HIDDEN, format_of_name, reason_to_skip, without_rotation};
pub use filter::Filter;
pub use fluent_bit::{FluentBitLine, fluent_bit_record};
pub use format::Format;
pub use head::Head;
pub use mapping::{FieldColumns, FieldKeys, MAX_COLUMNS, Mapping, MappingError};
pub use presets::{PRESETS, Preset};
pub use read_options::{BadField, DecimalMark, Quoting, READ_OPTIONS, ReadOptions};
pub use recognize::recognize;
pub use source::{ParquetSource, Source, TextOptions, open_file, open_stream};
pub use text_encoding::TextEncoding;
pub use toml_line::toml_line;
