//! Published rankings: an immutable file each, and a pointer to the newest.
//!
//! Invariant: the pointer names a whole and checked file, or is not there; what it names never
//! changes.
//!
//! ```text
//! rankings/2017-01-15T00Z-1f0c….parquet    sorted by category and rank; see `columns`
//! rankings/current.json                    {"schema":1,"file":…,"blake3":…,"size_bytes":…,"rows":…,
//!                                           "as_of":…,"footer":{"size_bytes":…,"blake3":…}}
//! ```
//!
//! `blake3` and `size_bytes` are of the whole file, `footer` of its end, from where the Parquet
//! metadata begins. The metadata has a hash of each row group. So an answer reads three things, the
//! pointer, the footer and one group, and shows nothing that it has not checked. Where the footer is
//! not the one that the pointer tells of, or the pointer tells of none, as those written before it
//! did, the whole file is read and checked instead.

mod groups;
mod kept;

use bytes::Bytes;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::columns::{ColumnsError, Leader, RankedRow, RankingFile, encode_ranking};
use crate::event::SumsOverflow;
use crate::event::harmless;
use crate::rank::{Measure, Ranking, Rules};
use crate::snapshot::groups::Groups;
use crate::store::{Store, StoreError};

pub use kept::{check_all, old_rankings};

const FOLDER: &str = "rankings";
const POINTER: &str = "rankings/current.json";
const SCHEMA: u32 = 1;

/// A published ranking, open for reading.
pub struct Snapshot {
    /// Path below the lake.
    path: String,
    file: RankingFile,
    rows: Rows,
    /// Hours after which a sale counted half; none without decay.
    pub half_life_hours: Option<f64>,
    /// When it was taken, RFC 3339.
    pub as_of: String,
}

/// Where the rows are.
enum Rows {
    /// In memory, checked together with all else.
    Whole(Bytes),
    /// In the file, each group to be checked when it is read.
    InGroups(Store),
}

/// What has been published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Path below the lake.
    pub file: String,
    pub size_bytes: u64,
    pub categories: u64,
    pub rows: u64,
    /// How many of the rows tell the item's name, where names were given.
    pub named: Option<u64>,
}

/// A ranking could not be published or opened.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("there is no ranking in this lake yet")]
    None,
    #[error("nothing ranks in the hours looked at, so there is nothing to publish")]
    Empty,
    #[error("{file} is damaged: {what}")]
    Damaged { file: String, what: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error(transparent)]
    Overflow(#[from] SumsOverflow),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    schema: u32,
    file: String,
    blake3: String,
    size_bytes: u64,
    rows: u64,
    as_of: String,
    /// None in pointers that were written before groups were hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    footer: Option<Footer>,
}

/// The end of a file, which says how to read the rest.
#[derive(Serialize, Deserialize)]
struct Footer {
    size_bytes: u64,
    blake3: String,
}

/// Publishes a ranking: the file, a check of it as it lies on disk, and the pointer last.
///
/// The same ranking and names by the same rules give the same bytes.
///
/// # Errors
/// [`SnapshotError::Empty`] where nothing ranked; otherwise fails where the disk does. The
/// pointer then names what it named before.
pub fn publish(
    store: &Store,
    ranking: &Ranking,
    names: Option<&HashMap<&str, String>>,
    rules: &Rules,
    event_types: &[String],
) -> Result<Published, SnapshotError> {
    let groups = Groups::of(ranking, names);
    if groups.rows() == 0 {
        return Err(SnapshotError::Empty);
    }
    let as_of = rules.window.as_of().start().to_string();
    let encoded = encode_ranking(
        groups.len(),
        |group| groups.rows_of(group).collect(),
        groups.largest_amount(),
        &labels(rules, event_types),
    );
    let encoded = encoded.map_err(|source| SnapshotError::Columns { file: FOLDER.to_owned(), source })?;
    let hash = blake3::hash(&encoded.bytes).to_hex().to_string();
    let name = format!("{}-{}.parquet", as_of.replace(":00:00Z", "Z"), &hash[..16]);
    let file = format!("{FOLDER}/{name}");
    store.put(&file, encoded.bytes.clone())?;
    let footer = &encoded.bytes[encoded.footer_at..];
    let pointer = Pointer {
        schema: SCHEMA,
        file: name,
        blake3: hash,
        size_bytes: encoded.bytes.len() as u64,
        rows: groups.rows(),
        as_of,
        footer: Some(Footer {
            size_bytes: footer.len() as u64,
            blake3: blake3::hash(footer).to_hex().to_string(),
        }),
    };
    drop(encoded);
    check_written(store, &pointer, &groups)?;
    let mut json = serde_json::to_vec(&pointer).expect("a pointer is plain texts and numbers");
    json.push(b'\n');
    store.put(POINTER, json.into())?;
    Ok(Published {
        file,
        size_bytes: pointer.size_bytes,
        categories: ranking.categories.len() as u64,
        rows: pointer.rows,
        named: names.map(|_| groups.named()),
    })
}

