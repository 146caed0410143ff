//! `topsell` turns purchase logs into best-seller lists.
//!
//! Data walks down a staircase; each room leaves something finished for the next:
//!
//! ```text
//! purchase logs → ingest → LAKE → rollup → ROLLUPS → rank → RANKING → publish → SNAPSHOT → show
//! ```
//!
//! The list below is the architecture. A blank line ends a floor, and a room uses rooms of earlier
//! floors only.

pub mod event;
pub mod time;

pub mod columns;
pub mod store;
pub mod trace;

pub mod table;

pub mod lake;

pub mod ingest;
pub mod rollup;

pub mod rank;

pub mod snapshot;

pub mod pipeline;
pub mod show;

pub mod cli;
