//! Opens and creates Delta tables, and reads their newest version.

use std::num::NonZero;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::snapshot::{Snapshot, SnapshotRef};
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::data_layout::DataLayout;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};
use delta_kernel::{Engine, KernelError};
use delta_kernel_default_engine::DefaultEngineBuilder;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use serde::Deserialize;
use url::Url;

use crate::delta::checked_disk::CheckedDisk;
use crate::delta::error::TableError;
use crate::delta::kernel_engine::KernelEngine;
use crate::delta::schema::{Column, TableSchema};
use crate::storage::{Store, StoreError, Turn};

/// The folder of a table's log.
const LOG: &str = "_delta_log";
pub(super) const ENGINE_INFO: &str = concat!("topsell/", env!("CARGO_PKG_VERSION"));

/// The number of files of the log that are read at once: each takes 3 MB, and a checkpoint reads fifty.
const FILES_AT_ONCE: NonZero<usize> = NonZero::new(2).expect("two is not zero");
/// The same of a log in a bucket, where waiting for them one after another takes long.
const OBJECTS_AT_ONCE: NonZero<usize> = NonZero::new(16).expect("sixteen is not zero");

/// One Delta table.
pub struct Table {
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) store: Store,
    schema: TableSchema,
    /// The newest version that was read, so that the next read of the log begins there.
    seen: Mutex<Option<SnapshotRef>>,
    /// Files that this process committed since it wrote a checkpoint.
    pub(super) files_since_checkpoint: AtomicU64,
}

/// The version of the newest checkpoint, as a table's log has it.
#[derive(Deserialize)]
struct CheckpointHint {
    version: u64,
}

/// One version of a table.
///
/// All that is read from it is consistent, and a commit on it fails where another process has
/// committed since. So what a commit was decided on still holds when it succeeds.
pub struct Version<'a> {
    pub(super) table: &'a Table,
    pub(super) snapshot: SnapshotRef,
}

/// A version that can be read again later.
#[derive(Clone)]
pub struct PinnedVersion(SnapshotRef);

impl Version<'_> {
    /// Returns a handle to read the version again later.
    pub fn pin(&self) -> PinnedVersion {
        PinnedVersion(Arc::clone(&self.snapshot))
    }

    /// Returns the version's number.
    pub fn number(&self) -> u64 {
        self.snapshot.version()
    }

    /// Returns the table's own id, which a table that is created again does not share.
    pub fn table_id(&self) -> &str {
        self.snapshot.table_configuration().metadata().id()
    }

    /// Returns the value of a table property.
    pub fn property(&self, name: &str) -> Option<&str> {
        let properties = self.snapshot.table_configuration().metadata().configuration();
        properties.get(name).map(String::as_str)
    }

    /// Returns the version an application last recorded with `Commit::transactions`.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn transaction(&self, app_id: &str) -> Result<Option<i64>, TableError> {
        let found = self.snapshot.get_app_id_version(app_id, self.table.engine.as_ref());
        found.map_err(|e| self.table.failed(e))
    }
}

impl Table {
    /// Opens the table in the store's folder `name`; none where there is no table.
    ///
    /// # Errors
    /// Fails where the log cannot be read, or the table is incompatible: its columns are not those of
    /// `schema`, or it needs more of the Delta protocol.
    pub fn open(store: &Store, name: &str, schema: TableSchema) -> Result<Option<Table>, TableError> {
        let is_there = || store.holds_any(&format!("{name}/{LOG}"));
        // In a bucket, this is one more request, and mostly there is a table.
        if !store.is_bucket() && !is_there()? {
            return Ok(None);
        }
        let table = Table::at(store, name, schema)?;
        match table.latest() {
            Err(_) if store.is_bucket() && !is_there()? => Ok(None),
            latest => latest.map(|_| Some(table)),
        }
    }

