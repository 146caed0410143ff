//! Rows of `events` files, in batches, as they are aggregated.

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;

use crate::model::{Aggregate, Amount, Interner, Units};
use crate::parquet_format::dictionary::{DictionaryInterner, dictionary_lists, dictionary_texts};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::event_pages::{EventRows, hour_of_day, read_rows};
use crate::parquet_format::events::{HOUR, VERSION};
use crate::parquet_format::fields::{flags, numbers, texts};
use crate::parquet_format::parquet_file::{decode_with_dictionaries, has_column};
use crate::parquet_format::units_column::units;

const AGGREGATED: [&str; 6] = [HOUR, "item_id", "categories", "quantity", "amount", "is_primary"];
/// The columns that distinguish events, which are not needed of events without an id.
const IDENTIFYING: [&str; 3] = ["ts", "event_id", "all_categories"];

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
    /// None where the file has no versions.
    version: Option<Int64Array>,
}

/// Returns an `events` file's rows in batches.
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

/// Returns the rows of any file with an `events` file's columns in batches, read by the Parquet library.
fn decode_by_library(
    bytes: Bytes,
    columns: EventColumns,
) -> Result<impl Iterator<Item = Result<EventBatch, ColumnsError>>, ColumnsError> {
    let mut names = match columns {
        EventColumns::WithoutIds => AGGREGATED.to_vec(),
        EventColumns::All => [&AGGREGATED[..], &IDENTIFYING[..]].concat(),
    };
    if columns == EventColumns::All && has_column(&bytes, VERSION)? {
        names.push(VERSION);
    }
    let batches = decode_with_dictionaries(bytes, &names, &["item_id", "categories"], &|_| true, None)?;
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
                version: match batch.column_by_name(VERSION) {
                    Some(_) => Some(numbers::<Int64Type>(batch, VERSION)?),
                    None => None,
                },
            })
        };
        let amount = numbers::<Decimal128Type>(batch, "amount")?;
        let amount = amount.iter().map(|amount| Amount::from_ten_thousandths(amount?));
        let hours = numbers::<Int32Type>(batch, HOUR)?;
        let hours = hours.iter().map(|hour| hour_of_day(hour?));
        Ok(EventBatch {
            rows: EventRows {
                hours: hours.collect::<Option<_>>().ok_or(ColumnsError::Column(HOUR))?,
                item_id: dictionary_texts(batch, "item_id")?,
                categories: dictionary_lists(batch, "categories")?,
                quantity: units(batch, "quantity")?.into_iter().map(Units::ten_thousandths).collect(),
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

    /// Returns the event's hour of the day, 0 to 23.
    #[inline]
    pub fn hour_of_day(&self, row: usize) -> usize {
        self.rows.hours[row].into()
    }

    /// Returns the event's time in microseconds; 0 where only events without ids were read.
    pub fn ts_micros(&self, row: usize) -> i64 {
        self.ids.as_ref().map_or(0, |ids| ids.ts.value(row))
    }

    /// Returns the event's own id, if it has one.
    #[inline]
    pub fn event_id(&self, row: usize) -> Option<&str> {
        let ids = &self.ids.as_ref()?.event_id;
        ids.is_valid(row).then(|| ids.value(row))
    }

    /// Returns the event's version, if it has one and ids were read.
    pub fn version(&self, row: usize) -> Option<i64> {
        let version = self.ids.as_ref()?.version.as_ref()?;
        version.is_valid(row).then(|| version.value(row))
    }

    /// Returns the item's id.
    #[inline]
    pub fn item_id(&self, row: usize) -> &str {
        self.rows.item_id.text(row)
    }

    /// Appends the code of each row's item in an interner.
    pub fn items(&self, coder: &mut DictionaryInterner, names: &mut Interner, into: &mut Vec<u32>) {
        coder.codes(&self.rows.item_id, names, into);
    }

    /// Appends the code of each row's paths below this top-level category, joined by `|`, in an interner.
    pub fn path_sets(&self, coder: &mut DictionaryInterner, names: &mut Interner, into: &mut Vec<u32>) {
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

    /// Returns the aggregate of the event alone.
    #[inline]
    pub fn aggregate(&self, row: usize) -> Aggregate {
        let amount = Amount::from_ten_thousandths(self.rows.amount[row].into());
        Aggregate::of(Units::from_ten_thousandths(self.rows.quantity[row]), amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow::datatypes::DataType;
    use proptest::prop_assert_eq;

    use crate::model::Sharing;
    use crate::parquet_format::chunked_file::{ChunkedFile, schema_of};
    use crate::parquet_format::chunks::{Chunk, Shape, Values};
    use crate::parquet_format::event_pages::footer;
    use crate::parquet_format::event_rewrite::merge_events;
    use crate::parquet_format::events::tests::{Sale, any_sales, encoded};
    use crate::parquet_format::events::{COLUMNS, SCHEMA};

    proptest::proptest! {
        #[test]
        fn pages_are_read_as_the_library_reads_them(sales in any_sales()) {
            let (file, _) = encoded(&sales);
            let by_library = decode_by_library(file.bytes.clone(), EventColumns::WithoutIds);
            let by_library = by_library.and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let by_library = aggregated(&by_library.expect("its pages can be read"));
            let of_pages = read_rows(&file.bytes).expect("it is encoded as ours are");
            prop_assert_eq!(aggregated(&[EventBatch::of_rows(of_pages)]), by_library);
        }
    }

    /// Returns the aggregated columns of some batches.
    fn aggregated(batches: &[EventBatch]) -> Vec<(String, String, Aggregate, bool)> {
        let (mut coder, mut sets, mut lines) =
            (DictionaryInterner::default(), Interner::default(), Vec::new());
        for batch in batches {
            let mut codes = Vec::new();
            batch.path_sets(&mut coder, &mut sets, &mut codes);
            lines.extend(codes.into_iter().enumerate().map(|(row, set)| {
                let (item, paths) = (batch.item_id(row).to_owned(), sets.name(set).to_owned());
                (item, paths, batch.aggregate(row), batch.is_primary(row))
            }));
        }
        lines
    }

    /// Items and paths that repeat and that do not, lists of none and of several, and missing amounts.
    fn some_sales() -> Vec<Sale> {
        let sale = |row: i64| -> Sale {
            let categories = ["A/x", "A/x|A/y", "", "B/z|A/y"][row as usize % 7 % 4];
            let amount = (row % 5 > 0).then_some(row * row);
            (row * 1_000, None, format!("item {}", row % 50), categories.to_owned(), row % 3, amount)
        };
        (0..200).map(sale).collect()
    }

    #[test]
    fn pages_of_a_damaged_file_are_read_as_the_library_reads_them_or_not_at_all() {
        let (file, _) = encoded(&some_sales());
        let whole = aggregated(&[EventBatch::of_rows(read_rows(&file.bytes).expect("it is whole"))]);
        let (mut read, mut differs) = (0, 0);
        for at in 0..file.bytes.len() {
            for change in [0x01, 0x80, 0xFF] {
                let mut damaged = file.bytes.to_vec();
                damaged[at] ^= change;
                let damaged = Bytes::from(damaged);
                let Some(of_pages) = read_rows(&damaged) else { continue };
                let of_pages = aggregated(&[EventBatch::of_rows(of_pages)]);
                let by_library = decode_by_library(damaged, EventColumns::WithoutIds);
                let by_library = by_library.and_then(Iterator::collect::<Result<Vec<_>, _>>);
                // The library also reads statistics, which do not matter here.
                let Ok(by_library) = by_library else { continue };
                read += 1;
                differs += usize::from(of_pages != whole);
                assert!(of_pages == aggregated(&by_library), "byte {at} changed by {change:#x}");
            }
        }
        assert!(differs > 100 && read > differs, "{differs} of {read} differ");
        for end in 0..file.bytes.len() {
            assert!(read_rows(&file.bytes.slice(..end)).is_none());
        }
    }

    #[test]
    fn other_files_are_left_to_the_library() {
        let (file, _) = encoded(&some_sales());
        let merged = merge_events(vec![file.bytes.clone()], Sharing::ByShard).expect("it can be rewritten");
        let merged = merged.into_iter().map(|merged| merged.encoded).next().expect("there are rows");
        // The library's own pages may or may not be readable here, but must not be read differently.
        let by_library = |bytes: &Bytes| {
            let batches = decode_by_library(bytes.clone(), EventColumns::WithoutIds).expect("it is Parquet");
            aggregated(&batches.collect::<Result<Vec<_>, _>>().expect("its pages can be read"))
        };
        if let Some(rows) = read_rows(&merged.bytes) {
            assert!(aggregated(&[EventBatch::of_rows(rows)]) == by_library(&merged.bytes));
        }
        // Amounts of another scale are different numbers.
        let (schema, root) = schema_of(COLUMNS.map(|name| match name {
            "amount" => (name, DataType::Decimal128(18, 2)),
            _ => (name, SCHEMA.0.field_with_name(name).expect("it is one of ours").data_type().clone()),
        }));
        let mut other = ChunkedFile::of(root, usize::MAX).expect("a file can be begun");
        other.add(1, &COLUMNS.map(|_| Chunk { shape: Shape::Full, values: Values::None })).expect("it fits");
        let other = other.finish(&schema).expect("it fits").bytes;
        assert!(footer(&other).is_none() && footer(&file.bytes).is_some());
    }
}
