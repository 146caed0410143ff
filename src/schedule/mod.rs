//! Jobs, run: one run of one job from its lock to its record.
//!
//! Invariant: no two runs of a job are at work at the same time, and whoever dies lets go.

mod go;

pub use go::{Go, GoError};
