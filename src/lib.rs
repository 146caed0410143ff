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
//! | [`model`] | moments, hours, windows, events and their sums, as plain values | I/O; ask what time it is; let a number wrap |
//! | [`cron`] | the times that cron expressions name | ask what time it is |
//! | [`parquet_format`] | our rows as Parquet, others' Parquet as fields | know where a file lies |
//! | [`process`] | starting commands, ending them, knowing them again | know what it was started for |
//! | [`terminal`] | tables and texts as a terminal shows them | know what they are of |
//! | [`storage`] | durable files below one root | know what is in a file |
//! | [`progress`] | what a run reports while it works | print |
//! | [`job_spec`] | jobs as they are written down | start anything |
//! | [`run_history`] | what each run did, and how it ended | judge it |
//! | [`input_format`] | what others have written: unpacked, its form told | write |
//! | [`item_catalog`] | what the shop says of its items: their categories, their names | take half a list |
//! | [`delta`] | Delta commits: open, add, remove, changes since, checkpoint | know what the columns mean |
//! | [`lake`] | the `events` table, the rejects beside it | take half a batch |
//! | [`ingest`] | logs into the lake | lose a line without saying so |
//! | [`rollup`] | the `rollups` table of hourly sums | read hours that did not change |
//! | [`rank`] | the best sellers of a window | I/O |
//! | [`rankings`] | published rankings, totals of every item, and the pointers to the newest | change what is published |
//! | [`trends`] | a ranking held against those before it: what moved, shares, weeks | look into the tables |
//! | [`counts`] | what single items have sold, up to this moment | write, or wait for anyone |
//! | [`maintenance`] | merging small files, checking, counting what is there | change what a ranking says |
//! | [`health`] | how a lake fares: what a monitor asks | change anything |
//! | [`datagen`] | made-up purchases to measure with, as logs or as sums | draw anything but from its seed |
//! | [`pipeline`] | the whole flow in one page | work of its own |
//! | [`report`] | a snapshot as a page to look at | need anything but the page |
//! | [`show`] | a snapshot as text | write anything |
//! | [`scheduler`] | jobs at their times: who leads, what is due, one run at a time, and what is left of those that died | ask what time it is |
//! | [`cli`] | where a person comes in: words, clock, environment, exit codes | be used by another room |

pub mod model;

pub mod cron;
pub mod parquet_format;
pub mod process;
pub mod progress;
pub mod storage;
pub mod terminal;

pub mod input_format;
pub mod job_spec;
pub mod run_history;

pub mod delta;
pub mod item_catalog;

pub mod lake;

pub mod ingest;
pub mod rollup;

pub mod rank;

pub mod rankings;

pub mod trends;

pub mod counts;
pub mod maintenance;

pub mod health;

pub mod datagen;

pub mod pipeline;
pub mod report;
pub mod show;

pub mod scheduler;

pub mod cli;
