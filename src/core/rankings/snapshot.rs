//! A published ranking, open for reading.
//!
//! Invariant: no row is returned that was not checked against a hash that the pointer vouches for.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use rayon::prelude::*;

use crate::model::Timestamp;
use crate::parquet_format::{CategorySummary, ROWS_PER_GROUP, RankedRow, RankingFile};
use crate::rankings::error::SnapshotError;
use crate::rankings::metadata::RankingMetadata;
use crate::rankings::name::RankingName;
use crate::rankings::pointer::{
    FOLDER, Pointer, SCHEMA, damaged_file, damaged_pointer, parse_pointer, pointer_beside, read_pointer,
};
use crate::rankings::retained::{RetainedRanking, has_hash_of, retained_rankings};
use crate::storage::Store;

/// A published ranking, open for reading; a clone of it shares its bytes.
#[derive(Clone)]
pub struct Snapshot {
    /// Path below the lake.
    pub(super) path: String,
    pub(super) file: Arc<RankingFile>,
    pub(super) rows: Rows,
    metadata: RankingMetadata,
}

/// Rows of categories, best first.
pub type Lists = HashMap<Option<String>, Vec<RankedRow<'static>>>;

/// Where the rows are.
#[derive(Clone)]
pub(super) enum Rows {
    /// In memory, checked with the whole file.
    Whole(Bytes),
    /// In the file; each row group is checked when it is read.
    InGroups(Store),
}

impl Snapshot {
    /// Opens the ranking that the default name shows; its rows are checked when they are read.
    ///
    /// # Errors
    /// [`SnapshotError::None`] where none was published; [`SnapshotError::Damaged`] where the file is not
    /// the published one.
    pub fn current(store: &Store) -> Result<Snapshot, SnapshotError> {
        Snapshot::named(store, &RankingName::default())
    }

