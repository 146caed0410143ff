//! Rows of `events` files, as they are aggregated.

use arrow::array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;

use crate::model::{Aggregate, Amount, Interner};
use crate::parquet_format::coded::{Coder, coded_lists, coded_texts};
use crate::parquet_format::event_pages::{EventRows, read_rows};
use crate::parquet_format::fields::{flags, numbers, texts};
use crate::parquet_format::parquet_file::{ColumnsError, decode_coded};

const SUMMED: [&str; 5] = ["item_id", "categories", "quantity", "amount", "is_primary"];
/// What tells one event from another, which nobody needs to know of events without an id.
const TOLD_APART_BY: [&str; 3] = ["ts", "event_id", "all_categories"];

/// Which columns to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventColumns {
    /// No event of the file has an id.
    WithoutIds,
    All,
}

/// Some rows of an `events` file.
pub struct EventBatch {
    rows: EventRows,
    ids: Option<Ids>,
}

struct Ids {
    ts: TimestampMicrosecondArray,
    event_id: StringArray,
    all_categories: StringArray,
}

/// Returns an `events` file's rows, some at a time.
///
/// # Errors
/// Fails, or an item does, where the bytes are not such a file.
pub fn decode_events(
    bytes: Bytes,
    columns: EventColumns,
) -> Result<impl Iterator<Item = Result<EventBatch, ColumnsError>>, ColumnsError> {
    let of_pages = match columns {
        EventColumns::WithoutIds => read_rows(&bytes),
        EventColumns::All => None,
    };
    let by_library = match of_pages {
        Some(_) => None,
        None => Some(decode_by_library(bytes, columns)?),
    };
    let of_pages = of_pages.map(|rows| Ok(EventBatch::of_rows(rows)));
    Ok(of_pages.into_iter().chain(by_library.into_iter().flatten()))
}

/// Returns the rows of any file with an `events` file's columns, some at a time.
pub(super) fn decode_by_library(
    bytes: Bytes,
    columns: EventColumns,
) -> Result<impl Iterator<Item = Result<EventBatch, ColumnsError>>, ColumnsError> {
    let names = match columns {
        EventColumns::WithoutIds => SUMMED.to_vec(),
        EventColumns::All => [&SUMMED[..], &TOLD_APART_BY[..]].concat(),
    };
    let batches = decode_coded(bytes, &names, &["item_id", "categories"], &|_| true, None)?;
    Ok(batches.map(move |batch| EventBatch::of(&batch?, columns)))
}

impl EventBatch {
    pub(super) fn of_rows(rows: EventRows) -> EventBatch {
        EventBatch { rows, ids: None }
    }

    fn of(batch: &RecordBatch, columns: EventColumns) -> Result<EventBatch, ColumnsError> {
        let ids = || {
            Ok::<_, ColumnsError>(Ids {
                ts: numbers::<TimestampMicrosecondType>(batch, "ts")?,
                event_id: texts(batch, "event_id")?,
                all_categories: texts(batch, "all_categories")?,
            })
        };
        let amount = numbers::<Decimal128Type>(batch, "amount")?;
        let amount = amount.iter().map(|amount| Amount::from_ten_thousandths(amount?));
        Ok(EventBatch {
            rows: EventRows {
                item_id: coded_texts(batch, "item_id")?,
                categories: coded_lists(batch, "categories")?,
                quantity: numbers::<Int64Type>(batch, "quantity")?.values().to_vec(),
                amount: amount.map(|amount| amount.map_or(0, Amount::ten_thousandths)).collect(),
                is_primary: flags(batch, "is_primary")?.values().iter().collect(),
            },
            ids: (columns == EventColumns::All).then(ids).transpose()?,
        })
    }

    /// Returns how many rows there are.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows.quantity.len()
    }

    /// Returns when the event was, in microseconds; 0 where only events without ids were read.
    pub fn ts_micros(&self, row: usize) -> i64 {
        self.ids.as_ref().map_or(0, |ids| ids.ts.value(row))
    }

    /// Returns the event's own id, if it has one.
    #[inline]
    pub fn event_id(&self, row: usize) -> Option<&str> {
        let ids = &self.ids.as_ref()?.event_id;
        ids.is_valid(row).then(|| ids.value(row))
    }

    /// Returns the item's id.
    #[inline]
    pub fn item_id(&self, row: usize) -> &str {
        self.rows.item_id.text(row)
    }

    /// Appends the number of each row's item in a table of names.
    pub fn items(&self, coder: &mut Coder, names: &mut Interner, into: &mut Vec<u32>) {
        coder.codes(&self.rows.item_id, names, into);
    }

    /// Appends the number of each row's paths below this top-level category, joined by `|`, in a
    /// table of names.
    pub fn path_sets(&self, coder: &mut Coder, names: &mut Interner, into: &mut Vec<u32>) {
        coder.codes_of_lists(&self.rows.categories, names, into);
    }

    /// Returns all the event's paths, joined by `|`; only those below this top-level category where
    /// the event has no id.
    pub fn all_paths<'a>(&'a self, row: usize, scratch: &'a mut String) -> &'a str {
        match &self.ids {
            Some(Ids { all_categories, .. }) if all_categories.is_valid(row) => all_categories.value(row),
            _ => {
                self.rows.categories.join(row, scratch);
                scratch
            }
        }
    }

    /// Returns whether this copy counts shop-wide.
    #[inline]
    pub fn is_primary(&self, row: usize) -> bool {
        self.rows.is_primary[row]
    }

    /// Returns what the one event adds up to.
    #[inline]
    pub fn aggregate(&self, row: usize) -> Aggregate {
        let amount = Amount::from_ten_thousandths(self.rows.amount[row].into());
        Aggregate::of(self.rows.quantity[row], amount)
    }
}
