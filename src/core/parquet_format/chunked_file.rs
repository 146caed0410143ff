//! Parquet files from column chunks that are encoded here.
//!
//! The Parquet library's own writers look up every value in a dictionary. Here the callers already have
//! dictionary codes, which saves that; only pages, statistics and the footer are written by the library.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, TypePtr};

use crate::parquet_format::chunks::{Chunk, Dictionary, Index, TEXTS_COMPRESS_FROM_BYTES, Values};
use crate::parquet_format::column_stats::{ColumnStats, Range};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::pages::{Closed, PageCompressor, unwritable};
use crate::parquet_format::parquet_file::{BLOCKS, CREATED_BY, Encoded};
use crate::storage::BlockChecksumsBuilder;

/// Returns an Arrow schema of columns, and the Parquet schema.
pub(super) fn schema_of<'a>(columns: impl IntoIterator<Item = (&'a str, DataType)>) -> (Schema, TypePtr) {
    let fields: Vec<Field> = columns.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
    let schema = Schema::new(fields);
    let converted = ArrowSchemaConverter::new().convert(&schema).expect("every type has one in Parquet");
    (schema, converted.root_schema_ptr())
}

/// Returns the type of lists of texts, with the element name that other engines expect.
pub(super) fn text_lists() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)))
}

/// A file being written.
pub(super) struct ChunkedFile {
    writer: SerializedFileWriter<Vec<u8>>,
    schema: Arc<SchemaDescriptor>,
    rows: usize,
    compress_from: usize,
    compressor: PageCompressor,
    index: Option<Index>,
    blocks: Option<BlockChecksumsBuilder>,
    /// Of every column, over the row groups so far.
    nulls: Vec<u64>,
    ranges: Vec<Option<Range>>,
}

impl ChunkedFile {
    /// Begins a file, whose column chunks are compressed from a number of bytes on.
    pub fn of(schema: TypePtr, compress_from: usize) -> Result<ChunkedFile, ColumnsError> {
        let properties = WriterProperties::builder().set_created_by(CREATED_BY.to_owned()).build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::clone(&schema), Arc::new(properties));
        let writer = writer.map_err(|e| unwritable(&e))?;
        let schema = Arc::new(SchemaDescriptor::new(schema));
        let (nulls, ranges) = (vec![0; schema.num_columns()], vec![None; schema.num_columns()]);
        Ok(ChunkedFile {
            writer,
            schema,
            rows: 0,
            compress_from,
            compressor: PageCompressor::default(),
            index: None,
            blocks: None,
            nulls,
            ranges,
        })
    }

    /// Adds a page index: the place of each page, and the bounds of each page of sorted texts.
    pub fn indexed(self, index: Index) -> ChunkedFile {
        ChunkedFile { index: Some(index), ..self }
    }

    /// Adds the checksums of blocks of the file to its footer, so that parts of it can be checked.
    pub fn with_block_checksums(self) -> ChunkedFile {
        ChunkedFile { blocks: Some(BlockChecksumsBuilder::default()), ..self }
    }

    /// Adds a key and a value to the footer's metadata.
    pub fn label(&mut self, name: &str, value: String) {
        self.writer.append_key_value_metadata(KeyValue::new(name.to_owned(), value));
    }

    /// Encodes and adds a row group.
    pub fn add(&mut self, rows: usize, chunks: &[Chunk<'_>]) -> Result<(), ColumnsError> {
        let group =
            encode_group(&self.schema, rows, chunks, self.compress_from, self.index, &mut self.compressor)?;
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

    /// Takes out the bytes that are finished, so that they need not be kept in memory.
    pub fn drain(&mut self) -> Result<Bytes, ColumnsError> {
        self.writer.flush().map_err(|e| unwritable(&e.into()))?;
        let drained = std::mem::take(self.writer.inner_mut());
        if let Some(blocks) = &mut self.blocks {
            blocks.push(&drained);
        }
        Ok(drained.into())
    }

    /// Returns the whole file, given its schema.
    pub fn finish(mut self, schema: &Schema) -> Result<Encoded, ColumnsError> {
        let tail_at = self.finish_blocks()?;
        let facts = schema.fields().iter().zip(self.nulls).zip(self.ranges);
        let columns = facts.map(|((field, nulls), range)| ColumnStats::of(field, nulls, range)).collect();
        let bytes = self.writer.into_inner().map_err(|e| unwritable(&e))?.into();
        Ok(Encoded { bytes, rows: self.rows as u64, columns, tail_at })
    }

    /// Adds the checksums of the blocks; returns how many of the remaining bytes they are of.
    fn finish_blocks(&mut self) -> Result<Option<usize>, ColumnsError> {
        let Some(mut blocks) = self.blocks.take() else { return Ok(None) };
        self.writer.flush().map_err(|e| unwritable(&e.into()))?;
        let remaining = self.writer.inner();
        blocks.push(remaining);
        let tail_at = remaining.len();
        let text = blocks.finish();
        self.label(BLOCKS, text);
        Ok(Some(tail_at))
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

/// Returns the column chunks of a row group, compressed from a number of bytes on.
pub(super) fn encode_chunks(
    schema: &TypePtr,
    rows: usize,
    chunks: &[Chunk<'_>],
    compress_from: usize,
) -> Result<EncodedGroup, ColumnsError> {
    let schema = SchemaDescriptor::new(Arc::clone(schema));
    encode_group(&schema, rows, chunks, compress_from, None, &mut PageCompressor::default())
}

fn encode_group(
    schema: &SchemaDescriptor,
    rows: usize,
    chunks: &[Chunk<'_>],
    compress_from: usize,
    index: Option<Index>,
    compressor: &mut PageCompressor,
) -> Result<EncodedGroup, ColumnsError> {
    let encode = |(number, chunk): (usize, &Chunk<'_>)| {
        let range = chunk.range();
        let pages = chunk.pages(rows, index);
        let statistics = chunk.statistics(pages.values(), range.as_ref());
        let compress_from = match &chunk.values {
            // Codes of few numbers in no order do not compress.
            Values::Codes { of: Dictionary::Small(_), .. } => usize::MAX,
            Values::Texts(_) | Values::InOrder(_) | Values::InRuns(_) => {
                compress_from.min(TEXTS_COMPRESS_FROM_BYTES)
            }
            _ => compress_from,
        };
        let closed = pages.close(schema.column(number), rows, statistics, compress_from, compressor)?;
        Ok(EncodedChunk { closed, nulls: chunk.nulls(rows), range })
    };
    let chunks: Result<Vec<EncodedChunk>, ColumnsError> = chunks.iter().enumerate().map(encode).collect();
    Ok(EncodedGroup { rows, chunks: chunks? })
}
