//! Writes ranked rows into a file.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions,
    compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnDescPtr;
use rayon::prelude::*;

use crate::model::{Aggregate, DayUnits, Timestamp, Units};
use crate::parquet_format::chunked_file::schema_of;
use crate::parquet_format::day_columns::DAY_COLUMNS;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::pages::{Closed, unwritable};
use crate::parquet_format::parquet_file::{CREATED_BY, footer_at};
use crate::parquet_format::ranking::chunk::{Values, chunk};
use crate::parquet_format::ranking::columns::{
    CATEGORY, ELIGIBLE, ELIGIBLE_ITEMS, HASHES, NAME, NEXT, WEEK, WINDOW, hash_of,
};
use crate::parquet_format::ranking::row::{RankedRow, RowDetails, week_of};
use crate::parquet_format::units_column::{LONG_DIGITS, SCALE, SHORT_DIGITS, UNITS_SUM};

/// The most rows of a row group: an answer reads and checks one, and the footer grows with each.
pub const ROWS_PER_GROUP: usize = 16_384;

/// The values farthest from zero of the rows' decimals, in ten-thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct LargestDecimals {
    pub units: u64,
    pub amount: u128,
}

impl LargestDecimals {
    /// Takes the units of a row, those of its days and of its week, and its amount.
    pub fn take(&mut self, aggregate: &Aggregate, days: &DayUnits) {
        let units = days.iter().copied().chain([aggregate.units]).chain(week_of(days));
        let largest = units.map(|units| units.ten_thousandths().unsigned_abs()).max();
        self.units = self.units.max(largest.unwrap_or(0));
        self.amount = self.amount.max(aggregate.amount.unsigned_abs());
    }

    fn digits(self) -> Digits {
        let of = |largest: u128| match largest < 10_u128.pow(u32::from(SHORT_DIGITS)) {
            true => SHORT_DIGITS,
            false => LONG_DIGITS,
        };
        Digits { units: of(self.units.into()), amount: of(self.amount) }
    }
}

/// The digits that the columns of decimals have.
#[derive(Clone, Copy)]
struct Digits {
    units: u8,
    amount: u8,
}

/// A finished file.
pub struct EncodedRanking {
    pub bytes: Bytes,
    /// Where the footer begins.
    pub footer_at: usize,
}

/// Returns the file of a number of row groups, whose rows all have details, with key-value metadata in
/// its footer; no decimal may be farther from zero than `largest`.
///
/// The same rows and metadata give the same bytes, on any number of threads.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode_ranking<'a>(
    groups: usize,
    rows_of: impl Fn(usize) -> Vec<RankedRow<'a>> + Sync,
    largest: LargestDecimals,
    labels: &[(&str, String)],
) -> Result<EncodedRanking, ColumnsError> {
    let digits = largest.digits();
    let schema = schema(digits);
    let options =
        ArrowWriterOptions::new().with_properties(properties(labels)).with_skip_arrow_metadata(true);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options);
    let (mut file, library) =
        writer.and_then(ArrowWriter::into_serialized_writer).map_err(|e| unwritable(&e))?;
    let columns = file.schema_descr().columns().to_vec();
    let encode = |group| encode_group(group, &rows_of(group), digits, &schema, &columns, &library);
    let encoded: Result<Vec<_>, ColumnsError> = (0..groups).into_par_iter().map(encode).collect();
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(groups);
    for chunks in encoded? {
        let from = file.bytes_written();
        let mut group = file.next_row_group().map_err(|e| unwritable(&e))?;
        for chunk in chunks {
            let appended = match chunk {
                Column::Few(chunk) => chunk.append_to_row_group(&mut group),
                Column::Many((bytes, close)) => group.append_column(&bytes, close),
            };
            appended.map_err(|e| unwritable(&e))?;
        }
        group.close().map_err(|e| unwritable(&e))?;
        ranges.push(from..file.bytes_written());
    }
    file.flush().map_err(|e| unwritable(&e.into()))?;
    let hashes: Vec<String> = ranges.into_iter().map(|range| hash_of(&file.inner()[range])).collect();
    file.append_key_value_metadata(KeyValue::new(HASHES.to_owned(), hashes.join(" ")));
    let bytes = file.into_inner().map_err(|e| unwritable(&e))?;
    let footer_at = footer_at(&bytes);
    Ok(EncodedRanking { bytes: bytes.into(), footer_at })
}

