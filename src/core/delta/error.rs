//! What can go wrong with a table.

use std::error::Error;

use delta_kernel::KernelError;

use crate::delta::log_checksums::LogDamage;
use crate::storage::{StoreError, is_full_disk};

/// A table could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the `{table}` table is incompatible: {what}")]
    Incompatible { table: String, what: String },
    #[error("the log of the `{table}` table: {}", deepest(source.as_ref()))]
    Kernel { table: String, source: Box<KernelError> },
    #[error("the log of the `{table}` table is damaged: {what}")]
    Damaged { table: String, what: String },
    #[error(
        "gave up after {tries} attempts, since other programs committed to the `{table}` table first each time"
    )]
    Contended { table: String, tries: u32 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TableError {
    pub(super) fn kernel(table: &str, source: KernelError) -> TableError {
        let table = table.to_owned();
        match bare(&source) {
            // A feature of the protocol that the kernel does not know.
            KernelError::Unsupported(what) => TableError::Incompatible {
                table,
                what: format!(
                    "{what}; undo it with the program that enabled it, or restore the lake from a backup"
                ),
            },
            _ => TableError::Kernel { table, source: Box::new(source) },
        }
    }
}

impl TableError {
    /// Returns whether the table itself is damaged, rather than out of reach.
    pub fn is_damage(&self) -> bool {
        match self {
            TableError::Damaged { .. } => true,
            TableError::Kernel { source, .. } => {
                log_damage(source).is_some()
                    || !matches!(bare(source), KernelError::ObjectStore(_) | KernelError::IOError(_))
            }
            TableError::Store(error) => error.is_damaged(),
            TableError::Incompatible { .. } | TableError::Contended { .. } => false,
        }
    }
}

impl TableError {
    /// Returns whether the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            TableError::Kernel { source, .. } => causes(source).any(is_full_disk),
            TableError::Store(error) => error.is_full(),
            _ => false,
        }
    }
}

/// Returns the kernel's error without the backtrace it may carry.
fn bare(error: &KernelError) -> &KernelError {
    match error {
        KernelError::Backtraced { source, .. } => bare(source),
        other => other,
    }
}

/// Returns which file of the log has other bytes than were written, where that is what went wrong.
fn log_damage(error: &KernelError) -> Option<&LogDamage> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Returns the operating system's message where there is one, or the damaged file.
fn deepest(error: &KernelError) -> String {
    if let Some(damage) = log_damage(error) {
        return damage.to_string();
    }
    let io = causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>()).last();
    io.map_or_else(|| bare(error).to_string(), ToString::to_string)
}

/// Returns the causes of an error, the deepest last.
fn causes(error: &KernelError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: Option<&(dyn Error + 'static)> = match bare(error) {
        // The kernel prints this one's cause and does not pass it on.
        KernelError::ObjectStore(cause) => Some(cause),
        other => other.source(),
    };
    std::iter::successors(first, |&cause| cause.source())
}
