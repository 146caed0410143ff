//! Everything that is promised, in one test binary: a file per command, a file per promise.

mod bad_input;
mod batches;
mod catalog;
mod concurrency;
mod datagen;
mod faults;
mod house;
mod identity;
mod ingest;
mod jobs;
mod kill;
mod lake;
mod mapping;
mod memory;
mod oracle;
mod protocol;
mod prune;
mod rank;
mod readme;
mod rollup;
mod sample;
mod scale;
mod shippers;
mod show;
mod together;
mod world;
