//! Manifests: what staged batches add to the table, written by who has staged them and read by who commits them.
//!
//! ```text
//! staged/<id>.json    <checksum of what follows>
//!                     {"format":1,"sets":[{"files":[{"path":"event_type=…/….parquet",…}],"batches":{"<id>":{…}},…}]}
//! ```
//!
//! Invariant: a manifest is written after its files and the entries of its inputs, and never changes. What is read from
//! it decides as the batches themselves would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::delta::StoredNewFile;
use crate::lake::batch_size::BatchSize;
use crate::lake::file_part::FilePart;
use crate::lake::known_inputs::{InputKey, KnownInput};
use crate::lake::layout::STAGED;
use crate::lake::open::Lake;
use crate::lake::staged_files::{BatchCounts, StagedFiles};
use crate::model::Currency;
use crate::storage::{checksum, unique_id};

const FORMAT: u32 = 1;

/// The batches of others that are committed together with one's own.
#[derive(Default)]
pub(super) struct Others<'a> {
    pub manifests: Vec<Manifest<'a>>,
    /// Whether others commit at the same time, so that ids are to be looked up that this process has not.
    pub are_expected: bool,
    /// The newest version that this process knew before; of a newer one, too.
    pub known: Option<u64>,
    /// Whether the newest version that this process knows was just looked for.
    pub knows_newest: bool,
    /// The paths of the manifests that no commit has to take any more, once this one is made.
    pub settled: Vec<String>,
}

/// A manifest that was read.
pub(super) struct Manifest<'a> {
    pub path: String,
    pub sets: Vec<StagedFiles<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredManifest {
    format: u32,
    sets: Vec<StoredSet>,
}

/// Staged files, as far as a commit needs to know them.
#[derive(Serialize, Deserialize)]
struct StoredSet {
    files: Vec<StoredNewFile>,
    batches: BTreeMap<String, StoredBatch>,
    currency: Option<i64>,
    parts: BTreeMap<String, StoredPart>,
    is_from_elsewhere: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredBatch {
    lines: u64,
    accepted: u64,
    rejected: u64,
    /// As the version of a transaction.
    before: i64,
    content: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct StoredPart {
    keys: Vec<InputKey>,
    bytes: u64,
    tail_bytes: u64,
    from: u64,
    after: Option<String>,
    seen: BTreeSet<String>,
    is_last: bool,
}

/// Returns the path of a new manifest.
pub(super) fn new_manifest() -> String {
    format!("{STAGED}/{}.json", unique_id())
}

/// Returns whether a file is a manifest, by its path.
pub(super) fn is_manifest(path: &str) -> bool {
    path.strip_prefix(STAGED).is_some_and(|name| name.starts_with('/') && name.ends_with(".json"))
}

/// Returns the content of a manifest; none where something of it cannot be written as one.
pub(super) fn manifest_of(together: &[StagedFiles<'_>]) -> Option<Vec<u8>> {
    let sets = together.iter().map(StoredSet::of).collect::<Option<_>>()?;
    let json = serde_json::to_vec(&StoredManifest { format: FORMAT, sets }).ok()?;
    Some([checksum_line(&json).as_bytes(), &json].concat())
}

fn checksum_line(json: &[u8]) -> String {
    format!("{:016x}\n", checksum(json))
}

impl<'a> Manifest<'a> {
    /// Returns what a manifest has; none of one that is damaged or of another form, which its writer commits.
    pub fn parse(lake: &'a Lake, path: String, bytes: &[u8]) -> Option<Manifest<'a>> {
        let (line, json) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n')? + 1);
        let stored: StoredManifest = serde_json::from_slice(json).ok()?;
        if stored.format != FORMAT || line != checksum_line(json).as_bytes() {
            return None;
        }
        let sets = stored.sets.into_iter().map(|set| set.staged(lake)).collect::<Option<_>>()?;
        Some(Manifest { path, sets })
    }

    /// Returns the objects with the entries of the inputs that it is of.
    pub fn inputs(&self) -> impl Iterator<Item = String> {
        let parts = self.sets.iter().flat_map(|set| set.parts.values());
        parts.flat_map(|part| &part.keys).map(InputKey::file)
    }

    /// Returns the number of files.
    pub fn files(&self) -> usize {
        self.sets.iter().map(StagedFiles::count).sum()
    }
}

impl StoredSet {
    fn of(staged: &StagedFiles<'_>) -> Option<StoredSet> {
        let batches = staged.batches.iter().map(|(id, counts)| {
            let BatchCounts { lines, accepted, rejected, before, content, .. } = *counts;
            (id.clone(), StoredBatch { lines, accepted, rejected, before: before.version(), content })
        });
        Some(StoredSet {
            files: staged.adds.iter().map(StoredNewFile::of).collect::<Option<_>>()?,
            batches: batches.collect(),
            currency: staged.currency.map(Currency::number),
            parts: staged.parts.iter().map(|(id, part)| (id.clone(), StoredPart::of(part))).collect(),
            is_from_elsewhere: staged.is_from_elsewhere,
        })
    }

    fn staged(self, lake: &Lake) -> Option<StagedFiles<'_>> {
        let mut staged = StagedFiles::of(lake);
        // They are of another process, which may go on with them.
        staged.is_named = true;
        staged.adds = self.files.into_iter().map(StoredNewFile::into_file).collect::<Option<_>>()?;
        for (id, StoredBatch { lines, accepted, rejected, before, content }) in self.batches {
            let before = BatchSize::of_version(before)?;
            let counts = BatchCounts { lines, accepted, rejected, before, content, ..BatchCounts::default() };
            staged.batches.insert(id, counts);
        }
        if let Some(number) = self.currency {
            staged.currency = Some(Currency::of_number(number)?);
        }
        staged.parts = self.parts.into_iter().map(|(id, part)| (id.clone(), part.part(id))).collect();
        staged.is_from_elsewhere = self.is_from_elsewhere;
        Some(staged)
    }
}

impl StoredPart {
    fn of(part: &FilePart) -> StoredPart {
        StoredPart {
            keys: part.keys.clone(),
            bytes: part.end.bytes,
            tail_bytes: part.end.tail_bytes,
            from: part.from,
            after: part.after.clone(),
            seen: part.seen.iter().cloned().collect(),
            is_last: part.is_last,
        }
    }

    fn part(self, id: String) -> FilePart {
        let StoredPart { keys, bytes, tail_bytes, from, after, seen, is_last } = self;
        let end = KnownInput {
            id,
            bytes,
            tail_bytes,
            tail_size: BatchSize::default(),
            size: BatchSize::default(),
            start: None,
            hours: None,
            second: 0,
            newest: None,
        };
        FilePart {
            keys,
            end,
            from,
            before: BatchSize::default(),
            after,
            // Batches that replace others have commits of their own.
            replaces: None,
            seen: Arc::new(seen.into_iter().collect()),
            is_last,
            earlier: Arc::default(),
        }
    }
}
