//! The options that name a catalog, and mappings of columns.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::failure::Failure;
use topsell_core::input_format::{Mapping, MappingError};
use topsell_core::item_catalog::{self, CatalogFile};

/// What names a catalog.
#[derive(ClapArgs, Debug)]
pub struct Catalog {
    /// Item catalog: a CSV, TSV or Parquet file with the columns item_id, category and name;
    /// `ingest` reads missing categories from it, `rank` item names
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
    /// Column of the catalog that holds item_id, category or name, or a TOML file of such pairs;
    /// can be repeated
    #[arg(long, value_name = "FIELD=COLUMN|FILE", requires = "catalog")]
    pub catalog_map: Vec<String>,
}

/// Returns the catalog that is named, if any.
///
/// # Errors
/// Names the mapping that is wrong.
pub fn catalog_file(typed: &Catalog) -> Result<Option<CatalogFile>, Failure> {
    let Some(path) = typed.catalog.clone() else { return Ok(None) };
    let mapping = mapping("--catalog-map", item_catalog::FIELDS, &typed.catalog_map)?;
    Ok(Some(CatalogFile { path, mapping }))
}

/// Reads a mapping of fields to columns.
///
/// # Errors
/// Names the option and the pair or file that is wrong.
pub fn mapping(name: &str, fields: &'static [&'static str], words: &[String]) -> Result<Mapping, Failure> {
    Mapping::of(fields, words).map_err(|error| match error {
        error @ MappingError::Unreadable { .. } => Failure::runtime(format!("{name}: {error}")),
        error => Failure::usage(format!("{name}: {error}")),
    })
}
