//! The Parquet library's work on bytes that anyone may have damaged.
//!
//! The library checks most of what it reads, and panics over some of the rest. Such a panic says no
//! more than that the file is damaged, so that is what it is told as.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use crate::parquet_format::ColumnsError;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Tells whether a panic on this thread will be told as damage, and need not be printed.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Does some work of the library.
///
/// # Errors
/// Fails as the work does, or where it panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, ColumnsError>) -> Result<T, ColumnsError> {
    let was_guarded = IS_GUARDED.replace(true);
    // Whatever the work has left half done is dropped with it.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    outcome.unwrap_or_else(|_| Err(ColumnsError::Unreadable("its parts do not fit together".to_owned())))
}

/// Batches of a file, each read under guard; none after one that cannot be.
pub(super) struct Guarded<I>(Option<I>);

impl<I> Guarded<I> {
    pub fn of(batches: I) -> Guarded<I> {
        Guarded(Some(batches))
    }
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> Iterator for Guarded<I> {
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
    fn a_panic_is_told_as_damage_and_ends_the_batches() {
        let mut given = 0;
        let batches = std::iter::from_fn(|| -> Option<Result<RecordBatch, ArrowError>> {
            given += 1;
            assert!(given < 2, "the second is damaged");
            Some(Ok(RecordBatch::new_empty(arrow::datatypes::Schema::empty().into())))
        });
        let mut guarded = Guarded::of(batches);
        assert!(guarded.next().is_some_and(|batch| batch.is_ok()));
        let error = guarded.next().and_then(Result::err).expect("a panic is an error");
        assert_eq!(error.to_string(), "is not a readable Parquet file: its parts do not fit together");
        assert!(guarded.next().is_none() && !is_guarded());
    }
}
