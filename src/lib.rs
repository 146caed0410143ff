//! `topsell` turns purchase logs into best-seller lists.
//!
//! Data walks down a staircase; each room leaves something finished for the next:
//!
//! ```text
//! purchase logs → ingest → LAKE → rollup → ROLLUPS → rank → RANKING → publish → SNAPSHOT → show
//! ```
//!
//! The list below is the architecture. A blank line ends a floor, and a room uses rooms of earlier
//! floors only. What each room may *not* do tells it from the others:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`cli`] | where a person comes in: words, clock, environment, exit codes | be used by another room |

pub mod cli;