fn schema(digits: Digits) -> SchemaRef {
    let units = DataType::Decimal128(digits.units, SCALE);
    let moment = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let [eligible_units, eligible_purchases, eligible_amount] = ELIGIBLE;
    let [window_units, window_purchases, window_amount] = WINDOW;
    let [category_units, category_purchases, category_amount] = CATEGORY;
    let [next_item_id, next_score] = NEXT;
    let sum = || DataType::Decimal128(LONG_DIGITS, SCALE);
    let [day_1, day_2, day_3, day_4, day_5, day_6, day_7] = DAY_COLUMNS;
    let (schema, _) = schema_of([
        ("category", DataType::Utf8),
        ("rank", DataType::Int32),
        ("item_id", DataType::Utf8),
        (NAME, DataType::Utf8),
        ("score", DataType::Float64),
        ("units", units.clone()),
        ("purchases", DataType::Int64),
        ("amount", DataType::Decimal128(digits.amount, SCALE)),
        ("window_from", moment()),
        ("window_to", moment()),
        (ELIGIBLE_ITEMS, DataType::Int64),
        (eligible_units, UNITS_SUM),
        (eligible_purchases, DataType::Int64),
        (eligible_amount, sum()),
        (day_1, units.clone()),
        (day_2, units.clone()),
        (day_3, units.clone()),
        (day_4, units.clone()),
        (day_5, units.clone()),
        (day_6, units.clone()),
        (day_7, units.clone()),
        (WEEK, units),
        (window_units, UNITS_SUM),
        (window_purchases, DataType::Int64),
        (window_amount, sum()),
        (category_units, UNITS_SUM),
        (category_purchases, DataType::Int64),
        (category_amount, sum()),
        (next_item_id, DataType::Utf8),
        (next_score, DataType::Float64),
    ]);
    Arc::new(schema)
}

/// Returns how the Parquet library writes the columns that it encodes.
fn properties(labels: &[(&str, String)]) -> WriterProperties {
    let labels = labels.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone()));
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(ROWS_PER_GROUP)
        .set_write_batch_size(ROWS_PER_GROUP)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled("category".into(), EnabledStatistics::Page)
        .set_column_statistics_enabled(NAME.into(), EnabledStatistics::Chunk)
        .set_max_row_group_row_count(None)
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(labels.collect()));
    // The ranks of one category repeat in the next one, which compression finds best in plain numbers.
    for (column, encoding) in [("rank", Encoding::PLAIN), (NAME, Encoding::DELTA_LENGTH_BYTE_ARRAY)] {
        properties = properties
            .set_column_dictionary_enabled(column.into(), false)
            .set_column_encoding(column.into(), encoding);
    }
    // These are a single run of a few bytes.
    for column in ["window_from", "window_to"] {
        properties = properties.set_column_compression(column.into(), Compression::UNCOMPRESSED);
    }
    properties.build()
}

/// A column chunk of a row group.
enum Column {
    /// Of few distinct values, encoded by the Parquet library.
    Few(ArrowColumnChunk),
    /// Of many distinct values, encoded here.
    Many(Closed),
}

