//! A table's columns, and how Delta spells them.

use std::sync::Arc;

use delta_kernel::schema::{ArrayType, DataType, PrimitiveType, SchemaRef, StructField, StructType};
use delta_kernel::snapshot::SnapshotRef;

/// The types that our tables use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Boolean,
    Integer,
    Long,
    Text,
    Date,
    Timestamp,
    /// Digits in all, and digits after the point.
    Decimal(u8, u8),
    TextList,
}

/// A column's name and type; every column may be null, so that no writer feature is needed.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub &'static str, pub ColumnType);

/// A table's columns, and which of them are folders.
#[derive(Clone, Copy, Debug)]
pub struct TableSchema {
    pub partitions: &'static [Column],
    pub columns: &'static [Column],
}

impl TableSchema {
    pub(super) fn partition_columns(&self) -> Vec<&'static str> {
        self.partitions.iter().map(|column| column.0).collect()
    }

    pub(super) fn to_delta(self) -> SchemaRef {
        let fields = self.partitions.iter().chain(self.columns);
        let fields = fields.map(|Column(name, of)| StructField::nullable(*name, delta_type(*of)));
        Arc::new(StructType::new_unchecked(fields))
    }

    /// Says how a table differs from this schema, if it does.
    pub(super) fn check(&self, snapshot: &SnapshotRef) -> Result<(), String> {
        let ours = self.to_delta();
        let theirs = snapshot.schema();
        for field in ours.fields() {
            let Some(other) = theirs.field(field.name()) else {
                return Err(format!("it has no column `{}`", field.name()));
            };
            if other.data_type() != field.data_type() {
                return Err(format!(
                    "its column `{}` is {}, not {}",
                    field.name(),
                    other.data_type(),
                    field.data_type()
                ));
            }
        }
        let metadata = snapshot.table_configuration().metadata();
        let partitions: Vec<&str> = metadata.partition_columns().iter().map(String::as_str).collect();
        if partitions == self.partition_columns() {
            Ok(())
        } else {
            Err(format!("it is partitioned by {partitions:?}"))
        }
    }
}

fn delta_type(of: ColumnType) -> DataType {
    match of {
        ColumnType::Boolean => DataType::BOOLEAN,
        ColumnType::Integer => DataType::INTEGER,
        ColumnType::Long => DataType::LONG,
        ColumnType::Text => DataType::STRING,
        ColumnType::Date => DataType::DATE,
        ColumnType::Timestamp => DataType::TIMESTAMP,
        ColumnType::Decimal(precision, scale) => {
            PrimitiveType::decimal(precision, scale).map_or(DataType::LONG, DataType::Primitive)
        }
        ColumnType::TextList => ArrayType::new(DataType::STRING, true).into(),
    }
}
