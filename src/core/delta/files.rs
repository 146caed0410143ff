//! The files of a table's version.

use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow::datatypes::Int64Type;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::expressions::{Expression, Predicate, Scalar};
use delta_kernel::scan::{ScanBuilder, StatsOptions};

use crate::delta::error::TableError;
use crate::delta::file_stats::FileStats;
use crate::delta::partition_values::{DATE, Partition, map_entries};
use crate::delta::table::{Table, Version};
use crate::model::Date;
use crate::storage::url_decoded;

/// Takes rows of the log about files, and which of them are selected.
type TakeRows<'a> = dyn FnMut(&Arc<RecordBatch>, &[bool]) -> Result<(), TableError> + 'a;

/// A data file, as a table's log describes it.
#[derive(Clone, Debug)]
pub struct NamedFile {
    /// Path below the table's folder.
    pub path: String,
    pub size_bytes: u64,
    pub partition: Partition,
    pub rows: u64,
    pub stats: FileStats,
}

/// A file of the table's newest version.
#[derive(Clone)]
pub struct LiveFile {
    file: NamedFile,
    /// The log's own row about the file, which its removal needs.
    pub(super) origin: (Arc<RecordBatch>, usize),
}

impl Deref for LiveFile {
    type Target = NamedFile;

    fn deref(&self) -> &NamedFile {
        &self.file
    }
}

impl From<LiveFile> for NamedFile {
    fn from(live: LiveFile) -> NamedFile {
        live.file
    }
}

impl Version<'_> {
    /// Returns the files of this version, sorted by path.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn files(&self) -> Result<Vec<LiveFile>, TableError> {
        self.files_of(&|_| true)
    }

    /// Returns the files of the wanted partitions, sorted by path.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn files_of(&self, wants: &dyn Fn(&Partition) -> bool) -> Result<Vec<LiveFile>, TableError> {
        self.scan(None, wants)
    }

    /// Returns the files of the wanted partitions, sorted by path, for a reader who wants no files of other days than
    /// some, which mostly are not decoded; `wants` must reject them, too. Files without a day are passed to it.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn files_of_days(
        &self,
        days: &RangeInclusive<Date>,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<Vec<LiveFile>, TableError> {
        let day = |day: &Date| Expression::literal(Scalar::Date(day.number()));
        let date = || Expression::column([DATE]);
        let is_within = Predicate::and(date().ge(day(days.start())), date().le(day(days.end())));
        self.scan(Some(Predicate::or(is_within, date().is_null())), wants)
    }

    /// Returns the paths of all files of this version below the table's folder, in no order.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn paths(&self) -> Result<Vec<String>, TableError> {
        let damaged = || self.table.damaged("its files have an unexpected form");
        let mut files = Vec::new();
        let scan = Arc::clone(&self.snapshot).scan_builder().with_stats(StatsOptions::none());
        self.each_batch(scan, &mut |batch, selected| {
            let paths: &StringArray =
                batch.column_by_name("path").and_then(|of| of.as_string_opt()).ok_or_else(damaged)?;
            let selected = selected.iter().enumerate().filter(|(_, is_selected)| **is_selected);
            files.extend(selected.map(|(row, _)| url_decoded(paths.value(row))));
            Ok(())
        })?;
        Ok(files)
    }

    fn scan(
        &self,
        predicate: Option<Predicate>,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<Vec<LiveFile>, TableError> {
        let scan = Arc::clone(&self.snapshot).scan_builder().with_predicate(predicate.map(Arc::new));
        let mut files = Vec::new();
        self.each_batch(scan, &mut |batch, selected| self.table.collect(batch, selected, wants, &mut files))?;
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Passes each batch of a scan to `take`, with the rows that are selected.
    fn each_batch(&self, scan: ScanBuilder, take: &mut TakeRows<'_>) -> Result<(), TableError> {
        let failed = |e| self.table.failed(e);
        let scan = scan.build().map_err(failed)?;
        for scanned in scan.scan_metadata(self.table.engine.as_ref()).map_err(failed)? {
            let (data, mut selected) = scanned.map_err(failed)?.scan_files.into_parts();
            let data = ArrowEngineData::try_from_engine_data(data).map_err(failed)?;
            let batch = Arc::new(data.record_batch().clone());
            selected.resize(batch.num_rows(), true);
            take(&batch, &selected)?;
        }
        Ok(())
    }
}

impl NamedFile {
    /// Returns a file as far as reading it needs.
    pub fn new(path: &str, size_bytes: u64, rows: u64) -> NamedFile {
        NamedFile {
            path: path.to_owned(),
            size_bytes,
            partition: Partition::new(),
            rows,
            stats: FileStats::default(),
        }
    }

    /// Returns a file from the log's description, where paths are URL-encoded.
    pub(super) fn of(
        path: &str,
        size_bytes: u64,
        partition: Partition,
        (stats, rows): (FileStats, u64),
    ) -> NamedFile {
        NamedFile { path: url_decoded(path), size_bytes, partition, rows, stats }
    }
}

impl Table {
    fn collect(
        &self,
        batch: &Arc<RecordBatch>,
        selected: &[bool],
        wants: &dyn Fn(&Partition) -> bool,
        files: &mut Vec<LiveFile>,
    ) -> Result<(), TableError> {
        let damaged = || self.damaged("its files have an unexpected form");
        let column = |name: &str| batch.column_by_name(name).ok_or_else(damaged);
        let path: &StringArray = column("path")?.as_string_opt().ok_or_else(damaged)?;
        let size: &Int64Array = column("size")?.as_primitive_opt::<Int64Type>().ok_or_else(damaged)?;
        let stats: &StringArray = column("stats")?.as_string_opt().ok_or_else(damaged)?;
        let constants: &StructArray = column("fileConstantValues")?.as_struct_opt().ok_or_else(damaged)?;
        let partitions = constants.column_by_name("partitionValues").ok_or_else(damaged)?;
        let partitions = partitions.as_map_opt().ok_or_else(damaged)?;
        for row in (0..batch.num_rows()).filter(|&row| selected[row]) {
            let partition = map_entries(partitions, row).ok_or_else(damaged)?;
            if !wants(&partition) {
                continue;
            }
            let stats = match stats.is_valid(row) {
                true => FileStats::parse(stats.value(row)).ok_or_else(damaged)?,
                false => Default::default(),
            };
            let size_bytes = size.value(row).max(0).unsigned_abs();
            let file = NamedFile::of(path.value(row), size_bytes, partition, stats);
            files.push(LiveFile { file, origin: (Arc::clone(batch), row) });
        }
        Ok(())
    }
}

/// Returns the boolean column of that name, if it is one.
pub(super) fn boolean_column<'a>(of: &'a StructArray, name: &str) -> Option<&'a BooleanArray> {
    of.column_by_name(name)?.as_boolean_opt()
}
