//! The rows of an item catalog in any format.

use crate::input_format::{FieldColumns, Format, Source, format_of_name, open_file, with_dialect};
use crate::item_catalog::error::CatalogError;
use crate::item_catalog::file::{CATEGORY, CatalogFile, ITEM_ID, NAME};
use crate::item_catalog::text_rows::TextRows;
use crate::model::{MAX_ID_BYTES, RawCategories};
use crate::parquet_format::{BadPaths, ExternalBatch, ExternalFile, ExternalRows, NotText, WantedColumn};
use crate::progress::Progress;
use crate::storage::local_files;

/// Reading a catalog is not progress of an ingest.
static NO_PROGRESS: Progress = Progress::ignored();

/// The fields of one row before they are checked.
pub(super) struct Row<'a> {
    pub item_id: Option<&'a str>,
    pub categories: RawCategories<'a>,
    pub name: Option<&'a str>,
}

/// A function of each row; a reason why the row is invalid stops the reading.
pub(super) type Take<'a> = dyn FnMut(&Row<'_>) -> Result<(), String> + 'a;

/// An opened item catalog whose columns are found.
pub(super) struct Rows {
    file: String,
    source: RowSource,
    columns: Vec<Option<FieldColumns>>,
}

enum RowSource {
    Text(TextRows),
    Parquet(ExternalRows),
}

impl Rows {
    /// Opens the file and finds its columns.
    ///
    /// # Errors
    /// Fails where the file cannot be read or lacks a required column.
    pub(super) fn open(file: &CatalogFile, required: &[usize]) -> Result<Rows, CatalogError> {
        let name = file.path.display().to_string();
        let refuse = |reason: String| CatalogError::File { file: name.clone(), reason };
        let format = format_of_name(&file.path).filter(|format| *format != Format::Ndjson);
        let format = format.ok_or_else(|| {
            refuse("has an unsupported file extension; it must be .csv, .tsv or .parquet".to_owned())
        })?;
        let open = || local_files::open(&file.path);
        let opened = open_file(open, Some(format), file.mapping.text_options(ITEM_ID), &NO_PROGRESS)
            .map_err(|source| CatalogError::Source { file: name.clone(), source })?;
        let (source, columns) = match opened {
            Source::Text { format, reader, .. } => {
                let (dialect, reader) = with_dialect(reader, format, &file.mapping, required);
                // What is no CSV or TSV was refused by its name.
                let dialect = dialect.ok_or_else(|| refuse("has no header".to_owned()))?;
                let mut rows = TextRows::of(reader, dialect);
                if rows.advance().map_err(|error| error.in_file(&name))?.is_none() {
                    return Err(refuse("is empty; its first line must be a header".to_owned()));
                }
                let columns = file.mapping.columns(&rows.header(), required).map_err(|reason| {
                    let (file, line) = (name.clone(), rows.line_number());
                    CatalogError::Row { file, line, reason: format!("the header {reason}") }
                })?;
                (RowSource::Text(rows), columns)
            }
            Source::Parquet(source) => {
                let parquet = ExternalFile::open(source.file).map_err(|e| refuse(e.to_string()))?;
                let columns = file.mapping.columns(parquet.columns(), required).map_err(refuse)?;
                let (wanted, columns) = wanted(&columns);
                (RowSource::Parquet(parquet.rows(&wanted).map_err(|e| refuse(e.to_string()))?), columns)
            }
        };
        Ok(Rows { file: name, source, columns })
    }

