//! Whether a command changes anything.

/// Whether a command only reports what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// Print the plan, change nothing.
    Yes,
    /// Carry the plan out.
    No,
}

impl From<bool> for DryRun {
    fn from(dry_run: bool) -> DryRun {
        if dry_run { DryRun::Yes } else { DryRun::No }
    }
}
