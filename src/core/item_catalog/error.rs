//! Why an item catalog cannot be read.

use crate::input_format::SourceError;

/// An item catalog that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the item catalog {file}: {source}")]
    Source { file: String, source: SourceError },
    #[error("the item catalog {file} {reason}")]
    File { file: String, reason: String },
    #[error("the item catalog {file}:{line}: {reason}")]
    Row { file: String, line: u64, reason: String },
}
