//! The engine of the Delta kernel, which writes checkpoints in an order of their own.

use std::sync::Arc;

use arrow::array::RecordBatch;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::SchemaRef;
use delta_kernel::{
    Engine, EngineData, EvaluationHandler, FileDataReadResultIterator, FileMeta, FileSize, JsonHandler,
    KernelError, KernelResult, KernelResultIteratorStatic, ParquetFooter, ParquetHandler, PredicateRef,
    StorageHandler,
};
use delta_kernel_default_engine::executor::TaskExecutor;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt};
use url::Url;

use crate::delta::checkpoint_rows::{LONG_COLUMNS, in_row_groups};
use crate::delta::schema::Column;
use crate::parquet_format::RowGroupEncoder;

/// The engine of a table.
pub(super) struct KernelEngine {
    engine: Arc<dyn Engine>,
    parquet: Arc<CheckpointWriter>,
}

impl KernelEngine {
    /// Returns an engine that does everything as another one, but writes the files of checkpoints to a disk by
    /// itself.
    pub fn of(
        engine: Arc<dyn Engine>,
        disk: Arc<DynObjectStore>,
        executor: Arc<TokioMultiThreadExecutor>,
        partitions: &'static [Column],
    ) -> KernelEngine {
        let reader = engine.parquet_handler();
        KernelEngine { engine, parquet: Arc::new(CheckpointWriter { reader, disk, executor, partitions }) }
    }
}

impl Engine for KernelEngine {
    fn evaluation_handler(&self) -> Arc<dyn EvaluationHandler> {
        self.engine.evaluation_handler()
    }

    fn storage_handler(&self) -> Arc<dyn StorageHandler> {
        self.engine.storage_handler()
    }

    fn json_handler(&self) -> Arc<dyn JsonHandler> {
        self.engine.json_handler()
    }

    fn parquet_handler(&self) -> Arc<dyn ParquetHandler> {
        Arc::clone(&self.parquet) as Arc<dyn ParquetHandler>
    }
}

/// Writes Parquet files, all of which are checkpoints, and reads as another handler.
struct CheckpointWriter {
    reader: Arc<dyn ParquetHandler>,
    disk: Arc<DynObjectStore>,
    executor: Arc<TokioMultiThreadExecutor>,
    partitions: &'static [Column],
}

impl ParquetHandler for CheckpointWriter {
    fn read_parquet_files(
        &self,
        files: &[FileMeta],
        physical_schema: SchemaRef,
        predicate: Option<PredicateRef>,
    ) -> KernelResult<FileDataReadResultIterator> {
        self.reader.read_parquet_files(files, physical_schema, predicate)
    }

    fn write_parquet_file(
        &self,
        location: Url,
        data: KernelResultIteratorStatic<Box<dyn EngineData>>,
    ) -> KernelResult<FileSize> {
        let batches: KernelResult<Vec<RecordBatch>> =
            data.map(|data| Ok(RecordBatch::from(*ArrowEngineData::try_from_engine_data(data?)?))).collect();
        let unwritable = |error: &dyn std::fmt::Display| KernelError::generic(error.to_string());
        let mut encoder = RowGroupEncoder::new(&LONG_COLUMNS);
        in_row_groups(batches?, self.partitions, &mut |group| encoder.push(group))
            .map_err(|error| unwritable(&error))?;
        let bytes = encoder.finish().map_err(|error| unwritable(&error))?;
        let (size, disk) = (bytes.len() as u64, Arc::clone(&self.disk));
        let at = Path::from_url_path(location.path()).map_err(|error| unwritable(&error))?;
        self.executor.block_on(async move { disk.put(&at, bytes.into()).await })?;
        Ok(size)
    }

    fn read_parquet_footer(&self, file: &FileMeta) -> KernelResult<ParquetFooter> {
        self.reader.read_parquet_footer(file)
    }
}
