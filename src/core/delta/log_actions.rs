//! The actions of a Delta log, as far as they are read here.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::delta::file_stats::FileStats;
use crate::delta::files::NamedFile;
use crate::delta::partition_values::Partition;
use crate::delta::schema::{READER_VERSION, WRITER_VERSION};

/// One line of a commit.
#[derive(Deserialize)]
pub(super) struct Action<'a> {
    #[serde(borrow)]
    pub add: Option<Add<'a>>,
    #[serde(borrow)]
    pub remove: Option<Remove<'a>>,
    pub txn: Option<Transaction>,
    #[serde(rename = "metaData")]
    pub metadata: Option<Metadata>,
    pub protocol: Option<Protocol>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    pub partition_values: Partition,
    pub size: u64,
    pub data_change: bool,
    /// A text, left as it is until somebody wants it.
    #[serde(borrow)]
    pub stats: Option<&'a RawValue>,
    #[serde(borrow)]
    pub deletion_vector: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    pub data_change: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub app_id: String,
    pub version: i64,
}

#[derive(Deserialize)]
pub(super) struct Metadata {
    pub id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(default)]
    pub reader_features: Vec<String>,
    #[serde(default)]
    pub writer_features: Vec<String>,
}

impl Protocol {
    pub fn is_ours(&self) -> bool {
        let needs_nothing = self.reader_features.is_empty() && self.writer_features.is_empty();
        (self.min_reader_version, self.min_writer_version) == (READER_VERSION, WRITER_VERSION)
            && needs_nothing
    }
}

impl Add<'_> {
    /// Returns the file, if it is wanted; none at all where it is not understood.
    pub fn file(self, wants: &dyn Fn(&Partition) -> bool) -> Option<Option<NamedFile>> {
        if self.deletion_vector.is_some() {
            return None;
        }
        if !wants(&self.partition_values) {
            return Some(None);
        }
        let stats = match self.stats {
            Some(text) => FileStats::parse(&serde_json::from_str::<String>(text.get()).ok()?)?,
            None => Default::default(),
        };
        Some(Some(NamedFile::of(&self.path, self.size, self.partition_values, stats)))
    }
}
