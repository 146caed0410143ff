//! Events that are durable elsewhere and not yet in the lake, in the form that they will have in it.
//!
//! Invariant: whoever counts with them and finds the batch in the version of the lake that is read counts it once.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::delta::{FileStats, NamedFile, NewFile};
use crate::lake::error::LakeError;
use crate::lake::write_events::encode_events;
use crate::model::Events;

/// A batch that is not committed yet.
#[derive(Clone, Debug)]
pub struct UncommittedBatch {
    /// The id under which it will be committed.
    pub id: String,
    /// A version of the `events` table without it.
    pub since: u64,
    /// Its files, and their bytes.
    pub files: Vec<(NamedFile, Bytes)>,
}

impl UncommittedBatch {
    /// Encodes a batch.
    ///
    /// # Errors
    /// Fails where an event cannot be encoded.
    pub fn encode(id: &str, since: u64, events: &Events) -> Result<UncommittedBatch, LakeError> {
        let files = encode_events(id, events, &|file, bytes| Ok((named(&file), bytes)))?;
        Ok(UncommittedBatch { id: id.to_owned(), since, files })
    }
}

/// Returns a file as the table's log would describe it, as far as counts need it.
fn named(file: &NewFile) -> NamedFile {
    let hours = file.range_of("hour");
    let bound = |of: Option<i32>| of.map_or(Value::Null, |hour| json!({ "hour": hour }));
    let nulls: Map<String, Value> =
        file.columns.iter().map(|of| (of.name.clone(), of.nulls.into())).collect();
    NamedFile {
        path: file.path.clone(),
        size_bytes: file.size_bytes,
        partition: file.partition.clone(),
        rows: file.rows,
        stats: FileStats::of(
            &Value::Object(nulls),
            &bound(hours.map(|(least, _)| least)),
            &bound(hours.map(|(_, most)| most)),
        ),
    }
}