    /// Opens the table, or creates it with the given properties where there is none.
    ///
    /// # Errors
    /// As [`Table::open`], and where the first commit cannot be written.
    pub fn open_or_create(
        store: &Store,
        name: &str,
        schema: TableSchema,
        properties: &[(&str, String)],
    ) -> Result<Table, TableError> {
        if let Some(table) = Table::open(store, name, schema)? {
            return Ok(table);
        }
        Table::create_or_open(store, name, schema, properties)
    }

    /// Does the same where there probably is none.
    ///
    /// # Errors
    /// As [`Table::open_or_create`].
    pub fn create_or_open(
        store: &Store,
        name: &str,
        schema: TableSchema,
        properties: &[(&str, String)],
    ) -> Result<Table, TableError> {
        store.make_folder(name)?;
        let table = Table::at(store, name, schema)?;
        table.create(properties)?;
        // Another process may have created it, with other columns.
        table.latest()?;
        Ok(table)
    }

    /// Returns the newest version, to read from and to commit on.
    ///
    /// # Errors
    /// As [`Table::open`]: another program may change the table at any time.
    pub fn newest(&self) -> Result<Version<'_>, TableError> {
        Ok(Version { table: self, snapshot: self.latest()? })
    }

    /// Returns the newest version that this process knows, for those who look again before they commit: in a bucket,
    /// whether there is a newer one is a request.
    ///
    /// # Errors
    /// As [`Table::newest`].
    pub fn newest_known(&self) -> Result<Version<'_>, TableError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match seen.filter(|_| self.store.is_bucket()) {
            Some(snapshot) => Ok(Version { table: self, snapshot }),
            None => self.newest(),
        }
    }

    /// Waits for a turn among all who commit to the table. Who commits without one may have to begin again,
    /// any number of times.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn wait_for_turn(&self) -> Result<Turn, StoreError> {
        self.store.wait_for_turn(&self.name)
    }

    /// Returns a version by its number.
    ///
    /// # Errors
    /// As [`Table::open`], and where the part of the log that it needs was vacuumed.
    pub fn at_version(&self, number: u64) -> Result<Version<'_>, TableError> {
        let snapshot =
            Snapshot::builder_for(self.url.as_str()).at_version(number).build(self.engine.as_ref());
        Ok(Version { table: self, snapshot: snapshot.map_err(|e| self.failed(e))? })
    }

    /// Returns a pinned version; the part of the log that it needs may have been vacuumed since.
    pub fn at_pinned(&self, pinned: &PinnedVersion) -> Version<'_> {
        Version { table: self, snapshot: Arc::clone(&pinned.0) }
    }

    /// Adds a column, null in all rows so far; has no effect where the table has it.
    ///
    /// # Errors
    /// Fails where the log cannot be written, or another process commits at the same time.
    pub fn add_column(&self, column: Column) -> Result<(), TableError> {
        let newest = self.latest()?;
        if newest.schema().field(column.0).is_some() {
            return Ok(());
        }
        let engine = self.engine.as_ref();
        let altered = newest
            .update_table(UpdateTableOperation::AlterTable, ENGINE_INFO, false)
            .add_column(column.to_delta())
            .build(engine, Box::new(FileSystemCommitter::new()))
            .and_then(|transaction| transaction.commit(engine))
            .map_err(|e| self.failed(e))?;
        match altered {
            CommitResult::Committed(_) => Ok(()),
            CommitResult::Conflicted(_) => Err(self.damaged("another process changed it during the upgrade")),
            CommitResult::Retryable(retryable) => Err(self.failed(retryable.error)),
        }
    }

    /// Writes a checkpoint of the newest version.
    ///
    /// # Errors
    /// As [`Table::open`], and where the checkpoint cannot be written.
    pub fn checkpoint(&self) -> Result<(), TableError> {
        let newest = self.latest()?;
        newest.checkpoint(self.engine.as_ref(), None).map(drop).map_err(|e| self.failed(e))
    }

    fn at(store: &Store, name: &str, schema: TableSchema) -> Result<Table, TableError> {
        let executor = Arc::new(TokioMultiThreadExecutor::new(store.runtime()?));
        let disk = CheckedDisk::of(store.durable_disk());
        let engine = DefaultEngineBuilder::new(Arc::clone(&disk))
            .with_task_executor(Arc::clone(&executor))
            .with_buffer_size(if store.is_bucket() { OBJECTS_AT_ONCE } else { FILES_AT_ONCE })
            .build();
        let engine = KernelEngine::of(Arc::new(engine), disk, executor, schema.partitions);
        Ok(Table {
            name: name.to_owned(),
            url: store.folder_url(name)?,
            engine: Arc::new(engine),
            store: store.clone(),
            schema,
            seen: Mutex::new(None),
            files_since_checkpoint: AtomicU64::new(0),
        })
    }

    fn create(&self, properties: &[(&str, String)]) -> Result<(), TableError> {
        let built = create_table(self.url.as_str(), self.schema.to_delta(), ENGINE_INFO, false)
            .with_table_properties(properties.iter().map(|(name, value)| (*name, value.as_str())))
            .with_data_layout(DataLayout::partitioned(self.schema.partition_columns()))
            .build(self.engine.as_ref(), Box::new(FileSystemCommitter::new()));
        match built.and_then(|transaction| transaction.commit(self.engine.as_ref())) {
            // Another process has created the same table.
            Ok(_) | Err(KernelError::TableAlreadyExistsAtPath(_)) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Returns the newest snapshot, reading only what is new since the last one; refuses one that
    /// this program could not have written.
    fn latest(&self) -> Result<SnapshotRef, TableError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.as_ref().filter(|known| self.is_newest(known.version())) {
            return Ok(Arc::clone(known));
        }
        let engine = self.engine.as_ref();
        // The log since then may have been vacuumed; then it is read from its beginning.
        let after_seen = seen.take().and_then(|seen| Snapshot::builder_from(seen).build(engine).ok());
        let newest = match after_seen {
            Some(snapshot) => snapshot,
            None => Snapshot::builder_for(self.url.as_str()).build(engine).map_err(|e| self.failed(e))?,
        };
        self.schema
            .check(&newest)
            .map_err(|what| TableError::Incompatible { table: self.name.clone(), what })?;
        *seen = Some(Arc::clone(&newest));
        Ok(newest)
    }

    /// Returns whether no version follows one that was read. To list the log takes the longer the more commits
    /// it has: a stream that is committed line by line has many, and asks three times for each.
    fn is_newest(&self, version: u64) -> bool {
        let folder = format!("{}/{LOG}", self.name);
        // Of a version that was vacuumed, what is in the listing is another one.
        match self.store.objects_after(&folder, &format!("{version:020}")) {
            Ok(None) => {}
            Ok(Some(objects)) => {
                let commits = objects.iter().filter(|file| file.path.ends_with(".json"));
                return commits.map(|file| &file.path).eq([&self.path_of_commit(version)]);
            }
            Err(_) => return false,
        }
        let is_there = |version: u64| self.store.is_there(&self.path_of_commit(version));
        if is_there(version + 1) || !is_there(version) {
            return false;
        }
        // The next one may have been vacuumed, behind a later checkpoint.
        match self.store.get(&format!("{}/{LOG}/_last_checkpoint", self.name)) {
            Ok(hint) => {
                serde_json::from_slice::<CheckpointHint>(&hint).is_ok_and(|hint| hint.version <= version)
            }
            Err(error) => error.is_not_found(),
        }
    }

    pub(super) fn path_of_commit(&self, version: u64) -> String {
        format!("{}/{LOG}/{version:020}.json", self.name)
    }

    pub(super) fn remember(&self, snapshot: SnapshotRef) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    pub(super) fn failed(&self, source: KernelError) -> TableError {
        TableError::kernel(&self.name, source)
    }

    pub(super) fn damaged(&self, what: &str) -> TableError {
        TableError::Damaged { table: self.name.clone(), what: what.to_owned() }
    }
}
