//! A table's columns as Delta types, and the check that a table needs nothing else of the protocol.

use std::sync::Arc;

use delta_kernel::schema::{ArrayType, DataType, PrimitiveType, SchemaRef, StructField, StructType};
use delta_kernel::snapshot::SnapshotRef;

/// The protocol versions of our tables: those with named table features, of which ours have none.
pub(super) const READER_VERSION: i32 = 3;
pub(super) const WRITER_VERSION: i32 = 7;
/// The only Delta property that our tables may have.
const KNOWN_PROPERTY: &str = "delta.setTransactionRetentionDuration";
/// Values of properties that are set and require nothing.
const REQUIRES_NOTHING: [&str; 2] = ["false", "none"];

/// The types that our tables use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Boolean,
    Integer,
    Long,
    Text,
    Date,
    Timestamp,
    /// Precision and scale.
    Decimal(u8, u8),
    TextList,
}

/// A column's name and type; every column may be null, so that no writer feature is needed.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub &'static str, pub ColumnType);

/// A table's columns, and those it is partitioned by.
#[derive(Clone, Copy, Debug)]
pub struct TableSchema {
    pub partitions: &'static [Column],
    pub columns: &'static [Column],
}

impl Column {
    pub(super) fn to_delta(self) -> StructField {
        StructField::nullable(self.0, delta_type(self.1))
    }
}

impl TableSchema {
    pub(super) fn partition_columns(&self) -> Vec<&'static str> {
        self.partitions.iter().map(|column| column.0).collect()
    }

    pub(super) fn to_delta(self) -> SchemaRef {
        let fields = self.partitions.iter().chain(self.columns);
        let fields = fields.map(|column| column.to_delta());
        Arc::new(StructType::new_unchecked(fields))
    }

    /// Checks that a table has this schema.
    ///
    /// # Errors
    /// Returns the first difference.
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
        if partitions != self.partition_columns() {
            return Err(format!("it is partitioned by {partitions:?}"));
        }
        check_protocol(snapshot)
    }
}

/// Checks that a table needs no part of the Delta protocol that this program does not implement, such
/// as deletion vectors or column mapping: ignoring one would give wrong counts.
///
/// # Errors
/// Returns the first feature, version or property.
fn check_protocol(snapshot: &SnapshotRef) -> Result<(), String> {
    let configuration = snapshot.table_configuration();
    let protocol = configuration.protocol();
    let features = [protocol.reader_features(), protocol.writer_features()];
    if let Some(feature) = features.into_iter().flatten().flatten().next() {
        return Err(format!(
            "it has the table feature `{feature}`, which topsell does not know; drop the feature with the \
             program that enabled it, or restore the lake from a backup"
        ));
    }
    let (reader, writer) = (protocol.min_reader_version(), protocol.min_writer_version());
    if (reader, writer) != (READER_VERSION, WRITER_VERSION) {
        return Err(format!(
            "it needs reader version {reader} and writer version {writer} of the Delta protocol, not \
             {READER_VERSION} and {WRITER_VERSION}; restore the lake from a backup"
        ));
    }
    let mut properties: Vec<(&String, &String)> = configuration.metadata().configuration().iter().collect();
    properties.retain(|(name, value)| {
        name.starts_with("delta.") && *name != KNOWN_PROPERTY && !REQUIRES_NOTHING.contains(&value.as_str())
    });
    match properties.into_iter().min() {
        Some((name, value)) => Err(format!(
            "it has the property `{name}` = `{value}`, which topsell does not know; unset the property with \
             the program that set it, or restore the lake from a backup"
        )),
        None => Ok(()),
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
