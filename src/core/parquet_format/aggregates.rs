//! Files of the `rollups` table: aggregates by item, path set and hour, sorted for merging.
//!
//! | column | Parquet type |
//! |---|---|
//! | `hour` | INT32, 0 to 23 of the partition's date; in a file of a month, 0 to 743 of its first day |
//! | `item_id` | BYTE_ARRAY, STRING |
//! | `category` | BYTE_ARRAY, STRING: the top-level category, or null |
//! | `categories` | LIST of STRING: the paths below this top-level category |
//! | `is_primary` | BOOLEAN |
//! | `purchases` | INT64: number of events |
//! | `units` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) |
//! | `amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) |
//!
//! Rows are sorted by `category`, `item_id`, `categories`, `is_primary`, `hour`; no two share all of them. The
//! footer's key-value metadata has `topsell.paths`: a JSON array of all the paths in the file, by
//! which readers can skip it, and `topsell.blocks`, the checksums of its blocks. The page index has the
//! place of every page, and the least and the greatest item of each page of `item_id`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Schema};
use hashbrown::HashMap;
use parquet::schema::types::TypePtr;

use crate::model::{Aggregate, category_of_set};
use crate::parquet_format::chunked_file::{ChunkedFile, schema_of, text_lists};
use crate::parquet_format::chunks::{Chunk, Dictionary, Index, Shape, Values};
use crate::parquet_format::encodings::{distinct, few_distinct};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::parquet_file::Encoded;
use crate::parquet_format::units_column::{FewUnits, UNITS_SUM};

/// Small row groups, so that the items between two bounds are read without the rest.
const ROWS_PER_GROUP: usize = 1 << 17;
/// Small pages, so that one item is read without the rest of its row group. Pages of ids have as many rows
/// as a batch of a full scan, which smaller ones would slow down.
const INDEX: Index = Index { rows_to_search: 1 << 12, rows_per_page: 1 << 14 };
const INDEX_OF_MONTH: Index = Index { rows_to_search: 1 << 11, rows_per_page: 1 << 11 };
/// Aggregates are kept for long and read as a whole, so that even small chunks are worth compressing.
const COMPRESS_FROM_BYTES: usize = 2 << 10;
/// A file of a month has no more hours than that.
const HOURS_OF_A_MONTH: usize = 31 * 24;
pub(super) const ITEM_ID: &str = "item_id";
pub(super) const CATEGORY: &str = "category";
/// The columns that are read: the paths tell the category, too.
pub(super) const COLUMNS: [&str; 7] =
    ["hour", ITEM_ID, "categories", "is_primary", "purchases", "units", "amount"];
/// The metadata key of all the paths in the file.
pub(super) const PATHS: &str = "topsell.paths";

/// One row of an aggregate file.
#[derive(Clone, Copy, Debug)]
pub struct AggregateLine<'a> {
    /// 0 to 23; in a file of a month, 0 to 743.
    pub hour: i32,
    pub item_id: &'a str,
    /// Joined by `|`.
    pub paths: &'a str,
    pub is_primary: bool,
    pub aggregate: Aggregate,
}

/// The columns, and their Parquet schema.
pub(super) static SCHEMA: LazyLock<(Schema, TypePtr)> = LazyLock::new(|| {
    schema_of([
        ("hour", DataType::Int32),
        (ITEM_ID, DataType::Utf8),
        (CATEGORY, DataType::Utf8),
        ("categories", text_lists()),
        ("is_primary", DataType::Boolean),
        ("purchases", DataType::Int64),
        ("units", UNITS_SUM),
        ("amount", DataType::Decimal128(38, 4)),
    ])
});

/// Returns the file of the given rows, in their order.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode_aggregates<'a>(
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
) -> Result<Encoded, ColumnsError> {
    encode_indexed(lines, INDEX)
}

/// Returns the file of the rows of a month, in their order: with small pages, since an item is looked up in many months.
///
/// # Errors
/// As [`encode_aggregates`].
pub fn encode_month<'a>(lines: impl IntoIterator<Item = AggregateLine<'a>>) -> Result<Encoded, ColumnsError> {
    encode_indexed(lines, INDEX_OF_MONTH)
}

fn encode_indexed<'a>(
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
    index: Index,
) -> Result<Encoded, ColumnsError> {
    let (schema, root) = &*SCHEMA;
    let mut file =
        ChunkedFile::of(Arc::clone(root), COMPRESS_FROM_BYTES)?.indexed(index).with_block_checksums();
    let mut lines = lines.into_iter();
    let (mut paths, mut group) = (PathSets::default(), Group::of(lines.size_hint().0));
    while let Some(line) = lines.next() {
        if group.items.len() == ROWS_PER_GROUP {
            group.write(&paths, &mut file)?;
            group = Group::of(lines.size_hint().0 + 1);
        }
        group.push(&line, &mut paths);
    }
    group.write(&paths, &mut file)?;
    let all: BTreeSet<&str> = paths.names.iter().copied().collect();
    let all = serde_json::to_string(&all).map_err(|e| ColumnsError::Unwritable(e.to_string()))?;
    file.label(PATHS, all);
    file.finish(schema)
}

/// The path sets of a file, and its paths by number.
#[derive(Default)]
struct PathSets<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, u32>,
    /// The paths of each set, one set after the other.
    of_sets: Vec<u32>,
    /// By a set's text.
    sets: HashMap<&'a str, PathSet<'a>>,
    last: Option<(&'a str, PathSet<'a>)>,
}

