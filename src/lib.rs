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
//! | [`cron`] | the times that cron expressions name | ask what time it is |
//! | [`process`] | starting commands, ending them, knowing them again | know what it was started for |
//! | [`terminal`] | tables and texts as a terminal shows them | know what they are of |
//! | [`job_spec`] | jobs as they are written down | start anything |
//! | [`run_history`] | what each run did, and how it ended | judge it |
//! | [`health`] | how a lake fares: what a monitor asks | change anything |
//! | [`datagen`] | made-up purchases to measure with, as logs or as sums | draw anything but from its seed |
//! | [`report`] | a snapshot as a page to look at | need anything but the page |
//! | [`show`] | a snapshot as text | write anything |
//! | [`scheduler`] | jobs at their times: who leads, what is due, one run at a time, and what is left of those that died | ask what time it is |
//! | [`cli`] | where a person comes in: words, clock, environment, exit codes | be used by another room |

pub mod cron;
pub mod process;
pub mod terminal;

pub mod job_spec;
pub mod run_history;

pub mod health;

pub mod datagen;

pub mod report;
pub mod show;

pub mod scheduler;

pub mod cli;