    /// Calls a function with each row.
    ///
    /// # Errors
    /// Fails at the first row that is invalid.
    pub(super) fn each(self, take: &mut Take<'_>) -> Result<(), CatalogError> {
        let Rows { file, source, columns } = self;
        let invalid = |line, reason| CatalogError::Row { file: file.clone(), line, reason };
        match source {
            RowSource::Text(mut rows) => {
                while let Some(line) = rows.advance().map_err(|error| error.in_file(&file))? {
                    take_text_row(&rows, &columns, take).map_err(|reason| invalid(line, reason))?;
                }
            }
            RowSource::Parquet(rows) => {
                let mut number = 0;
                for batch in rows {
                    let batch = batch
                        .map_err(|e| CatalogError::File { file: file.clone(), reason: e.to_string() })?;
                    for at in 0..batch.rows() {
                        number += 1;
                        take_parquet_row(&batch, at, &columns, take)
                            .map_err(|reason| invalid(number, reason))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the item id of a row, checked.
pub(super) fn item_id<'a>(row: &Row<'a>) -> Result<&'a str, String> {
    // As in events, spaces around an id do not count.
    match row.item_id.map(str::trim).filter(|id| !id.is_empty()) {
        None => Err("item_id is empty; it is required".to_owned()),
        Some(id) if id.len() > MAX_ID_BYTES => {
            Err(format!("item_id is {} bytes long, over the limit of {MAX_ID_BYTES}", id.len()))
        }
        Some(id) => Ok(id),
    }
}

/// Returns the columns to read, and the columns of each field among them.
fn wanted(columns: &[Option<FieldColumns>]) -> (Vec<WantedColumn>, Vec<Option<FieldColumns>>) {
    let mut wanted = Vec::new();
    let mut number = |column: usize| {
        wanted.push(WantedColumn::Text(column));
        wanted.len() - 1
    };
    let renumbered = columns
        .iter()
        .map(|columns| columns.clone().map(|columns| columns.renumbered(&mut number)))
        .collect();
    (wanted, renumbered)
}

fn take_text_row(
    rows: &TextRows,
    columns: &[Option<FieldColumns>],
    take: &mut Take<'_>,
) -> Result<(), String> {
    let one = |field: usize| match &columns[field] {
        Some(FieldColumns::One(column)) => rows.text(*column).map(Some),
        _ => Ok(None),
    };
    let levels: Vec<&str>;
    let categories = match &columns[CATEGORY] {
        Some(FieldColumns::Levels(columns)) => {
            levels = columns.iter().map(|column| rows.text(*column)).collect::<Result<_, _>>()?;
            RawCategories::Levels(&levels)
        }
        _ => RawCategories::Text(one(CATEGORY)?.unwrap_or("")),
    };
    take(&Row { item_id: one(ITEM_ID)?, categories, name: one(NAME)? })
}

fn take_parquet_row(
    batch: &ExternalBatch,
    at: usize,
    columns: &[Option<FieldColumns>],
    take: &mut Take<'_>,
) -> Result<(), String> {
    let text = |column: usize| batch.text(column, at).map_err(|NotText| "row is not UTF-8 text".to_owned());
    let one = |field: usize| match &columns[field] {
        Some(FieldColumns::One(column)) => text(*column),
        _ => Ok(None),
    };
    let levels: Vec<&str>;
    let categories = match &columns[CATEGORY] {
        None => RawCategories::Text(""),
        Some(FieldColumns::Levels(columns)) => {
            let texts = columns.iter().map(|column| Ok(text(*column)?.unwrap_or("")));
            levels = texts.collect::<Result<_, String>>()?;
            RawCategories::Levels(&levels)
        }
        // Only ids and amounts are composed of columns in another way.
        Some(FieldColumns::Joined(_) | FieldColumns::Product(..)) => RawCategories::Text(""),
        Some(FieldColumns::One(column)) => match batch.path_set(*column, at) {
            Ok(Some(set)) => RawCategories::Set(set),
            Ok(None) => RawCategories::Text(text(*column)?.unwrap_or("")),
            Err(BadPaths::NotText) => return Err("category is not UTF-8 text".to_owned()),
            Err(BadPaths::Category(error)) => return Err(format!("category has a path that {error}")),
        },
    };
    take(&Row { item_id: one(ITEM_ID)?, categories, name: one(NAME)? })
}