#[derive(Clone, Copy)]
struct PathSet<'a> {
    /// Where its paths are in `of_sets`.
    start: u32,
    end: u32,
    /// None for the set without paths.
    category: Option<&'a str>,
}

impl<'a> PathSets<'a> {
    /// Returns the numbers of a set's paths, and its top-level category.
    fn paths_of(&mut self, set: &'a str) -> (&[u32], Option<&'a str>) {
        let known = match self.last {
            // Most rows have the same text as the row before them, at the same address.
            Some((last, known)) if std::ptr::eq(last, set) => known,
            _ => self.known(set),
        };
        self.last = Some((set, known));
        (&self.of_sets[known.start as usize..known.end as usize], known.category)
    }

    fn known(&mut self, set: &'a str) -> PathSet<'a> {
        if let Some(known) = self.sets.get(set) {
            return *known;
        }
        let start = self.of_sets.len() as u32;
        for path in set.split('|').filter(|path| !path.is_empty()) {
            let next = self.names.len() as u32;
            let number = *self.numbers.entry(path).or_insert_with(|| {
                self.names.push(path);
                next
            });
            self.of_sets.push(number);
        }
        let known = PathSet { start, end: self.of_sets.len() as u32, category: category_of_set(set) };
        self.sets.insert(set, known);
        known
    }
}

/// The rows of one row group.
struct Group<'a> {
    hours: Vec<i64>,
    items: Vec<&'a str>,
    /// For each row the number of its category, and the categories by number; rows without one have none.
    category_codes: Vec<u32>,
    categories: Vec<&'a str>,
    lengths: Vec<u32>,
    paths: Vec<u32>,
    is_primary: Vec<bool>,
    purchases: Vec<i64>,
    /// In ten-thousandths, as the amounts are.
    units: Vec<i64>,
    amounts: Vec<i128>,
}

impl<'a> Group<'a> {
    /// Returns an empty row group with capacity for a number of rows, but no more than a row group has.
    fn of(rows: usize) -> Group<'a> {
        let rows = rows.min(ROWS_PER_GROUP);
        Group {
            hours: Vec::with_capacity(rows),
            items: Vec::with_capacity(rows),
            category_codes: Vec::with_capacity(rows),
            categories: Vec::new(),
            lengths: Vec::with_capacity(rows),
            paths: Vec::with_capacity(rows),
            is_primary: Vec::with_capacity(rows),
            purchases: Vec::with_capacity(rows),
            units: Vec::with_capacity(rows),
            amounts: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, line: &AggregateLine<'a>, paths: &mut PathSets<'a>) {
        self.hours.push(i64::from(line.hour));
        self.items.push(line.item_id);
        let (paths, category) = paths.paths_of(line.paths);
        if let Some(category) = category {
            // Rows are sorted by category.
            if self.categories.last().is_none_or(|last| *last != category) {
                self.categories.push(category);
            }
            self.category_codes.push(self.categories.len() as u32 - 1);
        }
        self.lengths.push(paths.len() as u32);
        self.paths.extend_from_slice(paths);
        self.is_primary.push(line.is_primary);
        self.purchases.push(line.aggregate.purchases);
        self.units.push(line.aggregate.units.ten_thousandths());
        self.amounts.push(line.aggregate.amount);
    }

    fn write(self, paths: &PathSets<'a>, file: &mut ChunkedFile) -> Result<(), ColumnsError> {
        let rows = self.items.len();
        let full = |values| Chunk { shape: Shape::Full, values };
        let have_categories: Vec<bool> = match self.category_codes.len() {
            some if some < rows => self.lengths.iter().map(|&length| length > 0).collect(),
            _ => Vec::new(),
        };
        let categories = self.categories.iter().map(|&category| Cow::Borrowed(category)).collect();
        let hours = distinct(&self.hours, HOURS_OF_A_MONTH).unwrap_or_default();
        let of_hours: Vec<i32> = hours.1.iter().filter_map(|&hour| i32::try_from(hour).ok()).collect();
        let names = paths.names.iter().map(|&name| Cow::Borrowed(name)).collect();
        let (purchases, units) = (few_distinct(&self.purchases), FewUnits::of(&self.units));
        let wide: Vec<i128> = match units {
            Some(_) => Vec::new(),
            None => self.units.iter().map(|&units| units.into()).collect(),
        };
        let chunks = [
            full(Values::Codes { codes: &hours.0, of: Dictionary::Small(&of_hours) }),
            // Equal ids are consecutive, and amounts seldom repeat: compression takes less space than a
            // dictionary and its codes.
            full(match self.categories.len() < 2 {
                true => Values::InOrder(self.items),
                false => Values::InRuns(self.items),
            }),
            match self.category_codes.is_empty() {
                true => full(Values::None),
                false => Chunk {
                    shape: match have_categories.is_empty() {
                        true => Shape::Full,
                        false => Shape::Optional(&have_categories),
                    },
                    values: Values::Codes { codes: &self.category_codes, of: Dictionary::Texts(categories) },
                },
            },
            Chunk {
                shape: match self.lengths.iter().all(|&length| length == 1) {
                    true => Shape::Ones,
                    false => Shape::Lists(&self.lengths),
                },
                values: Values::Codes { codes: &self.paths, of: Dictionary::Texts(names) },
            },
            full(Values::Flags(&self.is_primary)),
            full(Values::of_numbers(&self.purchases, purchases.as_ref())),
            full(units.as_ref().map_or(Values::Wide(&wide), FewUnits::wide_values)),
            full(Values::Wide(&self.amounts)),
        ];
        file.add(rows, &chunks)
    }
}
