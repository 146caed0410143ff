//! Parquet files from column chunks that are encoded here.
//!
//! The library's own writers look up every value in a dictionary of theirs. Whoever knows the
//! dictionary already hands over numbers into it, and saves that: here only the library's pages,
//! statistics and footer are left of a file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, TypePtr};

use crate::parquet_format::chunks::{Chunk, Dictionary, Index, TEXTS_PACKED_FROM_BYTES, Values};
use crate::parquet_format::facts::{ColumnFacts, Range};
use crate::parquet_format::pages::{Closed, Packer, unwritable};
use crate::parquet_format::parquet_file::{CREATED_BY, ColumnsError, Encoded};

/// Returns a schema of columns, and what it is in Parquet.
pub(super) fn schema_of<const N: usize>(columns: [(&str, DataType); N]) -> (Schema, TypePtr) {
    let schema = Schema::new(columns.map(|(name, of)| Field::new(name, of, true)).to_vec());
    let converted = ArrowSchemaConverter::new().convert(&schema).expect("every type has one in Parquet");
    (schema, converted.root_schema_ptr())
}

/// Returns the type of lists of texts whose Parquet form other engines expect.
pub(super) fn text_lists() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)))
}

/// A file on its way.
pub(super) struct ChunkedFile {
    writer: SerializedFileWriter<Vec<u8>>,
    schema: Arc<SchemaDescriptor>,
    rows: usize,
    packed_from: usize,
    packer: Packer,
    index: Option<Index>,
    /// Of every column, over the row groups so far.
    nulls: Vec<u64>,
    ranges: Vec<Option<Range>>,
}

impl ChunkedFile {
    /// Begins a file, of which chunks of so many bytes and more are compressed.
    pub fn of(schema: TypePtr, packed_from: usize) -> Result<ChunkedFile, ColumnsError> {
        let properties = WriterProperties::builder().set_created_by(CREATED_BY.to_owned()).build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::clone(&schema), Arc::new(properties));
        let writer = writer.map_err(|e| unwritable(&e))?;
        let schema = Arc::new(SchemaDescriptor::new(schema));
        let (nulls, ranges) = (vec![0; schema.num_columns()], vec![None; schema.num_columns()]);
        Ok(ChunkedFile {
            writer,
            schema,
            rows: 0,
            packed_from,
            packer: Packer::default(),
            index: None,
            nulls,
            ranges,
        })
    }

    /// Has the file say where each page lies, and between which texts each page of texts in order.
    pub fn indexed(self, index: Index) -> ChunkedFile {
        ChunkedFile { index: Some(index), ..self }
    }

    /// Writes a label into the footer.
    pub fn label(&mut self, name: &str, value: String) {
        self.writer.append_key_value_metadata(KeyValue::new(name.to_owned(), value));
    }

    /// Adds a row group of so many rows.
    pub fn add(&mut self, rows: usize, chunks: &[Chunk<'_>]) -> Result<(), ColumnsError> {
        let group = encode_group(&self.schema, rows, chunks, self.packed_from, self.index, &mut self.packer)?;
        self.append(group)
    }

    /// Adds a row group whose chunks are encoded already.
    pub fn append(&mut self, encoded: EncodedGroup) -> Result<(), ColumnsError> {
        let mut group = self.writer.next_row_group().map_err(|e| unwritable(&e))?;
        for (number, EncodedChunk { closed: (bytes, close), nulls, range }) in
            encoded.chunks.into_iter().enumerate()
        {
            group.append_column(&bytes, close).map_err(|e| unwritable(&e))?;
            self.nulls[number] += nulls;
            let known = self.ranges[number].take();
            self.ranges[number] = match (known, range) {
                (Some(known), Some(range)) => Some(known.and(range)),
                (known, range) => known.or(range),
            };
        }
        group.close().map_err(|e| unwritable(&e))?;
        self.rows += encoded.rows;
        Ok(())
    }

    /// Takes out what is finished, so that it need not be held.
    pub fn drain(&mut self) -> Result<Bytes, ColumnsError> {
        self.writer.flush().map_err(|e| unwritable(&e.into()))?;
        Ok(std::mem::take(self.writer.inner_mut()).into())
    }

    /// Returns the whole file, whose columns are these.
    pub fn finish(self, schema: &Schema) -> Result<Encoded, ColumnsError> {
        let facts = schema.fields().iter().zip(self.nulls).zip(self.ranges);
        let columns = facts.map(|((field, nulls), range)| ColumnFacts::of(field, nulls, range)).collect();
        let bytes = self.writer.into_inner().map_err(|e| unwritable(&e))?.into();
        Ok(Encoded { bytes, rows: self.rows as u64, columns })
    }
}

/// The chunks of a row group, ready to be appended to a file.
pub struct EncodedGroup {
    rows: usize,
    chunks: Vec<EncodedChunk>,
}

struct EncodedChunk {
    closed: Closed,
    nulls: u64,
    range: Option<Range>,
}

/// Returns the chunks of a row group, of which those of so many bytes and more are compressed.
pub(super) fn encode_chunks(
    schema: &TypePtr,
    rows: usize,
    chunks: &[Chunk<'_>],
    packed_from: usize,
) -> Result<EncodedGroup, ColumnsError> {
    let schema = SchemaDescriptor::new(Arc::clone(schema));
    encode_group(&schema, rows, chunks, packed_from, None, &mut Packer::default())
}

fn encode_group(
    schema: &SchemaDescriptor,
    rows: usize,
    chunks: &[Chunk<'_>],
    packed_from: usize,
    index: Option<Index>,
    packer: &mut Packer,
) -> Result<EncodedGroup, ColumnsError> {
    let encode = |(number, chunk): (usize, &Chunk<'_>)| {
        let range = chunk.range();
        let pages = chunk.pages(rows, index);
        let statistics = chunk.statistics(pages.values(), range.as_ref());
        let packed_from = match &chunk.values {
            // Few numbers in no order are as small as their bits: nothing would be saved.
            Values::Codes { of: Dictionary::Small(_), .. } => usize::MAX,
            Values::Texts(_) | Values::InOrder(_) => packed_from.min(TEXTS_PACKED_FROM_BYTES),
            _ => packed_from,
        };
        let closed = pages.close(schema.column(number), rows, statistics, packed_from, packer)?;
        Ok(EncodedChunk { closed, nulls: chunk.nulls(rows), range })
    };
    let chunks: Result<Vec<EncodedChunk>, ColumnsError> = chunks.iter().enumerate().map(encode).collect();
    Ok(EncodedGroup { rows, chunks: chunks? })
}