/// Reads a file back from the disk, as a whole and by groups, and compares every row.
fn check_written(store: &Store, pointer: &Pointer, groups: &Groups<'_>) -> Result<(), SnapshotError> {
    let damaged = || damaged_file(pointer, "it reads otherwise than it was written");
    let bytes = store.get(&pointer.path())?;
    let by_groups = pointer.footer_of(&bytes).ok_or_else(damaged)?;
    by_groups.map_err(|e| damaged_file(pointer, &e.to_string()))?;
    let written = pointer.open_whole(bytes)?;
    if written.file.groups() != groups.len() {
        return Err(damaged());
    }
    (0..groups.len()).into_par_iter().try_for_each(|group| {
        let bytes = written.group(group)?;
        if !written.file.is_whole(group, &bytes) {
            return Err(damaged());
        }
        let mut expected = groups.rows_of(group);
        let mut is_same = true;
        let read = written.file.each_row(group, bytes, &mut |row| is_same &= expected.next() == Some(row));
        read.map_err(|e| damaged_file(pointer, &e.to_string()))?;
        if is_same && expected.next().is_none() { Ok(()) } else { Err(damaged()) }
    })
}

impl Snapshot {
    /// Opens the newest published ranking; its rows are checked when they are read.
    ///
    /// # Errors
    /// [`SnapshotError::None`] where none was published; [`SnapshotError::Damaged`] where the file is not
    /// the one that was.
    pub fn current(store: &Store) -> Result<Snapshot, SnapshotError> {
        newest(store, |pointer| {
            let Some(footer) = &pointer.footer else {
                return pointer.open_whole(store.get(&pointer.path())?);
            };
            // Whatever is wrong with the end, the whole file says what it is.
            let opened = match store.get_tail(&pointer.path(), footer.size_bytes) {
                Err(error) if error.is_not_found() => return Err(error.into()),
                tail => tail.ok().and_then(|tail| pointer.footer_of(&tail)),
            };
            match opened {
                Some(Ok(file)) => pointer.snapshot(file, Rows::InGroups(store.clone())),
                Some(Err(_)) | None => pointer.open_whole(store.get(&pointer.path())?),
            }
        })
    }

