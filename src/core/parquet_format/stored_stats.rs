//! Column statistics as JSON, for those who commit files that another process has written.
//!
//! Invariant: what is read is what was written, type and value.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};

use crate::parquet_format::column_stats::{ColumnStats, End};

/// The statistics of one column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredStats {
    name: String,
    nulls: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<StoredRange>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredRange {
    r#type: StoredType,
    /// Numbers as texts, since JSON has none of 128 bits.
    least: Option<String>,
    most: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredType {
    Int32,
    Int64,
    Boolean,
    Text,
    Decimal(u8, i8),
    /// Of microseconds, with its time zone.
    Timestamp(Option<String>),
}

impl StoredStats {
    /// Returns statistics in their stored form; none where a column has a type that this program does not write.
    pub fn of(stats: &ColumnStats) -> Option<StoredStats> {
        let range = match &stats.range {
            None => None,
            Some((least, most)) => Some(StoredRange {
                r#type: StoredType::of(least.data_type())?,
                least: text_of(least)?,
                most: text_of(most)?,
            }),
        };
        Some(StoredStats { name: stats.name.clone(), nulls: stats.nulls, range })
    }

    /// Returns the statistics; none where they have an unexpected form.
    pub fn into_stats(self) -> Option<ColumnStats> {
        let range = match self.range {
            None => None,
            Some(StoredRange { r#type, least, most }) => {
                let data_type = r#type.data_type();
                let array = |text: Option<String>| r#type.end(text)?.array(&data_type);
                Some((array(least)?, array(most)?))
            }
        };
        Some(ColumnStats { name: self.name, nulls: self.nulls, range })
    }
}

impl StoredType {
    fn of(data_type: &DataType) -> Option<StoredType> {
        Some(match data_type {
            DataType::Int32 => StoredType::Int32,
            DataType::Int64 => StoredType::Int64,
            DataType::Boolean => StoredType::Boolean,
            DataType::Utf8 => StoredType::Text,
            DataType::Decimal128(precision, scale) => StoredType::Decimal(*precision, *scale),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                StoredType::Timestamp(zone.as_ref().map(ToString::to_string))
            }
            _ => return None,
        })
    }

    fn data_type(&self) -> DataType {
        match self {
            StoredType::Int32 => DataType::Int32,
            StoredType::Int64 => DataType::Int64,
            StoredType::Boolean => DataType::Boolean,
            StoredType::Text => DataType::Utf8,
            StoredType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            StoredType::Timestamp(zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.as_deref().map(Into::into))
            }
        }
    }

    /// Returns a bound; none where the text is none of this type.
    fn end(&self, text: Option<String>) -> Option<End> {
        let Some(text) = text else { return Some(End::None) };
        Some(match self {
            StoredType::Text => End::Text(text),
            StoredType::Boolean => End::Flag(text.parse().ok()?),
            StoredType::Int32 => End::Number(text.parse::<i32>().ok()?.into()),
            StoredType::Int64 | StoredType::Timestamp(_) => End::Number(text.parse::<i64>().ok()?.into()),
            StoredType::Decimal(..) => End::Number(text.parse().ok()?),
        })
    }
}

/// Returns the value of an array of one as a text, where it has one; none of another type.
fn text_of(array: &ArrayRef) -> Option<Option<String>> {
    if array.len() != 1 {
        return None;
    }
    if array.is_null(0) {
        return Some(None);
    }
    Some(Some(match array.data_type() {
        DataType::Int32 => array.as_primitive_opt::<Int32Type>()?.value(0).to_string(),
        DataType::Int64 => array.as_primitive_opt::<Int64Type>()?.value(0).to_string(),
        DataType::Timestamp(..) => array.as_primitive_opt::<TimestampMicrosecondType>()?.value(0).to_string(),
        DataType::Decimal128(..) => array.as_primitive_opt::<Decimal128Type>()?.value(0).to_string(),
        DataType::Boolean => array.as_boolean_opt()?.value(0).to_string(),
        DataType::Utf8 => array.as_string_opt::<i32>()?.value(0).to_owned(),
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Decimal128Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    #[test]
    fn statistics_are_read_as_they_were_written() {
        let check = |least: ArrayRef, most: ArrayRef| {
            let stats = ColumnStats { name: "a".into(), nulls: 7, range: Some((least, most)) };
            let stored = StoredStats::of(&stats).expect("it is of a known type");
            let text = serde_json::to_string(&stored).expect("it can be written");
            let read: StoredStats = serde_json::from_str(&text).expect("it can be read");
            let read = read.into_stats().expect("it has the expected form");
            assert_eq!((&read.name, read.nulls), (&stats.name, 7));
            let ranges = read.range.zip(stats.range).expect("both have one");
            assert!(*ranges.0.0 == *ranges.1.0 && *ranges.0.1 == *ranges.1.1, "{text}");
        };
        check(Arc::new(Int32Array::from(vec![-3])), Arc::new(Int32Array::from(vec![i32::MAX])));
        check(Arc::new(Int64Array::from(vec![i64::MIN])), Arc::new(Int64Array::from(vec![None])));
        check(Arc::new(BooleanArray::from(vec![false])), Arc::new(BooleanArray::from(vec![true])));
        check(Arc::new(StringArray::from(vec!["\"ü"])), Arc::new(StringArray::from(vec!["x\u{10ffff}"])));
        let decimal = |value: i128| {
            let array = Decimal128Array::from(vec![value]).with_precision_and_scale(18, 4);
            Arc::new(array.expect("it fits"))
        };
        check(decimal(-1), decimal(i128::from(i64::MAX)));
        let moment = |value: i64| Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC"));
        check(moment(0), moment(1_484_395_200_000_000));
    }
}