    /// Opens the ranking that a name shows.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    pub fn named(store: &Store, name: &RankingName) -> Result<Snapshot, SnapshotError> {
        shown(store, name, |pointer| pointer.open(store))
    }

    /// Opens the newest ranking that ends no later than a moment, of those still stored that were made in the same way as
    /// the one that a name shows; if that one is damaged, of all.
    ///
    /// # Errors
    /// [`SnapshotError::None`] where there is none; otherwise as [`Snapshot::current`].
    pub fn at(store: &Store, name: &RankingName, moment: Timestamp) -> Result<Snapshot, SnapshotError> {
        let like = match Snapshot::named(store, name) {
            Err(SnapshotError::None) => return Err(SnapshotError::None),
            shown => shown.ok(),
        };
        let mut retained = retained_rankings(store)?;
        retained.retain(|ranking| ranking.as_of <= moment);
        let Some(like) = like else {
            return retained.last().ok_or(SnapshotError::None)?.open(store);
        };
        newest_like(store, &retained, like.metadata())?.ok_or(SnapshotError::None)
    }

    /// Opens the ranking that a name shows, and checks the whole file.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    pub(super) fn checked(store: &Store, name: &RankingName) -> Result<Snapshot, SnapshotError> {
        shown(store, name, |pointer| {
            let bytes = store.get(&pointer.path())?;
            if pointer.footer.is_some() && !matches!(pointer.footer_of(&bytes), Some(Ok(_))) {
                pointer.open_whole(bytes)?;
                return Err(damaged_pointer(
                    &name.pointer(),
                    "its footer's hash is not that of the file".to_owned(),
                ));
            }
            pointer.open_whole(bytes)
        })
    }

    /// Returns one category's rows, best first; the whole shop's for `None`.
    ///
    /// # Errors
    /// Fails where the part of the file that holds them is damaged.
    pub fn category(&self, category: Option<&str>) -> Result<Vec<RankedRow<'static>>, SnapshotError> {
        let mut rows = Vec::new();
        for group in self.file.groups_of(category).map_err(|e| self.damaged(&e.to_string()))? {
            let of_group = self.file.category(group, self.group(group)?, category);
            rows.extend(of_group.map_err(|e| self.damaged(&e.to_string()))?);
        }
        Ok(rows)
    }

    /// Returns the name of the file, which has the end of the window and the hash of the content in it.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Returns how the ranking was made.
    pub fn metadata(&self) -> &RankingMetadata {
        &self.metadata
    }

    /// Returns every category's rows, best first; the shop comes first, then the categories in byte
    /// order.
    pub fn categories(&self) -> Categories<'_> {
        Categories { snapshot: self, next_group: 0, queue: VecDeque::new() }
    }

    /// Returns the rows of items with a wanted id or name, in the order of the file.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_of(
        &self,
        wants: &dyn Fn(&str, Option<&str>) -> bool,
    ) -> Result<Vec<RankedRow<'static>>, SnapshotError> {
        let mut rows = Vec::new();
        for group in 0..self.file.groups() {
            let found = self.file.rows_wanted(group, self.group(group)?, wants);
            rows.extend(found.map_err(|e| self.damaged(&e.to_string()))?);
        }
        Ok(rows)
    }

    /// Returns the lists of all categories that have an item, without the units of each day; the shop's is under `None`.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn lists_with(&self, item_id: &str) -> Result<Lists, SnapshotError> {
        let of_groups: Result<Vec<_>, SnapshotError> = (0..self.file.groups())
            .into_par_iter()
            .map(|group| {
                let lists = self.file.lists_with(group, self.group(group)?, item_id);
                lists.map_err(|e| self.damaged(&e.to_string()))
            })
            .collect();
        let mut lists = Lists::new();
        for rows in of_groups?.into_iter().flatten() {
            let category = rows.first().and_then(|row| row.category.as_deref()).map(str::to_owned);
            // Of a category with row groups of its own, each has a part.
            let whole = match rows.len() < ROWS_PER_GROUP {
                true => rows,
                false => self.category(category.as_deref())?,
            };
            lists.entry(category).or_insert(whole);
        }
        Ok(lists)
    }

    /// Returns every category, the shop first.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn category_summaries(&self) -> Result<Vec<CategorySummary>, SnapshotError> {
        let mut summaries = Vec::new();
        for group in 0..self.file.groups() {
            let added = self.file.add_categories(group, self.group(group)?, &mut summaries);
            added.map_err(|e| self.damaged(&e.to_string()))?;
        }
        Ok(summaries)
    }

    /// Returns the bytes of a row group, if they are those that were published.
    pub(super) fn group(&self, group: usize) -> Result<Bytes, SnapshotError> {
        let range = self.file.range(group);
        match &self.rows {
            Rows::Whole(bytes) => {
                let [from, to] = [range.start, range.end].map(usize::try_from);
                let within = from.ok().zip(to.ok()).filter(|(from, to)| from <= to && *to <= bytes.len());
                let within =
                    within.ok_or_else(|| self.damaged("its footer refers to rows outside of the file"))?;
                Ok(bytes.slice(within.0..within.1))
            }
            Rows::InGroups(store) => {
                let bytes = store.get_range(&self.path, range)?;
                match self.file.is_whole(group, &bytes) {
                    true => Ok(bytes),
                    false => Err(self.damaged("its bytes are not those that were published")),
                }
            }
        }
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        SnapshotError::Damaged { file: self.path.clone(), what: what.to_owned() }
    }
}

/// The categories of a ranking, each with its rows; ends at a damaged row group.
pub struct Categories<'a> {
    snapshot: &'a Snapshot,
    next_group: usize,
    queue: VecDeque<Vec<RankedRow<'static>>>,
}

impl Categories<'_> {
    /// Reads the next row group, and queues its categories.
    fn read(&mut self) -> Result<(), SnapshotError> {
        let Categories { snapshot, next_group, queue } = self;
        let bytes = snapshot.group(*next_group)?;
        let read = snapshot.file.each_row(*next_group, bytes, &mut |row| {
            let row = row.into_owned();
            match queue.back_mut() {
                Some(rows) if rows[0].category == row.category => rows.push(row),
                _ => queue.push_back(vec![row]),
            }
        });
        *next_group += 1;
        read.map_err(|e| snapshot.damaged(&e.to_string()))
    }
}

impl Iterator for Categories<'_> {
    type Item = Result<Vec<RankedRow<'static>>, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The last category of the queue may continue in the next row group.
        while self.queue.len() < 2 && self.next_group < self.snapshot.file.groups() {
            if let Err(error) = self.read() {
                self.next_group = usize::MAX;
                self.queue.clear();
                return Some(Err(error));
            }
        }
        self.queue.pop_front().map(Ok)
    }
}