fn encode_group(
    group: usize,
    rows: &[RankedRow<'_>],
    digits: Digits,
    schema: &SchemaRef,
    columns: &[ColumnDescPtr],
    library: &ArrowRowGroupWriterFactory,
) -> Result<Vec<Column>, ColumnsError> {
    let writers = library.create_column_writers(group).map_err(|e| unwritable(&e))?;
    let columns = schema.fields().iter().zip(columns).zip(writers);
    let encode = |((field, column), mut writer): ((&FieldRef, &ColumnDescPtr), ArrowColumnWriter)| {
        if let Some(values) = many(field.name(), rows, digits) {
            return Ok(Column::Many(chunk(Arc::clone(column), &values)?));
        }
        for leaf in compute_leaves(field, &few(field.name(), rows)).map_err(|e| unwritable(&e))? {
            writer.write(&leaf).map_err(|e| unwritable(&e))?;
        }
        Ok(Column::Few(writer.close().map_err(|e| unwritable(&e))?))
    };
    columns.map(encode).collect()
}

/// Returns the values of a column with many distinct ones; `None` for another column.
fn many<'a>(column: &str, rows: &'a [RankedRow<'_>], digits: Digits) -> Option<Values<'a>> {
    let numbers = |of: fn(&RankedRow<'_>) -> [u8; 8]| rows.iter().map(of).collect();
    let units = |of: &dyn Fn(&RankedRow<'_>) -> Option<Units>| {
        let values = rows.iter().map(|row| of(row).unwrap_or_default().ten_thousandths());
        match digits.units {
            SHORT_DIGITS => Values::Units(values.collect()),
            _ => Values::Long(values.map(|value| i128::from(value).to_be_bytes()).collect()),
        }
    };
    if let Some(day) = DAY_COLUMNS.iter().position(|name| *name == column) {
        return Some(units(&|row| row.details.as_ref().map(|details| details.days[day])));
    }
    Some(match column {
        "item_id" => Values::Texts(rows.iter().map(|row| &*row.item_id).collect()),
        "score" => Values::Numbers(numbers(|row| row.score.to_le_bytes())),
        "units" => units(&|row| Some(row.aggregate.units)),
        "purchases" => Values::Counts(numbers(|row| row.aggregate.purchases.to_le_bytes())),
        // With so few digits it fits into 64 bits.
        "amount" if digits.amount == SHORT_DIGITS => {
            Values::Numbers(numbers(|row| (row.aggregate.amount as i64).to_le_bytes()))
        }
        "amount" => Values::Long(rows.iter().map(|row| row.aggregate.amount.to_be_bytes()).collect()),
        // It was checked to fit when the days were added up.
        WEEK => units(&|row| row.details.as_ref().and_then(RowDetails::week)),
        _ => return None,
    })
}

/// Returns the values of one of the other columns.
fn few(column: &str, rows: &[RankedRow<'_>]) -> ArrayRef {
    let moments = |of: fn(&RankedRow<'_>) -> Timestamp| {
        let micros = rows.iter().map(|row| of(row).micros());
        TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC")
    };
    let next = rows.iter().map(|row| row.next.as_ref());
    if let Some(values) = aggregate_column(column, rows) {
        return values;
    }
    match column {
        "category" => Arc::new(rows.iter().map(|row| row.category.as_deref()).collect::<StringArray>()),
        "rank" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.rank))),
        "window_from" => Arc::new(moments(|row| row.window_from)),
        "window_to" => Arc::new(moments(|row| row.window_to)),
        ELIGIBLE_ITEMS => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.eligible_items))),
        _ if column == NEXT[0] => {
            Arc::new(next.map(|next| next.map(|(id, _)| &**id)).collect::<StringArray>())
        }
        _ if column == NEXT[1] => {
            Arc::new(next.map(|next| next.map(|(_, score)| *score)).collect::<Float64Array>())
        }
        _ => Arc::new(rows.iter().map(|row| row.name.as_deref()).collect::<StringArray>()),
    }
}

