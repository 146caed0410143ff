//! The engine of `topsell`: from purchase logs to published rankings.
//!
//! Data walks down a staircase; each room leaves something finished for the next:
//!
//! ```text
//! purchase logs → ingest → EVENTS → rollup → AGGREGATES → rank → RANKING → publish → show, serve
//! ```
//!
//! The list below is the architecture. A blank line ends a floor, and a room uses rooms of earlier
//! floors only. What each room may *not* do tells it from the others:
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`model`] | moments, hours, windows, events and their aggregates, as plain values | I/O; ask what time it is; let a number wrap |
//! | [`parquet_format`] | our rows as Parquet, others' Parquet as fields | know where a file lies |
//! | [`progress`] | what a run reports while it works | print |
//! | [`storage`] | durable files below one root | know what is in a file |
//! | [`input_format`] | what others have written: unpacked, its form told | write |
//! | [`delta`] | Delta commits: open, add, remove, changes since, checkpoint | know what the columns mean |
//! | [`item_catalog`] | what the shop says of its items: their categories, their names | take half a list |
//! | [`lake`] | the `events` table, the rejects beside it | take half a batch |
//! | [`ingest`] | logs into the lake | lose a line without saying so |
//! | [`rollup`] | the `rollups` table of hourly aggregates | read hours that did not change |
//! | [`rank`] | the best sellers of a window | I/O |
//! | [`rankings`] | published rankings, totals of every item, and the pointers to the newest | change what is published |
//! | [`trends`] | a ranking held against those before it: what moved, shares, weeks | look into the tables |
//! | [`counts`] | what single items have sold, up to this moment | write, or wait for anyone |
//! | [`maintenance`] | merging small files, checking, counting what is there | change what a ranking says |
//! | [`pipeline`] | the whole flow in one page | work of its own |

pub mod model;

pub mod parquet_format;
pub mod progress;
pub mod storage;

pub mod input_format;

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

pub mod pipeline;