impl RetainedRanking {
    /// Opens the ranking.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] where the file is not the published one; fails where it was removed in
    /// the meantime, too.
    pub fn open(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
        let beside = pointer_beside(self.path());
        let pointer = store.get(&beside).ok().and_then(|json| parse_pointer(&json, &beside).ok());
        match pointer.filter(|pointer| pointer.path() == self.path()) {
            Some(pointer) => pointer.open(store),
            // Older rankings have no pointer beside them, and a damaged pointer says nothing of its file.
            None => self.open_whole(store),
        }
    }

    /// Opens the ranking by the hash in its name.
    fn open_whole(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
        let path = self.path();
        let bytes = store.get(path)?;
        let damaged = |what: &str| SnapshotError::Damaged { file: path.to_owned(), what: what.to_owned() };
        if !has_hash_of(path, &bytes) {
            return Err(damaged("its bytes are not those that were published"));
        }
        let size_bytes = bytes.len() as u64;
        let file = RankingFile::open(bytes.clone(), size_bytes).map_err(|e| damaged(&e.to_string()))?;
        let pointer = Pointer {
            schema: SCHEMA,
            file: path.trim_start_matches(FOLDER).trim_start_matches('/').to_owned(),
            blake3: String::new(),
            size_bytes,
            rows: file.rows(),
            as_of: self.as_of.to_string(),
            footer: None,
            checksum: None,
        };
        pointer.snapshot(file, Rows::Whole(bytes))
    }
}

impl Pointer {
    /// Opens the file; its rows are checked when they are read.
    fn open(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
        let Some(footer) = &self.footer else {
            return self.open_whole(store.get(&self.path())?);
        };
        // Where something is wrong with the end of the file, checking the whole file shows what it is.
        let opened = match store.get_tail(&self.path(), footer.size_bytes) {
            Err(error) if error.is_not_found() => return Err(error.into()),
            tail => tail.ok().and_then(|tail| self.footer_of(&tail)),
        };
        match opened {
            Some(Ok(file)) => self.snapshot(file, Rows::InGroups(store.clone())),
            Some(Err(_)) | None => self.open_whole(store.get(&self.path())?),
        }
    }

    /// Opens a file's bytes, if their hash is that of the pointer.
    pub(super) fn open_whole(&self, bytes: Bytes) -> Result<Snapshot, SnapshotError> {
        if bytes.len() as u64 != self.size_bytes || blake3::hash(&bytes).to_hex().to_string() != self.blake3 {
            return Err(damaged_file(self, "its bytes are not those that were published"));
        }
        let file = RankingFile::open(bytes.clone(), self.size_bytes);
        self.snapshot(file.map_err(|e| damaged_file(self, &e.to_string()))?, Rows::Whole(bytes))
    }

    fn snapshot(&self, file: RankingFile, rows: Rows) -> Result<Snapshot, SnapshotError> {
        if file.rows() != self.rows {
            return Err(damaged_file(self, "its number of rows is not the published one"));
        }
        let metadata = RankingMetadata::of(&self.as_of, &|name| file.label(name))
            .map_err(|what| damaged_file(self, what))?;
        Ok(Snapshot { path: self.path(), file: Arc::new(file), rows, metadata })
    }
}

/// Opens the newest of some rankings that was made by the same rules as another; they are ordered by time.
///
/// # Errors
/// As [`RetainedRanking::open`], of the newest whose name says that it was made by these rules.
pub fn newest_like(
    store: &Store,
    retained: &[RetainedRanking],
    like: &RankingMetadata,
) -> Result<Option<Snapshot>, SnapshotError> {
    for ranking in retained.iter().rev().filter(|ranking| ranking.may_be_like(like)) {
        let snapshot = match ranking.open(store) {
            // Of an older version: it may be another's.
            Err(_) if ranking.rules().is_none() => continue,
            snapshot => snapshot?,
        };
        if snapshot.metadata().is_like(like) {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}

/// Opens what the pointer of a name refers to.
fn shown(
    store: &Store,
    name: &RankingName,
    open: impl Fn(&Pointer) -> Result<Snapshot, SnapshotError>,
) -> Result<Snapshot, SnapshotError> {
    let path = name.pointer();
    let mut pointer = read_pointer(store, &path)?;
    loop {
        match open(&pointer) {
            Err(SnapshotError::Store(error)) if error.is_not_found() => {
                // A newer ranking may have been published in the meantime, and this one removed.
                let newer = read_pointer(store, &path)?;
                if newer.file == pointer.file {
                    let what = format!("it names {}, which does not exist", pointer.path());
                    return Err(damaged_pointer(&path, what));
                }
                pointer = newer;
            }
            opened => return opened,
        }
    }
}
