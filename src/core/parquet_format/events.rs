//! Files of the `events` table: one row per event and top-level category.
//!
//! | column | Parquet type |
//! |---|---|
//! | `hour` | INT32, 0 to 23 of the partition's date |
//! | `ts` | INT64, TIMESTAMP(MICROS, UTC) |
//! | `event_id` | BYTE_ARRAY, STRING, or null |
//! | `item_id` | BYTE_ARRAY, STRING |
//! | `category` | BYTE_ARRAY, STRING: the top-level category, or null |
//! | `categories` | LIST of STRING: the paths below this top-level category |
//! | `quantity` | INT64, DECIMAL(18,4) |
//! | `amount` | INT64, DECIMAL(18,4), or null |
//! | `is_primary` | BOOLEAN: the one copy that counts shop-wide |
//! | `all_categories` | BYTE_ARRAY, STRING: all the event's paths, joined by `|`, where it has an id and is under several top-level categories; else null |
//! | `batch` | BYTE_ARRAY, STRING: the id of the batch that ingested it |
//! | `version` | INT64, or null; a file without any has no such column |
//!
//! By `all_categories`, any copy of an event shows which version of its id it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Schema, TimeUnit};
use bytes::Bytes;
use parquet::schema::types::TypePtr;

use crate::model::{Events, Place, Places};
use crate::parquet_format::chunked_file::{ChunkedFile, schema_of, text_lists};
use crate::parquet_format::chunks::{Chunk, Dictionary, Shape, Values};
use crate::parquet_format::encodings::few_distinct;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::parquet_file::Encoded;
use crate::parquet_format::units_column::{FewUnits, UNITS};

pub(super) const ROWS_PER_GROUP: usize = 1 << 20;
/// A smaller chunk takes few disk blocks either way, and is read quickly.
const COMPRESS_FROM_BYTES: usize = 64 << 10;
pub(super) const COLUMNS: [&str; 11] = [
    HOUR,
    "ts",
    "event_id",
    "item_id",
    CATEGORY,
    "categories",
    "quantity",
    "amount",
    "is_primary",
    "all_categories",
    BATCH,
];
/// The columns that files of older formats have not: there, all rows of a file were of one hour and category.
pub(super) const HOUR: &str = "hour";
pub(super) const CATEGORY: &str = "category";
pub(super) const BATCH: &str = "batch";
/// The column that a file without versions has not.
pub(super) const VERSION: &str = "version";
/// Nearly all ids are distinct: a dictionary of them would be built only to be discarded.
pub(super) const PLAIN: [&str; 1] = ["event_id"];
/// Columns that always have a dictionary, which readers rely on.
pub(super) const DICTIONARIES: [&str; 1] = ["item_id"];

/// One event's copy below one top-level category.
#[derive(Clone, Copy)]
pub struct EventCopy {
    /// Row in the events.
    pub row: u32,
    /// Number of the place.
    pub place: u32,
}

/// Writes the files of a batch's events, one after another.
pub struct EventEncoder<'a> {
    events: &'a Events,
    places: &'a Places<'a>,
    batch_id: &'a str,
    items: Numbering,
    paths: Numbering,
    categories: Numbering,
}

/// The columns of a file without versions, and their Parquet schema.
pub(super) static SCHEMA: LazyLock<(Schema, TypePtr)> = LazyLock::new(|| schema_of(columns()));

/// The columns of a file with versions, and their Parquet schema.
static SCHEMA_WITH_VERSIONS: LazyLock<(Schema, TypePtr)> =
    LazyLock::new(|| schema_of(columns().into_iter().chain([(VERSION, DataType::Int64)])));