/// Returns the values of a column that is a part of an aggregate; `None` for another column.
fn aggregate_column(column: &str, rows: &[RankedRow<'_>]) -> Option<ArrayRef> {
    let (names, of_row): (_, fn(&RowDetails) -> Option<Aggregate>) = if ELIGIBLE.contains(&column) {
        (ELIGIBLE, |details| Some(details.eligible))
    } else if WINDOW.contains(&column) {
        (WINDOW, |details| details.window?.item)
    } else if CATEGORY.contains(&column) {
        (CATEGORY, |details| Some(details.window?.category))
    } else {
        return None;
    };
    let aggregates = rows.iter().map(|row| row.details.as_ref().and_then(of_row));
    let decimals = |of: fn(Aggregate) -> i128| -> ArrayRef {
        let values: Decimal128Array = aggregates.clone().map(|aggregate| aggregate.map(of)).collect();
        Arc::new(values.with_data_type(UNITS_SUM))
    };
    Some(match names.iter().position(|name| *name == column)? {
        0 => decimals(|aggregate| aggregate.units.ten_thousandths().into()),
        1 => Arc::new(aggregates.map(|of| of.map(|of| of.purchases)).collect::<Int64Array>()),
        _ => decimals(|aggregate| aggregate.amount),
    })
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::parquet_format::ranking::read::RankingFile;
    use crate::parquet_format::ranking::row::WindowFigures;

    fn row(rank: i32, item_id: String, score: f64, amount: i128) -> RankedRow<'static> {
        let moment = |micros| Timestamp::from_micros(micros).expect("it is within the years");
        RankedRow {
            category: (rank > 2).then(|| "GROCERY".into()),
            rank,
            item_id: item_id.into(),
            name: None,
            score,
            aggregate: Aggregate {
                purchases: i64::from(rank),
                units: Units::from_ten_thousandths(i64::MAX - i64::from(rank)),
                amount,
            },
            window_from: moment(0),
            window_to: moment(3_600_000_000),
            eligible_items: i64::from(rank) + 7,
            next: (rank % 3 == 0).then(|| ("next".into(), 0.5)),
            details: Some(RowDetails {
                days: [0, 1, -5, i64::from(rank), 0, 1 << 40, 2].map(Units::from_ten_thousandths),
                eligible: Aggregate {
                    purchases: 3,
                    units: Units::from_ten_thousandths(i64::MIN),
                    amount: amount / 2,
                },
                window: Some(WindowFigures {
                    item: (rank % 2 == 0).then_some(Aggregate {
                        purchases: 1,
                        units: Units::from_ten_thousandths(i64::MIN + i64::from(rank)),
                        amount: -amount,
                    }),
                    category: Aggregate {
                        purchases: 4,
                        units: Units::from_ten_thousandths(i64::MAX),
                        amount,
                    },
                }),
            }),
        }
    }

    /// Writes rows, and reads them back the same.
    fn written(rows: &[RankedRow<'static>]) -> ParquetRecordBatchReaderBuilder<Bytes> {
        let mut largest = LargestDecimals::default();
        for row in rows {
            largest.take(&row.aggregate, &row.details.expect("each has details").days);
        }
        let bytes = encode_ranking(1, |_| rows.to_vec(), largest, &[]).expect("it can be written").bytes;
        let file = RankingFile::open(bytes.clone(), bytes.len() as u64).expect("it is a ranking");
        let range = file.range(0);
        let group = bytes.slice(range.start as usize..range.end as usize);
        assert!(file.is_whole(0, &group));
        let mut expected = rows.iter();
        let mut check = |row: RankedRow<'_>| assert_eq!(Some(&row.into_owned()), expected.next());
        file.each_row(0, group, &mut check).expect("it can be read");
        assert_eq!(expected.next(), None);
        ParquetRecordBatchReaderBuilder::try_new(bytes).expect("it is Parquet")
    }

    fn has_dictionary(file: &ParquetRecordBatchReaderBuilder<Bytes>, name: &str) -> bool {
        let columns = file.metadata().row_group(0).columns();
        let column = columns.iter().find(|column| column.column_path().string() == name);
        column.expect("there is such a column").dictionary_page_offset().is_some()
    }

    #[test]
    fn amounts_have_64_bits_where_these_hold_them_all() {
        let short = 10_i128.pow(18);
        for (amounts, digits) in [
            (vec![0], 18),
            (vec![100, -1_200, 1], 18),
            (vec![short - 1, 1 - short], 18),
            (vec![short, 100], 38),
            (vec![-short], 38),
            (vec![10_i128.pow(38) - 1, 1 - 10_i128.pow(38)], 38),
        ] {
            let rows = (1..).zip(&amounts).map(|(rank, amount)| row(rank, format!("I{rank}"), 1.5, *amount));
            let file = written(&rows.collect::<Vec<_>>());
            let of = file.schema().field_with_name("amount").expect("there is such a column").data_type();
            assert_eq!(*of, DataType::Decimal128(digits, SCALE), "{amounts:?}");
        }
    }

    #[test]
    fn a_column_has_a_dictionary_where_that_is_shorter() {
        let mixed = |number: i32| {
            let hash = blake3::hash(&number.to_le_bytes());
            u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
        };
        let rows_of = |value: &dyn Fn(i32) -> i32| -> Vec<RankedRow<'static>> {
            let row = |rank| {
                let of_chance = mixed(value(rank));
                let score = f64::from_bits(of_chance >> 12 | 0x3FF0_0000_0000_0000);
                row(rank, format!("{of_chance:016X}"), score, i128::from(of_chance >> 8))
            };
            (1..=4_000).map(row).collect()
        };
        let apart = written(&rows_of(&|rank| rank));
        let scattered = written(&rows_of(&|rank| (mixed(rank) >> 40) as i32 % 500));
        for column in ["item_id", "score", "amount"] {
            assert!(!has_dictionary(&apart, column), "{column}");
            assert!(has_dictionary(&scattered, column), "{column}");
        }
        for file in [&apart, &scattered] {
            assert!(!has_dictionary(file, "units") && !has_dictionary(file, "purchases"));
        }
        // Ids that repeat in the same order compress to fewer bytes than their codes take.
        assert!(!has_dictionary(&written(&rows_of(&|rank| rank % 500)), "item_id"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_ranked_is_read_back(
            items in vec((".{0,12}", any::<f64>(), any::<i64>(), 0_i32..9), 1..300),
            is_long in any::<bool>(),
        ) {
            let unit = if is_long { 1_000_000 } else { 1 };
            let rows = (1..).zip(items).map(|(rank, (item_id, score, amount, times))| {
                let score = if score.is_nan() { 0.0 } else { score };
                // Some stand in several rows.
                let item_id = if times > 4 { format!("item {times}") } else { item_id };
                row(rank, item_id, score, i128::from(amount) * unit)
            });
            written(&rows.collect::<Vec<_>>());
        }
    }
}
