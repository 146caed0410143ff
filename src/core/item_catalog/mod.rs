//! The item catalog: the categories and names of items, from a file of the shop.
//!
//! It is a CSV, TSV or Parquet file, compressed or not, with one or several rows for each item:
//!
//! | column | |
//! |---|---|
//! | `item_id` | the item, spelled as in the logs |
//! | `category` | its paths, as in a log; those of several rows are combined |
//! | `name` | its name; that of the first row which has one |

mod catalog;
mod error;
mod file;
mod item_index;
mod names;
mod rows;
mod text_rows;

pub use catalog::ItemCatalog;
pub use error::CatalogError;
pub use file::{CatalogFile, FIELDS};
pub use names::ItemNames;
