//! A catalog's rows, whatever form it has.
//!
//! A row of text is one line: a quote that runs on over the line's end is taken for one that was
//! never closed, which would otherwise swallow the items after it.

use std::io::{BufRead, BufReader, Read};

use csv_core::ReadRecordResult;

use crate::input_format::{
    Format, MAX_COLUMNS, Place, Source, SourceError, format_of_name, open_file, reading_failed,
};
use crate::item_catalog::{CATEGORY, CatalogError, CatalogFile, ITEM_ID, NAME};
use crate::model::RawCategories;
use crate::parquet_format::{BadPaths, ExternalBatch, ExternalFile, ExternalRows, NotText, WantedColumn};
use crate::progress::Progress;

/// Bytes that one line may have.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// What is read of a catalog is no progress of an ingest.
static UNHEARD: Progress = Progress::ignored();

/// One row's fields, not yet checked.
pub(super) struct Row<'a> {
    pub item_id: Option<&'a str>,
    pub categories: RawCategories<'a>,
    pub name: Option<&'a str>,
}

/// What is done with each row; a reason stops the reading.
pub(super) type Take<'a> = dyn FnMut(&Row<'_>) -> Result<(), String> + 'a;

/// An opened catalog whose columns are found.
pub(super) struct Rows {
    file: String,
    source: Form,
    places: Vec<Option<Place>>,
}

enum Form {
    Text(Lines),
    Foreign(ExternalRows),
}

impl Rows {
    /// Opens the file and finds its columns, the needed ones at least.
    ///
    /// # Errors
    /// Names the file, and what it lacks.
    pub(super) fn open(file: &CatalogFile, needed: &[usize]) -> Result<Rows, CatalogError> {
        let name = file.path.display().to_string();
        let refuse = |reason: String| CatalogError::File { file: name.clone(), reason };
        let format = format_of_name(&file.path).filter(|format| *format != Format::Ndjson);
        let format = format.ok_or_else(|| {
            refuse("is no catalog by its name, which must end in .csv, .tsv or .parquet".to_owned())
        })?;
        let opened = open_file(&file.path, format, &UNHEARD)
            .map_err(|source| CatalogError::Source { file: name.clone(), source })?;
        let (source, places) = match opened {
            Source::Text { format, reader } => {
                let mut lines = Lines::of(reader, format);
                if lines.advance().map_err(|(line, bad)| bad.of(&name, line))?.is_none() {
                    return Err(refuse("is empty; its first line is to name its columns".to_owned()));
                }
                let places = file
                    .mapping
                    .places(&lines.names(), needed)
                    .map_err(|reason| Bad::Row(format!("the header {reason}")).of(&name, lines.number))?;
                (Form::Text(lines), places)
            }
            Source::Rows(rows) => {
                let foreign = ExternalFile::open(rows.file).map_err(|e| refuse(e.to_string()))?;
                let places = file.mapping.places(foreign.columns(), needed).map_err(refuse)?;
                let (wanted, places) = wanted(&places);
                (Form::Foreign(foreign.rows(&wanted).map_err(|e| refuse(e.to_string()))?), places)
            }
        };
        Ok(Rows { file: name, source, places })
    }

