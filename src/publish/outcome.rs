//! What a publication did.

/// Whether to write, or only to say what would be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    Yes,
    No,
}

/// What a publication did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Categories whose value was written.
    pub written: u64,
    /// Categories whose value the target had.
    pub unchanged: u64,
    /// Categories that the target had and the ranking has not.
    pub removed: u64,
    /// Size of the values that were written.
    pub size_bytes: u64,
    /// How often a request was sent again.
    pub retries: u32,
}
