//! Turns panics of the Parquet library over damaged bytes into errors.
//!
//! The library checks most of what it reads, and panics over some of the rest. Such a panic means that the
//! file is damaged, and is reported so.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use crate::parquet_format::error::ColumnsError;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a panic on this thread will be reported as an error, and need not be printed.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Runs a function of the library.
///
/// # Errors
/// Fails as the function does, or where it panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, ColumnsError>) -> Result<T, ColumnsError> {
    let was_guarded = IS_GUARDED.replace(true);
    // Everything that the function left unfinished is dropped with it.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    outcome.unwrap_or_else(|_| Err(ColumnsError::Unreadable("its parts do not fit together".to_owned())))
}

/// Batches of a file, each read under the guard; ends at the first error.
pub(super) struct GuardedBatches<I>(Option<I>);

impl<I> GuardedBatches<I> {
    pub fn of(batches: I) -> GuardedBatches<I> {
        GuardedBatches(Some(batches))
    }
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> Iterator for GuardedBatches<I> {
    type Item = Result<RecordBatch, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batches = self.0.as_mut()?;
        let next = guarded(|| Ok(batches.next().transpose()?)).transpose();
        if matches!(next, Some(Err(_))) {
            self.0 = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_reported_as_damage_and_ends_the_batches() {
        let mut given = 0;
        let batches = std::iter::from_fn(|| -> Option<Result<RecordBatch, ArrowError>> {
            given += 1;
            assert!(given < 2, "the second is damaged");
            Some(Ok(RecordBatch::new_empty(arrow::datatypes::Schema::empty().into())))
        });
        let mut guarded = GuardedBatches::of(batches);
        assert!(guarded.next().is_some_and(|batch| batch.is_ok()));
        let error = guarded.next().and_then(Result::err).expect("a panic is an error");
        assert_eq!(error.to_string(), "is not a readable Parquet file: its parts do not fit together");
        assert!(guarded.next().is_none() && !is_guarded());
    }
}
