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
//! | [`model`] | times, hours, windows, events and their aggregates, as plain values | do I/O; read the clock; let a number wrap |
//! | [`parquet_format`] | the Parquet files of tables and rankings; external Parquet files as fields | know where a file is stored |
//! | [`progress`] | the progress that a run reports | print |
//! | [`storage`] | durable files of a lake, and files of users on local disks | know what is in a file |
//! | [`input_format`] | input files: decompressed, their format detected, their fields mapped | write |
//! | [`delta`] | Delta tables: commits, log reader, checkpoints, vacuum | know what the columns mean |
//! | [`item_catalog`] | the catalog of items: their categories and names | use a part of a catalog |
//! | [`lake`] | the `events` table and the rejects | commit a part of a batch |
//! | [`ingest`] | logs into the lake | lose a line without reporting it |
//! | [`rollup`] | the `rollups` table of hourly aggregates | read hours that did not change |
//! | [`rank`] | the ranking of a window: scores, top-k, look-back | do I/O |
//! | [`distributed`] | a ranking and a rollup in several processes: plans, results of parts, merging | publish |
//! | [`rankings`] | published rankings, item totals, and the pointers to the newest | change a published file |
//! | [`trends`] | a ranking compared with earlier ones: movements, shares, weeks on the list | read the tables |
//! | [`counts`] | the counts of single items, up to this moment | write, or wait for a lock |
//! | [`maintenance`] | compaction, expiry, vacuum, verification, statistics | change the content of a ranking |
//! | [`pipeline`] | the steps of each command, in order | do work of its own |

pub mod model;
pub mod storage;

pub mod parquet_format;
pub mod progress;

pub mod input_format;

pub mod delta;
pub mod item_catalog;

pub mod lake;

pub mod ingest;
pub mod rollup;

pub mod rank;

pub mod distributed;
pub mod rankings;

pub mod trends;

pub mod counts;
pub mod maintenance;

pub mod pipeline;
