//! What an ingest passes over in a folder, and why.

/// A file or folder that is not ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub name: String,
    pub kind: SkippedKind,
    pub why: String,
}

/// What is not ingested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkippedKind {
    File,
    Folder,
    /// A file of a spool folder that may still be written to; a later run ingests it.
    TooRecent,
}
