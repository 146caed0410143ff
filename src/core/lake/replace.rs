//! Removes the rows of batches: rewrites the files that hold some of them.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::delta::{LiveFile, NewFile};
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::open::Lake;
use crate::lake::partition::DayPartition;
use crate::parquet_format::without_batches;
use crate::storage::unique_id;

/// The rewritten files without some batches' rows, kept from one attempt of a commit to the next.
pub(super) struct Remainders<'a> {
    lake: &'a Lake,
    /// Whether a commit names them, or may do so; otherwise they are removed.
    pub are_named: bool,
    ids: HashSet<&'a str>,
    first: &'a str,
    last: &'a str,
    /// By the path of the original file: none where it has no row of these batches.
    known: HashMap<String, Option<Remainder>>,
}

/// The rewritten file; none where no row is left.
#[derive(Clone)]
struct Remainder(Option<NewFile>);

impl<'a> Remainders<'a> {
    /// Returns the remainders without those batches, of no file yet.
    pub fn of(lake: &'a Lake, ids: &[&'a str]) -> Remainders<'a> {
        let (first, last) = (ids.iter().min().copied(), ids.iter().max().copied());
        Remainders {
            lake,
            are_named: false,
            ids: ids.iter().copied().collect(),
            first: first.unwrap_or_default(),
            last: last.unwrap_or_default(),
            known: HashMap::new(),
        }
    }

    /// Returns whether a file may hold rows of the batches, by the log's statistics.
    fn may_be_in(&self, file: &LiveFile) -> bool {
        let (least, most) = file.stats.range("batch");
        least.as_str().is_none_or(|least| least <= self.last)
            && most.as_str().is_none_or(|most| self.first <= most)
    }
}

impl Drop for Remainders<'_> {
    fn drop(&mut self) {
        if !self.are_named {
            let written = self.known.values().flatten().filter_map(|Remainder(left)| left.as_ref());
            written.for_each(|file| drop(self.lake.store.delete(&format!("{EVENTS}/{}", file.path))));
        }
    }
}

impl Lake {
    /// Returns the files that hold rows of the batches, and `adds` with the rewritten files, durable and
    /// not yet committed.
    pub(super) fn without_batches(
        &self,
        remainders: &mut Remainders<'_>,
        files: Vec<LiveFile>,
        mut adds: Vec<NewFile>,
    ) -> Result<(Vec<LiveFile>, Vec<NewFile>), LakeError> {
        let unseen =
            |file: &&LiveFile| !remainders.known.contains_key(&file.path) && remainders.may_be_in(file);
        let seen: Result<Vec<(String, Option<Remainder>)>, LakeError> = files
            .par_iter()
            .filter(unseen)
            .map(|file| Ok((file.path.clone(), self.remainder(&remainders.ids, file)?)))
            .collect();
        remainders.known.extend(seen?);
        let mut removes = Vec::new();
        for file in files {
            if let Some(Some(Remainder(left))) = remainders.known.get(&file.path) {
                adds.extend(left.clone());
                removes.push(file);
            }
        }
        Ok((removes, adds))
    }

    fn remainder(&self, ids: &HashSet<&str>, file: &LiveFile) -> Result<Option<Remainder>, LakeError> {
        let bytes = self.store.get_checked(&format!("{EVENTS}/{}", file.path))?;
        let failed = |source| LakeError::Columns { file: format!("{EVENTS}/{}", file.path), source };
        let Some(encoded) = without_batches(&bytes, ids).map_err(failed)? else { return Ok(None) };
        if encoded.rows == 0 {
            return Ok(Some(Remainder(None)));
        }
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        let partition = DayPartition::of(&file.partition).ok_or_else(bad)?;
        let path = format!("{}/{}", partition.folder(), encoded.name(&unique_id()));
        self.store.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
        Ok(Some(Remainder(Some(NewFile::of(path, partition.values(), encoded)))))
    }
}
