//! Tests of several files together.

mod deltas;
mod durability;
mod faults;
mod histories;
mod world;