fn columns() -> [(&'static str, DataType); 11] {
    [
        (HOUR, DataType::Int32),
        ("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("event_id", DataType::Utf8),
        ("item_id", DataType::Utf8),
        (CATEGORY, DataType::Utf8),
        ("categories", text_lists()),
        ("quantity", UNITS),
        ("amount", DataType::Decimal128(18, 4)),
        ("is_primary", DataType::Boolean),
        ("all_categories", DataType::Utf8),
        (BATCH, DataType::Utf8),
    ]
}

/// Returns a file without rows.
pub(super) fn empty_file() -> Result<Bytes, ColumnsError> {
    let (schema, root) = &*SCHEMA;
    Ok(ChunkedFile::of(Arc::clone(root), COMPRESS_FROM_BYTES)?.finish(schema)?.bytes)
}

/// Renumbers codes in the order in which a file has them.
struct Numbering {
    /// For each code its number in the file.
    numbers: Vec<u32>,
    /// For each number its code.
    codes: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl Numbering {
    fn of(codes: usize) -> Numbering {
        Numbering { numbers: vec![UNSEEN; codes], codes: Vec::new() }
    }

    fn number(&mut self, code: u32) -> u32 {
        let number = &mut self.numbers[code as usize];
        if *number == UNSEEN {
            *number = self.codes.len() as u32;
            self.codes.push(code);
        }
        *number
    }

    /// Forgets all numbers, and returns the codes they stood for.
    fn finish(&mut self) -> Vec<u32> {
        self.codes.iter().for_each(|&code| self.numbers[code as usize] = UNSEEN);
        std::mem::take(&mut self.codes)
    }
}

impl<'a> EventEncoder<'a> {
    /// Returns a writer of a batch's files.
    pub fn of(events: &'a Events, places: &'a Places<'a>, batch_id: &'a str) -> EventEncoder<'a> {
        EventEncoder {
            events,
            places,
            batch_id,
            items: Numbering::of(events.items().len()),
            paths: Numbering::of(places.path_names().len()),
            categories: Numbering::of(places.categories().len()),
        }
    }

    /// Returns the file of the given copies, in their order.
    ///
    /// # Errors
    /// Fails where the rows do not fit into Parquet.
    pub fn encode(&mut self, copies: &[EventCopy]) -> Result<Encoded, ColumnsError> {
        let has_version = |copy: &EventCopy| self.events.version(copy.row as usize).is_some();
        let has_versions = copies.iter().any(has_version);
        let (schema, root) = if has_versions { &*SCHEMA_WITH_VERSIONS } else { &*SCHEMA };
        let mut file = ChunkedFile::of(Arc::clone(root), COMPRESS_FROM_BYTES)?;
        for copies in copies.chunks(ROWS_PER_GROUP) {
            self.add(copies, has_versions, &mut file)?;
        }
        file.finish(schema)
    }

    /// Adds a row group, or two where the texts of one would be too long for Parquet.
    fn add(
        &mut self,
        copies: &[EventCopy],
        has_versions: bool,
        file: &mut ChunkedFile,
    ) -> Result<(), ColumnsError> {
        let EventEncoder { events, places, batch_id, items, paths, categories } = self;
        let rows = || copies.iter().map(|copy| copy.row as usize);
        let of_copies = || copies.iter().map(|copy| places.place(copy.place));
        let ts: Vec<i64> = rows().map(|row| events.ts(row).micros()).collect();
        let hours: Vec<i64> = rows().map(|row| events.ts(row).hour().of_day().into()).collect();
        let hours = few_distinct(&hours).unwrap_or_default();
        let of_hours: Vec<i32> = hours.1.iter().filter_map(|&hour| i32::try_from(hour).ok()).collect();
        let item_codes: Vec<u32> = rows().map(|row| items.number(events.item(row))).collect();
        let item_names = items.finish().into_iter().map(|item| events.items().name(item).into()).collect();
        let have_categories: Vec<bool> = of_copies().map(|place| place.category.is_some()).collect();
        let category_codes: Vec<u32> =
            of_copies().filter_map(|place| place.category).map(|code| categories.number(code)).collect();
        let category_names = categories.finish().into_iter();
        let category_names =
            category_names.map(|category| places.categories().name(category).into()).collect();
        let mut path_codes = Vec::with_capacity(copies.len());
        for place in of_copies() {
            path_codes.extend(places.paths(place).iter().map(|&path| paths.number(path)));
        }
        let path_names = paths.finish().into_iter().map(|path| places.path_names().name(path).into());
        let lengths: Vec<u32> = of_copies().map(|place| places.paths(place).len() as u32).collect();
        let quantities: Vec<i64> = rows().map(|row| events.quantity(row).ten_thousandths()).collect();
        let few = FewUnits::of(&quantities);
        let amounts: Vec<Option<i64>> = rows().map(|row| events.amount(row)).collect();
        let have_amounts: Vec<bool> = amounts.iter().map(Option::is_some).collect();
        let amounts: Vec<i64> = amounts.into_iter().flatten().collect();
        let is_primary: Vec<bool> = of_copies().map(|place| place.is_primary).collect();
        let ids: Vec<Option<&str>> = match events.have_ids() {
            true => rows().map(|row| events.event_id(row)).collect(),
            false => Vec::new(),
        };
        let have_ids: Vec<bool> = ids.iter().map(Option::is_some).collect();
        let all = AllCategories::of(places, of_copies().zip(&have_ids));
        let one_batch = vec![0; copies.len()];
        let versions: Vec<Option<i64>> = match has_versions {
            true => rows().map(|row| events.version(row)).collect(),
            false => Vec::new(),
        };
        let have_versions: Vec<bool> = versions.iter().map(Option::is_some).collect();
        let versions: Vec<i64> = versions.into_iter().flatten().collect();
        let full = |values| Chunk { shape: Shape::Full, values };
        let mut chunks = vec![
            full(Values::Codes { codes: &hours.0, of: Dictionary::Small(&of_hours) }),
            full(Values::Deltas(&ts)),
            match have_ids.contains(&true) {
                true => Chunk {
                    shape: Shape::Optional(&have_ids),
                    values: Values::Texts(ids.into_iter().flatten().collect()),
                },
                false => full(Values::None),
            },
            full(Values::Codes { codes: &item_codes, of: Dictionary::Texts(item_names) }),
            match category_codes.is_empty() {
                true => full(Values::None),
                false => Chunk {
                    shape: match have_categories.contains(&false) {
                        true => Shape::Optional(&have_categories),
                        false => Shape::Full,
                    },
                    values: Values::Codes { codes: &category_codes, of: Dictionary::Texts(category_names) },
                },
            },
            Chunk {
                shape: if lengths.iter().all(|&length| length == 1) {
                    Shape::Ones
                } else {
                    Shape::Lists(&lengths)
                },
                values: Values::Codes { codes: &path_codes, of: Dictionary::Texts(path_names.collect()) },
            },
            full(few.as_ref().map_or(Values::Deltas(&quantities), FewUnits::values)),
            Chunk {
                shape: if have_amounts.contains(&false) {
                    Shape::Optional(&have_amounts)
                } else {
                    Shape::Full
                },
                values: Values::Deltas(&amounts),
            },
            full(Values::Flags(&is_primary)),
            match all.texts.is_empty() {
                true => full(Values::None),
                false => Chunk {
                    shape: Shape::Optional(&all.are_there),
                    values: Values::Codes { codes: &all.codes, of: Dictionary::Texts(all.texts) },
                },
            },
            full(Values::Codes { codes: &one_batch, of: Dictionary::Texts(vec![Cow::Borrowed(*batch_id)]) }),
        ];
        if has_versions {
            chunks.push(Chunk { shape: Shape::Optional(&have_versions), values: Values::Deltas(&versions) });
        }
        if copies.len() > 1 && !chunks.iter().all(Chunk::fits) {
            let (first, second) = copies.split_at(copies.len() / 2);
            self.add(first, has_versions, file)?;
            return self.add(second, has_versions, file);
        }
        file.add(copies.len(), &chunks)
    }
}

/// The texts of whole path sets, for the rows that need them.
#[derive(Default)]
struct AllCategories {
    are_there: Vec<bool>,
    codes: Vec<u32>,
    texts: Vec<Cow<'static, str>>,
}

impl AllCategories {
    /// Returns the texts of copies, each with whether its event has an id.
    fn of<'a>(places: &Places<'_>, copies: impl Iterator<Item = (&'a Place, &'a bool)>) -> AllCategories {
        let mut all = AllCategories::default();
        let mut known: HashMap<u32, u32> = HashMap::new();
        for (place, &has_id) in copies {
            let set = place.parted_set.filter(|_| has_id);
            all.are_there.push(set.is_some());
            all.codes.extend(set.map(|set| {
                *known.entry(set).or_insert_with(|| {
                    all.texts.push(Cow::Owned(places.joined(set)));
                    all.texts.len() as u32 - 1
                })
            }));
        }
        all
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
    use parquet::file::metadata::RowGroupMetaData;
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any};
    use proptest::{option, prop_assert_eq};

    use crate::model::{Amount, Event, RawCategories, Timestamp, Units};
    use crate::parquet_format::parquet_file::{decode, footer};

    /// One event: microseconds, id, item, category, quantity, amount, the last two in ten-thousandths.
    pub type Sale = (i64, Option<String>, String, String, i64, Option<i64>);

    fn events_of(sales: &[Sale]) -> Events {
        let mut events = Events::default();
        for (ts, event_id, item_id, categories, quantity, amount) in sales {
            let path_set = events.path_sets.read(&RawCategories::Text(categories)).expect("these are paths");
            events.push(&Event {
                ts: Timestamp::from_micros(*ts).expect("a good moment"),
                event_id: event_id.as_deref(),
                item_id,
                path_set,
                event_type: 0,
                quantity: Units::from_ten_thousandths(*quantity),
                amount: amount.and_then(|amount| Amount::from_ten_thousandths(amount.into())),
                version: None,
            });
        }
        events
    }

    /// Returns all copies of the events, one line each as they would be read in the file.
    fn expected(events: &Events, places: &Places<'_>) -> (Vec<EventCopy>, Vec<String>) {
        let rows = 0..u32::try_from(events.len()).expect("few rows");
        let copies = rows.flat_map(|row| {
            places.of_set(events.path_set(row as usize)).map(move |place| EventCopy { row, place })
        });
        let copies: Vec<EventCopy> = copies.collect();
        let line = |copy: &EventCopy| {
            let (row, place) = (copy.row as usize, places.place(copy.place));
            let paths = places.paths(place).iter().map(|&path| places.path_names().name(path));
            let all = place.parted_set.filter(|_| events.event_id(row).is_some());
            format!(
                "{} {:?} {} {:?} {} {:?} {} {:?} a-batch",
                events.ts(row).micros(),
                events.event_id(row),
                events.items().name(events.item(row)),
                paths.collect::<Vec<_>>(),
                events.quantity(row).ten_thousandths(),
                events.amount(row),
                place.is_primary,
                all.map(|set| places.joined(set)),
            )
        };
        let lines = copies.iter().map(line).collect();
        (copies, lines)
    }

    /// Returns a file's rows as the Parquet library reads them.
    fn read(bytes: &Bytes) -> Vec<String> {
        let mut lines = Vec::new();
        for rows in decode(bytes.clone(), &COLUMNS).expect("it is Parquet") {
            let rows = rows.expect("its pages can be read");
            let column = |name: &str| rows.column_by_name(name).expect("it is there");
            let text = |name: &str, row: usize| {
                let texts = column(name).as_string::<i32>();
                texts.is_valid(row).then(|| texts.value(row).to_owned())
            };
            for row in 0..rows.num_rows() {
                let paths = column("categories").as_list::<i32>().value(row);
                let paths: Vec<&str> = paths.as_string::<i32>().iter().flatten().collect();
                let amounts = column("amount").as_primitive::<Decimal128Type>();
                lines.push(format!(
                    "{} {:?} {} {:?} {} {:?} {} {:?} {}",
                    column("ts").as_primitive::<TimestampMicrosecondType>().value(row),
                    text("event_id", row),
                    text("item_id", row).expect("every event has an item"),
                    paths,
                    column("quantity").as_primitive::<Decimal128Type>().value(row),
                    amounts.is_valid(row).then(|| amounts.value(row)),
                    column("is_primary").as_boolean().value(row),
                    text("all_categories", row),
                    text(BATCH, row).expect("every event came in a batch"),
                ));
            }
        }
        lines
    }

    pub fn encoded(sales: &[Sale]) -> (Encoded, Vec<String>) {
        let events = events_of(sales);
        let places = Places::of(&events.path_sets);
        let (copies, lines) = expected(&events, &places);
        let mut encoder = EventEncoder::of(&events, &places, "a-batch");
        let first = encoder.encode(&copies).expect("rows fit");
        let again = encoder.encode(&copies).expect("rows fit");
        assert_eq!(first.bytes, again.bytes, "a file leaves nothing behind for the next");
        (first, lines)
    }

    /// Any sales: some with an id or an amount, or none with one.
    pub fn any_sales() -> impl Strategy<Value = Vec<Sale>> {
        let sale = (
            proptest::prop_oneof![0_i64..9, -62_000_000_000_000_000_i64..253_000_000_000_000_000],
            option::of("[a-cé]{1,9}"),
            "[a-c]{1,2}|[a-z]{70}",
            "|A|A/x|A/x\\|B|B/y\\|A/x\\|B\\|A|C\\|C/z",
            proptest::prop_oneof![1_i64..3, proptest::num::i64::ANY],
            option::of(proptest::prop_oneof![
                0_i64..9,
                -999_999_999_999_999_999_i64..999_999_999_999_999_999
            ]),
        );
        (vec(sale, 1..400), any::<bool>(), any::<bool>()).prop_map(|(sales, has_ids, has_amounts)| {
            let plain = |(ts, id, item, paths, quantity, amount): Sale| {
                let (id, amount) = (id.filter(|_| has_ids), amount.filter(|_| has_amounts));
                (ts, id, item, paths, quantity, amount)
            };
            sales.into_iter().map(plain).collect()
        })
    }

    proptest::proptest! {
        #[test]
        fn whatever_events_there_are_the_library_reads_them_back(sales in any_sales()) {
            let (file, lines) = encoded(&sales);
            prop_assert_eq!(file.rows, lines.len() as u64);
            prop_assert_eq!(read(&file.bytes), lines);
            // The statistics are those that the library would have computed.
            let rows = decode(file.bytes.clone(), &COLUMNS).expect("it is Parquet");
            let rows: Vec<RecordBatch> = rows.collect::<Result<_, _>>().expect("its pages can be read");
            let rows = concat_batches(&rows[0].schema(), &rows).expect("they are of one schema");
            let known = crate::parquet_format::column_stats::facts(&rows).expect("every column has facts");
            prop_assert_eq!(format!("{:?}", file.columns), format!("{known:?}"));
        }
    }

    /// More sales than a row group has, of many items.
    pub fn many_sales() -> Vec<Sale> {
        let sale = |row: i64| -> Sale {
            let item = format!("item {}", row.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) % 200_000);
            let categories = ["A/x", "A/x|A/y", "", "A/y"][row as usize * 7 / 5 % 4];
            let id = (row % 3 > 0).then(|| format!("{row:x}"));
            (row * 1_000, id, item, categories.to_owned(), row % 1_000, (row % 5 > 0).then_some(row))
        };
        (0..(1 << 20) + 70_000).map(sale).collect()
    }

    #[test]
    fn a_file_of_many_pages_and_groups_is_read_back() {
        let (file, lines) = encoded(&many_sales());
        assert!(read(&file.bytes) == lines, "every row is as it was");
        assert_eq!(groups_of(&file.bytes).len(), 2);
        // However many items there are, all are in a dictionary, which readers can keep.
        has_all_items_in_a_dictionary(&groups_of(&file.bytes)[0]);
    }

    pub fn groups_of(bytes: &Bytes) -> Vec<RowGroupMetaData> {
        footer(bytes).expect("it has a footer").metadata().row_groups().to_vec()
    }

    /// Fails where a row group has item ids outside of its dictionary.
    pub fn has_all_items_in_a_dictionary(group: &RowGroupMetaData) {
        let items = &group.columns()[3];
        assert!(items.dictionary_page_offset().is_some());
        // A page beyond the dictionary's limit would have its texts in full: fifteen bytes each.
        assert!(items.uncompressed_size() < 8 * group.num_rows(), "{}", items.uncompressed_size());
    }
}
