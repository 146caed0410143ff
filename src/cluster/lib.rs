//! Parts of a ranking or a rollup in many processes: gives them out, and again where one dies.
//!
//! What a part is, and what its result means, is told by `topsell_core::distributed`; this crate knows processes only.
//! The Python package in `python` does the same by Spark.

mod workers;

pub use workers::{PartsError, Workers};
