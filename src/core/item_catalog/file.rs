//! The file of an item catalog and its columns.

use std::path::PathBuf;

use crate::input_format::Mapping;

/// The fields of an item catalog. Their names are those of its columns, unless columns are mapped.
pub const FIELDS: &[&str] = &["item_id", "category", "name"];

pub(super) const ITEM_ID: usize = 0;
pub(super) const CATEGORY: usize = 1;
pub(super) const NAME: usize = 2;

/// The file of an item catalog, and the mapping of its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogFile {
    pub path: PathBuf,
    /// Of [`FIELDS`].
    pub mapping: Mapping,
}
