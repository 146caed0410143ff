//! Writes an answer's table as a Parquet file.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Decimal128Builder, Float64Array, Int64Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;

use crate::model::{Timestamp, Units};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::parquet_file::write;
use crate::parquet_format::units_column::UNITS_SUM;

/// Rows of a group.
const ROWS_PER_GROUP: usize = 1 << 20;
/// The most digits of a decimal.
const DIGITS: u8 = 38;

/// The values of a column, some of which may be null.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainColumn {
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    TextLists(Vec<Option<Vec<String>>>),
    Integers(Vec<Option<i64>>),
    UnitLists(Vec<Option<Vec<Units>>>),
    Numbers(Vec<Option<f64>>),
    /// Scaled by the number of digits after the decimal point.
    Decimals {
        values: Vec<Option<i128>>,
        places: i8,
    },
    Moments(Vec<Option<Timestamp>>),
}

/// Returns the file of columns of the same length.
///
/// The same columns give the same bytes.
///
/// # Errors
/// Fails where the values do not fit into Parquet.
pub fn encode_table(columns: Vec<(&str, PlainColumn)>) -> Result<Bytes, ColumnsError> {
    let unwritable = |e: arrow::error::ArrowError| ColumnsError::Unwritable(e.to_string());
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for (name, column) in columns {
        let array = array(column).map_err(unwritable)?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(unwritable)?;
    write(&batch, ROWS_PER_GROUP, &[], &[])
}

fn array(column: PlainColumn) -> Result<ArrayRef, arrow::error::ArrowError> {
    Ok(match column {
        PlainColumn::Flags(flags) => Arc::new(BooleanArray::from(flags)),
        PlainColumn::Texts(texts) => Arc::new(StringArray::from(texts)),
        PlainColumn::TextLists(lists) => {
            let element = Field::new("element", DataType::Utf8, true);
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(element);
            for list in lists {
                builder.append_option(list.map(|texts| texts.into_iter().map(Some)));
            }
            Arc::new(builder.finish())
        }
        PlainColumn::Integers(numbers) => Arc::new(Int64Array::from(numbers)),
        PlainColumn::UnitLists(lists) => {
            let element = Field::new("element", UNITS_SUM, true);
            let mut builder =
                ListBuilder::new(Decimal128Builder::new().with_data_type(UNITS_SUM)).with_field(element);
            for list in lists {
                let values =
                    |units: Vec<Units>| units.into_iter().map(|of| Some(of.ten_thousandths().into()));
                builder.append_option(list.map(values));
            }
            Arc::new(builder.finish())
        }
        PlainColumn::Numbers(numbers) => Arc::new(Float64Array::from(numbers)),
        PlainColumn::Decimals { values, places } => {
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(DIGITS, places)?)
        }
        PlainColumn::Moments(moments) => {
            let micros = moments.into_iter().map(|moment| moment.map(Timestamp::micros));
            Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
    })
}
