//! Published rankings: an immutable file each, and a pointer to the newest.
//!
//! Invariant: the pointer names a whole and checked file, or is not there; what it names never
//! changes.
//!
//! ```text
//! rankings/2017-01-15T00Z-1f0c….parquet    sorted by category and rank
//! rankings/current.json                    {"schema":1,"file":…,"blake3":…,"size_bytes":…,"rows":…}
//! ```

mod kept;

use bytes::Bytes;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::columns::{ColumnsError, RankedRow, RankingFile, encode_ranking};
use crate::event::SumsOverflow;
use crate::event::harmless;
use crate::rank::{Measure, Ranking, Rules};
use crate::store::{Store, StoreError};

pub use kept::{check_all, old_rankings};

const FOLDER: &str = "rankings";
const POINTER: &str = "rankings/current.json";
const SCHEMA: u32 = 1;

/// A published ranking, open for reading.
pub struct Snapshot {
    file: RankingFile,
    /// Hours after which a sale counted half; none without decay.
    pub half_life_hours: Option<f64>,
    /// When it was taken, RFC 3339.
    pub as_of: String,
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
    let rows = rows_of(ranking, names);
    if rows.is_empty() {
        return Err(SnapshotError::Empty);
    }
    let as_of = rules.window.as_of().start().to_string();
    let columns = |file: &str| {
        let file = file.to_owned();
        move |source| SnapshotError::Columns { file, source }
    };
    let bytes = encode_ranking(&rows, &labels(rules, event_types)).map_err(columns(FOLDER))?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let name = format!("{}-{}.parquet", as_of.replace(":00:00Z", "Z"), &hash[..16]);
    let file = format!("{FOLDER}/{name}");
    store.put(&file, bytes.clone())?;
    let pointer = Pointer {
        schema: SCHEMA,
        file: name,
        blake3: hash,
        size_bytes: bytes.len() as u64,
        rows: rows.len() as u64,
        as_of,
    };
    let reread = open(&pointer, store.get(&file)?)?;
    if reread.file.all().map_err(columns(&file))? != rows {
        return Err(SnapshotError::Damaged {
            file,
            what: "it reads otherwise than it was written".to_owned(),
        });
    }
    let mut json = serde_json::to_vec(&pointer).expect("a pointer is plain texts and numbers");
    json.push(b'\n');
    store.put(POINTER, json.into())?;
    Ok(Published {
        file,
        size_bytes: pointer.size_bytes,
        categories: ranking.categories.len() as u64,
        rows: pointer.rows,
        named: names.map(|_| rows.iter().filter(|row| row.name.is_some()).count() as u64),
    })
}

impl Snapshot {
    /// Opens the newest published ranking and checks it whole.
    ///
    /// # Errors
    /// [`SnapshotError::None`] where none was published; [`SnapshotError::Damaged`] where the file is not
    /// the one that was.
    pub fn current(store: &Store) -> Result<Snapshot, SnapshotError> {
        let mut pointer = read_pointer(store)?;
        loop {
            let file = format!("{FOLDER}/{}", pointer.file);
            match store.get(&file) {
                Err(error) if error.is_not_found() => {
                    // Between the two looks a newer ranking may have come, and the older one gone.
                    let newer = read_pointer(store)?;
                    if newer.file == pointer.file {
                        return Err(damaged_pointer(format!("it names {file}, which is not there")));
                    }
                    pointer = newer;
                }
                bytes => return open(&pointer, bytes?),
            }
        }
    }

    /// Returns one category's rows, best first; the whole shop's for `None`.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn category(&self, category: Option<&str>) -> Result<Vec<RankedRow>, SnapshotError> {
        self.file.category(category).map_err(damaged_rows)
    }

    /// Tells whether any item has a name.
    pub fn has_names(&self) -> bool {
        self.file.has_names()
    }

    /// Returns each category's best row and how many rows it has, the shop first.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn leaders(&self) -> Result<Vec<(RankedRow, u64)>, SnapshotError> {
        self.file.leaders().map_err(damaged_rows)
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

#[expect(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn damaged_rows(error: ColumnsError) -> SnapshotError {
    SnapshotError::Damaged { file: FOLDER.to_owned(), what: error.to_string() }
}

/// Opens a file's bytes, if they are what the pointer says.
fn open(pointer: &Pointer, bytes: Bytes) -> Result<Snapshot, SnapshotError> {
    let damaged = |what: &str| SnapshotError::Damaged {
        file: format!("{FOLDER}/{}", pointer.file),
        what: what.to_owned(),
    };
    if bytes.len() as u64 != pointer.size_bytes || blake3::hash(&bytes).to_hex().to_string() != pointer.blake3
    {
        return Err(damaged("its bytes are not those that were published"));
    }
    let file = RankingFile::open(bytes).map_err(|e| damaged(&e.to_string()))?;
    if file.rows() != pointer.rows {
        return Err(damaged("it has another number of rows than was published"));
    }
    let half_life_hours =
        match file.label("topsell.half_life_hours").ok_or_else(|| damaged("it names no half-life"))? {
            "none" => None,
            text => Some(text.parse().map_err(|_| damaged("its half-life is no number"))?),
        };
    Ok(Snapshot { file, half_life_hours, as_of: pointer.as_of.clone() })
}

fn rows_of(ranking: &Ranking, names: Option<&HashMap<&str, String>>) -> Vec<RankedRow> {
    let name = |item_id: &str| names.and_then(|names| names.get(item_id).cloned());
    let of_category = ranking.categories.iter().flat_map(|category| {
        (1..).zip(&category.items).map(|(rank, item)| RankedRow {
            category: category.category.clone(),
            rank,
            item_id: item.item_id.clone(),
            name: name(&item.item_id),
            score: item.score,
            sums: item.sums,
            window_from: category.window.oldest().start(),
            window_to: category.window.as_of().start(),
            rankable: category.rankable.cast_signed(),
        })
    });
    of_category.collect()
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