    /// Opens the newest published ranking and checks it whole.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    fn checked(store: &Store) -> Result<Snapshot, SnapshotError> {
        newest(store, |pointer| {
            let bytes = store.get(&pointer.path())?;
            if pointer.footer.is_some() && !matches!(pointer.footer_of(&bytes), Some(Ok(_))) {
                pointer.open_whole(bytes)?;
                return Err(damaged_pointer("it tells of another footer than the file has".to_owned()));
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

    /// Tells whether any item has a name.
    pub fn has_names(&self) -> bool {
        self.file.has_names()
    }

    /// Returns every category, the shop first.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn leaders(&self) -> Result<Vec<Leader>, SnapshotError> {
        let mut leaders = Vec::new();
        for group in 0..self.file.groups() {
            let added = self.file.add_leaders(group, self.group(group)?, &mut leaders);
            added.map_err(|e| self.damaged(&e.to_string()))?;
        }
        Ok(leaders)
    }

    /// Returns the bytes of a group, if they are those that were published.
    fn group(&self, group: usize) -> Result<Bytes, SnapshotError> {
        let range = self.file.range(group);
        match &self.rows {
            Rows::Whole(bytes) => {
                let [from, to] = [range.start, range.end].map(usize::try_from);
                let within = from.ok().zip(to.ok()).filter(|(from, to)| from <= to && *to <= bytes.len());
                let within = within.ok_or_else(|| self.damaged("its footer names rows outside of it"))?;
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

/// Opens what the pointer names.
fn newest(
    store: &Store,
    open: impl Fn(&Pointer) -> Result<Snapshot, SnapshotError>,
) -> Result<Snapshot, SnapshotError> {
    let mut pointer = read_pointer(store)?;
    loop {
        match open(&pointer) {
            Err(SnapshotError::Store(error)) if error.is_not_found() => {
                // Between the two looks a newer ranking may have come, and the older one gone.
                let newer = read_pointer(store)?;
                if newer.file == pointer.file {
                    let what = format!("it names {}, which is not there", pointer.path());
                    return Err(damaged_pointer(what));
                }
                pointer = newer;
            }
            opened => return opened,
        }
    }
}

impl Pointer {
    /// Returns the file's path below the lake.
    fn path(&self) -> String {
        format!("{FOLDER}/{}", self.file)
    }

    /// Opens a file's bytes, if they are what the pointer says.
    fn open_whole(&self, bytes: Bytes) -> Result<Snapshot, SnapshotError> {
        if bytes.len() as u64 != self.size_bytes || blake3::hash(&bytes).to_hex().to_string() != self.blake3 {
            return Err(damaged_file(self, "its bytes are not those that were published"));
        }
        let file = RankingFile::open(bytes.clone(), self.size_bytes);
        self.snapshot(file.map_err(|e| damaged_file(self, &e.to_string()))?, Rows::Whole(bytes))
    }

    /// Opens the footer at the end of some bytes, if it is the one that the pointer tells of and
    /// has what it takes to check each group by itself.
    fn footer_of(&self, tail: &Bytes) -> Option<Result<RankingFile, ColumnsError>> {
        let footer = self.footer.as_ref()?;
        let length = usize::try_from(footer.size_bytes).ok().filter(|length| *length <= tail.len())?;
        let bytes = tail.slice(tail.len() - length..);
        if blake3::hash(&bytes).to_hex().to_string() != footer.blake3 {
            return None;
        }
        let file = RankingFile::open(bytes, self.size_bytes);
        (!file.as_ref().is_ok_and(|file| !file.has_hashes())).then_some(file)
    }

    fn snapshot(&self, file: RankingFile, rows: Rows) -> Result<Snapshot, SnapshotError> {
        if file.rows() != self.rows {
            return Err(damaged_file(self, "it has another number of rows than was published"));
        }
        let half_life = file.label("topsell.half_life_hours");
        let half_life_hours = match half_life.ok_or_else(|| damaged_file(self, "it names no half-life"))? {
            "none" => None,
            text => Some(text.parse().map_err(|_| damaged_file(self, "its half-life is no number"))?),
        };
        Ok(Snapshot { path: self.path(), file, rows, half_life_hours, as_of: self.as_of.clone() })
    }
}

fn read_pointer(store: &Store) -> Result<Pointer, SnapshotError> {
    let json = match store.get(POINTER) {
        Err(error) if error.is_not_found() => return Err(SnapshotError::None),
        json => json?,
    };
    let pointer: Pointer = serde_json::from_slice(&json).map_err(|e| damaged_pointer(e.to_string()))?;
    if pointer.schema != SCHEMA {
        let what = format!("its schema is {}, and this program knows {SCHEMA}", pointer.schema);
        return Err(damaged_pointer(what));
    }
    // Else it may lead out of the folder, or be nothing that a disk can name.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if pointer.file.bytes().all(is_plain) {
        return Ok(pointer);
    }
    Err(damaged_pointer(format!("it names `{}`, which is no ranking", harmless(&pointer.file))))
}

fn damaged_pointer(what: String) -> SnapshotError {
    SnapshotError::Damaged { file: POINTER.to_owned(), what }
}

fn damaged_file(pointer: &Pointer, what: &str) -> SnapshotError {
    SnapshotError::Damaged { file: pointer.path(), what: what.to_owned() }
}

/// How the ranking was made; nothing of when or by whom, so that the same inputs give the same
/// bytes.
fn labels(rules: &Rules, event_types: &[String]) -> Vec<(&'static str, String)> {
    let half_life = rules.decay.half_life_hours().map_or("none".to_owned(), |hours| hours.to_string());
    let measure = match rules.measure {
        Measure::Units => "units",
        Measure::Purchases => "purchases",
        Measure::Amount => "amount",
    };
    vec![
        ("topsell.schema", SCHEMA.to_string()),
        ("topsell.as_of", rules.window.as_of().start().to_string()),
        ("topsell.window_hours", rules.window.hours().to_string()),
        ("topsell.half_life_hours", half_life),
        ("topsell.by", measure.to_owned()),
        ("topsell.event_types", serde_json::json!(event_types).to_string()),
        ("topsell.top", rules.top.to_string()),
        ("topsell.min_items", rules.min_items.to_string()),
        ("topsell.max_lookback_hours", rules.max_lookback_hours.to_string()),
    ]
}