    /// Hands over every row.
    ///
    /// # Errors
    /// Names the file, and the first row that is wrong.
    pub(super) fn each(self, take: &mut Take<'_>) -> Result<(), CatalogError> {
        let Rows { file, source, places } = self;
        match source {
            Form::Text(mut lines) => {
                while let Some(number) = lines.advance().map_err(|(line, e)| e.of(&file, line))? {
                    let taken = lines.row(&places).and_then(|(item_id, levels, text, name)| {
                        let categories = text.map_or(RawCategories::Levels(&levels), RawCategories::Text);
                        take(&Row { item_id, categories, name })
                    });
                    taken.map_err(|reason| Bad::Row(reason).of(&file, number))?;
                }
            }
            Form::Foreign(rows) => {
                let mut number = 0;
                for batch in rows {
                    let batch = batch
                        .map_err(|e| CatalogError::File { file: file.clone(), reason: e.to_string() })?;
                    for at in 0..batch.rows() {
                        number += 1;
                        take_row(&batch, at, &places, take)
                            .map_err(|reason| Bad::Row(reason).of(&file, number))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the columns to read, and the places among them.
fn wanted(places: &[Option<Place>]) -> (Vec<WantedColumn>, Vec<Option<Place>>) {
    let mut wanted = Vec::new();
    let mut number = |column: usize| {
        wanted.push(WantedColumn::Text(column));
        wanted.len() - 1
    };
    let renumbered = places.iter().map(|place| match place {
        None => None,
        Some(Place::Whole(column)) => Some(Place::Whole(number(*column))),
        Some(Place::Levels(columns)) => Some(Place::Levels(columns.iter().map(|c| number(*c)).collect())),
    });
    let renumbered = renumbered.collect();
    (wanted, renumbered)
}

fn take_row(
    batch: &ExternalBatch,
    at: usize,
    places: &[Option<Place>],
    take: &mut Take<'_>,
) -> Result<(), String> {
    let text = |column: usize| {
        batch.text(column, at).map_err(|NotText| "holds something that is no UTF-8 text".to_owned())
    };
    let whole = |field: usize| match &places[field] {
        Some(Place::Whole(column)) => text(*column),
        _ => Ok(None),
    };
    let levels: Vec<&str>;
    let categories = match &places[CATEGORY] {
        None => RawCategories::Text(""),
        Some(Place::Levels(columns)) => {
            let texts = columns.iter().map(|column| Ok(text(*column)?.unwrap_or("")));
            levels = texts.collect::<Result<_, String>>()?;
            RawCategories::Levels(&levels)
        }
        Some(Place::Whole(column)) => match batch.path_set(*column, at) {
            Ok(Some(set)) => RawCategories::Set(set),
            Ok(None) => RawCategories::Text(text(*column)?.unwrap_or("")),
            Err(BadPaths::NotText) => return Err("category holds something that is no text".to_owned()),
            Err(BadPaths::Category(error)) => return Err(format!("category has a path that {error}")),
        },
    };
    take(&Row { item_id: whole(ITEM_ID)?, categories, name: whole(NAME)? })
}

/// Why a line of text is no row.
enum Bad {
    Source(SourceError),
    Row(String),
}

impl Bad {
    fn of(self, file: &str, line: u64) -> CatalogError {
        let file = file.to_owned();
        match self {
            Bad::Source(source) => CatalogError::Source { file, source },
            Bad::Row(reason) => CatalogError::Row { file, line, reason },
        }
    }
}

/// The lines of a text, each split into fields.
struct Lines {
    reader: BufReader<Box<dyn Read>>,
    splitter: csv_core::Reader,
    line: Vec<u8>,
    number: u64,
    width: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A row's item, levels, category as text, and name.
type TextRow<'a> = (Option<&'a str>, Vec<&'a str>, Option<&'a str>, Option<&'a str>);

impl Lines {
    fn of(reader: Box<dyn Read>, format: Format) -> Lines {
        let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
        Lines {
            reader: BufReader::with_capacity(1 << 16, reader),
            splitter: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            line: Vec::new(),
            number: 0,
            width: 0,
            bytes: vec![0; 4_096],
            ends: Vec::new(),
        }
    }

    /// Returns the fields of the header, while it is the line that was read last.
    fn names(&self) -> Vec<String> {
        (0..self.width).map(|at| String::from_utf8_lossy(self.field(at)).trim().to_owned()).collect()
    }

    /// Reads the next line that is not blank, and returns its number.
    fn advance(&mut self) -> Result<Option<u64>, (u64, Bad)> {
        loop {
            self.line.clear();
            self.number += 1;
            let number = self.number;
            let bounded = self.reader.by_ref().take(MAX_LINE_BYTES + 1);
            let read = { bounded }.read_until(b'\n', &mut self.line);
            if read.map_err(|e| (number, Bad::Source(reading_failed(e))))? == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 > MAX_LINE_BYTES {
                let reason = format!("line is longer than {MAX_LINE_BYTES} bytes");
                return Err((number, Bad::Row(reason)));
            }
            if number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if self.line.iter().all(|byte| matches!(byte, b'\n' | b'\r' | b' ')) {
                continue;
            }
            let width = self.split().map_err(|reason| (number, Bad::Row(reason)))?;
            if self.width != 0 && self.width != width {
                let reason = format!("row has {width} fields where the header has {}", self.width);
                return Err((number, Bad::Row(reason)));
            }
            self.width = width;
            return Ok(Some(number));
        }
    }

    /// Splits the line, and returns how many fields it has.
    fn split(&mut self) -> Result<usize, String> {
        if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        let most = if self.width == 0 { MAX_COLUMNS } else { self.width };
        // No field of a line is longer than the line.
        self.bytes.resize(self.bytes.len().max(self.line.len()), 0);
        self.ends.resize(most + 1, 0);
        self.splitter.reset();
        let (result, read, _, fields) =
            self.splitter.read_record(&self.line, &mut self.bytes, &mut self.ends);
        let is_whole = self.line[read..].iter().all(|byte| matches!(byte, b'\n' | b'\r'));
        match result {
            ReadRecordResult::Record if is_whole => Ok(fields),
            ReadRecordResult::OutputEndsFull if self.width == 0 => {
                Err(format!("the header has more than {MAX_COLUMNS} columns"))
            }
            ReadRecordResult::OutputEndsFull => {
                Err(format!("row has more fields than the header, which has {}", self.width))
            }
            _ => Err("a quote opens in this row and does not close; a row is one line".to_owned()),
        }
    }

    fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    fn row(&self, places: &[Option<Place>]) -> Result<TextRow<'_>, String> {
        let text = |at: usize| {
            std::str::from_utf8(self.field(at)).map_err(|_| "row holds something that is no UTF-8".to_owned())
        };
        let whole = |field: usize| match &places[field] {
            Some(Place::Whole(at)) => text(*at).map(Some),
            _ => Ok(None),
        };
        let (category, levels) = match &places[CATEGORY] {
            Some(Place::Levels(columns)) => {
                (None, columns.iter().map(|at| text(*at)).collect::<Result<_, _>>()?)
            }
            _ => (Some(whole(CATEGORY)?.unwrap_or("")), Vec::new()),
        };
        Ok((whole(ITEM_ID)?, levels, category, whole(NAME)?))
    }
}
