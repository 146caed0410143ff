//! The files of a list in the lake: what it was at some sequence, and a log of what changed since.
//!
//! ```text
//! lists/ranking~default/base-0000000003.list    the list when the log of this number began (see `base_file.rs`)
//! lists/ranking~default/log-0000000003.ndjson   what changed since (see `log_line.rs`)
//! lists/ranking~default/log-0000000004.ndjson   what changed while base 4 is being written
//! ```
//!
//! The newest base counts, and the logs from its number on; what is older is removed once it is there.
//!
//! Invariant: what was appended is read back; a base has its name once it is complete.

use crate::base_file::{BaseError, decode, encode};
use crate::error::ListError;
use crate::log_line::{Group, Groups};
use crate::name::ListName;
use crate::state::ListState;
use topsell_core::storage::{Store, StoreError};

/// How often a list is read again while another process replaces its base.
const MAX_READS: u32 = 10;

/// The files of one list.
#[derive(Clone)]
pub struct ListFiles {
    store: Store,
    folder: String,
    name: ListName,
}

/// A list as its files have it.
pub struct ReadList {
    pub state: ListState,
    /// The number of the newest log, or of the base where there is no log.
    pub number: u64,
    /// The size of the logs.
    pub log_bytes: u64,
    /// How many bytes of the newest log are a part of a line, which nobody was told of.
    pub torn_bytes: usize,
}

/// The numbers of the bases and logs that there are, ascending.
struct Numbers {
    bases: Vec<u64>,
    logs: Vec<u64>,
}

impl ListFiles {
    /// Returns the files of a list.
    pub fn of(store: Store, name: &ListName) -> ListFiles {
        ListFiles { store, folder: name.folder(), name: name.clone() }
    }

    /// Returns whether there is a list.
    ///
    /// # Errors
    /// Fails where the folder cannot be listed.
    pub fn exists(&self) -> Result<bool, ListError> {
        Ok(!self.numbers()?.bases.is_empty())
    }

    /// Reads the list.
    ///
    /// # Errors
    /// [`ListError::None`] where there is none; names a file that is damaged.
    pub fn read(&self) -> Result<ReadList, ListError> {
        let mut reads = 1;
        loop {
            match self.read_once() {
                // Another process has just written a newer base.
                Err(ListError::Store(error)) if error.is_not_found() && reads < MAX_READS => reads += 1,
                read => return read,
            }
        }
    }

    fn read_once(&self) -> Result<ReadList, ListError> {
        let numbers = self.numbers()?;
        let Some(base) = numbers.bases.last().copied() else {
            return Err(ListError::None { name: self.name.to_string() });
        };
        let path = self.base(base);
        let state =
            decode(&self.store.get(&path)?, &self.name).map_err(|error| self.of_base(&path, error))?;
        let mut read = ReadList { state, number: base, log_bytes: 0, torn_bytes: 0 };
        for number in numbers.logs.into_iter().filter(|number| *number >= base) {
            if read.torn_bytes > 0 {
                return Err(self.damaged(&self.log(read.number), "its last line is not as it was written"));
            }
            self.read_log(number, &mut read)?;
        }
        Ok(read)
    }

    fn read_log(&self, number: u64, read: &mut ReadList) -> Result<(), ListError> {
        let path = self.log(number);
        let bytes = self.store.get(&path)?;
        let groups = Groups::parse(&bytes).map_err(|what| self.damaged(&path, &what))?;
        for group in &groups.groups {
            if group.before != read.state.sequence {
                let what = format!("a change of sequence {} follows {}", group.before, read.state.sequence);
                return Err(self.damaged(&path, &what));
            }
            for change in &group.changes {
                read.state.apply(change, group.epoch, group.time);
            }
        }
        (read.number, read.torn_bytes) = (number, groups.torn_bytes);
        read.log_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Appends a group to a log; it is durable once this returns.
    ///
    /// # Errors
    /// Names the file. Whether the group is in it is then unknown.
    pub fn append(&self, number: u64, group: &Group) -> Result<u64, StoreError> {
        let line = group.line();
        self.store.append_durably(&self.log(number), &line)?;
        Ok(line.len() as u64)
    }

    /// Writes a list as the base of a number, then removes what is older.
    ///
    /// # Errors
    /// Names the file; the older ones then stay.
    pub fn write_base(&self, number: u64, state: &ListState) -> Result<u64, ListError> {
        let bytes = encode(state);
        let size_bytes = bytes.len() as u64;
        self.store.put(&self.base(number), bytes.into())?;
        self.remove_before(number)?;
        Ok(size_bytes)
    }

    fn remove_before(&self, number: u64) -> Result<(), ListError> {
        let files = self.store.files(&self.folder)?;
        let is_older = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            number_of(name, "base-", ".list")
                .or_else(|| number_of(name, "log-", ".ndjson"))
                .is_some_and(|of| of < number)
        };
        let older: Vec<_> = files.into_iter().filter(|file| is_older(&file.path)).collect();
        Ok(self.store.remove(older.iter())?)
    }

    fn numbers(&self) -> Result<Numbers, ListError> {
        let names = self.store.names(&self.folder)?;
        let numbers = |start: &str, end: &str| {
            let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name, start, end)).collect();
            numbers.sort_unstable();
            numbers
        };
        Ok(Numbers { bases: numbers("base-", ".list"), logs: numbers("log-", ".ndjson") })
    }

    fn base(&self, number: u64) -> String {
        format!("{}/base-{number:010}.list", self.folder)
    }

    fn log(&self, number: u64) -> String {
        format!("{}/log-{number:010}.ndjson", self.folder)
    }

    fn of_base(&self, path: &str, error: BaseError) -> ListError {
        match error {
            BaseError::Damaged(what) => self.damaged(path, &what),
            BaseError::Newer => ListError::Newer { file: self.store.location_of(path) },
        }
    }

    fn damaged(&self, path: &str, what: &str) -> ListError {
        ListError::Damaged { file: self.store.location_of(path), what: what.to_owned() }
    }
}

fn number_of(name: &str, start: &str, end: &str) -> Option<u64> {
    name.strip_prefix(start)?.strip_suffix(end)?.parse().ok()
}
