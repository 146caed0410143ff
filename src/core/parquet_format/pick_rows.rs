//! Copies rows of several batches into one, in any order.
//!
//! Only the types that our files have: the general kernels of Arrow would be compiled for all others too.

use std::sync::Arc;

use arrow::array::types::{
    ArrowPrimitiveType, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListBuilder, PrimitiveBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::datatypes::{DataType, FieldRef, TimeUnit};

use crate::parquet_format::error::ColumnsError;

/// A row of one of several batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowOf {
    pub batch: u32,
    pub row: u32,
}

/// Returns all rows of some batches, in their order.
pub(super) fn all_rows(batches: &[RecordBatch]) -> Vec<RowOf> {
    let sizes = batches.iter().map(|batch| batch.num_rows() as u32);
    sizes.zip(0..).flat_map(|(rows, batch)| (0..rows).map(move |row| RowOf { batch, row })).collect()
}

/// Returns one batch of some rows of batches, which have the same columns.
///
/// # Errors
/// Fails where there is no batch, columns differ, or one is of a type that no file of ours has.
pub(super) fn pick_rows(batches: &[RecordBatch], rows: &[RowOf]) -> Result<RecordBatch, ColumnsError> {
    let schema = batches.first().map(RecordBatch::schema).ok_or(ColumnsError::Column("ts"))?;
    let column = |(at, field): (usize, &FieldRef)| {
        let of: Vec<&ArrayRef> = batches.iter().filter_map(|batch| batch.columns().get(at)).collect();
        if of.len() < batches.len() || of.iter().any(|values| values.data_type() != field.data_type()) {
            return Err(ColumnsError::Unreadable(format!("its column {} has another type", field.name())));
        }
        pick_values(field.data_type(), &of, rows)
    };
    let columns = schema.fields().iter().enumerate().map(column).collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn pick_values(of: &DataType, arrays: &[&ArrayRef], rows: &[RowOf]) -> Result<ArrayRef, ColumnsError> {
    match of {
        DataType::Utf8 => texts(arrays, rows),
        DataType::Boolean => {
            let arrays: Vec<_> = arrays.iter().map(|array| array.as_boolean()).collect();
            let value = |at: &RowOf| {
                let (array, row) = (arrays[at.batch as usize], at.row as usize);
                array.is_valid(row).then(|| array.value(row))
            };
            Ok(Arc::new(rows.iter().map(value).collect::<BooleanArray>()))
        }
        DataType::Int32 => Ok(numbers::<Int32Type>(of, arrays, rows)),
        DataType::Int64 => Ok(numbers::<Int64Type>(of, arrays, rows)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(numbers::<TimestampMicrosecondType>(of, arrays, rows))
        }
        DataType::Decimal128(..) => Ok(numbers::<Decimal128Type>(of, arrays, rows)),
        DataType::List(element) if *element.data_type() == DataType::Utf8 => lists(element, arrays, rows),
        other => Err(ColumnsError::Unreadable(format!("a column of type {other} cannot be copied"))),
    }
}

fn numbers<T: ArrowPrimitiveType>(of: &DataType, arrays: &[&ArrayRef], rows: &[RowOf]) -> ArrayRef {
    let arrays: Vec<_> = arrays.iter().map(|array| array.as_primitive::<T>()).collect();
    let mut picked = PrimitiveBuilder::<T>::with_capacity(rows.len()).with_data_type(of.clone());
    for at in rows {
        let (array, row) = (arrays[at.batch as usize], at.row as usize);
        picked.append_option(array.is_valid(row).then(|| array.value(row)));
    }
    Arc::new(picked.finish())
}

fn texts(arrays: &[&ArrayRef], rows: &[RowOf]) -> Result<ArrayRef, ColumnsError> {
    let arrays: Vec<_> = arrays.iter().map(|array| array.as_string::<i32>()).collect();
    let bytes = length_of(&arrays)?;
    let mut picked = StringBuilder::with_capacity(rows.len(), bytes);
    for at in rows {
        let (array, row) = (arrays[at.batch as usize], at.row as usize);
        picked.append_option(array.is_valid(row).then(|| array.value(row)));
    }
    Ok(Arc::new(picked.finish()))
}

/// Returns the bytes of all texts of a column.
fn length_of(arrays: &[&StringArray]) -> Result<usize, ColumnsError> {
    let bytes = arrays.iter().map(|array| array.values().len()).sum();
    match i32::try_from(bytes) {
        Ok(_) => Ok(bytes),
        // An array's offsets have 31 bits.
        Err(_) => Err(ColumnsError::Unwritable("a column has more than 2 GiB of text".to_owned())),
    }
}

fn lists(element: &FieldRef, arrays: &[&ArrayRef], rows: &[RowOf]) -> Result<ArrayRef, ColumnsError> {
    let arrays: Vec<_> = arrays.iter().map(|array| array.as_list::<i32>()).collect();
    let texts: Vec<_> = arrays.iter().map(|array| array.values().as_string::<i32>()).collect();
    length_of(&texts)?;
    let mut picked = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(element));
    for at in rows {
        let (array, row) = (arrays[at.batch as usize], at.row as usize);
        let offsets = array.value_offsets();
        let elements = offsets[row] as usize..offsets[row + 1] as usize;
        if array.is_valid(row) {
            let texts = texts[at.batch as usize];
            elements
                .for_each(|at| picked.values().append_option(texts.is_valid(at).then(|| texts.value(at))));
        }
        picked.append(array.is_valid(row));
    }
    Ok(Arc::new(picked.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::compute::{concat_batches, take_record_batch};

    use super::*;
    use crate::parquet_format::event_rewrite::rows_of;
    use crate::parquet_format::events::tests::{encoded, many_sales};

    #[test]
    fn rows_are_picked_as_the_library_picks_them() {
        let (file, _) = encoded(&many_sales());
        let batches = rows_of(&file.bytes).expect("it is such a file");
        let rows = all_rows(&batches);
        let all = concat_batches(&batches[0].schema(), &batches).expect("they are of one schema");
        assert_eq!(pick_rows(&batches, &rows).expect("they can be copied"), all);
        let order = || (0..all.num_rows()).rev().step_by(3);
        let indices = arrow::array::UInt32Array::from_iter_values(order().map(|at| at as u32));
        let taken = take_record_batch(&all, &indices).expect("they can be taken");
        let picked: Vec<RowOf> = order().map(|at| rows[at]).collect();
        assert_eq!(pick_rows(&batches, &picked).expect("they can be copied"), taken);
    }
}
