//! The commands, a file each: what clap parses, its checks, and what it does.
//!
//! Invariant: checks are pure; a command uses no other command's state and never the enum of commands.

pub mod cluster;
pub mod complete_categories;
pub mod completions;
pub mod config;
pub mod count;
pub mod datagen;
pub mod doctor;
pub mod health;
pub mod ingest;
pub mod lake;
mod lake_copy;
mod lake_repair;
mod lake_stop;
mod lake_upgrade;
pub mod man;
pub mod rank;
pub mod rank_parts;
pub mod ranking_options;
pub mod report;
pub mod rollup;
pub mod rollup_parts;
pub mod rollup_scope;
pub mod run;
pub mod runs;
pub mod schedule;
pub mod serve;
mod serve_log;
pub mod show;
pub mod top;
