//! What a batch brought, taken out again: its rows' files written anew without them.

use std::collections::HashMap;

use crate::columns::without_batch;
use crate::lake::{EVENTS, HourPartition, Lake, LakeError, unique_name};
use crate::table::{LiveFile, NewFile};

/// What is left of files without one batch's rows, kept from one try of a commit to the next.
pub(super) struct Remainders<'a> {
    batch_id: &'a str,
    /// By the file's path: none where the batch has no row in it.
    known: HashMap<String, Option<Remainder>>,
}

/// What is left of one file, if anything is.
#[derive(Clone)]
struct Remainder(Option<NewFile>);

impl<'a> Remainders<'a> {
    /// Returns an empty table of what is left without that batch.
    pub fn of(batch_id: &'a str) -> Remainders<'a> {
        Remainders { batch_id, known: HashMap::new() }
    }

    /// Tells by the log's ranges whether a file may hold rows of the batch.
    fn may_be_in(&self, file: &LiveFile) -> bool {
        let end = |ends: &serde_json::Value| ends["batch"].as_str().map(str::to_owned);
        let (first, last) = (end(&file.min_values), end(&file.max_values));
        first.is_none_or(|first| first.as_str() <= self.batch_id)
            && last.is_none_or(|last| self.batch_id <= last.as_str())
    }
}

impl Lake {
    /// Writes what is left of a file without a batch's rows, durable but not yet named by any
    /// commit; none where the batch has no row in it.
    pub(super) fn without_batch(
        &self,
        remainders: &mut Remainders<'_>,
        file: &LiveFile,
    ) -> Result<Option<Option<NewFile>>, LakeError> {
        if !remainders.may_be_in(file) {
            return Ok(None);
        }
        if !remainders.known.contains_key(&file.path) {
            let remainder = self.remainder(remainders.batch_id, file)?;
            remainders.known.insert(file.path.clone(), remainder);
        }
        Ok(remainders.known[&file.path].clone().map(|Remainder(left)| left))
    }

    fn remainder(&self, batch_id: &str, file: &LiveFile) -> Result<Option<Remainder>, LakeError> {
        let bytes = self.store.get(&format!("{EVENTS}/{}", file.path))?;
        let failed = |source| LakeError::Columns { file: format!("{EVENTS}/{}", file.path), source };
        let Some(encoded) = without_batch(&bytes, batch_id).map_err(failed)? else { return Ok(None) };
        if encoded.rows == 0 {
            return Ok(Some(Remainder(None)));
        }
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        let partition = HourPartition::of(&file.partition).ok_or_else(bad)?;
        let path = format!("{}/{}.parquet", partition.folder(), unique_name());
        self.store.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
        Ok(Some(Remainder(Some(NewFile::of(path, partition.values(), encoded)))))
    }
}
