//! The files of followed lists.
//!
//! ```text
//! <edge-dir>/held/ranking~default.list    the list as it was last written, with its hash
//! <edge-dir>/held/synced.json             {"ranking/default":1767830400000000,…}: when each was last synced
//! ```
//!
//! Invariant: a file that is damaged is none.

use std::collections::BTreeMap;

use topsell_core::storage::{Store, StoreError};
use topsell_lists::{HeldList, ListName};

const FOLDER: &str = "held";
const EXTENSION: &str = ".list";
const SYNCED: &str = "held/synced.json";
/// What stands for `/` in the name of a file; no name of a list has it.
const LEVEL: &str = "~";

/// Lists that were read.
#[derive(Default)]
pub struct ReadLists {
    pub held: Vec<HeldList>,
    /// Names whose files are damaged.
    pub damaged: Vec<ListName>,
    pub synced: BTreeMap<String, i64>,
}

/// Reads all lists.
pub fn read(store: &Store) -> Result<ReadLists, StoreError> {
    let mut read = ReadLists::default();
    let mut names = store.names(FOLDER)?;
    names.sort_unstable();
    for file in names {
        let name = file.strip_suffix(EXTENSION).map(|name| name.replace(LEVEL, "/"));
        let Some(name) = name.and_then(|name| ListName::parse(&name).ok()) else { continue };
        let bytes = store.get(&format!("{FOLDER}/{file}"))?;
        match HeldList::of_file(&bytes, &name) {
            Some(held) => read.held.push(held),
            None => read.damaged.push(name),
        }
    }
    let synced = store.get(SYNCED).ok().and_then(|json| serde_json::from_slice(&json).ok());
    read.synced = synced.unwrap_or_default();
    Ok(read)
}

/// Writes a list.
pub fn write(store: &Store, held: &HeldList) -> Result<(), StoreError> {
    let Some(file) = held.file() else { return Ok(()) };
    store.make_folder(FOLDER)?;
    let name = held.name.as_str().replace('/', LEVEL);
    store.put(&format!("{FOLDER}/{name}{EXTENSION}"), file.into())
}

/// Writes when each list was last synced; may be lost in a power failure, after which lists seem older than they are.
pub fn write_synced(store: &Store, synced: &BTreeMap<String, i64>) -> Result<(), StoreError> {
    let json = serde_json::to_vec(synced).expect("names and numbers are JSON");
    store.make_folder(FOLDER)?;
    store.put_quickly(SYNCED, json.into())
}
